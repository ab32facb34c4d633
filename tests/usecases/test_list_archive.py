"""`ls`: what a backup contains, by its index where it has one."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.objects import ObjectInfo
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import (
    BackupNotFound,
    NotEncrypted,
    ObjectArchived,
    PasswordNeeded,
    PayloadDamaged,
    RetrievalPending,
    UsageError,
    WrongPassword,
)
from bakthat.ports.random_access import BytesAccess
from bakthat.ports.range_cache import RangeCache
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.backup_stream import StreamRequest, backup_stream
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.read_file import ReadRequest, read_file
from bakthat.usecases.sync import sync

SECRET = Keys(passphrase="secret")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    root = tmp_path / "big"
    (root / "deep" / "er").mkdir(parents=True)
    for number in range(6):
        (root / f"{number}.bin").write_bytes(os.urandom(10_000))
    (root / "deep" / "er" / "note.txt").write_text("a note")
    (root / "link").symlink_to("deep/er/note.txt")
    os.link(root / "3.bin", root / "zz-another-name.bin")
    return root


PATHS = {f"{number}.bin" for number in range(6)} | {
    "deep",
    "deep/er",
    "deep/er/note.txt",
    "link",
    "zz-another-name.bin",
}


def back_up(box: Toolbox, source: Path, **changes) -> Backup:
    return backup(BackupRequest(**{"source": source, "destination": "s3", **changes}), box.tools)


def listed(box: Toolbox, name: str, *, tools=None, **changes) -> list[IndexEntry]:
    request = ListRequest(**{"name": name, "destination": "s3", **changes})
    with list_archive(request, tools or box.tools) as listing:
        return list(listing.entries)


def paths(entries: list[IndexEntry]) -> set[str]:
    return {entry.path for entry in entries}


class Calls(FaultyObjectStore):
    """A store that counts. `bytes_read`: of what was requested by ranges."""

    bytes_read = 0

    def open_range(self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None):
        self.bytes_read += stop - start
        return super().open_range(key, start, stop, expected=expected)

    def of(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)


def watched(box: Toolbox) -> Calls:
    store = Calls(box.stores["s3"])
    box.stores["s3"] = store
    return store


@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_a_backup_is_listed_by_its_index_without_reading_it(box: Toolbox, big: Path, keys: Keys) -> None:
    back_up(box, big, keys=keys)
    store = watched(box)
    assert paths(listed(box, "big", keys=lambda _: keys)) == PATHS
    assert store.of("open") == 0
    assert box.notices == []


def test_entries_have_what_ls_shows(box: Toolbox, big: Path) -> None:
    back_up(box, big)
    entries = {entry.path: entry for entry in listed(box, "big")}
    status = (big / "0.bin").stat()
    entry = entries["0.bin"]
    assert (entry.kind, entry.size, entry.mtime_ns) == ("file", 10_000, status.st_mtime_ns)
    assert (entry.mode, entry.uid, entry.inode) == (status.st_mode & 0o7777, status.st_uid, status.st_ino)
    assert (entries["link"].kind, entries["link"].link) == ("symlink", "deep/er/note.txt")
    assert {entries["3.bin"].kind, entries["zz-another-name.bin"].kind} == {"file", "hardlink"}
    assert entries["deep"].kind == "directory"


@pytest.mark.parametrize("compression", list(Compression))
def test_patterns_choose_as_restore_only_does(box: Toolbox, big: Path, compression: Compression) -> None:
    back_up(box, big, compression=compression)
    assert paths(listed(box, "big", patterns=("deep/",))) == {"deep", "deep/er", "deep/er/note.txt"}
    assert paths(listed(box, "big", patterns=("*.bin", "!3.bin", "!zz*"))) == {f"{n}.bin" for n in (0, 1, 2, 4, 5)}


def test_patterns_that_mean_nothing_are_an_error(box: Toolbox, big: Path) -> None:
    back_up(box, big)
    with pytest.raises(UsageError, match="^PATH: "):
        listed(box, "big", patterns=("#",))


@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_of_an_uncompressed_tar_only_the_headers_are_read(box: Toolbox, tmp_path: Path, keys: Keys) -> None:
    root = tmp_path / "large"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.bin").write_bytes(bytes(2_000_000))
    made = back_up(box, root, compression=Compression.NONE, keys=keys)
    store = watched(box)
    assert paths(listed(box, "large", keys=lambda _: keys)) == {"0.bin", "1.bin", "2.bin"}
    assert store.of("open") == 0
    assert store.bytes_read < made.size / 4
    assert box.notices == []


def test_an_uncompressed_tar_that_is_cut_short_is_damage(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, compression=Compression.NONE)
    with box.stores["s3"].open(made.stored_filename) as reader:
        content = reader.read()
    box.stores["s3"].put(made.stored_filename, io.BytesIO(content[:20_000]), replace=True)
    box.repo.replace(evolve(made.with_metadata(made.last_updated, sha256=None), size=20_000))
    with pytest.raises(PayloadDamaged, match=f"{made.stored_filename}: .* cut short"):
        listed(box, "big")


def test_an_archive_of_another_program_is_listed(box: Toolbox, big: Path) -> None:
    """As those of 2013 were."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        archive.add(big, "big")
    box.stores["s3"].put("big.20120102030405.tgz", io.BytesIO(into.getvalue()))
    sync("s3", box.tools)
    assert paths(listed(box, "big")) == PATHS
    assert box.notices == ["big.20120102030405.tgz has no index; it is read from beginning to end, which takes longer"]


