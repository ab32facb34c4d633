"""`delete`: exactly one backup goes, and whatever is cut short can be done again."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.errors import AccessDenied, AmbiguousName, BackupNotFound, DeletionRefused, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete, deletion_candidate
from bakthat.usecases.tools import Tools

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


# of whom, and what is left


def of_host(box: Toolbox, host: str) -> Tools:
    return evolve(box.tools, host=lambda: host)


def back_up(box: Toolbox, tree: Path, host: str = "host", **changes) -> Backup:
    box.clock.forward(days=1)
    made = backup(BackupRequest(source=tree, destination="s3"), of_host(box, host))
    if changes:
        box.repo.replace(made.with_metadata(box.clock.now, **changes))
    return made


def about(box: Toolbox, name: str = "site", **changes):
    found = deletion_candidate(DeleteRequest(name=name, destination="s3", **changes), box.tools)
    return found.backup.stored_filename, found.of_origin, found.is_newest, found.is_last_complete


def test_what_would_go_and_what_there_is_beside_it(made: Toolbox, tree: Path) -> None:
    newest = back_up(made, tree)
    assert about(made) == (newest.stored_filename, 2, True, False)
    assert about(made, NAME) == (NAME, 2, False, False)


def test_other_origins_do_not_count(made: Toolbox, tree: Path) -> None:
    back_up(made, tree, "other")
    assert about(made) == (NAME, 1, True, True)
    assert about(made, host="other")[1:] == (1, True, True)


def test_neither_incomplete_nor_untrusted_backups_make_a_complete_one_dispensable(made: Toolbox, tree: Path) -> None:
    back_up(made, tree, incomplete=True)
    back_up(made, tree, from_listing=True)
    assert about(made, NAME) == (NAME, 3, False, True)
    assert about(made)[3] is False


def test_where_nothing_is_trusted_the_only_one_that_may_be_complete_is_the_last(made: Toolbox, tree: Path) -> None:
    (row,) = made.repo.find(Query())
    made.repo.replace(row.with_metadata(made.clock.now, from_listing=True))
    assert about(made)[3] is True
    back_up(made, tree, from_listing=True)
    assert about(made)[3] is False


def test_the_last_complete_backup_is_spared_when_that_is_asked_for(made: Toolbox, tree: Path) -> None:
    back_up(made, tree, incomplete=True)
    request = DeleteRequest(name=NAME, destination="s3", spare_last_complete=True)
    with pytest.raises(DeletionRefused) as caught:
        delete(request, made.tools)
    assert str(caught.value) == (
        f"{NAME} is the last complete backup of site (host:{tree}); nothing was deleted; add "
        "`spare_last_complete=False` to delete it anyway"
    )
    assert (NAME in remaining(made), NAME in made.keys_in("s3")) == (True, True)


def test_any_other_backup_goes_also_then(made: Toolbox, tree: Path) -> None:
    newest = back_up(made, tree).stored_filename
    delete(DeleteRequest(name="site", destination="s3", spare_last_complete=True), made.tools)
    assert remaining(made) == [NAME]
    assert newest not in made.keys_in("s3")


def test_the_last_one_goes_where_nobody_asked_to_spare_it(made: Toolbox) -> None:
    delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert remaining(made) == []


def test_a_name_of_several_other_hosts_deletes_nothing(made: Toolbox, tree: Path) -> None:
    back_up(made, tree, "other")
    before = remaining(made)
    with pytest.raises(AmbiguousName):
        delete(DeleteRequest(name="site", destination="s3"), of_host(made, "third"))
    assert remaining(made) == before


def test_the_backup_of_this_host_goes_and_a_notice_names_it(made: Toolbox, tree: Path) -> None:
    other = back_up(made, tree, "other")
    delete(DeleteRequest(name="site", destination="s3"), made.tools)
    assert remaining(made) == [other.stored_filename]
    assert f"{NAME} is the newest of host:{tree}, this host" in made.notices[-1]


def test_with_a_host_exactly_that_of_this_host_goes(made: Toolbox, tree: Path) -> None:
    back_up(made, tree, "other")
    delete(DeleteRequest(name="site", destination="s3", host="other"), made.tools)
    assert remaining(made) == [NAME]
