"""What `backup` says of a series that others share, or that a wrong clock has touched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import DatabaseError
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.key_value import set_value


def back_up(box: Toolbox, source: Path, host: str = "web1", **changes) -> Backup:
    tools = evolve(box.tools, host=lambda: host)
    made = backup(BackupRequest(source=source, destination="s3", **changes), tools)
    box.clock.forward(days=1)
    return made


def test_a_series_of_ones_own_needs_no_word(box: Toolbox, tree: Path) -> None:
    for _ in range(3):
        back_up(box, tree)
    assert box.notices == []


def test_another_host_under_this_name_is_reported_with_the_way_to_separate_them(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "web2")
    back_up(box, tree)
    assert box.notices == [
        f"site: this name also has backups of web2:{tree}; each origin is rotated separately. Use `name=` or s3_prefix "
        "to separate them; set `host` if the name of the machine changes"
    ]


def test_another_directory_of_this_base_name_is_reported(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "site"
    other.mkdir(parents=True)
    (other / "f").write_text("x")
    back_up(box, tree)
    back_up(box, other)
    assert len(box.notices) == 1
    assert f"web1:{tree}" in box.notices[0]


def test_rows_of_2013_are_not_another_origin(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.repo.replace(made.with_metadata(box.clock.now, source=None))
    back_up(box, tree)
    assert box.notices == []


def test_a_value_of_this_name_is_not_another_origin(box: Toolbox, tree: Path) -> None:
    set_value("site", 1, "s3", evolve(box.tools, host=lambda: "web2"), keys=Keys())
    back_up(box, tree)
    assert box.notices == []


def test_the_same_name_in_another_destination_is_not_another_origin(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "web2")
    tools = evolve(box.tools, host=lambda: "web1")
    backup(BackupRequest(source=tree, destination="local"), tools)
    assert box.notices == []


def test_a_clock_that_went_back_is_reported(box: Toolbox, tree: Path) -> None:
    later = back_up(box, tree)
    box.clock.now = datetime(2020, 1, 1, tzinfo=UTC)
    back_up(box, tree)
    assert box.notices == [
        f"site: {later.stored_filename} is dated after this backup, so one of the clocks is wrong; `restore` takes "
        "the newest that is not dated after now"
    ]


def test_a_backup_that_got_the_next_free_second_is_not_a_wrong_clock(box: Toolbox, tree: Path) -> None:
    for _ in range(3):
        backup(BackupRequest(source=tree, destination="s3"), box.tools)
    assert (len(list(box.repo.find(Query()))), box.notices) == (3, [])


def test_a_database_that_cannot_be_read_stops_nothing_here(box: Toolbox, tree: Path) -> None:
    class Unreadable(MemoryRepo):
        def find(self, query):
            raise DatabaseError("locked")

    box.repo = Unreadable()
    assert back_up(box, tree).stored_filename in box.keys_in("s3")
    assert not any("this name" in notice for notice in box.notices)


@pytest.mark.parametrize("recorded", ["", "/srv/dump"])
def test_what_is_recorded_as_the_source_decides(box: Toolbox, tree: Path, recorded: str) -> None:
    for _ in range(2):
        back_up(box, tree, recorded_source=recorded)
    assert box.notices == []
