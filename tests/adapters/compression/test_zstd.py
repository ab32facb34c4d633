"""The zstd that is written is anybody's; the zstd that is read may be anybody's, or damaged, or meant to do harm."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.compression.zstd_compressor import ZstdCompressor
from bakthat.adapters.compression.zstd_engine import zstd
from bakthat.adapters.compression.zstd_frame import BLOCK, FrameMaker, parse_header, skippable_head
from bakthat.domain.index_entry import IndexEntry
from bakthat.errors import PayloadDamaged, UsageError

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def compressed(data: bytes, compressor: ZstdCompressor | None = None, *, index: bool = False) -> bytes:
    out = io.BytesIO()
    with (compressor or ZstdCompressor()).compressing_with_index(out) as writer:
        writer.stream.write(data)
        if index:
            writer.on_entry(IndexEntry("root/a", "file", 1, 1, None, 1, 0o644, 0, 0, "", 0))
    return out.getvalue()


def plain_of(packed: bytes, step: int = -1) -> bytes:
    with ZstdCompressor().decompressing(io.BytesIO(packed)) as reader:
        if step < 0:
            return reader.read()
        return b"".join(iter(lambda: reader.read(step), b""))


def program(*arguments: str, data: bytes) -> bytes:
    return subprocess.run(["zstd", *arguments], input=data, capture_output=True, check=True).stdout


def noise(size: int) -> bytes:
    return os.urandom(size)


def text(size: int) -> bytes:
    line = b"the quick brown fox jumps over the lazy dog %06d\n"
    return b"".join(line % number for number in range(size // 51 + 1))[:size]


def mixed(size: int) -> bytes:
    chance = random.Random(1)
    return b"".join(chance.randbytes(20_000) + text(30_000) for _ in range(size // 50_000 + 1))[:size]


@pytest.mark.parametrize("arguments", [["-dc"], ["-T0", "-dc"], ["-dc", "--memory=8MB"]])
@pytest.mark.parametrize("make", [text, noise])
def test_the_zstd_program_reads_what_is_written(make: Callable[[int], bytes], arguments: list[str]) -> None:
    data = make(5 * BLOCK // 2)
    assert program(*arguments, data=compressed(data, index=True)) == data


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 17])
def test_what_is_written_at_the_edges_of_frames_is_read_by_all(size: int) -> None:
    data = text(size)
    packed = compressed(data)
    assert zstd.decompress(packed) == data
    assert program("-dc", data=packed) == data
    assert plain_of(packed) == data


def test_every_frame_has_its_checksum_and_its_content_size() -> None:
    packed = compressed(text(2 * BLOCK + 5))
    sizes, at = [], 0
    while header := parse_header(packed[at : at + 18]):
        assert header.has_checksum
        sizes.append(header.content)
        at += zstd.get_frame_size(packed[at:])
    assert sizes == [BLOCK, BLOCK, 5]


def test_a_smaller_block_size_makes_many_frames_of_little_and_a_seek_table_of_them() -> None:
    small = ZstdCompressor(block_size=100)
    for compressor in (small, small.at_level(5)):
        packed = compressed(text(250), compressor)
        table = packed[-9 - 5 * 8 : -9]  # of three frames, the index and its footer
        assert [plain for _, plain in struct.iter_unpack("<II", table)] == [100, 100, 50, 0, 0]
        assert plain_of(packed) == text(250)


@pytest.mark.parametrize("size", [-1, 0, BLOCK + 1])
def test_a_block_size_that_no_reader_takes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to {BLOCK} bytes, and not {size}"):
        ZstdCompressor(block_size=size)


@pytest.mark.parametrize("size", [0, 5, 3 * BLOCK + 100])
@pytest.mark.parametrize("index", [False, True])
def test_an_independent_seekable_reader_finds_any_range(tmp_path: Path, size: int, index: bool) -> None:
    data = mixed(size)
    path = tmp_path / "archive.zst"
    path.write_bytes(compressed(data, index=index))
    # In a process of its own: it is C++ of somebody else, and reads the seek table.
    code = (
        "import sys, indexed_zstd\n"
        "file = indexed_zstd.IndexedZstdFile(sys.argv[1])\n"
        "table = file.block_offsets()\n"
        "print(file.size(), len(table))\n"
        "for start in map(int, sys.argv[2:]):\n"
        "    file.seek(start)\n"
        "    print(file.read(1000).hex())\n"
    )
    starts = [start for start in (0, BLOCK - 500, 2 * BLOCK + 77, 3 * BLOCK) if start < size]
    asked = [sys.executable, "-c", code, str(path), *map(str, starts)]
    head, *found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert int(head.split()[0]) == size
    assert [bytes.fromhex(part) for part in found] == [data[start : start + 1000] for start in starts]


def test_the_seek_table_lists_every_frame_before_it() -> None:
    packed = compressed(text(BLOCK + 5), index=True)
    count, descriptor, magic = struct.unpack("<IBI", packed[-9:])
    assert (count, descriptor, magic) == (4, 0, 0x8F92EAB1)
    table = packed[-9 - 8 * count : -9]
    entries = list(struct.iter_unpack("<II", table))
    assert [plain for _, plain in entries] == [BLOCK, 5, 0, 0]
    head = packed[-17 - 8 * count : -9 - 8 * count]
    assert head == struct.pack("<II", 0x184D2A5E, 8 * count + 9)
    assert sum(length for length, _ in entries) == len(packed) - 17 - 8 * count


@pytest.mark.parametrize(
    "arguments",
    [["-1"], ["-19", "--long=27"], ["--no-check"], ["--no-content-size"], ["-T2", "-B1MiB"], ["--fast=5"]],
)
def test_what_the_zstd_program_writes_is_read(arguments: list[str]) -> None:
    data = mixed(2 * BLOCK if "-19" in arguments else 3 * BLOCK)
    packed = program(*arguments, "-c", data=data)
    assert plain_of(packed) == data
    assert plain_of(packed, 100_001) == data


def test_what_pzstd_writes_is_read(tmp_path: Path) -> None:
    data = mixed(3 * BLOCK)
    source = tmp_path / "data"
    source.write_bytes(data)
    packed = subprocess.run(["pzstd", "-qc", source], capture_output=True, check=True).stdout
    assert plain_of(packed) == data


def test_frames_of_all_kinds_with_skippable_ones_between_are_one_stream() -> None:
    parts = [text(100), b"", noise(BLOCK + 1), text(BLOCK), mixed(200_000)]
    packed = b"".join(
        skippable_head(number, 1000) + noise(1000) + program("-c", *arguments, data=part)
        for number, (part, arguments) in enumerate(zip(parts, [[], ["-9"], ["--no-check"], [], []], strict=True))
    )
    assert plain_of(packed + skippable_head(3, 0) + bytes(70_000)) == b"".join(parts)


def test_the_same_bytes_give_the_same_stream_however_they_are_cut() -> None:
    data = text(BLOCK + 100_000)
    out = io.BytesIO()
    with ZstdCompressor(threads=1).compressing(out) as writer:
        for start in range(0, len(data), 70_001):
            writer.write(data[start : start + 70_001])
    again = io.BytesIO()
    with ZstdCompressor(threads=3).compressing(again) as writer:
        writer.write(data)
    assert out.getvalue() == again.getvalue()


def test_a_higher_level_makes_a_smaller_stream() -> None:
    data = mixed(BLOCK)
    sizes = [len(compressed(data, ZstdCompressor().at_level(level))) for level in (1, 3, 19)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize("level", [-1, 0, 20, 22])
def test_a_level_that_takes_too_much_memory_is_refused(level: int) -> None:
    with pytest.raises(UsageError, match="levels 1 to 19"):
        ZstdCompressor().at_level(level)


def test_what_cannot_be_compressed_is_the_same_at_every_high_level() -> None:
    block = memoryview(noise(MIB))
    assert FrameMaker(19)(block) == FrameMaker(1)(block)


@pytest.mark.parametrize("stated", [0, 100, BLOCK, 2 * BLOCK])
def test_a_bomb_is_damage_and_not_memory(stated: int) -> None:
    """A frame of one small block that gives 128 KiB again and again, and states less."""
    run = struct.pack("<I", (128 * 1024) << 3 | 1 << 1)[:3] + b"x"
    last = struct.pack("<I", (128 * 1024) << 3 | 1 << 1 | 1)[:3] + b"x"
    bomb = b"\x28\xb5\x2f\xfd" + b"\x80" + b"\x58" + struct.pack("<I", stated) + run * 4000 + last
    tracemalloc.start()
    with pytest.raises(PayloadDamaged), ZstdCompressor().decompressing(io.BytesIO(bomb)) as reader:
        while reader.read(MIB):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MIB


def test_a_bomb_that_states_its_size_comes_out_in_small_steps() -> None:
    packed = program("-c", data=bytes(300 * MIB))
    assert len(packed) < MIB
    tracemalloc.start()
    total = 0
    with ZstdCompressor().decompressing(io.BytesIO(packed)) as reader:
        while chunk := reader.read(MIB):
            total += len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 300 * MIB
    assert peak < 16 * MIB


def test_a_window_of_more_than_128_mib_is_refused_and_said() -> None:
    head = b"\x28\xb5\x2f\xfd" + b"\x04" + bytes([18 << 3])  # 2^28
    with pytest.raises(PayloadDamaged, match="window of 256 MiB"):
        plain_of(head + bytes(100))


def test_a_single_segment_of_more_than_128_mib_is_refused() -> None:
    head = b"\x28\xb5\x2f\xfd" + b"\xe4" + struct.pack("<Q", 2**40)
    with pytest.raises(PayloadDamaged, match="window"):
        plain_of(head + bytes(100))


def test_a_frame_that_needs_a_dictionary_is_refused_and_said() -> None:
    head = b"\x28\xb5\x2f\xfd" + b"\x27" + struct.pack("<IB", 7, 1)
    with pytest.raises(PayloadDamaged, match="dictionary"):
        plain_of(head + bytes(100))


def test_an_empty_stream_and_one_of_zeros_are_damaged() -> None:
    for packed in (b"", bytes(10), bytes(1000)):
        with pytest.raises(PayloadDamaged):
            plain_of(packed)


@pytest.mark.parametrize("arguments", [[], ["--no-content-size"]])
def test_a_wrong_checksum_is_damage(arguments: list[str]) -> None:
    packed = bytearray(program("-c", *arguments, data=text(100_000)))
    packed[-1] ^= 1
    with pytest.raises(PayloadDamaged):
        plain_of(bytes(packed))


@pytest.mark.parametrize("arguments", [[], ["--no-content-size"], ["--long=27", "--no-check"]])
def test_every_truncation_of_a_foreign_frame_is_damage(arguments: list[str]) -> None:
    packed = program("-c", *arguments, data=mixed(100_000))
    for size in [*range(1, 40), *range(40, len(packed), 1999), len(packed) - 1]:
        with pytest.raises(PayloadDamaged):
            plain_of(packed[:size])


def test_a_truncated_skippable_frame_is_damage() -> None:
    packed = compressed(b"content") + skippable_head(3, 1000)
    for more in (b"", bytes(999)):
        with pytest.raises(PayloadDamaged, match="truncated"):
            plain_of(packed + more)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_gives_the_content_or_an_error_and_never_anything_else(data: st.DataObject) -> None:
    content = PLAIN
    packed = bytearray(PACKED)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(packed) - 1))
        packed[at] = data.draw(st.integers(0, 255))
    try:
        found = plain_of(bytes(packed))
    except PayloadDamaged:
        return
    assert found == content


PLAIN = mixed(150_000)
PACKED = compressed(PLAIN, index=True)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_behind_a_magic_are_content_or_damage(tail: bytes) -> None:
    try:
        plain_of(b"\x28\xb5\x2f\xfd" + tail)
    except PayloadDamaged:
        pass


def test_what_was_at_the_beginning_of_a_frame_is_found_again_at_its_end() -> None:
    once = noise(64 * 1024)
    assert len(compressed(once + bytes(3 * MIB) + once)) < 96 * 1024


@pytest.mark.parametrize("level", [10, 15, 19])
def test_a_thread_needs_at_most_32_mib_at_any_level(level: int) -> None:
    child = (
        "import resource, sys\n"
        "from bakthat.adapters.compression.zstd_frame import BLOCK, FrameMaker\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "block = memoryview((b'the same words ' * BLOCK)[:BLOCK])\n"
        "before = peak()\n"
        f"FrameMaker({level})(block)\n"
        "print(peak() - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert int(run.stdout) <= 32
