"""What the saved inventory, entries and descriptions say of a vault's archives is evidence, not truth."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import key_of
from bakthat.domain.objects import ArchiveId
from bakthat.domain.query import Query
from bakthat.errors import AccessDenied, ObjectArchived, RetrievalPending, StoreError, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.sync import sync

INVENTORY = "bakthat_glacier_inventory"
FOR_EVER = 1_000_000


def back_up(box: Toolbox, tree: Path, name: str) -> Backup:
    made = backup(BackupRequest(source=tree, destination="glacier", name=name), box.tools)
    box.clock.forward(minutes=1)
    return made


def listed(box: Toolbox) -> dict[str, str]:
    return {row.stored_filename: row.metadata["archive_id"] for row in box.repo.find(Query())}


def write_inventory(box: Toolbox, content: object) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    box.stores["s3"].put(INVENTORY, io.BytesIO(data), replace=True)


def is_stored(box: Toolbox, made: Backup) -> bool:
    assert isinstance(box.archives, MemoryArchiveStore)
    return ArchiveId(made.metadata["archive_id"]) in box.archives._archives


def with_second_name(box: Toolbox, db: Backup) -> str:
    """Somebody gives db's archive a second name, as that of the newest backup of photos."""
    photos = "photos.20991231000000.tgz"
    write_inventory(box, {db.stored_filename: db.metadata["archive_id"], photos: db.metadata["archive_id"]})
    return photos


@pytest.mark.parametrize("on_its_own_machine", [True, False])
def test_deleting_the_second_name_of_an_archive_does_not_delete_it(
    box: Toolbox, tree: Path, on_its_own_machine: bool
) -> None:
    db = back_up(box, tree, "db")
    photos = with_second_name(box, db)
    if not on_its_own_machine:
        box.repo = MemoryRepo()
    sync("glacier", box.tools)
    with pytest.raises(StoreError, match=f"{photos}: the archive is also recorded as {db.stored_filename}"):
        delete(DeleteRequest(name="photos", destination="glacier"), box.tools)
    assert is_stored(box, db)


def test_two_names_of_one_archive_are_reported(box: Toolbox, tree: Path) -> None:
    db = back_up(box, tree, "db")
    photos = with_second_name(box, db)
    sync("glacier", box.tools)
    assert f"{db.stored_filename} and {photos} are one archive in the Glacier inventory" in box.notices[0]


def test_what_was_uploaded_from_here_can_be_deleted_whatever_the_inventory_says(box: Toolbox, tree: Path) -> None:
    db = back_up(box, tree, "db")
    with_second_name(box, db)
    sync("glacier", box.tools)
    delete(DeleteRequest(name="db", destination="glacier"), box.tools)
    assert not is_stored(box, db)


def test_an_inventory_cannot_give_a_known_backup_another_archive(box: Toolbox, tree: Path) -> None:
    db, photos = back_up(box, tree, "db"), back_up(box, tree, "photos")
    write_inventory(box, {photos.stored_filename: db.metadata["archive_id"]})
    box.clock.forward(hours=1)
    with box.stores["s3"].open(key_of(photos.stored_filename)) as reader:
        entry = json.load(reader)
    entry.update(last_updated=int(box.clock.now.timestamp()), tags=["new"])
    entry["metadata"]["archive_id"] = db.metadata["archive_id"]
    box.stores["s3"].put(key_of(photos.stored_filename), io.BytesIO(json.dumps(entry).encode()), replace=True)
    sync("glacier", box.tools)
    delete(DeleteRequest(name="photos", destination="glacier"), box.tools)
    assert (is_stored(box, db), is_stored(box, photos)) == (True, False)


