"""The index of a zstd archive: nobody sees it but bakthat, and bakthat does not believe it."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip

from bakthat.adapters.compression.index_codec import PackedIndex
from bakthat.adapters.compression.zstd_compressor import ZstdCompressor
from bakthat.adapters.compression.zstd_frame import BLOCK, skippable_head
from bakthat.adapters.compression.zstd_index import FOOTER_SIZE, index_frames
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import BytesAccess
from tests.fixtures.indexed_archive import indexed, tar_stream
from tests.fixtures.watched_ranges import Ranges

ZSTD = ZstdCompressor()

PLAIN, ENTRIES = tar_stream(
    [(f"{number:04} {os.urandom(20).hex()}", os.urandom(700)) for number in range(1000)] + [("last", b"x" * BLOCK)]
)
ARCHIVE = indexed(PLAIN, ENTRIES, ZSTD)
TABLE_SIZE = 8 + 4 * 8 + 9
FOOTER = len(ARCHIVE) - TABLE_SIZE - FOOTER_SIZE
DATA_SIZE = struct.unpack_from("<Q", ARCHIVE, FOOTER + 8 + 8)[0]


def index_of(archive: bytes) -> ArchiveIndex:
    index = ZSTD.read_index(BytesAccess(archive))
    assert index is not None
    return index


@pytest.mark.parametrize(
    "program", [["tar", "--zstd", "-tf"], ["tar", "-tf"], ["bsdtar", "-tf"]], ids=lambda program: " ".join(program)
)
def test_tar_programs_read_the_archive_and_see_no_index(tmp_path: Path, program: list[str]) -> None:
    path = tmp_path / "archive.tar.zst"
    path.write_bytes(ARCHIVE)
    listed = subprocess.run([*program, path], capture_output=True, text=True, check=True)
    assert [line.rstrip("/") for line in listed.stdout.splitlines()] == [entry.path for entry in ENTRIES]
    assert listed.stderr == ""


@pytest.mark.parametrize("program", ["tar --zstd -x", "bsdtar -x -f -", "zstd -dc | tar -x"])
def test_tar_programs_extract_out_of_a_pipe_with_a_status_of_zero(tmp_path: Path, program: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", f"cat | {program}"], input=ARCHIVE, cwd=tmp_path, check=True)
    assert (tmp_path / "root" / "last").read_bytes() == b"x" * BLOCK


def test_what_a_tar_program_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    packed = subprocess.run(["tar", "--zstd", "-c", "a"], cwd=tmp_path, capture_output=True, check=True).stdout
    with ZSTD.decompressing(io.BytesIO(packed)) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        assert tar.next().name == "a"
    assert ZSTD.read_index(BytesAccess(packed)) is None


def test_the_index_is_read_by_two_small_requests_and_a_range_by_one() -> None:
    ranges = Ranges(ARCHIVE)
    index = ZSTD.read_index(ranges)
    assert index is not None
    assert list(index.entries()) == ENTRIES
    assert len(ranges.read) == 2
    assert sum(length for _, length in ranges.read) < 4096 + len(index.packed) + 100
    ranges.read.clear()
    assert ZSTD.random_access(ranges, index).read_at(100, 50) == PLAIN[100:150]
    assert ranges.read == [(0, index.block_starts[1])]


def test_a_seek_table_longer_than_the_first_request_costs_one_more() -> None:
    # Frames of nothing that belong to nobody: the table lists them all.
    table = b"".join(struct.pack("<II", 13, 0) for _ in range(1000))
    seek = skippable_head(0xE, len(table) + 9) + table + struct.pack("<IBI", 1000, 0, 0x8F92EAB1)
    ranges = Ranges(ARCHIVE[:-TABLE_SIZE] + seek)
    index = ZSTD.read_index(ranges)
    assert index is not None
    assert list(index.entries()) == ENTRIES
    assert len(ranges.read) == 3


def test_an_archive_without_a_seek_table_has_its_index_all_the_same() -> None:
    assert list(index_of(ARCHIVE[:-TABLE_SIZE]).entries()) == ENTRIES


def test_an_index_above_the_limit_is_omitted_and_said() -> None:
    out = io.BytesIO()
    with ZstdCompressor(index_limit=10).compressing_with_index(out) as writer:
        writer.stream.write(PLAIN)
        for entry in ENTRIES:
            writer.on_entry(entry)
    assert "larger than" in writer.omitted
    assert writer.index is None
    assert ZSTD.read_index(BytesAccess(out.getvalue())) is None


def test_an_index_of_a_later_version_is_ignored() -> None:
    later = bytearray(ARCHIVE)
    later[FOOTER + 12] = 2
    assert ZSTD.read_index(BytesAccess(bytes(later))) is None


@pytest.mark.parametrize("at", range(TABLE_SIZE + FOOTER_SIZE))
def test_a_damaged_end_is_damage_or_no_index_and_never_another_one(at: int) -> None:
    altered = bytearray(ARCHIVE)
    altered[FOOTER + at] ^= 16
    try:
        found = ZSTD.read_index(BytesAccess(bytes(altered)))
    except PayloadDamaged:
        return
    assert found is None or list(found.entries()) == ENTRIES


def test_a_damaged_head_of_the_seek_table_is_damage() -> None:
    altered = bytearray(ARCHIVE)
    altered[len(ARCHIVE) - TABLE_SIZE] ^= 1
    with pytest.raises(PayloadDamaged, match="seek table"):
        ZSTD.read_index(BytesAccess(bytes(altered)))


@pytest.mark.parametrize("position", [0, DATA_SIZE - 1, DATA_SIZE + 1, 2**63], ids=["start", "before", "behind", "far"])
def test_a_footer_that_points_elsewhere_is_damage(position: int) -> None:
    index = index_of(ARCHIVE)
    lines = igzip.decompress(index.packed)
    again = PackedIndex(index.packed, len(lines), zlib.crc32(lines))
    altered = ARCHIVE[:DATA_SIZE] + b"".join(index_frames(again, position))
    with pytest.raises(PayloadDamaged):
        ZSTD.read_index(BytesAccess(altered))


def test_an_index_of_another_archive_is_damage_when_it_is_used() -> None:
    other = indexed(PLAIN[BLOCK // 2 :] + PLAIN[: BLOCK // 2], ENTRIES, ZSTD)
    with pytest.raises(PayloadDamaged):
        ZSTD.random_access(BytesAccess(other), index_of(ARCHIVE)).read_at(0, len(PLAIN))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_have_no_index_or_a_damaged_one(tail: bytes) -> None:
    for archive in (tail, ARCHIVE[: FOOTER + FOOTER_SIZE] + tail):
        try:
            found = ZSTD.read_index(BytesAccess(archive))
        except PayloadDamaged:
            continue
        assert found is None or list(found.entries()) == ENTRIES
