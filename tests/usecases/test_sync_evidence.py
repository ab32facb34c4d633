"""Data from a store is evidence, not truth: anyone who may write to it may write entries, inventories and objects."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import key_of
from bakthat.domain.objects import ObjectInfo
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import PayloadDamaged
from bakthat.testing.faulty import FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock, Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.key_value import get_value, set_value
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.retention import remove_older_than
from bakthat.usecases.sync import sync


def back_up(box: Toolbox, tree: Path, name: str = "db", destination: str = "s3") -> Backup:
    made = backup(BackupRequest(source=tree, destination=destination, name=name), box.tools)
    box.clock.forward(minutes=1)
    return made


def rows(box: Toolbox) -> list[Backup]:
    return list(box.repo.find(Query()))


def rewrite(box: Toolbox, name: str, metadata: dict[str, Any] | None = None, **fields: Any) -> None:
    """Rewrite an archive's entry, as somebody does who may write to the store."""
    with box.stores["s3"].open(key_of(name)) as reader:
        entry = json.load(reader)
    entry.update(fields)
    entry["metadata"].update(metadata or {})
    box.stores["s3"].put(key_of(name), io.BytesIO(json.dumps(entry).encode()), replace=True)


def other_machine(box: Toolbox) -> Toolbox:
    """A machine with the same stores and a database of its own."""
    return Toolbox(stores=dict(box.stores), archives=box.archives, clock=SteppedClock(box.clock.now), host="other")


class ColdStore(FaultyObjectStore):
    """A bucket whose objects under `cold` lie in an archive class."""

    cold: frozenset[str] = frozenset()

    def list(self, prefix: str = ""):
        for info in super().list(prefix):
            yield evolve(info, storage_class="GLACIER") if info.key in self.cold else info


# An entry


def test_an_entry_cannot_move_a_backup_into_another_series(box: Toolbox, tree: Path) -> None:
    precious = back_up(box, tree, "db")
    back_up(box, tree, "photos")
    rewrite(box, precious.stored_filename, filename="photos")
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    box.clock.forward(days=30)
    remove_older_than("photos", "s3", timedelta(days=1), box.tools)
    assert precious.stored_filename in box.keys_in("s3")


@pytest.mark.parametrize(
    "forged",
    [
        {"sha256": "00" * 32},
        {"sha256": None},
        {"host": "another"},
        {"source": "/etc"},
        {"metadata": {"root": "photos"}},
        {"metadata": {"packed_by_source": True}},
        {"metadata": {"incomplete": True}},
        {"metadata": {"encryption": {"scheme": "age-x25519"}}},
    ],
)
@pytest.mark.parametrize("on_its_own_machine", [True, False])
def test_a_newer_entry_cannot_make_another_archive_of_a_known_one(
    box: Toolbox, tree: Path, forged: dict[str, Any], on_its_own_machine: bool
) -> None:
    made = back_up(box, tree)
    if not on_its_own_machine:
        box = other_machine(box)
        sync("s3", box.tools)
    before = rows(box)[0]
    box.clock.forward(hours=1)
    for store in box.stores.values():
        store._clock = box.clock
    forged = dict(forged)
    rewrite(box, made.stored_filename, forged.pop("metadata", None), last_updated=253402300799, tags=["x"], **forged)
    done = sync("s3", box.tools)
    (after,) = rows(box)
    assert after.with_metadata(after.last_updated, entry_seen=None) == before
    assert done.unreadable == (made.stored_filename,)
    assert "describes another archive" in box.notices[-1]