@pytest.mark.parametrize("on_its_own_machine", [True, False])
def test_a_newer_entry_cannot_make_another_archive_of_a_known_one(
    box: Toolbox, tree: Path, on_its_own_machine: bool
) -> None:
    db = back_up(box, tree, "db")
    if not on_its_own_machine:
        box.repo = MemoryRepo()
        sync("glacier", box.tools)
    box.clock.forward(hours=1)
    with box.stores["s3"].open(key_of(db.stored_filename)) as reader:
        entry = json.load(reader)
    entry.update(last_updated=253402300799, sha256="00" * 32)
    box.stores["s3"].put(key_of(db.stored_filename), io.BytesIO(json.dumps(entry).encode()), replace=True)
    assert sync("glacier", box.tools).unreadable == (db.stored_filename,)
    assert [row.sha256 for row in box.repo.find(Query())] == [db.sha256]


@pytest.mark.parametrize("content", [b"{not json", b"[7]", {}, {"other.20260101000000.tgz": "x"}, [{"filename": 1}]])
def test_what_the_inventory_lacks_is_found_by_its_entry(box: Toolbox, tree: Path, content: object) -> None:
    db = back_up(box, tree, "db")
    write_inventory(box, content)
    box.repo = MemoryRepo()
    sync("glacier", box.tools)
    assert listed(box)[db.stored_filename] == db.metadata["archive_id"]


