"""`delete`: exactly one backup goes, and whatever is cut short can be done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakthat.domain.query import Query
from bakthat.errors import AccessDenied, BackupNotFound, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete

NAME = "site.20260102030405.tgz"


@pytest.fixture
def made(box: Toolbox, tree: Path) -> Toolbox:
    backup(BackupRequest(source=tree, destination="s3"), box.tools)
    return box


def remaining(box: Toolbox) -> list[str]:
    return [found.stored_filename for found in box.repo.find(Query())]


def test_archive_entry_and_record_go(made: Toolbox) -> None:
    gone = delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert (gone.is_deleted, made.keys_in("s3"), remaining(made)) == (True, [], [])


def test_the_record_stays_marked_as_deleted(made: Toolbox) -> None:
    made.clock.forward(hours=1)
    gone = delete(DeleteRequest(name=NAME, destination="s3"), made.tools)
    assert list(made.repo.find(Query(deleted=True))) == [gone]
    assert gone.last_updated == made.clock.now


def test_a_dry_run_deletes_nothing(made: Toolbox) -> None:
    chosen = delete(DeleteRequest(name="site", destination="s3", dry_run=True), made.tools)
    assert (chosen.stored_filename, remaining(made), len(made.keys_in("s3"))) == (NAME, [NAME], 2)


def test_another_series_that_starts_alike_stays(made: Toolbox, tree: Path) -> None:
    backup(BackupRequest(source=tree, destination="s3", name="site2"), made.tools)
    delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert remaining(made) == ["site2.20260102030405.tgz"]
    with pytest.raises(BackupNotFound):
        delete(DeleteRequest(name="site", destination="s3"), made.tools)


def test_the_same_name_in_another_destination_stays(made: Toolbox, tree: Path) -> None:
    backup(BackupRequest(source=tree, destination="local"), made.tools)
    delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert (made.keys_in("s3"), len(made.keys_in("local"))) == ([], 2)


def test_a_store_that_refuses_leaves_the_record(made: Toolbox) -> None:
    made.stores["s3"] = FaultyObjectStore(
        made.stores["s3"], Fault(method="delete", error=lambda: AccessDenied("no permission to delete"))
    )
    with pytest.raises(AccessDenied):
        delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert remaining(made) == [NAME]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="delete", afterwards=True),
        Fault(method="delete", key="bakthat_catalog/"),
        Fault(method="delete", key="bakthat_catalog/", afterwards=True),
    ],
)
def test_a_deletion_cut_short_is_finished_by_the_next(made: Toolbox, fault: Fault) -> None:
    made.stores["s3"] = FaultyObjectStore(made.stores["s3"], fault)
    with pytest.raises(StoreUnavailable):
        delete(DeleteRequest(name="site", destination="s3"), made.tools)
    delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert (made.keys_in("s3"), remaining(made)) == ([], [])
