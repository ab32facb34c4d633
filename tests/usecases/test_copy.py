"""`copy`: a second copy that is whole or not there, never replaces anything, and is completed by the next run."""

from __future__ import annotations

import io
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.backup import Backup
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.catalog import CatalogEntry, index_key_of, key_of, loads
from bakthat.domain.objects import ArchiveId, ObjectInfo
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import (
    AccessDenied,
    BackupNotFound,
    DatabaseError,
    ObjectArchived,
    ObjectExists,
    ObjectNotFound,
    PayloadDamaged,
    RetrievalPending,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.copy import CopyReport, CopyRequest, copy
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import verify

NAME = "site.20260102030405.tgz"
ENTRY = key_of(NAME)


def back_up(box: Toolbox, tree: Path, destination: str = "s3", **options: Any) -> Backup:
    return backup(BackupRequest(source=tree, destination=destination, **options), box.tools)


def copied(box: Toolbox, name: str | None = "site", **options: Any) -> CopyReport:
    return copy(CopyRequest(**{"name": name, "source": "s3", "to": "local", **options}), box.tools, box.tools)


def error_of(report: CopyReport) -> BaseException:
    ((_, error),) = report.failed
    return error


def content(store: ObjectStore, key: str = NAME) -> bytes:
    with store.open(key) as reader:
        return reader.read()


def entry(store: ObjectStore) -> CatalogEntry:
    return loads(content(store, ENTRY))


def damage(store: ObjectStore) -> None:
    store.put(NAME, io.BytesIO(content(store)[:-1] + b"?"), replace=True)


@pytest.fixture
def made(box: Toolbox, tree: Path) -> Toolbox:
    back_up(box, tree, tags=("web",))
    return box


# what a copy is


def test_the_stored_bytes_are_at_the_target_as_they_are(made: Toolbox) -> None:
    copied(made)
    assert content(made.stores["local"]) == content(made.stores["s3"])


def test_the_target_has_a_row_of_its_own_and_the_source_keeps_its(made: Toolbox) -> None:
    copied(made)
    rows = made.repo.find(Query(stored_filename=NAME))
    assert {(row.backend, row.location) for row in rows} == {("s3", "memory://s3"), ("local", "memory://local")}


def test_the_entry_says_where_the_copy_lies_and_all_else_is_unchanged(made: Toolbox) -> None:
    original = entry(made.stores["s3"]).backup
    made.clock.forward(days=1)
    copied(made)
    found = entry(made.stores["local"]).backup
    there = {"backend": "local", "backend_hash": made.destination("local").owner.backend_hash}
    assert found == evolve(original, **there, metadata=original.metadata.changed(location="memory://local"))


def test_what_an_entry_holds_that_this_version_does_not_know_is_copied(made: Toolbox) -> None:
    newer = evolve(entry(made.stores["s3"]), version=2, extra={"colour": "green"})
    made.stores["s3"].put(ENTRY, io.BytesIO(newer.dumps()), replace=True)
    copied(made)
    found = entry(made.stores["local"])
    assert (found.version, found.extra) == (2, {"colour": "green"})


def test_a_copy_is_restored_when_the_source_is_gone(made: Toolbox, tmp_path: Path) -> None:
    copied(made)
    delete(DeleteRequest(name="site", destination="s3"), made.tools)
    restore(RestoreRequest(name="site", destination="local", target=tmp_path / "out"), made.tools)
    assert (tmp_path / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_a_copy_is_found_by_another_machine(made: Toolbox) -> None:
    copied(made)
    other = Toolbox(stores=made.stores, clock=made.clock, host="other")
    sync("local", other.tools)
    (row,) = other.repo.find(Query())
    assert (row.stored_filename, row.backend, row.tags, row.host) == (NAME, "local", ("web",), "host")


def test_an_encrypted_backup_is_copied_without_its_key(box: Toolbox, tree: Path) -> None:
    keys = Keys(passphrase="secret")
    back_up(box, tree, keys=keys)
    copied(box)
    (result,) = verify("site", "local", box.tools, keys=lambda _: keys)
    assert (result.error, str(result.level)) == (None, "opens")


def test_what_this_database_noted_of_the_source_is_not_said_of_the_copy(made: Toolbox) -> None:
    verify("site", "s3", made.tools)
    (copy_,) = copied(made).copied
    assert copy_.metadata.verified is None


def test_deleting_one_of_two_copies_leaves_the_other(made: Toolbox) -> None:
    copied(made)
    delete(DeleteRequest(name=NAME, destination="local"), made.tools)
    assert (made.keys_in("local"), len(made.keys_in("s3"))) == ([], 2)
    assert [row.backend for row in made.repo.find(Query(stored_filename=NAME))] == ["s3"]


# which backups


def test_all_copies_every_backup_oldest_first_and_no_values(made: Toolbox, tree: Path) -> None:
    made.clock.forward(days=1)
    back_up(made, tree)
    value = evolve(
        next(made.repo.find(Query())),
        stored_filename="key",
        metadata=BackupMetadata.of(KeyValue=True, location="memory://s3"),
    )
    made.repo.add(value)
    names = [one.stored_filename for one in copied(made, None).copied]
    assert names == [NAME, "site.20260103030405.tgz"]


def test_a_series_is_copied_without_the_others(made: Toolbox, tree: Path) -> None:
    back_up(made, tree, name="other")
    assert [one.filename for one in copied(made, None, series="other").copied] == ["other"]


def test_a_series_that_is_not_there_is_an_error(made: Toolbox) -> None:
    with pytest.raises(BackupNotFound, match="sites"):
        copied(made, None, series="sites")


def test_an_empty_source_is_an_error(box: Toolbox) -> None:
    with pytest.raises(BackupNotFound, match="no backups in s3"):
        copied(box, None)


def test_source_and_target_in_one_place_are_refused(made: Toolbox) -> None:
    with pytest.raises(UsageError, match="memory://s3"):
        copied(made, to="s3")


def test_a_dry_run_stores_nothing_and_says_what_is_missing(made: Toolbox) -> None:
    report = copied(made, dry_run=True)
    assert ([one.stored_filename for one in report.copied], made.keys_in("local")) == ([NAME], [])
    copied(made)
    assert [one.stored_filename for one in copied(made, dry_run=True).present] == [NAME]


# again


def test_a_second_run_copies_only_what_is_missing(made: Toolbox, tree: Path) -> None:
    copied(made, None)
    made.clock.forward(days=1)
    back_up(made, tree)
    watched = made.stores["local"] = FaultyObjectStore(made.stores["local"])
    report = copied(made, None)
    assert ([one.stored_filename for one in report.present], len(report.copied)) == ([NAME], 1)
    assert {key for method, key in watched.calls if method == "put" and NAME in key} == set()


def test_what_is_there_costs_one_listing_for_each_series(made: Toolbox, tree: Path) -> None:
    for _ in range(3):
        made.clock.forward(days=1)
        back_up(made, tree)
    copied(made, None)
    watched = made.stores["local"] = FaultyObjectStore(made.stores["local"])
    copied(made, None)
    assert [method for method, _ in watched.calls] == ["list", "list"]


def test_another_database_takes_a_copy_for_what_it_is(made: Toolbox) -> None:
    copied(made)
    other = Toolbox(stores=made.stores, clock=made.clock)
    sync("s3", other.tools)
    watched = made.stores["local"] = FaultyObjectStore(made.stores["local"])
    assert [one.stored_filename for one in copied(other).present] == [NAME]
    assert sorted(row.backend for row in other.repo.find(Query())) == ["local", "s3"]
    assert NAME not in [key for method, key in watched.calls if method in {"put", "open"}]


def test_what_only_an_entry_vouches_for_is_as_trusted_as_sync_would_take_it(made: Toolbox) -> None:
    """Somebody who may write to the target could have put both there."""
    made.clock.forward(days=30)
    copied(made)
    other = Toolbox(stores=made.stores, clock=made.clock)
    sync("s3", other.tools)
    (copy_,) = copied(other).present
    assert copy_.distrust == "stored 30 days after its date"


def test_a_copy_that_has_vanished_is_made_again(made: Toolbox) -> None:
    copied(made)
    made.stores["local"].delete(NAME)
    assert len(copied(made).copied) == 1
    assert content(made.stores["local"]) == content(made.stores["s3"])


def test_a_copy_that_was_deleted_is_made_again(made: Toolbox) -> None:
    copied(made)
    delete(DeleteRequest(name=NAME, destination="local"), made.tools)
    assert len(copied(made).copied) == 1
    assert [row.backend for row in made.repo.find(Query(backend="local"))] == ["local"]


@pytest.mark.parametrize("method", ["before the entry", "before the row"])
def test_a_copy_that_was_killed_is_completed(made: Toolbox, method: str) -> None:
    copied(made)
    fresh = MemoryRepo()
    for row in made.repo.find(Query(backend="s3")):
        fresh.add(row)
    made.repo = fresh
    if method == "before the entry":
        made.stores["local"].delete(ENTRY)
    watched = made.stores["local"] = FaultyObjectStore(made.stores["local"])
    report = copied(made)
    assert [one.stored_filename for one in report.present] == [NAME]
    assert NAME not in [key for call, key in watched.calls if call == "put"]
    assert entry(made.stores["local"]).backup.backend == "local"
    assert [row.backend for row in made.repo.find(Query(backend="local"))] == ["local"]


def test_half_a_copy_is_never_seen(made: Toolbox) -> None:
    made.stores["local"] = FaultyObjectStore(made.stores["local"], Fault(method="put", after_bytes=50))
    assert isinstance(error_of(copied(made)), StoreUnavailable)
    assert (made.keys_in("local"), list(made.repo.find(Query(backend="local")))) == ([], [])
    assert len(copied(made).copied) == 1


# faults


def test_a_damaged_source_is_refused_and_nothing_is_at_the_target(made: Toolbox) -> None:
    damage(made.stores["s3"])
    error = error_of(copied(made))
    assert isinstance(error, PayloadDamaged)
    assert str(error).startswith(NAME)
    assert made.keys_in("local") == []


def test_a_source_that_is_cut_short_is_refused(made: Toolbox) -> None:
    whole = content(made.stores["s3"])
    made.stores["s3"].put(NAME, io.BytesIO(whole[:-9]), replace=True)
    assert isinstance(error_of(copied(made)), PayloadDamaged)
    assert made.keys_in("local") == []


def test_a_source_that_is_gone_names_the_way_out(made: Toolbox) -> None:
    made.stores["s3"].delete(NAME)
    error = error_of(copied(made))
    assert isinstance(error, ObjectNotFound)
    assert "bakthat sync" in str(error)


def test_one_damaged_backup_does_not_stop_the_rest(made: Toolbox, tree: Path) -> None:
    damage(made.stores["s3"])
    made.clock.forward(days=1)
    newer = back_up(made, tree)
    report = copied(made, None)
    assert [one.stored_filename for one in report.copied] == [newer.stored_filename]
    assert [failed.stored_filename for failed, _ in report.failed] == [NAME]


def test_a_full_target_is_an_error_for_each_backup(made: Toolbox, tree: Path) -> None:
    made.clock.forward(days=1)
    back_up(made, tree)
    full = Fault(method="put", times=99, error=lambda: StoreError("no space left"))
    made.stores["local"] = FaultyObjectStore(made.stores["local"], full)
    report = copied(made, None)
    assert [str(error) for _, error in report.failed] == ["no space left"] * 2
    assert made.keys_in("local") == []


def test_an_entry_that_cannot_be_written_is_an_error_and_the_next_run_completes_it(made: Toolbox) -> None:
    refusing = Fault(method="put", key="bakthat_catalog/", error=lambda: AccessDenied("no permission"))
    made.stores["local"] = FaultyObjectStore(made.stores["local"], refusing)
    error = error_of(copied(made))
    assert isinstance(error, AccessDenied)
    assert f"{NAME} is copied, but its catalog entry is not: no permission" in str(error)
    assert made.keys_in("local") == [NAME]
    assert (len(copied(made).present), made.keys_in("local")) == (1, [ENTRY, NAME] if ENTRY < NAME else [NAME, ENTRY])


@pytest.mark.parametrize("other", [b"another", None], ids=["of another size", "of the same size"])
def test_another_object_under_the_name_is_an_error_and_stays(made: Toolbox, other: bytes | None) -> None:
    found = other if other is not None else content(made.stores["s3"])[::-1]
    made.stores["local"].put(NAME, io.BytesIO(found))
    error = error_of(copied(made))
    assert isinstance(error, ObjectExists)
    assert "another object under this name" in str(error)
    assert (content(made.stores["local"]), made.keys_in("local")) == (found, [NAME])


def test_another_backup_of_the_same_second_is_an_error(made: Toolbox, tmp_path: Path) -> None:
    """Two machines, each with a database of its own, made a backup of one name."""
    (tmp_path / "elsewhere" / "site").mkdir(parents=True)
    (tmp_path / "elsewhere" / "site" / "index.html").write_text("<h1>HELLO</h1>")
    other = Toolbox(stores={"local": made.stores["local"]}, host="other")
    back_up(other, tmp_path / "elsewhere" / "site", "local")
    assert isinstance(error_of(copied(made)), ObjectExists)


def test_an_object_that_appears_meanwhile_is_not_replaced(made: Toolbox) -> None:
    taken = Fault(method="put", key=NAME, error=lambda: ObjectExists(f"memory://local: {NAME} already exists"))
    made.stores["local"] = FaultyObjectStore(made.stores["local"], taken)
    assert "was not replaced" in str(error_of(copied(made)))


def test_a_target_that_must_not_be_listed_is_known_from_its_rows(made: Toolbox) -> None:
    denied = Fault(method="list", times=99, error=lambda: AccessDenied("no permission to list"))
    made.stores["local"] = FaultyObjectStore(made.stores["local"], denied)
    assert (len(copied(made).copied), len(copied(made).present)) == (1, 1)


def test_a_target_that_does_not_exist_yet_is_created_and_one_with_copies_must_be_there(made: Toolbox) -> None:
    absent = Fault(method="list", times=2, error=lambda: StoreUnavailable("the folder does not exist"))
    made.stores["local"] = FaultyObjectStore(made.stores["local"], absent)
    assert len(copied(made).copied) == 1
    assert isinstance(error_of(copied(made)), StoreUnavailable)


def test_a_row_that_cannot_be_written_is_said(made: Toolbox) -> None:
    class ReadOnly(MemoryRepo):
        def add(self, backup: Backup) -> None:
            raise DatabaseError("the database is read-only")

    target = Toolbox(stores=made.stores, repo=ReadOnly(), clock=made.clock)
    with pytest.raises(DatabaseError, match=f"{NAME} is copied, but not in the database"):
        copy(CopyRequest(name="site", source="s3", to="local"), made.tools, target.tools)


def test_a_store_that_stops_reading_has_no_copy(made: Toolbox) -> None:
    class Lazy(MemoryObjectStore):
        def put(self, key: str, body: Any, **options: Any) -> ObjectInfo:
            return super().put(key, io.BytesIO(body.read(10)), **options)

    made.stores["local"] = Lazy("memory://local")
    assert "bug of the store" in str(error_of(copied(made)))
    assert made.keys_in("local") == []


class Zeros(io.RawIOBase):
    """So many bytes that nobody holds."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as view:
            count = min(self.left, len(view))
            view[:count] = bytes(count)
        self.left -= count
        return count


def test_a_large_archive_takes_little_memory_and_no_file(made: Toolbox) -> None:
    size = 64 * 1024 * 1024

    class Source(MemoryObjectStore):
        def open(self, key: str) -> Any:
            return io.BufferedReader(Zeros(size)) if key == NAME else super().open(key)

        def stat(self, key: str) -> ObjectInfo:
            return ObjectInfo(key=key, size=size, modified=made.clock.now)

    class Target(MemoryObjectStore):
        read = 0

        def put(self, key: str, body: Any, **options: Any) -> ObjectInfo:
            if key != NAME:
                return super().put(key, body, **options)
            for chunk in iter(lambda: body.read(1 << 20), b""):
                self.read += len(chunk)
            return ObjectInfo(key=key, size=self.read, modified=made.clock.now)

    (row,) = made.repo.find(Query())
    made.repo.replace(evolve(row, size=size, metadata=row.metadata.without("sha256")))
    target = Target("memory://local")
    made.stores.update(s3=Source("memory://s3"), local=target)
    tracemalloc.start()
    try:
        report = copied(made)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(report.copied), target.read) == (1, size)
    assert peak < 8 * 1024 * 1024


# evidence


def test_an_archive_known_from_a_listing_alone_gets_no_entry_and_stays_untrusted(made: Toolbox) -> None:
    made.stores["s3"].delete(ENTRY)
    other = Toolbox(stores=made.stores, clock=made.clock)
    sync("s3", other.tools)
    (copy_,) = copied(other).copied
    assert (copy_.distrust, made.keys_in("local")) == ("known from a listing alone", [NAME])


def test_a_copy_of_what_came_late_is_not_more_trusted_than_its_source(made: Toolbox) -> None:
    (row,) = made.repo.find(Query())
    late = int(row.when.timestamp()) + 30 * 86400
    made.repo.replace(row.with_metadata(row.last_updated, stored_at=late))
    (copy_,) = copied(made).copied
    assert copy_.distrust == "stored 30 days after its date"


def test_what_this_machine_copies_is_trusted_however_late(made: Toolbox) -> None:
    made.clock.forward(days=300)
    (copy_,) = copied(made).copied
    assert copy_.distrust == ""


# within one service


class Copying(MemoryObjectStore):
    """A service that copies by itself."""

    made = 0

    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        self.made += 1
        return self.put(key, io.BytesIO(content(source, key)))


def test_a_service_that_can_copy_does_so_and_no_byte_comes_here(made: Toolbox) -> None:
    watched = made.stores["s3"] = FaultyObjectStore(made.stores["s3"])
    made.stores["local"] = Copying("memory://local")
    made.stores["s3"].calls.clear()
    report = copied(made)
    assert report.by_service == report.copied
    assert len(report.copied) == 1
    assert [row.backend for row in made.repo.find(Query(backend="local"))] == ["local"]
    assert watched.calls[0] == ("stat", NAME)


def test_a_source_of_another_size_is_not_copied_by_the_service(made: Toolbox) -> None:
    made.stores["s3"].put(NAME, io.BytesIO(b"short"), replace=True)
    target = made.stores["local"] = Copying("memory://local")
    assert isinstance(error_of(copied(made)), PayloadDamaged)
    assert target.made == 0


def test_a_source_that_was_replaced_since_its_backup_is_read_and_refused(made: Toolbox) -> None:
    """The service would copy what an attacker put there, as long as the size is right."""
    made.clock.forward(days=1)
    damage(made.stores["s3"])
    target = made.stores["local"] = Copying("memory://local")
    assert isinstance(error_of(copied(made)), PayloadDamaged)
    assert (target.made, made.keys_in("local")) == (0, [])


def test_what_the_service_cannot_copy_is_streamed(made: Toolbox) -> None:
    class Frozen(Copying):
        def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
            raise ObjectArchived("must be retrieved first")

    made.stores["local"] = Frozen("memory://local")
    report = copied(made)
    assert (len(report.copied), report.by_service) == (1, ())


# archives that must be retrieved


def test_a_vault_gets_a_copy_with_its_own_id(made: Toolbox) -> None:
    (copy_,) = copied(made, to="glacier").copied
    assert (copy_.metadata.archive_id, copy_.location, copy_.backend) == ("archive-1", "memory://vault", "glacier")
    assert len(copied(made, to="glacier").present) == 1


def test_the_index_of_a_plain_archive_is_copied_beside_it(box: Toolbox, tree: Path) -> None:
    """So that `ls` needs no retrieval."""
    back_up(box, tree, "local")
    copied(box, source="local", to="glacier")
    with list_archive(ListRequest(name="site", destination="glacier"), box.tools) as listed:
        assert "index.html" in [found.path for found in listed.entries]


def test_a_copy_of_an_index_goes_along_as_it_is(box: Toolbox, tree: Path) -> None:
    """From one vault to another, also an encrypted one."""
    back_up(box, tree, "glacier", keys=Keys(passphrase="secret"))
    other = Toolbox(stores={"s3": MemoryObjectStore("memory://other")}, archives=MemoryArchiveStore("memory://vault2"))
    box.clock.forward(hours=6)
    request = CopyRequest(name="site", source="glacier", to="glacier", wait=True)
    (copy_,) = copy(request, box.tools, evolve(other.tools, repo=box.repo)).copied
    index = index_key_of(copy_.stored_filename)
    assert content(other.stores["s3"], index) == content(box.stores["s3"], index)


def test_an_encrypted_index_inside_an_archive_stays_there_and_is_said(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "local", keys=Keys(passphrase="secret"))
    copied(box, source="local", to="glacier")
    assert any("its index is encrypted inside the archive" in line for line in box.notices)


def test_a_source_that_must_be_retrieved_is_pending_and_copied_later(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "glacier")
    error = error_of(copied(box, source="glacier"))
    assert isinstance(error, RetrievalPending)
    assert "run copy again" in str(error)
    box.clock.forward(hours=6)
    assert len(copied(box, source="glacier").copied) == 1


def test_all_retrievals_are_requested_before_one_is_waited_for(box: Toolbox, tree: Path) -> None:
    for _ in range(3):
        back_up(box, tree, "glacier")
        box.clock.forward(days=1)
    before = box.clock.now
    assert len(copied(box, None, source="glacier", wait=True).copied) == 3
    assert box.clock.now - before < timedelta(hours=6)


def test_a_copy_between_two_vaults_does_not_lose_the_id_of_the_first(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree, "glacier")
    other = Toolbox(stores={"s3": MemoryObjectStore("memory://other")}, archives=MemoryArchiveStore("memory://vault2"))
    request = CopyRequest(name="site", source="glacier", to="glacier", wait=True)
    copy(request, box.tools, evolve(other.tools, repo=box.repo))
    assert box.repo.archive_id(made.stored_filename) == made.metadata.archive_id


def test_a_service_copies_into_its_archive_class_by_itself(made: Toolbox) -> None:
    class Freezing(MemoryArchiveStore):
        def copy_from(
            self, key: str, source: ObjectStore, *, description: str, expected: ObjectInfo
        ) -> ArchiveId | None:
            return self.upload(io.BytesIO(content(source, key)), description=description)

    made.archives = Freezing(clock=made.clock)
    report = copied(made, to="glacier")
    assert [one.metadata.archive_id for one in report.by_service] == ["archive-1"]
    assert made.repo.archive_id(NAME) == "archive-1"
    assert len(copied(made, to="glacier").present) == 1