@pytest.mark.parametrize("error", [ObjectArchived, AccessDenied, StoreError])
def test_an_inventory_that_cannot_be_read_is_reported_and_stops_nothing(
    box: Toolbox, tree: Path, error: type[StoreError]
) -> None:
    db = back_up(box, tree, "db")
    box.repo = MemoryRepo()
    fault = Fault(method="open", key=INVENTORY, times=FOR_EVER, error=lambda: error("no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    sync("glacier", box.tools)
    assert list(listed(box)) == [db.stored_filename]
    assert "the copy of the Glacier inventory cannot be read" in box.notices[0]


def test_a_bucket_that_is_down_is_an_error(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "db")
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", key=INVENTORY, times=FOR_EVER))
    with pytest.raises(StoreUnavailable):
        sync("glacier", box.tools)


@pytest.mark.parametrize("name", ["a\0b.20260101000000.tgz", "x" * 12_000 + ".20260101000000.tgz", "/", ""])
def test_a_bad_name_in_the_inventory_is_skipped(box: Toolbox, tree: Path, name: str) -> None:
    db = back_up(box, tree, "db")
    write_inventory(box, {name: "y", db.stored_filename: db.metadata["archive_id"]})
    box.repo = MemoryRepo()
    sync("glacier", box.tools)
    sync("glacier", box.tools)
    assert list(listed(box)) == [db.stored_filename]


def test_the_entries_of_s3_in_the_same_bucket_are_not_taken_for_archives_of_the_vault(box: Toolbox, tree: Path) -> None:
    db = back_up(box, tree, "db")
    backup(BackupRequest(source=tree, destination="s3", name="warm"), box.tools)
    box.repo = MemoryRepo()
    counted = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = counted
    sync("glacier", box.tools)
    assert list(listed(box)) == [db.stored_filename]
    assert [key for method, key in counted.calls if method == "open"] == [INVENTORY, key_of(db.stored_filename)]


def test_entries_whose_archives_a_lifecycle_rule_removed_do_not_keep_the_vault_from_being_asked(
    box: Toolbox, tree: Path
) -> None:
    db = back_up(box, tree, "db")
    expired = backup(BackupRequest(source=tree, destination="s3", name="expired"), box.tools)
    for key in (expired.stored_filename, key_of(db.stored_filename), INVENTORY):
        box.stores["s3"].delete(key)
    box.repo = MemoryRepo()
    with pytest.raises(RetrievalPending):
        sync("glacier", box.tools)
    box.clock.forward(hours=6)
    sync("glacier", box.tools)
    assert list(listed(box)) == [db.stored_filename]


def test_the_second_sync_of_a_vault_reads_no_entry(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "db")
    box.repo = MemoryRepo()
    sync("glacier", box.tools)
    counted = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = counted
    sync("glacier", box.tools)
    assert [key for method, key in counted.calls if method == "open"] == [INVENTORY]


def test_of_two_archives_with_one_description_the_older_is_listed_and_the_other_named(box: Toolbox, tree: Path) -> None:
    """Anyone who may upload to a vault can give an archive any description; a vault's list has no order."""

    class YoungestFirst(MemoryArchiveStore):
        def inventory(self, job_id):
            return iter(list(super().inventory(job_id))[::-1])

    box.archives = YoungestFirst(clock=box.clock)
    alone = Toolbox(stores={"local": box.stores["local"]}, archives=box.archives, clock=box.clock)
    db = back_up(alone, tree, "db")
    alone.clock.forward(days=1)
    alone.archives.upload(io.BytesIO(b"junk"), description=db.stored_filename)
    alone.repo = MemoryRepo()
    with pytest.raises(RetrievalPending):
        sync("glacier", alone.tools)
    alone.clock.forward(hours=6)
    sync("glacier", alone.tools)
    assert listed(alone) == {db.stored_filename: db.metadata["archive_id"]}
    assert f"{db.stored_filename}: the vault contains another archive of this name" in alone.notices[-1]


def test_a_description_does_not_say_whether_an_archive_is_encrypted(box: Toolbox) -> None:
    alone = Toolbox(stores={"local": box.stores["local"]}, archives=box.archives, clock=box.clock)
    description = 'db.20260101000000.tgz {"bakthat":1,"metadata":{"is_enc":true,"entry_seen":1,"stored_at":1}}'
    uploaded = alone.clock.now
    alone.archives.upload(io.BytesIO(b"x"), description=description)
    with pytest.raises(RetrievalPending):
        sync("glacier", alone.tools)
    alone.clock.forward(hours=6)
    sync("glacier", alone.tools)
    (row,) = alone.repo.find(Query())
    assert (row.is_encrypted, "entry_seen" in row.metadata, row.stored_at) == (False, False, uploaded)


class NamedArchives(MemoryArchiveStore):
    """An archive class of a bucket, whose archives bear their stored filenames."""

    names_are_ids = True

    def upload(self, body, *, description, size_hint=None):
        archive_id = super().upload(body, description=description)
        name = ArchiveId(description.split(" ")[0])
        self._archives[name] = self._archives.pop(archive_id)
        return name


def test_in_an_archive_class_an_inventory_cannot_name_another_object(box: Toolbox, tree: Path) -> None:
    box.archives = NamedArchives(clock=box.clock)
    db = back_up(box, tree, "db")
    photos = "photos.20991231000000.tgz"
    write_inventory(box, {photos: db.stored_filename, db.stored_filename: db.stored_filename})
    sync("glacier", box.tools)
    delete(DeleteRequest(name=photos, destination="glacier"), box.tools)
    assert is_stored(box, db)
    assert f"{photos}: the Glacier inventory gives it the id {db.stored_filename}" in box.notices[0]


class EndlessInventory(FaultyObjectStore):
    """A copy of the inventory of 1.5 GB, as a store sends it."""

    sent = 0

    def open(self, key: str):
        if key != INVENTORY:
            return super().open(key)
        outer = self

        class Endless(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, buffer) -> int:
                assert outer.sent < 40 * 1024 * 1024
                outer.sent += len(buffer)
                return len(buffer)

        return io.BufferedReader(Endless())


@pytest.mark.parametrize("destination", ["glacier", "s3"])
def test_an_inventory_without_end_is_not_read_to_its_end(box: Toolbox, tree: Path, destination: str) -> None:
    made = backup(BackupRequest(source=tree, destination=destination, name="db"), box.tools)

    class Cold(EndlessInventory):
        def list(self, prefix: str = ""):
            return (evolve(info, storage_class="GLACIER") for info in super().list(prefix))

    box.stores["s3"] = Cold(box.stores["s3"])
    box.repo = MemoryRepo()
    sync(destination, box.tools)
    assert [row.stored_filename for row in box.repo.find(Query())] == [made.stored_filename]
    assert box.stores["s3"].sent > 0
