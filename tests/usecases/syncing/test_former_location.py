"""Backups that an earlier version recorded under another location of the same store."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.sync import sync
from bakthat.usecases.tools import Tools

FORMER = "s3://attic"


class Moved:
    """A machine whose endpoint comes from the environment: a store that version 1.0 called FORMER."""

    def __init__(self, box: Toolbox, tree: Path, destination: str = "s3") -> None:
        self.box = box
        self.made = backup(BackupRequest(source=tree, destination=destination, tags=("kept",)), box.tools)
        self.today = self.made.location
        box.clock.forward(minutes=1)

    @property
    def tools(self) -> Tools:
        return evolve(self.box.tools, destination=self._destination)

    def _destination(self, name: str) -> Destination:
        made = self.box.destination(name)
        made.owner = evolve(made.owner, formerly=(FORMER,))
        return made

    def recorded_as_1_0_did(self, **changes: object) -> None:
        """The only row is of the former location."""
        self.box.repo = type(self.box.repo)()
        metadata = {**self.made.metadata, "location": FORMER}
        self.box.repo.add(evolve(self.made, backend_hash="of the former", metadata=metadata, **changes))

    def rows(self, *, deleted: bool = False) -> list[tuple[str | None, bool]]:
        return sorted((row.location, row.is_deleted) for row in self.box.repo.find(Query(deleted=deleted)))


@pytest.fixture
def moved(box: Toolbox, tree: Path) -> Moved:
    return Moved(box, tree)


def only(box: Toolbox) -> Backup:
    (row,) = box.repo.find(Query())
    return row


def test_a_row_of_the_former_location_whose_archive_is_here_is_rewritten(moved: Moved, box: Toolbox) -> None:
    moved.recorded_as_1_0_did()
    report = sync("s3", moved.tools)
    assert only(box) == moved.made
    assert [row.stored_filename for row in report.updated] == [moved.made.stored_filename]
    assert (report.added, report.vanished) == ((), ())


def test_in_an_archive_store_the_catalog_entry_reports_the_size(box: Toolbox, tree: Path) -> None:
    moved = Moved(box, tree, "glacier")
    moved.recorded_as_1_0_did()
    sync("glacier", moved.tools)
    assert only(box) == moved.made
    moved.recorded_as_1_0_did(size=moved.made.size + 1)
    sync("glacier", moved.tools)
    assert moved.rows() == sorted([(FORMER, False), (moved.today, False)])


def test_a_second_sync_changes_nothing(moved: Moved) -> None:
    moved.recorded_as_1_0_did()
    sync("s3", moved.tools)
    before = moved.rows(deleted=True)
    report = sync("s3", moved.tools)
    assert moved.rows(deleted=True) == before
    assert (report.added, report.updated, report.vanished) == ((), (), ())


def test_a_dry_run_only_says_so(moved: Moved) -> None:
    moved.recorded_as_1_0_did()
    assert len(sync("s3", moved.tools, dry_run=True).updated) == 1
    assert moved.rows(deleted=True) == [(FORMER, False)]


def test_an_archive_of_another_size_is_not_the_recorded_one(moved: Moved) -> None:
    moved.recorded_as_1_0_did(size=moved.made.size + 1)
    sync("s3", moved.tools)
    assert moved.rows() == sorted([(FORMER, False), (moved.today, False)])


def test_what_is_not_here_stays_where_it_was(moved: Moved, box: Toolbox) -> None:
    moved.recorded_as_1_0_did()
    for key in box.keys_in("s3"):
        box.stores["s3"].delete(key)
    sync("s3", moved.tools)
    assert moved.rows(deleted=True) == [(FORMER, False)]


def test_a_sync_that_was_killed_between_the_two_writes_is_finished_by_the_next(moved: Moved, box: Toolbox) -> None:
    moved.recorded_as_1_0_did()
    box.repo.add(moved.made)
    sync("s3", moved.tools)
    assert only(box) == moved.made


def test_a_store_that_was_never_called_otherwise_rewrites_nothing(moved: Moved, box: Toolbox) -> None:
    moved.recorded_as_1_0_did()
    sync("s3", box.tools)
    assert moved.rows() == sorted([(FORMER, False), (moved.today, False)])
