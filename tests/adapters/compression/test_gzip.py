"""The gzip that is written is anybody's; the gzip that is read may be anybody's, or damaged, or meant to do harm."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.compression.gzip_member import BLOCK, HEADER_SIZE, LONGEST_MEMBER, deflate
from bakthat.errors import PayloadDamaged

HEADER = 20
"""Of a member of ours: ten fixed bytes, the extra field's length, its subfield of eight."""


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def compressed(data: bytes, compressor: GzipCompressor | None = None) -> bytes:
    out = io.BytesIO()
    with (compressor or GzipCompressor()).compressing(out) as writer:
        writer.write(data)
    return out.getvalue()


def inflated(packed: bytes | BinaryIO, step: int = -1) -> bytes:
    stream = io.BytesIO(packed) if isinstance(packed, bytes) else packed
    with GzipCompressor().decompressing(stream) as reader:
        if step < 0:
            return reader.read()
        return b"".join(iter(lambda: reader.read(step), b""))


def members(packed: bytes) -> list[bytes]:
    """Cut by the lengths that the extra fields state."""
    found = []
    while packed:
        assert packed[:4] == b"\x1f\x8b\x08\x04"
        assert packed[10:16] == struct.pack("<H", 8) + b"BK" + struct.pack("<H", 4)
        length = struct.unpack_from("<I", packed, 16)[0]
        assert length >= HEADER + 10
        found.append(packed[:length])
        assert len(found[-1]) == length
        packed = packed[length:]
    return found


def stating(length: int, member: bytes) -> bytes:
    """The member, with another length in its extra field."""
    return member[:16] + struct.pack("<I", length) + member[HEADER:]


def noise(size: int) -> bytes:
    return os.urandom(size)