def test_several_roots_of_an_archive_of_another_program_are_a_notice(box: Toolbox) -> None:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        for name in ("./x/a", "./y/b", "./y/c", "./z/d"):
            archive.addfile(tarfile.TarInfo(name))
    box.stores["s3"].put("big.20120102030405.tgz", io.BytesIO(into.getvalue()))
    sync("s3", box.tools)
    assert paths(listed(box, "big")) == {"a", "b", "c", "d"}
    assert box.notices[1:] == ["big.20120102030405.tgz has several roots, as x and y: each path is below its own"]


@pytest.mark.parametrize("compression", list(Compression))
def test_a_single_file_is_one_entry(box: Toolbox, tmp_path: Path, compression: Compression) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    back_up(box, tmp_path / "notes.txt", compression=compression)
    (entry,) = listed(box, "notes.txt")
    assert (entry.path, entry.kind, entry.size) == ("notes.txt", "file", 5)


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_a_stream_is_one_entry_and_is_not_read(box: Toolbox, compression: Compression, keys: Keys) -> None:
    content = contextlib.nullcontext(io.BytesIO(b"x" * 1000))
    request = StreamRequest(name="shop.sql", destination="s3", content=content, compression=compression, keys=keys)
    backup_stream(request, box.tools)
    store = watched(box)
    (entry,) = listed(box, "shop.sql", keys=lambda _: keys)
    assert (entry.path, entry.kind, entry.size) == ("shop.sql", "file", 1000)
    assert store.calls == []


def test_keys_are_needed_and_must_fit(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, keys=SECRET)
    with pytest.raises(PasswordNeeded):
        listed(box, "big")
    with pytest.raises(WrongPassword, match=made.stored_filename):
        listed(box, "big", keys=lambda _: Keys(passphrase="wrong"))


def test_a_plain_backup_in_an_encrypted_series_is_not_listed(box: Toolbox, big: Path) -> None:
    back_up(box, big, keys=SECRET)
    box.clock.forward(days=1)
    back_up(box, big)
    with pytest.raises(NotEncrypted):
        listed(box, "big")
    assert paths(listed(box, "big", allow_plain=True)) == PATHS


def test_a_name_that_is_not_there_is_an_error(box: Toolbox) -> None:
    with pytest.raises(BackupNotFound):
        listed(box, "big")


# Damage


def damaged(box: Toolbox, made: Backup, position: int) -> None:
    with box.stores["s3"].open(made.stored_filename) as reader:
        content = bytearray(reader.read())
    content[position] ^= 1
    box.stores["s3"].put(made.stored_filename, io.BytesIO(bytes(content)), replace=True)


@pytest.mark.parametrize("position", [-300, -20])
def test_a_damaged_index_is_a_notice_and_the_archive_is_read(box: Toolbox, big: Path, position: int) -> None:
    made = back_up(box, big)
    damaged(box, made, position)
    request = ListRequest(name="big", destination="s3")
    found = []
    with pytest.raises(PayloadDamaged, match="SHA-256"), list_archive(request, box.tools) as listing:
        found.extend(entry.path for entry in listing.entries)
    assert "it is read without the index" in box.notices[0]


def test_an_object_of_another_size_is_damage(box: Toolbox, big: Path) -> None:
    made = back_up(box, big)
    box.stores["s3"].put(made.stored_filename, io.BytesIO(b"short"), replace=True)
    with pytest.raises(PayloadDamaged, match="the store has 5 bytes of it, the record says"):
        listed(box, "big")
    assert box.notices == []


# Archives that must be retrieved first


@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_an_archive_in_a_vault_is_listed_by_the_copy_of_its_index(box: Toolbox, big: Path, keys: Keys) -> None:
    back_up(box, big, destination="glacier", keys=keys)
    assert paths(listed(box, "big", destination="glacier", keys=lambda _: keys)) == PATHS
    assert box.notices == []


def test_the_copy_of_an_encrypted_archives_index_is_encrypted(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, destination="glacier", keys=SECRET)
    with box.stores["s3"].open(f"bakthat_catalog/{made.stored_filename}.index") as reader:
        assert reader.read().startswith(b"age-encryption.org/v1\n")


def test_where_archives_can_be_read_there_is_no_copy(box: Toolbox, big: Path) -> None:
    back_up(box, big)
    assert not [key for key in box.keys_in("s3") if key.endswith(".index")]


