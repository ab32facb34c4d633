"""`sync`: the database agrees with the store afterwards, and the store is never touched."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import ONLY_IN_A_DATABASE, CatalogEntry
from bakthat.domain.query import Query
from bakthat.errors import StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock, Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.select_backup import choose
from bakthat.usecases.sync import sync


def back_up(box: Toolbox, tree: Path, **changes) -> Backup:
    made = backup(BackupRequest(source=tree, destination="s3", **changes), box.tools)
    box.clock.forward(minutes=1)
    return made


def rows(box: Toolbox) -> list[Backup]:
    return list(box.repo.find(Query()))


def known(box: Toolbox) -> list[Backup]:
    """The rows, but for the store's own date of an archive, which only other machines' rows have."""
    return [row.with_metadata(row.last_updated, stored_at=None) for row in rows(box)]


@pytest.fixture
def counted(box: Toolbox) -> FaultyObjectStore:
    """The store of the toolbox, which counts the calls."""
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    return store


def other_machine(box: Toolbox) -> Toolbox:
    """A machine with the same stores and a database of its own."""
    return Toolbox(stores=dict(box.stores), clock=SteppedClock(box.clock.now), host="other")


def test_an_empty_database_gets_every_backup_back(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, tags=("web",))
    back_up(box, tree)
    before = rows(box)
    box.repo = MemoryRepo()
    done = sync("s3", box.tools)
    assert known(box) == before
    assert len(done.added) == 2


def test_a_dry_run_reports_and_changes_nothing(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.repo = MemoryRepo()
    assert len(sync("s3", box.tools, dry_run=True).added) == 1
    assert rows(box) == []


def test_the_second_sync_reads_no_entry(box: Toolbox, counted: FaultyObjectStore, tree: Path) -> None:
    for _ in range(3):
        back_up(box, tree)
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    counted.calls.clear()
    sync("s3", box.tools)
    assert [method for method, _ in counted.calls] == ["list", "leftovers"]


def test_a_first_sync_lists_once_and_reads_each_entry_once(
    box: Toolbox, counted: FaultyObjectStore, tree: Path
) -> None:
    for _ in range(3):
        back_up(box, tree)
    box.repo = MemoryRepo()
    counted.calls.clear()
    sync("s3", box.tools)
    assert sorted(method for method, _ in counted.calls) == ["leftovers", "list", "open", "open", "open"]


def test_an_archive_without_an_entry_is_listed_from_its_name(box: Toolbox) -> None:
    box.stores["s3"].put("old.20130305193615.tgz.enc", io.BytesIO(b"12345"))
    sync("s3", box.tools)
    (row,) = rows(box)
    assert (row.filename, row.size, row.when.year, row.is_encrypted) == ("old", 5, 2013, True)


def test_a_damaged_entry_is_reported_and_the_archive_listed_from_its_name(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].put(f"bakthat_catalog/{made.stored_filename}.json", io.BytesIO(b"{not json"), replace=True)
    box.repo = MemoryRepo()
    done = sync("s3", box.tools)
    assert done.unreadable == (made.stored_filename,)
    assert [row.stored_filename for row in rows(box)] == [made.stored_filename]
    assert "listed from its name" in box.notices[0]


def test_an_entry_that_comes_later_completes_the_row(box: Toolbox, counted: FaultyObjectStore, tree: Path) -> None:
    other = other_machine(box)
    made = back_up(box, tree, tags=("web",))
    entry = f"bakthat_catalog/{made.stored_filename}.json"
    with box.stores["s3"].open(entry) as reader:
        content = reader.read()
    box.stores["s3"].delete(entry)
    sync("s3", other.tools)
    box.stores["s3"].put(entry, io.BytesIO(content))
    done = sync("s3", other.tools)
    assert [row.tags for row in done.updated] == [("web",)]
    assert known(other) == known(box)


def test_a_vanished_archive_is_marked_as_deleted(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].delete(made.stored_filename)
    done = sync("s3", box.tools)
    assert (rows(box), [gone.stored_filename for gone in done.vanished]) == ([], [made.stored_filename])


def test_objects_that_are_not_ours_are_left_alone(box: Toolbox) -> None:
    for key in ("photo.jpg", "backup.tgz", "folder/x.20260101000000.tgz", "bakthat_glacier_inventory"):
        box.stores["s3"].put(key, io.BytesIO(b"x"))
    assert sync("s3", box.tools).added == ()
    assert len(box.keys_in("s3")) == 4


def test_an_entry_without_its_archive_is_not_a_backup(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].delete(made.stored_filename)
    box.repo = MemoryRepo()
    assert sync("s3", box.tools).added == ()


def test_backups_and_deletions_of_another_machine_appear(box: Toolbox, tree: Path) -> None:
    other = other_machine(box)
    first = back_up(box, tree)
    second = back_up(box, tree)
    sync("s3", other.tools)
    delete(DeleteRequest(name=first.stored_filename, destination="s3"), other.tools)
    sync("s3", box.tools)
    assert [row.stored_filename for row in rows(box)] == [second.stored_filename]
    assert known(other) == known(box)


def test_an_archive_that_is_stored_while_it_lists_is_not_taken_for_vanished(box: Toolbox, tree: Path) -> None:
    """Another process stores a backup into store and database between our listing and our reading of it."""
    inner = box.stores["s3"]

    class LateStore(FaultyObjectStore):
        def list(self, prefix: str = ""):
            listed = list(self.inner.list(prefix))
            box.stores["s3"] = inner
            back_up(box, tree)
            box.stores["s3"] = self
            return iter(listed)

    box.stores["s3"] = LateStore(inner)
    done = sync("s3", box.tools)
    assert (done.vanished, len(rows(box))) == ((), 1)


def test_a_listing_that_is_empty_by_mistake_does_not_empty_the_database(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)

    class Forgetful(FaultyObjectStore):
        def list(self, prefix: str = ""):
            return iter(())

    box.stores["s3"] = Forgetful(box.stores["s3"])
    assert sync("s3", box.tools).vanished == ()
    assert len(rows(box)) == 1


def test_a_row_marked_as_deleted_whose_archive_is_there_comes_back(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.repo.replace(made.deleted(box.clock()))
    sync("s3", box.tools)
    assert [row.stored_filename for row in rows(box)] == [made.stored_filename]


def test_a_store_that_fails_changes_nothing(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="list"))
    with pytest.raises(StoreUnavailable):
        sync("s3", box.tools)
    assert len(rows(box)) == 1


def test_nothing_in_the_store_changes(box: Toolbox, counted: FaultyObjectStore, tree: Path) -> None:
    back_up(box, tree)
    box.stores["s3"].delete(back_up(box, tree).stored_filename)
    counted.calls.clear()
    sync("s3", box.tools)
    assert {method for method, _ in counted.calls} <= {"leftovers", "list", "open", "stat"}


def test_a_copy_of_the_bucket_in_a_folder_is_a_store_of_its_own(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    for info in box.stores["s3"].list():
        with box.stores["s3"].open(info.key) as reader:
            box.stores["local"].put(info.key, io.BytesIO(reader.read()))
    sync("local", box.tools)
    assert sorted(row.backend for row in rows(box)) == ["local", "s3"]
    found = choose(made.stored_filename, box.destination("local"), box.tools)
    assert found.location == "memory://local"


@pytest.mark.parametrize("entry", [b" " * 5_000_000, b'{"bakthat_catalog": 1, "x": ' + b"[" * 900 + b"]" * 900 + b"}"])
def test_an_entry_that_is_too_much_is_reported_and_stops_nothing(box: Toolbox, tree: Path, entry: bytes) -> None:
    made = back_up(box, tree)
    box.stores["s3"].put(f"bakthat_catalog/{made.stored_filename}.json", io.BytesIO(entry), replace=True)
    box.repo = MemoryRepo()
    assert sync("s3", box.tools).unreadable == (made.stored_filename,)


def test_a_backup_that_is_deleted_while_its_newer_entry_is_read_stays_deleted(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.clock.forward(hours=2)
    newer = CatalogEntry(backup=evolve(made, last_updated=box.clock.now, tags=("new",)))
    box.stores["s3"].put(f"bakthat_catalog/{made.stored_filename}.json", io.BytesIO(newer.dumps()), replace=True)

    class Watched(FaultyObjectStore):
        def open(self, key: str):
            opened = super().open(key)
            delete(DeleteRequest(name="site", destination="s3"), box.tools)
            return opened

    box.stores["s3"] = Watched(box.stores["s3"])
    sync("s3", box.tools)
    assert rows(box) == []


def test_an_entry_of_a_namesake_in_another_destination_is_not_taken(box: Toolbox, tree: Path) -> None:
    """Two machines back up two directories of one name in one second, to `s3` and to `glacier` with the same bucket."""
    other = other_machine(box)
    made = back_up(box, tree)
    (tree / "more").write_text("more")
    other.clock.now = made.backup_date
    in_glacier = backup(BackupRequest(source=tree, destination="glacier"), other.tools)
    assert made.stored_filename == in_glacier.stored_filename
    box.repo = MemoryRepo()
    assert sync("s3", box.tools).unreadable == (made.stored_filename,)
    (row,) = rows(box)
    assert (row.backend, row.size, row.sha256) == ("s3", made.size, None)


# When the store says that an archive was stored


def test_an_archive_of_another_machine_has_the_date_that_the_store_gives_it(box: Toolbox, tree: Path) -> None:
    other = other_machine(box)
    made = back_up(box, tree)
    sync("s3", other.tools)
    assert [row.stored_at for row in rows(other)] == [made.when]


def test_an_archive_without_an_entry_has_the_date_that_the_store_gives_it(box: Toolbox) -> None:
    box.stores["s3"].put("old.20130305193615.tgz", io.BytesIO(b"12345"))
    sync("s3", box.tools)
    assert [row.stored_at for row in rows(box)] == [box.clock.now]


def test_what_this_database_backed_up_itself_never_gets_a_date_of_the_store(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    sync("s3", box.tools)
    box.clock.forward(days=30)
    newer = CatalogEntry(backup=evolve(made, last_updated=box.clock.now, tags=("new",)))
    box.stores["s3"].put(f"bakthat_catalog/{made.stored_filename}.json", io.BytesIO(newer.dumps()), replace=True)
    sync("s3", box.tools)
    assert [(row.tags, row.stored_at) for row in rows(box)] == [(("new",), None)]


def test_what_was_stored_after_a_backup_was_deleted_has_the_date_of_the_store(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    delete(DeleteRequest(name=made.stored_filename, destination="s3"), box.tools)
    box.clock.forward(days=30)
    box.stores["s3"].put(made.stored_filename, io.BytesIO(b"junk"))
    sync("s3", box.tools)
    assert [row.stored_at for row in rows(box)] == [box.clock.now]


def test_a_backup_that_was_marked_as_deleted_by_mistake_is_still_one_of_this_database(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.repo.replace(made.deleted(box.clock()))
    sync("s3", box.tools)
    assert [row.stored_at for row in rows(box)] == [None]


@pytest.mark.parametrize("key", sorted(ONLY_IN_A_DATABASE))
def test_an_entry_cannot_say_what_only_a_database_notes(box: Toolbox, tree: Path, key: str) -> None:
    made = back_up(box, tree)
    entry = f"bakthat_catalog/{made.stored_filename}.json"
    with box.stores["s3"].open(entry) as reader:
        raw = json.load(reader)
    raw["metadata"][key] = 1
    box.stores["s3"].put(entry, io.BytesIO(json.dumps(raw).encode()), replace=True)
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    assert [row.metadata.get(key) for row in rows(box)] != [1]