def text(size: int) -> bytes:
    line = b"the quick brown fox jumps over the lazy dog %06d\n"
    return b"".join(line % number for number in range(size // 51 + 1))[:size]


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_pythons_gzip_reads_what_is_written(size: int) -> None:
    data = text(size)
    packed = compressed(data)
    assert gzip.decompress(packed) == data
    assert inflated(packed) == data


@pytest.mark.parametrize("make", [text, noise])
def test_the_gzip_program_accepts_what_is_written(make: Callable[[int], bytes]) -> None:
    data = make(5 * BLOCK // 2)
    packed = compressed(data)
    subprocess.run(["gzip", "-t"], input=packed, check=True)
    assert subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout == data


def test_every_member_contains_at_most_one_mebibyte_and_states_its_length() -> None:
    data = noise(2 * BLOCK) + text(BLOCK + 5)
    parts = [gzip.decompress(member) for member in members(compressed(data))]
    assert [len(part) for part in parts] == [BLOCK, BLOCK, BLOCK, 5]
    assert b"".join(parts) == data


def test_a_smaller_block_size_makes_many_members_of_little() -> None:
    parts = [gzip.decompress(member) for member in members(compressed(text(250), GzipCompressor(block_size=100)))]
    assert [len(part) for part in parts] == [100, 100, 50]


@pytest.mark.parametrize("size", [-1, 0, BLOCK + 1])
def test_a_block_size_that_no_reader_takes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to {BLOCK} bytes, and not {size}"):
        GzipCompressor(block_size=size)


def test_a_little_content_takes_little_memory() -> None:
    compressed(b"warm up")
    tracemalloc.start()
    try:
        compressed(b"x" * 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BLOCK // 2


def test_an_empty_stream_is_one_empty_member() -> None:
    packed = compressed(b"")
    assert len(members(packed)) == 1
    assert gzip.decompress(packed) == b""
    assert inflated(packed) == b""


def test_the_same_bytes_give_the_same_stream_however_they_are_cut() -> None:
    data = text(BLOCK + 100_000)
    out = io.BytesIO()
    with GzipCompressor(threads=1).compressing(out) as writer:
        for start in range(0, len(data), 70_001):
            writer.write(data[start : start + 70_001])
    assert out.getvalue() == compressed(data)


def test_a_block_that_an_engine_blows_up_is_stored_so_that_the_reader_accepts_it() -> None:
    def bloating(block: memoryview) -> bytes:
        # Empty stored blocks in front: valid, and long.
        return b"\0\0\0\xff\xff" * (BLOCK // 16) + deflate(block)

    data = noise(BLOCK)
    packed = compressed(data, GzipCompressor(deflate=bloating))
    assert len(packed) <= LONGEST_MEMBER
    assert inflated(packed) == data


@pytest.mark.parametrize("size", [1, 0xFFFF, 0xFFFF + 1, 100_000, BLOCK, BLOCK + 1])
def test_what_cannot_be_compressed_is_stored_as_it_is(size: int) -> None:
    data = noise(size)
    packed = compressed(data)
    assert data[:1000] in packed
    assert gzip.decompress(packed) == data


def test_the_gzip_program_reads_what_is_stored_as_it_is() -> None:
    data = noise(2 * BLOCK + 100_000)
    done = subprocess.run(["gzip", "-dc"], input=compressed(data), capture_output=True, check=True)
    assert done.stdout == data


def test_a_block_of_which_a_tenth_can_be_compressed_is() -> None:
    data = noise(BLOCK - BLOCK // 10) + text(BLOCK // 10)
    assert len(compressed(data[BLOCK // 3 :] + data[: BLOCK // 3])) < BLOCK - BLOCK // 16


@pytest.mark.parametrize("cluster", [4096, 16_384, 65_536])
def test_clusters_that_begin_with_noise_are_compressed(cluster: int) -> None:
    data = b"".join(noise(512) + text(cluster - 512) for _ in range(BLOCK // cluster))
    assert len(compressed(data)) < BLOCK // 2


def test_what_was_written_may_be_changed_afterwards() -> None:
    out = io.BytesIO()
    buffer = bytearray(b"a" * BLOCK)
    with GzipCompressor().compressing(out) as writer:
        for letter in b"abc":
            buffer[:] = bytes([letter]) * BLOCK
            writer.write(buffer)
        buffer[:] = bytes(BLOCK)
    assert inflated(out.getvalue()) == b"a" * BLOCK + b"b" * BLOCK + b"c" * BLOCK


def test_write_takes_any_buffer_and_returns_its_size_in_bytes() -> None:
    import array

    out = io.BytesIO()
    with GzipCompressor().compressing(out) as writer:
        assert writer.write(memoryview(array.array("I", [1, 2, 3]))) == 12
    assert len(inflated(out.getvalue())) == 12


class Refusal(OSError):
    pass


class Failing(io.BytesIO):
    """A stream that refuses the call of this number."""

    def __init__(self, at: int, content: bytes = b"") -> None:
        super().__init__(content)
        self.left = at

    def _count(self) -> None:
        if self.left == 0:
            raise Refusal("scripted")
        self.left -= 1

    def write(self, data: Any) -> int:
        self._count()
        return super().write(data)

    def read(self, size: int | None = -1) -> bytes:
        self._count()
        return super().read(size)


@pytest.mark.parametrize("at", [0, 1, 4, 9])
def test_an_error_of_the_stream_written_to_comes_out_as_it_is(at: int) -> None:
    with pytest.raises(Refusal), GzipCompressor().compressing(Failing(at)) as writer:
        for _ in range(10):
            writer.write(noise(BLOCK))


def test_who_goes_on_after_such_an_error_gets_it_again_and_no_stream_with_a_hole() -> None:
    sink = Failing(1)
    with pytest.raises(Refusal), GzipCompressor().compressing(sink) as writer:
        for _ in range(20):
            try:
                writer.write(text(BLOCK))
            except Refusal:
                sink.left = 1000
    assert len(members(sink.getvalue())) == 1


def test_an_error_inside_leaves_the_stream_unfinished() -> None:
    sink = io.BytesIO()
    with pytest.raises(KeyError), GzipCompressor().compressing(sink) as writer:
        writer.write(text(100))
        raise KeyError
    assert sink.getvalue() == b""
    assert not sink.closed


def test_an_error_of_the_engine_comes_out() -> None:
    def broken(block: memoryview) -> bytes:
        raise MemoryError

    with pytest.raises(MemoryError), GzipCompressor(deflate=broken).compressing(io.BytesIO()) as writer:
        writer.write(b"x")


def test_nothing_can_be_written_after_the_end() -> None:
    with GzipCompressor().compressing(io.BytesIO()) as writer:
        pass
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")


def test_a_slow_stream_is_not_outrun() -> None:
    """Blocks wait in a queue of a fixed length, not in memory without bound."""
    tracemalloc.start()
    try:
        block = bytes(BLOCK)
        with GzipCompressor().compressing(io.BytesIO()) as writer:
            for _ in range(60):
                writer.write(block)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * BLOCK


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=3000), max_size=8), st.integers(1, 5000))
def test_whatever_is_written_chunk_by_chunk_is_read_step_by_step(pieces: list[bytes], step: int) -> None:
    out = io.BytesIO()
    with GzipCompressor().compressing(out) as writer:
        for piece in pieces:
            writer.write(piece)
    assert inflated(out.getvalue(), step) == b"".join(pieces)


@pytest.mark.parametrize("step", [1, 4096, BLOCK - 1, BLOCK, 3 * BLOCK])
def test_read_returns_all_that_is_asked_for_until_the_end(step: int) -> None:
    data = text(3 * BLOCK // 2 if step > 1 else 300)
    with GzipCompressor().decompressing(io.BytesIO(compressed(data))) as reader:
        pieces = list(iter(lambda: reader.read(step), b""))
        assert reader.read(1) == b""
    assert b"".join(pieces) == data
    assert {len(piece) for piece in pieces[:-1]} <= {step}


def test_readinto_fills_the_buffer_across_members() -> None:
    data = text(2 * BLOCK + 10)
    buffer = bytearray(BLOCK + 5)
    with GzipCompressor().decompressing(io.BytesIO(compressed(data))) as reader:
        assert reader.readinto(buffer) == BLOCK + 5  # type: ignore[attr-defined]
        assert buffer == data[: BLOCK + 5]
        assert reader.readinto(buffer) == BLOCK + 5  # type: ignore[attr-defined]
        assert reader.readinto(buffer) == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("most", [1000, BLOCK, 2 * BLOCK])
@pytest.mark.parametrize("make", [compressed, gzip.compress])
def test_chunks_of_any_size_add_up(make: Callable[[bytes], bytes], most: int) -> None:
    data = text(2 * BLOCK + 5)
    with GzipCompressor().decompressing(io.BytesIO(make(data))) as reader:
        pieces = list(iter(lambda: reader.read_chunk(most), b""))  # type: ignore[attr-defined]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= most


class Trickle(io.BytesIO):
    """Gives a few bytes a call, as a socket may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size) if size is not None and size >= 0 else 7)


@pytest.mark.parametrize("make", [compressed, gzip.compress])
def test_a_stream_that_returns_few_bytes_at_a_time_is_read_to_its_end(make: Callable[[bytes], bytes]) -> None:
    data = text(50_000)
    assert inflated(Trickle(make(data) + bytes(30))) == data


def plain_member(data: bytes, flags: int = 0, between: bytes = b"") -> bytes:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    head = struct.pack("<HBBIBB", 0x8B1F, 8, flags, 0, 0, 3) + between
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    body = deflater.compress(data) + deflater.flush()
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


EXTRA = struct.pack("<H", 10) + b"XY" + struct.pack("<H", 6) + b"foobar"


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(gzip.compress(text(300_000)), id="python"),
        pytest.param(plain_member(text(300_000)), id="bare"),
        pytest.param(plain_member(text(300_000), 8, b"dump.tar\0"), id="name"),
        pytest.param(plain_member(text(300_000), 16, b"a comment\0"), id="comment"),
        pytest.param(plain_member(text(300_000), 4, EXTRA), id="another extra field"),
        pytest.param(plain_member(text(300_000), 2), id="header checksum"),
        pytest.param(plain_member(text(300_000), 31, EXTRA + b"name\0comment\0"), id="everything"),
        pytest.param(plain_member(text(300_000), 4, b"\x05\0BK\x09\0x"), id="a malformed extra field"),
        pytest.param(plain_member(text(300_000), 8, b"n" * 40_000 + b"\0"), id="a long name"),
        pytest.param(plain_member(text(200_000)) + gzip.compress(text(300_000)[200_000:]), id="two members"),
        pytest.param(compressed(text(200_000)) + gzip.compress(text(300_000)[200_000:]), id="ours, then another"),
        pytest.param(gzip.compress(text(200_000)) + compressed(text(300_000)[200_000:]), id="another, then ours"),
        pytest.param(plain_member(b"") + plain_member(text(300_000)) + plain_member(b""), id="empty members"),
        pytest.param(compressed(text(300_000)) + bytes(100_000), id="zeros at the end"),
        pytest.param(gzip.compress(text(300_000)) + bytes(3), id="a few zeros at the end"),
    ],
)
def test_any_gzip_is_read(packed: bytes) -> None:
    assert inflated(packed) == text(300_000)
    assert inflated(packed, 1000) == text(300_000)


def test_what_many_threads_of_pigz_write_is_read() -> None:
    data = text(700_000)
    parts = [gzip.compress(data[start : start + 1000], mtime=0) for start in range(0, len(data), 1000)]
    assert inflated(b"".join(parts)) == data


def test_the_stream_is_read_to_its_very_end() -> None:
    packed = io.BytesIO(compressed(text(100)) + bytes(2 * BLOCK))
    inflated(packed)
    assert packed.tell() == len(packed.getvalue())
    assert not packed.closed


@pytest.mark.parametrize("at", [0, 1, 3, 8])
@pytest.mark.parametrize("make", [compressed, lambda data: gzip.compress(data, 1)])
def test_an_error_of_the_stream_read_comes_out_as_it_is_and_again(at: int, make: Callable[[bytes], bytes]) -> None:
    stream = Failing(at, make(noise(5 * BLOCK)))
    with GzipCompressor().decompressing(stream) as reader:
        with pytest.raises(Refusal):
            reader.read()
        with pytest.raises(Refusal):
            reader.read(1)


def test_leaving_early_is_not_an_error() -> None:
    with GzipCompressor().decompressing(io.BytesIO(compressed(noise(8 * BLOCK)))) as reader:
        reader.read(10)
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


OURS = compressed(text(BLOCK + 3000))
THEIRS = gzip.compress(text(3000), mtime=0)
TEXT_FLAG = (3, 1)  # place and bit; "probably ASCII text", which changes nothing (RFC 1952, FTEXT)


def test_no_bytes_at_all_are_damage_and_called_empty() -> None:
    with pytest.raises(PayloadDamaged, match="empty"):
        inflated(b"")


@pytest.mark.parametrize("packed", [b"x", b"\0", bytes(5000), b"BZh91AY&SY" * 10, b"\x1f\x8c" + bytes(100)])
def test_what_is_not_gzip_is_damage(packed: bytes) -> None:
    with pytest.raises(PayloadDamaged, match="does not begin as gzip"):
        inflated(packed)


@pytest.mark.parametrize("packed", [OURS, THEIRS])
def test_a_stream_cut_short_anywhere_is_damage(packed: bytes) -> None:
    ends = {0}
    for member in members(packed) if packed is OURS else [packed]:
        ends.add(max(ends) + len(member))
    for length in sorted({*range(1, 40), *range(40, len(packed), 997), *range(len(packed) - 20, len(packed))} - ends):
        with pytest.raises(PayloadDamaged):
            inflated(packed[:length])


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(THEIRS) - 1), st.integers(1, 255))
def test_any_changed_byte_of_foreign_gzip_is_damage_or_harmless(at: int, change: int) -> None:
    packed = bytearray(THEIRS)
    packed[at] ^= change
    try:
        assert inflated(bytes(packed)) == text(3000)
    except PayloadDamaged:
        return
    # Time, extra flags and system say nothing about the content. And the deflate stream, up to the trailer of 8 bytes,
    # may say the same in other words: a line that is repeated may be copied from further back.
    assert 4 <= at < len(THEIRS) - 8 or (at, change) == TEXT_FLAG


SMALL = compressed(text(2000))


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_any_changed_byte_of_our_gzip_is_damage_or_harmless(at: int, change: int) -> None:
    packed = bytearray(SMALL)
    packed[at] ^= change
    try:
        assert inflated(bytes(packed)) == text(2000)
    except PayloadDamaged:
        return
    # Besides: a subfield that is no longer ours makes it anybody's gzip, and so does an extra field's length that fits.
    assert 4 <= at < 16 or HEADER_SIZE <= at < len(SMALL) - 8 or (at, change) == TEXT_FLAG


@pytest.mark.parametrize("rest", [b"x", b"\0\0x", bytes(300_000) + b"x", b"\x1f\x8b", bytes(20) + SMALL, b"\x1f"])
@pytest.mark.parametrize("packed", [SMALL, THEIRS])
def test_anything_but_zeros_behind_the_end_is_damage(packed: bytes, rest: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        inflated(packed + rest)


@pytest.mark.parametrize("change", [-5, -1, 1, 5])
def test_a_member_that_states_a_wrong_length_is_damage(change: int) -> None:
    first, second = members(OURS)
    with pytest.raises(PayloadDamaged):
        inflated(stating(len(first) + change, first) + second)
    with pytest.raises(PayloadDamaged):
        inflated(first + stating(len(second) + change, second))


@pytest.mark.parametrize("length", [0, 1, HEADER, HEADER + 9, LONGEST_MEMBER + 1, 2**31, 2**32 - 1])
def test_a_member_that_states_an_impossible_length_is_damage_and_takes_no_memory(length: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PayloadDamaged):
            inflated(stating(length, SMALL))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * BLOCK


def bomb(size: int, states: int | None = None) -> bytes:
    """A member of ours that inflates to `size` zeros, and states another size."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(deflater.compress(bytes(BLOCK)) for _ in range(size // BLOCK)) + deflater.flush()
    crc = 0
    for _ in range(size // BLOCK):
        crc = zlib.crc32(bytes(BLOCK), crc)
    trailer = struct.pack("<II", crc, size if states is None else states)
    return stating(HEADER + len(body) + 8, SMALL[:HEADER] + body + trailer)


@pytest.mark.parametrize("states", [None, BLOCK, 0])
def test_a_member_that_inflates_to_more_than_it_may_is_damage_and_takes_no_memory(states: int | None) -> None:
    packed = bomb(100 * BLOCK, states)
    tracemalloc.start()
    try:
        with pytest.raises(PayloadDamaged):
            inflated(packed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * BLOCK


def test_foreign_gzip_of_any_size_is_inflated_in_small_steps() -> None:
    packed = gzip.compress(bytes(100 * BLOCK), 9)
    buffer = bytearray(64 * 1024)
    total = 0
    tracemalloc.start()
    try:
        with GzipCompressor().decompressing(io.BytesIO(packed)) as reader:
            while count := reader.readinto(buffer):  # type: ignore[attr-defined]
                total += count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 100 * BLOCK
    assert peak < 6 * BLOCK


def test_a_name_without_an_end_is_damage_and_takes_no_memory() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += 1
            return struct.pack("<HBBIBB", 0x8B1F, 8, 8, 0, 0, 3) if self.given == 1 else b"n" * 100_000

    with pytest.raises(PayloadDamaged, match="without an end"):
        inflated(Endless())  # type: ignore[arg-type]


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80])
def test_a_header_with_reserved_flags_is_damage(flag: int) -> None:
    with pytest.raises(PayloadDamaged):
        inflated(plain_member(b"x", flag))


def test_a_wrong_header_checksum_is_damage() -> None:
    packed = bytearray(plain_member(b"x", 2))
    packed[10] ^= 1
    with pytest.raises(PayloadDamaged, match="header"):
        inflated(bytes(packed))


def test_after_damage_reading_does_not_pretend_to_be_at_the_end() -> None:
    with GzipCompressor().decompressing(io.BytesIO(OURS[:-1])) as reader:
        for _ in range(2):
            with pytest.raises(PayloadDamaged):
                reader.read()


@pytest.mark.parametrize("place", ["deflated", "crc", "size"])
def test_damage_within_a_member_is_reported(place: str) -> None:
    packed = bytearray(compressed(text(BLOCK)))
    packed[{"deflated": len(packed) // 2, "crc": -8, "size": -4}[place]] ^= 1
    with pytest.raises(PayloadDamaged):
        inflated(bytes(packed))


def test_a_member_that_contains_more_than_it_states_is_damage() -> None:
    packed = compressed(bytes(BLOCK))
    with pytest.raises(PayloadDamaged):
        inflated(packed[:-4] + struct.pack("<I", 10))


def test_members_of_ours_and_streams_of_others_may_follow_each_other() -> None:
    data = text(2 * BLOCK) + noise(BLOCK)
    assert inflated(compressed(data) + gzip.compress(data)) == 2 * data
