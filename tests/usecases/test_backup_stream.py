"""`backup_stream`: a stream is stored whole or not at all, and is a backup like any other."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.domain.verification import Level
from bakthat.errors import DuplicateBackup, InvalidName, ObjectExists, SourceError, StoreUnavailable, UsageError
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.backup_stream import StreamRequest, backup_stream
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.restore import RestoreRequest, restore, restore_stored
from bakthat.usecases.retention import rotate_backups
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import verify

DUMP = b"CREATE TABLE shop ();\n" * 1000
NAME = "shop.sql.20260102030405.gz"


def back_up(box: Toolbox, data: bytes = DUMP, **changes) -> Backup:
    options = {"name": "shop.sql", "destination": "s3", "content": contextlib.nullcontext(io.BytesIO(data))}
    return backup_stream(StreamRequest(**{**options, **changes}), box.tools)


def bring_back(box: Toolbox, target: Path, name: str = "shop.sql", **changes) -> bytes:
    restore(RestoreRequest(name=name, destination="s3", target=target, **changes), box.tools)
    return (target / "shop.sql").read_bytes()


def stored(box: Toolbox, key: str) -> bytes:
    with box.stores["s3"].open(key) as reader:
        return reader.read()


def rows(box: Toolbox) -> list[Backup]:
    return list(box.repo.find(Query(deleted=True)))


@contextlib.contextmanager
def failing_after(size: int) -> Iterator[BinaryIO]:
    """A stream whose end is an error, as that of a command that fails."""

    class Failing(io.RawIOBase):
        left = size

        def read(self, count: int = -1, /) -> bytes:
            if not self.left:
                raise SourceError("pg_dump failed with exit status 1; nothing was stored")
            count = min(count, self.left)
            self.left -= count
            return bytes(count)

    yield Failing()  # type: ignore[misc]


# What is stored


def test_a_stream_is_stored_as_a_compressed_stream_without_a_tar(box: Toolbox) -> None:
    assert back_up(box).stored_filename == NAME
    assert gzip.decompress(stored(box, NAME)) == DUMP


def test_uncompressed_it_is_stored_as_it_is_without_a_suffix(box: Toolbox) -> None:
    made = back_up(box, compression=Compression.NONE)
    assert made.stored_filename == "shop.sql.20260102030405"
    assert stored(box, made.stored_filename) == DUMP


def test_encrypted_its_name_says_so(box: Toolbox) -> None:
    made = back_up(box, keys=Keys(passphrase="secret"))
    assert made.stored_filename == f"{NAME}.enc"
    assert stored(box, made.stored_filename).startswith(b"age-encryption.org/v1\n")


def test_the_record_says_that_it_is_a_stream_and_of_which_program(box: Toolbox) -> None:
    metadata = back_up(box, command="pg_dump").metadata
    assert (metadata.source, metadata.command, metadata.container) == ("-", "pg_dump", "stream")
    assert metadata.counts == {"files": 1, "directories": 0, "others": 0, "bytes": len(DUMP)}


def test_an_empty_stream_is_a_backup_of_0_bytes_and_a_notice(box: Toolbox, tmp_path: Path) -> None:
    back_up(box, b"")
    assert box.notices == [f"{NAME}: the stream was empty, so this is a backup of 0 bytes"]
    assert bring_back(box, tmp_path) == b""


def test_an_empty_uncompressed_stream_can_be_verified_and_restored(box: Toolbox, tmp_path: Path) -> None:
    back_up(box, b"", compression=Compression.NONE)
    assert [result.level for result in verify("shop.sql", "s3", box.tools)] == [Level.OPENS]
    assert bring_back(box, tmp_path) == b""


def test_short_reads_do_not_end_a_stream(box: Toolbox) -> None:
    class Dribbling(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(7, size if size is not None and size > 0 else 7))

    back_up(box, content=contextlib.nullcontext(Dribbling(DUMP)))
    assert gzip.decompress(stored(box, NAME)) == DUMP


def test_progress_counts_what_was_read(box: Toolbox) -> None:
    back_up(box)
    assert box.progress[-1].done == len(DUMP)


# What is refused, and what is left after a failure


@pytest.mark.parametrize("name", ["a/b", "", "..", "a\nb"])
def test_a_name_that_no_file_can_have_is_refused_before_the_stream_is_opened(box: Toolbox, name: str) -> None:
    opened = []

    @contextlib.contextmanager
    def content() -> Iterator[BinaryIO]:
        opened.append(True)
        yield io.BytesIO()

    with pytest.raises(InvalidName):
        back_up(box, name=name, content=content())
    assert opened == []


def test_a_stream_of_text_is_refused(box: Toolbox) -> None:
    with pytest.raises(UsageError, match="returns str, not bytes; open it in binary mode"):
        back_up(box, content=contextlib.nullcontext(io.StringIO("text")))


def test_a_stream_that_does_not_wait_for_bytes_is_an_error(box: Toolbox) -> None:
    class NonBlocking(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes | None:
            return None

    with pytest.raises(SourceError, match="no bytes at the moment"):
        back_up(box, content=contextlib.nullcontext(NonBlocking()))


@pytest.mark.parametrize("destination", ["s3", "local", "glacier"])
@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_stream_that_fails_at_its_end_leaves_nothing(
    box: Toolbox, destination: str, compression: Compression, size: int
) -> None:
    with pytest.raises(SourceError, match="exit status 1"):
        back_up(box, destination=destination, compression=compression, content=failing_after(size))
    assert box.keys_in("s3") == box.keys_in("local") == []
    assert rows(box) == []
    assert dict(box.repo.archive_ids()) == {}


def test_a_failing_backup_stops_what_produces_the_stream(box: Toolbox) -> None:
    stopped = []
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="put", after_bytes=10))
    with pytest.raises(StoreUnavailable):
        back_up(box, bytes(20_000_000), compression=Compression.NONE, stop=lambda: stopped.append(True))
    assert stopped == [True]


def test_a_good_backup_stops_nothing(box: Toolbox) -> None:
    stopped: list[bool] = []
    back_up(box, stop=lambda: stopped.append(True))
    assert stopped == []


def test_a_name_that_another_machine_took_in_the_same_second_is_an_error_since_the_stream_is_gone(box: Toolbox) -> None:
    other = Toolbox(stores=box.stores, repo=MemoryRepo(), clock=box.clock)
    back_up(other)
    with pytest.raises(DuplicateBackup, match=r"the input was already read, so make the backup again$") as raised:
        back_up(box, b"another")
    assert isinstance(raised.value.__cause__, ObjectExists)
    assert gzip.decompress(stored(box, NAME)) == DUMP


def test_two_backups_of_one_second_have_two_names(box: Toolbox) -> None:
    assert [back_up(box).stored_filename for _ in range(2)] == [NAME, "shop.sql.20260102030406.gz"]


# A backup like any other


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase="secret")])
def test_it_comes_back_as_a_file_of_its_name(
    box: Toolbox, tmp_path: Path, compression: Compression, keys: Keys
) -> None:
    back_up(box, compression=compression, keys=keys)
    assert bring_back(box, tmp_path, keys=lambda _: keys) == DUMP


@pytest.mark.parametrize("compression", list(Compression))
def test_it_comes_back_from_an_archive_store(box: Toolbox, tmp_path: Path, compression: Compression) -> None:
    back_up(box, destination="glacier", compression=compression)
    restore(RestoreRequest(name="shop.sql", destination="glacier", target=tmp_path, wait=True), box.tools)
    assert (tmp_path / "shop.sql").read_bytes() == DUMP


@pytest.mark.parametrize("compression", list(Compression))
def test_it_is_verified_to_its_end(box: Toolbox, compression: Compression) -> None:
    back_up(box, compression=compression)
    assert [result.level for result in verify("shop.sql", "s3", box.tools)] == [Level.OPENS]


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("with_entry", [True, False])
def test_a_new_machine_finds_and_restores_it(
    box: Toolbox, tmp_path: Path, compression: Compression, with_entry: bool
) -> None:
    made = back_up(box, compression=compression)
    if not with_entry:
        box.stores["s3"].delete(f"bakthat_catalog/{made.stored_filename}.json")
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    (row,) = rows(box)
    assert (row.filename, row.is_from_listing) == ("shop.sql", not with_entry)
    assert bring_back(box, tmp_path) == DUMP


@pytest.mark.parametrize("compression", list(Compression))
def test_it_comes_back_by_its_key_alone(box: Toolbox, tmp_path: Path, compression: Compression) -> None:
    made = back_up(box, compression=compression)
    request = RestoreRequest(name="", destination="", target=tmp_path)
    restored = restore_stored(box.stores["s3"], made.stored_filename, request, box.tools)
    # Of an uncompressed stream the name does not say that its end is a date.
    name = made.stored_filename if compression is Compression.NONE else "shop.sql"
    assert restored.report.roots == (name,)
    assert (tmp_path / name).read_bytes() == DUMP


def test_a_file_that_was_gzipped_before_comes_back_gzipped(box: Toolbox, tmp_path: Path) -> None:
    store = MemoryObjectStore("memory://x", clock=box.clock)
    store.put("dump.sql.gz", io.BytesIO(gzip.compress(DUMP)))
    restore_stored(store, "dump.sql.gz", RestoreRequest(name="", destination="", target=tmp_path), box.tools)
    assert gzip.decompress((tmp_path / "dump.sql.gz").read_bytes()) == DUMP


def test_retention_thins_the_streams_of_a_host_as_one_origin(box: Toolbox) -> None:
    for _ in range(3):
        back_up(box)
        box.clock.forward(days=1)
    back_up(box, command="pg_dump")
    done = rotate_backups("shop.sql", "s3", RotationPolicy(days=2), box.tools)
    assert len(done.removed) == 2
    assert box.notices == []


def test_it_can_be_deleted(box: Toolbox) -> None:
    back_up(box)
    delete(DeleteRequest(name="shop.sql", destination="s3"), box.tools)
    assert box.keys_in("s3") == []


def test_a_file_and_a_stream_of_one_name_are_two_origins(box: Toolbox, tmp_path: Path) -> None:
    path = tmp_path / "shop.sql"
    path.write_bytes(b"a file")
    backup(BackupRequest(source=path, destination="s3"), box.tools)
    back_up(box)
    assert any("this name also has backups of" in notice for notice in box.notices)


def test_a_backup_of_1_0_under_such_a_name_is_still_read(box: Toolbox, tmp_path: Path) -> None:
    """1.0 recorded no container, and no suffix meant a file."""
    made = back_up(box, compression=Compression.NONE)
    box.repo.replace(made.with_metadata(datetime(2026, 1, 3, tzinfo=UTC), container=None, source="/home/me/shop.sql"))
    assert bring_back(box, tmp_path) == DUMP
