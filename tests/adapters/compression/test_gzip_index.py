"""The index of a gzip archive: nobody sees it but bakthat, and bakthat does not believe it."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.compression.gzip_index import FOOTER_SIZE, index_members
from bakthat.adapters.compression.gzip_member import BLOCK
from bakthat.adapters.compression.index_codec import PackedIndex
from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import BytesAccess, RandomAccess
from tests.fixtures.indexed_archive import indexed, tar_stream
from tests.fixtures.watched_ranges import Ranges

GZIP = GzipCompressor()

# Three members of data, and an index of several members.
PLAIN, ENTRIES = tar_stream(
    [(f"{number:04} {os.urandom(20).hex()}", os.urandom(700)) for number in range(1000)] + [("last", b"x" * BLOCK)]
)
ARCHIVE = indexed(PLAIN, ENTRIES)
DATA_SIZE = struct.unpack_from("<Q", ARCHIVE, len(ARCHIVE) - 10 - 32 + 4)[0]


def index_of(archive: bytes) -> ArchiveIndex:
    index = GZIP.read_index(BytesAccess(archive))
    assert index is not None
    return index


def access_to(archive: bytes) -> RandomAccess:
    source = BytesAccess(archive)
    return GZIP.random_access(source, index_of(archive))


def decompressed(archive: bytes) -> bytes:
    with GZIP.decompressing(io.BytesIO(archive)) as reader:
        return reader.read()


def with_index(lines: bytes, **changes: int) -> bytes:
    """The data of the archive with another index. `changes`: in what the footer says of it."""
    index = PackedIndex(igzip.compress(lines), len(lines), zlib.crc32(lines))
    members = list(index_members(index, changes.pop("position", DATA_SIZE)))
    return ARCHIVE[:DATA_SIZE] + b"".join(members)


def lines_of(index: ArchiveIndex) -> list[bytes]:
    return gzip.decompress(index.packed).splitlines(keepends=True)


def test_the_index_comes_back() -> None:
    index = index_of(ARCHIVE)
    assert list(index.entries()) == ENTRIES
    assert (index.header.plain_size, index.header.packed_size) == (len(PLAIN), DATA_SIZE)
    assert index.header.blocks == 3


def test_what_decompresses_the_archive_does_not_see_the_index() -> None:
    assert decompressed(ARCHIVE) == PLAIN
    assert gzip.decompress(ARCHIVE) == PLAIN
    assert igzip.decompress(ARCHIVE) == PLAIN


def test_a_compressor_that_knows_nothing_of_an_index_writes_the_same_data() -> None:
    out = io.BytesIO()
    with GZIP.compressing(out) as writer:
        writer.write(PLAIN)
    assert ARCHIVE.startswith(out.getvalue())
    assert len(out.getvalue()) == DATA_SIZE


@pytest.mark.parametrize(
    "command",
    [
        ["gzip", "-dc"],
        ["pigz", "-dc"],
        ["busybox", "gunzip", "-c"],
        ["busybox", "zcat"],
        ["7zz", "x", "-so", "-tgzip", "-si"],
    ],
    ids=" ".join,
)
def test_programs_that_decompress_gzip_do_not_see_it(command: list[str]) -> None:
    done = subprocess.run(command, input=ARCHIVE, capture_output=True, check=True)
    assert done.stdout == PLAIN
    assert done.stderr in (b"", b"\n")


@pytest.mark.parametrize("command", ["tar xz", "tar xzf -", "bsdtar xf -", "gzip -dc | tar x", "busybox tar xz"])
def test_programs_that_read_tar_from_a_pipe_end_with_zero(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(ARCHIVE)
    (tmp_path / "into").mkdir()
    script = f"set -o pipefail; cat {tmp_path}/a.tgz | {command}"
    subprocess.run(["bash", "-c", script], cwd=tmp_path / "into", check=True, capture_output=True)
    assert len(list((tmp_path / "into" / "root").iterdir())) == len(ENTRIES) - 1
    assert (tmp_path / "into" / "root" / "last").read_bytes() == b"x" * BLOCK


@pytest.mark.parametrize("command", ["gzip -t", "pigz -t", "busybox gunzip -t", "7zz t", "tar tzf", "bsdtar tf"])
def test_programs_that_test_an_archive_accept_it(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(ARCHIVE)
    subprocess.run([*command.split(), tmp_path / "a.tgz"], check=True, capture_output=True)


def test_pythons_tarfile_reads_the_archive() -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE), mode="r:gz") as tar:
        assert [member.name for member in tar] == [entry.path for entry in ENTRIES]


@pytest.mark.parametrize("count", [0, 1])
def test_an_archive_of_little_has_an_index(count: int) -> None:
    archive = indexed(bytes(1024), [ENTRIES[0]] * count)
    assert list(index_of(archive).entries()) == [ENTRIES[0]] * count
    assert access_to(archive).read_at(0, 2000) == bytes(1024)


def test_an_empty_archive_has_an_index() -> None:
    archive = indexed(b"", [])
    assert gzip.decompress(archive) == b""
    assert list(index_of(archive).entries()) == []
    assert access_to(archive).read_at(0, 1) == b""


@pytest.mark.parametrize(
    "archive",
    [b"", b"x", gzip.compress(b"content"), gzip.compress(os.urandom(1000)), ARCHIVE[:DATA_SIZE], ARCHIVE + bytes(512)],
    ids=["empty", "one byte", "small", "noise", "ours without an index", "zeros behind the index"],
)
def test_an_archive_without_an_index_has_none(archive: bytes) -> None:
    assert GZIP.read_index(BytesAccess(archive)) is None


def test_an_index_of_an_unknown_version_is_ignored() -> None:
    start = len(ARCHIVE) - 10 - 32
    assert GZIP.read_index(BytesAccess(ARCHIVE[:start] + b"\x02\0" + ARCHIVE[start + 2 :])) is None
    assert GZIP.read_index(BytesAccess(ARCHIVE[: start + 2] + b"\x01\0" + ARCHIVE[start + 4 :])) is None


def test_the_writer_gives_the_index_in_its_compressed_form_and_it_is_read_from_that() -> None:
    out = io.BytesIO()
    with GZIP.compressing_with_index(out) as writer:
        writer.stream.write(PLAIN)
        for entry in ENTRIES:
            writer.on_entry(entry)
        assert writer.index is None
    assert writer.index is not None
    assert writer.omitted == ""
    index = GZIP.load_index(writer.index)
    assert list(index.entries()) == ENTRIES
    assert index.packed == index_of(ARCHIVE).packed == writer.index


def test_an_index_that_would_be_too_large_is_omitted_with_the_reason() -> None:
    out = io.BytesIO()
    with GzipCompressor(index_limit=20_000).compressing_with_index(out) as writer:
        writer.stream.write(PLAIN)
        for _ in range(20):
            for entry in ENTRIES:
                writer.on_entry(entry)
    assert "larger than" in writer.omitted
    assert writer.index is None
    assert out.getvalue() == ARCHIVE[:DATA_SIZE]


def test_an_index_just_small_enough_is_written() -> None:
    size = len(index_of(ARCHIVE).packed)
    assert GZIP.read_index(BytesAccess(indexed(PLAIN, ENTRIES, GzipCompressor(index_limit=size)))) is not None
    assert GZIP.read_index(BytesAccess(indexed(PLAIN, ENTRIES, GzipCompressor(index_limit=size - 1)))) is None


def test_an_error_inside_the_context_writes_no_index() -> None:
    out = io.BytesIO()
    with pytest.raises(KeyError), GZIP.compressing_with_index(out) as writer:
        writer.stream.write(PLAIN)
        raise KeyError
    assert GZIP.read_index(BytesAccess(out.getvalue())) is None
    assert writer.index is None


def test_any_range_can_be_read() -> None:
    access = access_to(ARCHIVE)
    assert access.size == len(PLAIN)
    for offset in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(PLAIN) - 1, len(PLAIN), len(PLAIN) + 5):
        for length in (0, 1, 5000, BLOCK, len(PLAIN)):
            assert access.read_at(offset, length) == PLAIN[offset : offset + length]


def test_a_file_is_where_its_entry_says() -> None:
    entry = next(entry for entry in index_of(ARCHIVE).entries() if entry.path.startswith("root/0500"))
    header = access_to(ARCHIVE).read_at(entry.offset, 512)
    assert tarfile.TarInfo.frombuf(header, "utf-8", "strict").name == entry.path


def test_only_the_members_that_a_range_needs_are_read_and_by_one_request() -> None:
    plain = os.urandom(12 * BLOCK)
    archive = indexed(plain, [])
    source = Ranges(archive)
    index = GZIP.read_index(source)
    assert index is not None
    assert source.read[0] == (len(archive) - FOOTER_SIZE, FOOTER_SIZE)
    assert len(source.read) == 2
    access = GZIP.random_access(source, index)
    starts = index.block_starts
    source.read.clear()
    assert access.read_at(4 * BLOCK - 1, 2) == plain[4 * BLOCK - 1 : 4 * BLOCK + 1]
    assert source.read == [(starts[3], starts[5] - starts[3])]
    assert access.read_at(5 * BLOCK - 100, 100) == plain[5 * BLOCK - 100 : 5 * BLOCK]
    assert len(source.read) == 1  # the member that was decompressed last is kept
    assert access.read_at(0, len(plain)) == plain
    assert len(source.read) == 3  # eight members at once


@pytest.mark.parametrize("damaged", [0, 1])
@pytest.mark.parametrize("wanted", [0, 1])
def test_a_damaged_member_spoils_only_what_needs_it(damaged: int, wanted: int) -> None:
    starts = index_of(ARCHIVE).block_starts
    for at in (3, 12, 16, 25, starts[damaged + 1] - starts[damaged] - 6, starts[damaged + 1] - starts[damaged] - 2):
        archive = bytearray(ARCHIVE)
        archive[starts[damaged] + at] ^= 1
        access = access_to(bytes(archive))
        if wanted == damaged:
            with pytest.raises(PayloadDamaged):
                access.read_at(wanted * BLOCK + 1000, 10)
        else:
            assert access.read_at(wanted * BLOCK, 10) == PLAIN[wanted * BLOCK :][:10]


@settings(deadline=None, max_examples=400)
@given(st.integers(0, len(ARCHIVE) - DATA_SIZE - 1), st.integers(1, 255))
def test_a_changed_byte_of_the_index_is_damage_or_a_version_that_is_not_known(at: int, change: int) -> None:
    archive = bytearray(ARCHIVE)
    archive[DATA_SIZE + at] ^= change
    version = range(len(ARCHIVE) - 42, len(ARCHIVE) - 38)
    try:
        index = GZIP.read_index(BytesAccess(bytes(archive)))
    except PayloadDamaged:
        return
    if index is None:
        assert DATA_SIZE + at in version
    else:  # the bits that fill up the last byte of a deflate stream mean nothing
        assert list(index.entries()) == ENTRIES


@pytest.mark.parametrize("at", range(-FOOTER_SIZE, 0))
def test_a_changed_byte_of_the_footer_is_damage_or_a_version_that_is_not_known(at: int) -> None:
    archive = bytearray(ARCHIVE)
    archive[at] ^= 0x41
    if -42 <= at < -38:
        assert GZIP.read_index(BytesAccess(bytes(archive))) is None
        return
    with pytest.raises(PayloadDamaged):
        GZIP.read_index(BytesAccess(bytes(archive)))


@pytest.mark.parametrize("at", range(-FOOTER_SIZE, 0))
def test_a_damaged_footer_does_not_keep_the_archive_from_being_read_whole_or_is_damage(at: int) -> None:
    archive = bytearray(ARCHIVE)
    archive[at] ^= 0x41
    try:
        assert decompressed(bytes(archive)) == PLAIN
    except PayloadDamaged:
        pass


@pytest.mark.parametrize("cut", [1, 10, FOOTER_SIZE - 1])
def test_an_archive_cut_short_in_its_index_is_damage_when_it_is_read(cut: int) -> None:
    assert GZIP.read_index(BytesAccess(ARCHIVE[:-cut])) is None
    with pytest.raises(PayloadDamaged):
        decompressed(ARCHIVE[:-cut])


def test_a_store_that_answers_short_is_damage() -> None:
    class Short(BytesAccess):
        def read_at(self, offset: int, length: int) -> bytes:
            found = super().read_at(offset, length)
            return found if offset + length == self.size else found[: length // 2]

    with pytest.raises(PayloadDamaged):
        GZIP.read_index(Short(ARCHIVE))
    index = index_of(ARCHIVE)
    for content in (lambda offset, length: b"", lambda offset, length: bytes(length)):

        class Other(BytesAccess):
            read_at = staticmethod(content)

        with pytest.raises(PayloadDamaged):
            GZIP.random_access(Other(ARCHIVE), index).read_at(0, 1)


HEADER = json.loads(lines_of(index_of(ARCHIVE))[0])
LENGTHS = json.loads(lines_of(index_of(ARCHIVE))[1])


def rewritten(change: Callable[[dict[str, Any], list[int]], Any]) -> bytes:
    """The archive with an index whose header and block lengths were changed."""
    header, lengths = dict(HEADER), list(LENGTHS)
    change(header, lengths)
    lines = [json.dumps(header).encode() + b"\n", json.dumps(lengths).encode() + b"\n"]
    return with_index(b"".join([*lines, *lines_of(index_of(ARCHIVE))[2:]]))


def move(lengths: list[int], by: int) -> None:
    lengths[0] += by
    lengths[1] -= by


@pytest.mark.parametrize(
    "by", [-1, 1, 1000, -(LENGTHS[0] - 29), LENGTHS[1] - 29], ids=["less", "more", "much more", "least", "most"]
)
def test_block_lengths_that_lie_are_damage(by: int) -> None:
    with pytest.raises(PayloadDamaged):
        access_to(rewritten(lambda _, lengths: move(lengths, by))).read_at(0, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"block_size": 2 * BLOCK, "blocks": 1},
        {"block_size": 32 * BLOCK},
        {"plain_size": 2 * BLOCK},
        {"plain_size": 2**62, "blocks": 2**42},
        {"packed_size": DATA_SIZE - 100},
        {"entries": 10**12},
    ],
    ids=", ".join,
)
def test_a_header_that_lies_is_damage(change: dict[str, int]) -> None:
    with pytest.raises(PayloadDamaged):
        access_to(rewritten(lambda header, _: header.update(change))).read_at(BLOCK, BLOCK)


def test_an_index_of_another_archive_is_damage() -> None:
    lines = b"".join(lines_of(index_of(indexed(bytes(3000), ENTRIES[:1]))))
    with pytest.raises(PayloadDamaged, match="another archive"):
        GZIP.read_index(BytesAccess(with_index(lines)))


def test_an_index_of_an_archive_of_the_same_size_leads_to_an_error_and_not_to_wrong_bytes() -> None:
    index = index_of(ARCHIVE)
    with pytest.raises(PayloadDamaged):
        GZIP.random_access(BytesAccess(os.urandom(len(ARCHIVE))), index).read_at(0, 10)
    with pytest.raises(PayloadDamaged, match="does not fit"):
        GZIP.random_access(BytesAccess(ARCHIVE[: DATA_SIZE // 2]), index)


@pytest.mark.parametrize(
    "lines",
    [b"", b"\n", b"{}\n", b"x" * 5_000_000, b"[" * 1_000_000, b'{"format": "bakthat index"}\n' * 1000, b"\0" * 5000],
    ids=lambda lines: repr(lines[:10]),
)
def test_an_index_of_something_else_is_damage(lines: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        GZIP.read_index(BytesAccess(with_index(lines)))


def test_a_decompression_bomb_takes_no_memory() -> None:
    """100 MB in 100 KB, the size of which the footer states as it is: a single line, then many short ones."""
    for line in (b" ", b"[1]\n"):
        head = b"".join(lines_of(index_of(ARCHIVE))[:2])
        bomb = igzip.compress(head) + igzip.compress(line * (100 * 1024 * 1024 // len(line)))
        plain_size = len(head) + 100 * 1024 * 1024
        crc = 0
        for chunk in iter(gzip.GzipFile(fileobj=io.BytesIO(bomb)).read1, b""):
            crc = zlib.crc32(chunk, crc)
        archive = ARCHIVE[:DATA_SIZE] + b"".join(index_members(PackedIndex(bomb, plain_size, crc), DATA_SIZE))
        del bomb
        tracemalloc.start()
        try:
            with pytest.raises(PayloadDamaged):
                list(index_of(archive).entries())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 24 * BLOCK


def test_a_bomb_that_states_a_small_size_is_damage_at_once() -> None:
    bomb = PackedIndex(igzip.compress(bytes(300 * 1024 * 1024)), 1000, 0)
    archive = ARCHIVE[:DATA_SIZE] + b"".join(index_members(bomb, DATA_SIZE))
    with pytest.raises(PayloadDamaged, match="does not match its checksum"):
        GZIP.read_index(BytesAccess(archive))


@pytest.mark.parametrize("at", [0, 5, 100, -10, -5, -1])
def test_a_damaged_index_in_its_compressed_form_is_damage(at: int) -> None:
    packed = bytearray(index_of(ARCHIVE).packed)
    packed[at] ^= 0x55
    if at == 5:  # the time of the first gzip member means nothing
        assert list(GZIP.load_index(bytes(packed)).entries()) == ENTRIES
        return
    with pytest.raises(PayloadDamaged):
        list(GZIP.load_index(bytes(packed)).entries())


@pytest.mark.parametrize("kept", [0, 1, 50, -1])
def test_an_index_in_its_compressed_form_that_is_cut_short_is_damage(kept: int) -> None:
    with pytest.raises(PayloadDamaged):
        list(GZIP.load_index(index_of(ARCHIVE).packed[:kept]).entries())


def test_names_that_are_not_utf8_come_back() -> None:
    entry = ENTRIES[0]._replace(path="root/caf\udce9", kind="symlink", link="\udcff", size=0)
    assert list(index_of(indexed(bytes(1024), [entry])).entries()) == [entry]


def test_fifty_thousand_entries_take_little_memory() -> None:
    """Some 1 MB compressed, where the entries themselves would take 20."""

    def many() -> Any:
        for number in range(50_000):
            path = f"root/directory {number // 100:05}/file {number:07}"
            yield IndexEntry(
                path, "file", number, 10**18 + number * 7919, 10**18, number, 0o644, 0, 0, "", number * 512
            )

    tracemalloc.start()
    try:
        archive = indexed(bytes(50_000 * 512), many())
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        index = index_of(archive)
        count = sum(1 for _ in index.entries())
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 50_000
    assert len(index.packed) < 30 * 50_000
    assert written < 50 * BLOCK  # the plain bytes alone are 26 MB
    assert read < 10 * BLOCK + 26 * BLOCK