def test_a_forged_entry_is_reported_once_and_updates_nothing(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.clock.forward(hours=1)
    rewrite(box, made.stored_filename, sha256="00" * 32, last_updated=253402300799)
    assert sync("s3", box.tools).updated == ()
    told = len(box.notices)
    sync("s3", box.tools)
    assert len(box.notices) == told == 1


def test_a_backup_with_a_forged_entry_is_restored_by_what_the_database_knows(
    box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    made = back_up(box, tree)
    box.clock.forward(hours=1)
    rewrite(box, made.stored_filename, sha256="00" * 32, last_updated=253402300799)
    sync("s3", box.tools)
    restore(RestoreRequest(name="db", destination="s3", target=tmp_path / "out"), box.tools)
    assert (tmp_path / "out" / "site" / "index.html").exists()


def test_a_true_entry_comes_after_a_forged_date(box: Toolbox, tree: Path) -> None:
    """An entry of the year 9999 is not newer than the moment at which it was written."""
    made = back_up(box, tree)
    other = other_machine(box)
    rewrite(box, made.stored_filename, last_updated=253402300799, tags=["forged"])
    sync("s3", other.tools)
    box.clock.forward(hours=1)
    rewrite(box, made.stored_filename, last_updated=int(box.clock.now.timestamp()), tags=["true"])
    sync("s3", other.tools)
    assert [row.tags for row in rows(other)] == [("true",)]


def test_an_archive_that_was_replaced_in_the_store_may_have_another_identity(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    other = other_machine(box)
    sync("s3", other.tools)
    box.clock.forward(hours=1)
    box.stores["s3"].put(made.stored_filename, io.BytesIO(b"another"), replace=True)
    now = int(box.clock.now.timestamp())
    rewrite(box, made.stored_filename, sha256="00" * 32, size=7, last_updated=now)
    sync("s3", other.tools)
    (row,) = rows(other)
    assert (row.sha256, row.size, row.stored_at) == ("00" * 32, 7, box.clock.now)


def test_a_copy_of_the_bucket_in_its_own_place_changes_no_date(box: Toolbox, tree: Path) -> None:
    """A folder that was copied without its dates: everything is as it was, and stays as trusted as it was."""
    back_up(box, tree)
    other = other_machine(box)
    sync("s3", other.tools)
    before = rows(other)[0].stored_at
    box.clock.forward(days=30)
    for info in list(box.stores["s3"].list()):
        with box.stores["s3"].open(info.key) as reader:
            box.stores["s3"].put(info.key, io.BytesIO(reader.read()), replace=True)
    sync("s3", other.tools)
    assert [row.stored_at for row in rows(other)] == [before]


@pytest.mark.parametrize("deleted", [True, False])
def test_a_row_of_2013_stays_what_it_is(box: Toolbox, tree: Path, deleted: bool) -> None:
    """2013 wrote no entries: one that appears beside its archive could make it unrestorable by a wrong SHA-256."""
    made = back_up(box, tree)
    of_2013 = evolve(made, filename="dump.tar.gz", metadata={"location": made.location, "is_enc": False})
    box.repo = MemoryRepo([of_2013.deleted(box.clock.now) if deleted else of_2013])
    box.clock.forward(hours=1)
    rewrite(box, made.stored_filename, last_updated=int(box.clock.now.timestamp()), sha256="00" * 32)
    sync("s3", box.tools)
    assert [(row.filename, row.sha256) for row in rows(box)] == [("dump.tar.gz", None)]


def test_an_encrypted_value_is_not_replaced_by_a_plain_one(box: Toolbox) -> None:
    set_value("key", "secret", "s3", box.tools, keys=Keys(passphrase="pw"))
    box.clock.forward(hours=1)
    box.stores["s3"].put("key", io.BytesIO(b'"forged"'), replace=True)
    forged = {"is_enc": False, "is_gzipped": False, "encryption": None}
    rewrite(box, "key", forged, last_updated=int(box.clock.now.timestamp()), size=8)
    assert sync("s3", box.tools).unreadable == ("key",)
    with pytest.raises(PayloadDamaged):
        get_value("key", "s3", box.tools, keys=Keys(passphrase="pw"))


def test_a_value_that_another_machine_replaced_is_taken(box: Toolbox) -> None:
    set_value("key", 1, "s3", box.tools, keys=Keys())
    other = other_machine(box)
    sync("s3", other.tools)
    box.clock.forward(hours=1)
    set_value("key", "another value", "s3", box.tools, keys=Keys())
    assert [row.stored_filename for row in sync("s3", other.tools).updated] == ["key"]
    assert get_value("key", "s3", other.tools, keys=Keys()).value == "another value"


def test_an_entry_of_another_size_than_its_archive_is_not_believed(box: Toolbox, tree: Path) -> None:
    """Junk that replaces an archive is not trusted as the archive was."""
    made = back_up(box, tree)
    box.stores["s3"].put(made.stored_filename, io.BytesIO(b"junk"), replace=True)
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    (row,) = rows(box)
    assert (row.size, row.sha256, row.is_from_listing) == (4, None, True)


# An object


@pytest.mark.parametrize("metadata", [{}, {"KeyValue": True}])
def test_an_object_with_the_name_of_a_series_does_not_take_its_restore(
    box: Toolbox, tree: Path, tmp_path: Path, metadata: dict[str, Any]
) -> None:
    made = back_up(box, tree, "photos")
    box.stores["s3"].put("photos", io.BytesIO(b"EVIL"))
    with box.stores["s3"].open(key_of(made.stored_filename)) as reader:
        entry = json.load(reader)
    entry.update(stored_filename="photos", metadata={**entry["metadata"], **metadata}, backup_date=253402300799)
    box.stores["s3"].put(key_of("photos"), io.BytesIO(json.dumps(entry).encode()))
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    done = restore(RestoreRequest(name="photos", destination="s3", target=tmp_path / "out"), box.tools)
    assert done.backup.stored_filename == made.stored_filename


@pytest.mark.parametrize("key", ["bakthat_glacier_inventory", "bakthat_catalog/x.index"])
def test_what_bakthat_keeps_for_itself_is_never_a_backup(box: Toolbox, tree: Path, key: str) -> None:
    made = back_up(box, tree)
    with box.stores["s3"].open(key_of(made.stored_filename)) as reader:
        content = reader.read()
    box.stores["s3"].put(key, io.BytesIO(b"{}"))
    box.stores["s3"].put(key_of(key), io.BytesIO(content))
    assert sync("s3", box.tools).added == ()


# What an entry or an inventory claims for another destination


def test_an_inventory_alone_hides_nothing(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    inventory = json.dumps({"x": made.stored_filename, made.stored_filename: made.stored_filename}).encode()
    box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(inventory))
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    assert [row.sha256 for row in rows(box)] == [made.sha256]


def test_an_entry_alone_hides_nothing_and_is_reported(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    rewrite(box, made.stored_filename, {"archive_id": "x"}, backend="glacier")
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    assert [row.stored_filename for row in rows(box)] == [made.stored_filename]
    assert "says that it is an archive of glacier" in box.notices[0]


@pytest.mark.parametrize("lacking", ["inventory", "entry", "class"])
def test_what_is_not_shown_by_all_evidence_is_listed(box: Toolbox, tree: Path, lacking: str) -> None:
    made = back_up(box, tree)
    name = made.stored_filename
    store = ColdStore(box.stores["s3"])
    store.cold = frozenset({"another object"} if lacking == "class" else {name})
    store.put("another object", io.BytesIO(b"x"))
    if lacking != "inventory":
        store.put("bakthat_glacier_inventory", io.BytesIO(json.dumps({name: name}).encode()))
    if lacking != "entry":
        rewrite(box, name, {"archive_id": name}, backend="glacier")
    box.stores["s3"] = store
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    assert [row.stored_filename for row in rows(box)] == [name]


def test_an_archive_of_glacier_in_the_same_bucket_is_left_alone_where_all_evidence_agrees(
    box: Toolbox, tree: Path
) -> None:
    made = back_up(box, tree)
    name = made.stored_filename
    rewrite(box, name, {"archive_id": name}, backend="glacier")
    store = ColdStore(box.stores["s3"])
    store.cold = frozenset({name})
    store.put("bakthat_glacier_inventory", io.BytesIO(json.dumps({name: name}).encode()))
    box.stores["s3"] = store
    box.repo = MemoryRepo()
    assert sync("s3", box.tools).added == ()
    assert box.notices == []


def test_what_the_database_knows_as_an_archive_of_glacier_is_not_read_again(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    glacier = evolve(made, backend="glacier").with_metadata(box.clock.now, archive_id=made.stored_filename)
    store = ColdStore(box.stores["s3"])
    store.cold = frozenset({made.stored_filename})
    box.stores["s3"] = store
    box.repo = MemoryRepo([glacier])
    assert sync("s3", box.tools).added == ()
    assert [method for method, key in store.calls if key.startswith("bakthat_catalog/")] == []


# Values


def test_a_value_keeps_its_key_as_its_series(box: Toolbox) -> None:
    set_value("photos", 1, "s3", box.tools, keys=Keys())
    rewrite(box, "photos", filename="db")
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    assert [row.filename for row in rows(box)] == ["photos"]


def test_an_invalid_date_of_the_store_is_used_as_it_is(box: Toolbox) -> None:
    class Odd(FaultyObjectStore):
        def list(self, prefix: str = ""):
            yield ObjectInfo(key="a.20260102030405.tgz", size=2**70, modified=box.clock.now.replace(year=9999))

    box.stores["s3"] = Odd(MemoryObjectStore())
    sync("s3", box.tools)
    assert [(row.stored_filename, row.size) for row in rows(box)] == [("a.20260102030405.tgz", 0)]


def test_what_is_deleted_here_and_stored_again_keeps_its_series(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    delete(DeleteRequest(name=made.stored_filename, destination="s3"), box.tools)
    box.clock.forward(minutes=1)
    box.stores["s3"].put(made.stored_filename, io.BytesIO(b"junk"))
    sync("s3", box.tools)
    assert [(row.filename, row.is_from_listing) for row in rows(box)] == [("db", True)]
