"""Of a damaged zstd stream comes back what is whole; nothing wrong is called good; and everything has its place."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.compression.zstd_frame import FrameMaker, skippable_head
from bakthat.adapters.compression.zstd_salvage import salvage_by_frames, salvage_by_index
from bakthat.domain.archive_index import ArchiveIndex, IndexHeader
from bakthat.ports.salvage import Hole, Part
from tests.fixtures.salvage_parts import as_parts, runs

SMALL = 3000
MAKER = FrameMaker(3)


def plain_bytes(size: int) -> bytes:
    chance = random.Random(1)
    return b" ".join(b"%x" % chance.randrange(10_000_000) for _ in range(size // 4))[:size]


PLAIN = plain_bytes(SMALL * 8 + 500)
FRAMES = [MAKER(memoryview(PLAIN)[at : at + SMALL]) for at in range(0, len(PLAIN), SMALL)]
STARTS = [sum(map(len, FRAMES[:count])) for count in range(len(FRAMES) + 1)]
DATA = b"".join(FRAMES)
END = skippable_head(0xB, 100) + bytes(range(100))
INDEX = ArchiveIndex(
    header=IndexHeader(block_size=SMALL, blocks=len(FRAMES), plain_size=len(PLAIN), packed_size=len(DATA), entries=0),
    block_starts=STARTS,
    lines=lambda: (),
)


def good(parts: Iterable[Part]) -> bytes:
    return b"".join(run for _, run, is_good in runs(parts) if is_good)


def salvages(parts: Iterator[Part], by_index: bool) -> list[Part]:
    return list(salvage_by_index(parts, INDEX) if by_index else salvage_by_frames(parts))


@pytest.mark.parametrize("by_index", [True, False])
def test_a_sound_stream_is_all_good_and_without_a_hole(by_index: bool) -> None:
    parts = salvages(as_parts(DATA + END), by_index)
    assert good(parts) == PLAIN
    assert not [part for part in parts if isinstance(part, Hole)]


@pytest.mark.parametrize("by_index", [True, False])
@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_damage_in_a_frame_costs_that_frame(number: int, by_index: bool) -> None:
    altered = bytearray(DATA + END)
    altered[STARTS[number] + len(FRAMES[number]) // 2] ^= 1
    found = good(salvages(as_parts(bytes(altered)), by_index))
    assert found == PLAIN[: number * SMALL] + PLAIN[(number + 1) * SMALL :]


@pytest.mark.parametrize("by_index", [True, False])
def test_a_damaged_magic_costs_that_frame(by_index: bool) -> None:
    altered = bytearray(DATA + END)
    altered[STARTS[3]] ^= 1
    assert good(salvages(as_parts(bytes(altered)), by_index)) == PLAIN[: 3 * SMALL] + PLAIN[4 * SMALL :]


@pytest.mark.parametrize("by_index", [True, False])
def test_a_damaged_block_length_costs_that_frame(by_index: bool) -> None:
    altered = bytearray(DATA + END)
    altered[STARTS[3] + 8] ^= 0xFF  # magic, flags, two bytes of content size, then the block's head
    assert good(salvages(as_parts(bytes(altered)), by_index)) == PLAIN[: 3 * SMALL] + PLAIN[4 * SMALL :]


@pytest.mark.parametrize("number", [3, 8])
def test_a_block_length_beyond_the_end_hides_no_frame(number: int) -> None:
    altered = bytearray(DATA + END)
    head = int.from_bytes(altered[STARTS[number] + 7 : STARTS[number] + 10], "little") | 0x8000
    altered[STARTS[number] + 7 : STARTS[number] + 10] = head.to_bytes(3, "little")
    assert good(salvage_by_frames(as_parts(bytes(altered)))) == PLAIN[: number * SMALL] + PLAIN[(number + 1) * SMALL :]


@pytest.mark.parametrize("by_index", [True, False])
def test_of_a_cut_frame_the_blocks_that_the_cipher_authenticated_are_good(by_index: bool) -> None:
    plain = plain_bytes(400_000)
    frame = MAKER(memoryview(plain))
    parts = as_parts(frame[: len(frame) - 1000], good=True)
    header = IndexHeader(block_size=len(plain), blocks=1, plain_size=len(plain), packed_size=len(frame), entries=0)
    index = ArchiveIndex(header=header, block_starts=[0, len(frame)], lines=lambda: ())
    found = good(salvage_by_index(parts, index) if by_index else salvage_by_frames(parts))
    assert len(found) >= 2 * 128 * 1024
    assert plain.startswith(found)


def test_a_hole_costs_the_frames_that_it_touches() -> None:
    def holed() -> Iterator[Part]:
        yield from as_parts(DATA[: STARTS[2] + 100])
        yield Hole(STARTS[4] + 50 - STARTS[2] - 100)
        yield from as_parts(DATA[STARTS[4] + 50 :] + END)

    for by_index in (True, False):
        assert good(salvages(holed(), by_index)) == PLAIN[: 2 * SMALL] + PLAIN[5 * SMALL :]


def test_with_an_index_every_byte_has_its_place() -> None:
    altered = bytearray(DATA + END)
    for number in (1, 4, 8):
        altered[STARTS[number] + len(FRAMES[number]) // 2] ^= 1
    total = 0
    for start, run, is_good in runs(salvages(as_parts(bytes(altered)), True)):
        assert start is not None
        if is_good:
            assert PLAIN[start : start + len(run)] == run
            total += len(run)
    assert total == len(PLAIN) - 2 * SMALL - 500


@pytest.mark.parametrize("by_index", [True, False])
@pytest.mark.parametrize(
    "kept",
    [0, 1, 17, STARTS[1], STARTS[1] + 1, STARTS[5] + 200, len(DATA) - 1],
    ids=["nothing", "a byte", "a header", "a frame", "a frame and a byte", "five frames", "all but a byte"],
)
def test_of_a_truncated_stream_the_whole_frames_are_good(kept: int, by_index: bool) -> None:
    whole = sum(1 for stop in STARTS[1:] if stop <= kept)
    assert good(salvages(as_parts(DATA[:kept]), by_index)) == PLAIN[: whole * SMALL]


def test_a_foreign_stream_gives_what_comes_before_its_damage() -> None:
    plain = plain_bytes(6_000_000)
    packed = subprocess.run(["zstd", "-c"], input=plain, capture_output=True, check=True).stdout
    assert good(salvage_by_frames(as_parts(packed))) == plain
    altered = bytearray(packed)
    altered[len(packed) // 2] ^= 1
    parts = list(salvage_by_frames(as_parts(bytes(altered))))
    begun = b"".join(run for _, run, _ in runs(parts))
    assert good(parts) == b""  # the checksum is at the end
    assert len(begun) > 2_000_000
    assert plain.startswith(begun[:2_000_000])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_wrong_is_ever_good(data: st.DataObject) -> None:
    altered = bytearray(DATA + END)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(altered) - 1))
        if data.draw(st.booleans()):
            del altered[at : at + data.draw(st.integers(1, 5000))]
            altered += b"\0"
        else:
            altered[at] ^= data.draw(st.integers(1, 255))
    for by_index in (True, False):
        for _, run, is_good in runs(salvages(as_parts(bytes(altered)), by_index)):
            assert not is_good or run in PLAIN