def test_deleting_an_archive_deletes_the_copy_of_its_index(box: Toolbox, big: Path) -> None:
    back_up(box, big, destination="glacier")
    delete(DeleteRequest(name="big", destination="glacier"), box.tools)
    assert [key for key in box.keys_in("s3") if "big" in key] == []


def test_sync_does_not_take_the_copy_of_an_index_for_a_backup(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, destination="glacier")
    box.repo = MemoryRepo()
    for destination in ("s3", "glacier"):
        sync(destination, box.tools)
    assert {row.stored_filename for row in box.repo.find(Query())} == {made.stored_filename}


def test_a_copy_that_cannot_be_used_is_a_notice(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, destination="glacier")
    key = f"bakthat_catalog/{made.stored_filename}.index"
    box.stores["s3"].put(key, io.BytesIO(b"no index"), replace=True)
    with pytest.raises(RetrievalPending):
        listed(box, "big", destination="glacier")
    assert "the copy of its index cannot be used" in box.notices[0]


def test_without_a_copy_the_archive_is_retrieved(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, destination="glacier")
    box.stores["s3"].delete(f"bakthat_catalog/{made.stored_filename}.index")
    assert paths(listed(box, "big", destination="glacier", wait=True)) == PATHS


# The cache


class MemoryCache(RangeCache):
    def __init__(self) -> None:
        self.saved: dict[str, dict[int, bytes]] = {}

    def load(self, identity: str):
        return self.saved.get(identity, {})

    def save(self, identity: str, ranges) -> None:
        self.saved[identity] = dict(ranges)


@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_a_second_list_asks_no_store(box: Toolbox, big: Path, keys: Keys) -> None:
    back_up(box, big, keys=keys)
    cache = MemoryCache()
    listed(box, "big", keys=lambda _: keys, tools=evolve(box.tools, range_cache=cache))
    store = watched(box)
    again = listed(box, "big", keys=lambda _: keys, tools=evolve(box.tools, range_cache=cache))
    assert paths(again) == PATHS
    assert store.calls == []


def test_what_is_cached_of_an_encrypted_backup_is_encrypted(box: Toolbox, big: Path) -> None:
    made = back_up(box, big, keys=SECRET)
    with box.stores["s3"].open(made.stored_filename) as reader:
        content = reader.read()
    cache = MemoryCache()
    listed(box, "big", keys=lambda _: SECRET, tools=evolve(box.tools, range_cache=cache))
    (ranges,) = cache.saved.values()
    assert all(content[start : start + len(part)] == part for start, part in ranges.items())


def test_what_is_cached_of_a_plain_backup_is_the_index_and_no_content(box: Toolbox, big: Path) -> None:
    made = back_up(box, big)
    with box.stores["s3"].open(made.stored_filename) as reader:
        content = reader.read()
    cache = MemoryCache()
    listed(box, "big", tools=evolve(box.tools, range_cache=cache))
    (ranges,) = cache.saved.values()
    index = GzipCompressor().read_index(BytesAccess(content))
    assert index is not None
    assert min(ranges) == index.header.packed_size


class Frozen(FaultyObjectStore):
    """A store whose objects a lifecycle rule has moved to an archive class."""

    def stat(self, key: str) -> ObjectInfo:
        return evolve(super().stat(key), storage_class="GLACIER")

    def open(self, key: str):
        raise ObjectArchived(key)

    def open_range(self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None):
        raise ObjectArchived(key)


def test_what_was_moved_to_an_archive_class_is_listed_from_the_cache_alone(box: Toolbox, big: Path) -> None:
    back_up(box, big)
    tools = evolve(box.tools, range_cache=MemoryCache())
    listed(box, "big", tools=tools)
    box.stores["s3"] = Frozen(box.stores["s3"])
    assert paths(listed(box, "big", tools=tools)) == PATHS
    with pytest.raises(ObjectArchived), read_file(ReadRequest(name="big", destination="s3", path="0.bin"), tools):
        pass
    with pytest.raises(ObjectArchived):
        listed(box, "big")


def test_what_is_not_known_by_its_hash_is_not_cached(box: Toolbox, big: Path) -> None:
    made = back_up(box, big)
    box.repo.replace(made.with_metadata(made.last_updated, sha256=None))
    cache = MemoryCache()
    listed(box, "big", tools=evolve(box.tools, range_cache=cache))
    assert cache.saved == {}


def test_a_failing_range_is_an_error_of_the_store(box: Toolbox, big: Path) -> None:
    back_up(box, big)
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open_range", times=9))
    with pytest.raises(Exception, match="the store failed as scripted"):
        listed(box, "big")


def test_a_backup_whose_index_would_be_too_large_says_so_and_is_listed_by_reading_it(box: Toolbox, big: Path) -> None:
    tools = evolve(box.tools, compressors={Compression.GZIP: GzipCompressor(index_limit=10)})
    made = backup(BackupRequest(source=big, destination="s3"), tools)
    assert box.notices == [f"{made.stored_filename} has no index: its index would be larger than 0 MiB"]
    assert paths(listed(box, "big")) == PATHS
