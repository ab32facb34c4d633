"""Of a damaged gzip stream comes back what is whole; nothing wrong is called good; and everything has its place."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.compression.gzip_member import BLOCK, HEADER_SIZE, data_member
from bakthat.adapters.compression.gzip_salvage import salvage_by_headers, salvage_by_index
from bakthat.domain.archive_index import ArchiveIndex, IndexHeader
from bakthat.ports.salvage import Hole, Part, Verdict
from tests.fixtures.indexed_archive import indexed, tar_stream
from tests.fixtures.salvage_parts import as_parts, runs
from tests.testing.damage import Damage, damages, differing

SMALL = 3000
BOTH = (Verdict.GOOD, Verdict.DOUBTFUL)


def plain_bytes(size: int, seed: int = 1) -> bytes:
    """Text, then noise, then text again: some of it can be compressed, and no two blocks are equal."""
    chance = random.Random(seed)
    text = b" ".join(b"%d" % chance.randrange(10_000) for _ in range(size // 4))[: size // 3]
    noise = chance.randbytes(size // 3)
    rest = b" ".join(b"%x" % chance.randrange(10_000) for _ in range(size))
    return (text + noise + rest)[:size]


def small_members(plain: bytes, block: int = SMALL) -> list[bytes]:
    return [data_member(memoryview(plain)[at : at + block]) for at in range(0, len(plain), block)]


def small_index(plain: bytes, members: list[bytes], block: int = SMALL) -> ArchiveIndex:
    starts = [sum(map(len, members[:count])) for count in range(len(members) + 1)]
    header = IndexHeader(
        block_size=block, blocks=len(members), plain_size=len(plain), packed_size=starts[-1], entries=0
    )
    return ArchiveIndex(header=header, block_starts=starts, lines=lambda: ())


def salvaged(data: bytes, block: int = BLOCK) -> list[Part]:
    return list(salvage_by_headers(as_parts(data), block=block))


def good(parts: Iterable[Part]) -> bytes:
    return b"".join(run for _, run, is_good in runs(parts) if is_good)


class TestMembersOfOurs:
    def test_a_stream_without_damage_comes_back_without_a_hole(self) -> None:
        plain = plain_bytes(20_000)
        parts = salvaged(b"".join(small_members(plain)), SMALL)
        assert good(parts) == plain
        assert not any(isinstance(part, Hole) for part in parts)

    @settings(deadline=None)
    @given(damages, st.integers(0, 15_000))
    def test_members_that_no_damage_touches_are_good_and_nothing_wrong_is(self, damage: Damage, size: int) -> None:
        plain = plain_bytes(size)
        members = small_members(plain)
        whole = b"".join(members)
        damaged = damage.done_to(whole)
        found = runs(salvaged(damaged, SMALL))
        touched = differing(whole, damaged)
        came_back = [run for _, run, is_good in found if is_good]
        at = 0
        for number, member in enumerate(members):
            block = plain[number * SMALL : (number + 1) * SMALL]
            if not any(at <= place < at + len(member) for place in touched):
                assert block in came_back, number
            at += len(member)
        for start, run, is_good in found:
            if is_good:
                assert run in plain
                assert start is None or plain[start : start + len(run)] == run

    @settings(deadline=None)
    @given(damages, st.integers(0, 15_000))
    def test_with_an_index_everything_has_its_place(self, damage: Damage, size: int) -> None:
        plain = plain_bytes(size)
        members = small_members(plain)
        whole = b"".join(members)
        damaged = damage.done_to(whole)
        parts = list(salvage_by_index(as_parts(damaged), small_index(plain, members)))
        assert Hole(None) not in parts
        lengths = [part.length or 0 if isinstance(part, Hole) else len(part) for part in parts if part not in BOTH]
        assert sum(lengths) == size
        touched = differing(whole, damaged)
        bad = set()
        at = 0
        for number, member in enumerate(members):
            # The header is not needed.
            if any(at + HEADER_SIZE <= place < at + len(member) for place in touched):
                bad.add(number)
            at += len(member)
        blocks = {start: run for start, run, is_good in runs(parts) if is_good}
        for number in range(len(members)):
            block = plain[number * SMALL : (number + 1) * SMALL]
            # A flipped bit may be one that means nothing.
            assert blocks.get(number * SMALL) in ([block, None] if number in bad else [block])

    @settings(deadline=None)
    @given(st.integers(0, 20_000), st.integers(1, 9_000), st.booleans())
    def test_what_precedes_a_hole_is_good_if_the_cipher_says_so(self, at: int, length: int, with_index: bool) -> None:
        plain = plain_bytes(30_000)
        members = small_members(plain)
        whole = b"".join(members)
        at %= len(whole)

        def holed() -> Iterator[Part]:
            yield from as_parts(whole[:at], good=True)
            yield Hole(min(length, len(whole) - at))
            yield from as_parts(whole[at + length :], good=True)

        if with_index:
            parts = list(salvage_by_index(holed(), small_index(plain, members)))
        else:
            parts = list(salvage_by_headers(holed(), block=SMALL))
        assert all(is_good for _, _, is_good in runs(parts))
        start = 0
        for number, member in enumerate(members):
            block = plain[number * SMALL : (number + 1) * SMALL]
            stop = start + len(member)
            if stop <= at or start >= at + length:
                assert block in good(parts), number
            start = stop
        for place, run, _ in runs(parts):
            assert run in plain
            assert place is None or plain[place : place + len(run)] == run

    @pytest.mark.parametrize("place", range(HEADER_SIZE))
    def test_no_single_byte_of_a_header_costs_anything(self, place: int) -> None:
        plain = plain_bytes(4 * SMALL)
        members = small_members(plain)
        damaged = bytearray(b"".join(members))
        damaged[len(members[0]) + place] ^= 0xFF
        parts = salvaged(bytes(damaged), SMALL)
        assert good(parts) == plain
        assert not any(isinstance(part, Hole) for part in parts)

    def test_a_damaged_member_leaves_a_hole_of_its_size(self) -> None:
        plain = plain_bytes(4 * SMALL)
        members = small_members(plain)
        damaged = bytearray(b"".join(members))
        damaged[len(members[0]) + 700] ^= 0xFF
        found = runs(salvaged(bytes(damaged), SMALL))
        assert [(start, run) for start, run, is_good in found if is_good] == [
            (at * SMALL, plain[at * SMALL : (at + 1) * SMALL]) for at in (0, 2, 3)
        ]

    @pytest.mark.parametrize("seed", range(20))
    def test_a_member_whose_length_and_content_are_damaged_costs_no_other(self, seed: int) -> None:
        plain = plain_bytes(4 * SMALL)
        members = small_members(plain)
        damaged = bytearray(b"".join(members))
        damaged[19] ^= 1
        damaged[random.Random(seed).randrange(HEADER_SIZE, len(members[0]))] ^= 0x40
        assert good(salvaged(bytes(damaged), SMALL)) in (plain[SMALL:], plain)

    def test_a_length_beyond_the_end_hides_no_member(self) -> None:
        plain = plain_bytes(SMALL + 500)
        members = small_members(plain)
        damaged = bytearray(b"".join(members))
        damaged[17] ^= 0x10
        damaged[HEADER_SIZE] ^= 1
        assert good(salvaged(bytes(damaged), SMALL)).endswith(plain[SMALL:])

    def test_two_changes_in_the_checksum_make_the_bytes_doubtful_and_nothing_else(self) -> None:
        plain = plain_bytes(3 * SMALL)
        members = small_members(plain)
        members[1] = members[1][:-8] + b"\0\0\0\0" + members[1][-4:]
        found = runs(salvaged(b"".join(members), SMALL))
        assert b"".join(run for _, run, _ in found) == plain
        assert [is_good for _, _, is_good in found] == [True, False, True]

    def test_a_gzip_file_inside_a_lost_member_is_not_taken_for_a_part_of_the_archive(self) -> None:
        inner = gzip.compress(b"a tar of somebody else " * 400, mtime=0)
        chance = random.Random(2)
        plain = plain_bytes(SMALL) + chance.randbytes(500) + inner + chance.randbytes(SMALL)
        members = small_members(plain, SMALL)
        assert inner in members[1]
        damaged = b"".join([members[0], bytes(HEADER_SIZE), members[1][HEADER_SIZE + 40 :], *members[2:]])
        assert b"somebody" not in b"".join(part for part in salvaged(damaged, SMALL) if isinstance(part, bytes))

    def test_the_index_behind_the_data_does_not_belong_to_the_plain_bytes(self) -> None:
        plain, entries = tar_stream([("file", b"content")])
        packed = indexed(plain, entries)
        for damaged in (packed, packed[:-70] + b"\xff" + packed[-69:]):
            assert good(salvaged(damaged)) == plain

    def test_blocks_of_a_real_archive_come_back(self) -> None:
        plain = plain_bytes(5 * BLOCK // 2)
        out = io.BytesIO()
        with GzipCompressor().compressing(out) as writer:
            writer.write(plain)
        damaged = bytearray(out.getvalue())
        damaged[len(damaged) // 2] ^= 1
        parts = list(GzipCompressor().salvaging(as_parts(bytes(damaged), 1 << 20)))
        assert good(parts) == plain[:BLOCK] + plain[2 * BLOCK :]
        assert sum(part.length or 0 for part in parts if isinstance(part, Hole)) < BLOCK


class TestMembersOfOthers:
    def test_a_whole_one_is_good_and_a_damaged_one_doubtful(self) -> None:
        plain = plain_bytes(200_000)
        packed = gzip.compress(plain, mtime=0)
        assert [part for part in salvaged(packed) if not isinstance(part, bytes)] == [Verdict.GOOD]
        damaged = bytearray(packed)
        damaged[-6] ^= 1
        assert [part for part in salvaged(bytes(damaged)) if not isinstance(part, bytes)] == [Verdict.DOUBTFUL]

    def test_what_precedes_a_cut_is_doubtful_unless_the_cipher_authenticated_it(self) -> None:
        plain = plain_bytes(200_000)
        packed = gzip.compress(plain, mtime=0)[:50_000]
        for is_good in (False, True):
            parts = list(salvage_by_headers(as_parts(packed, good=is_good)))
            ((start, run, verdict),) = runs(parts)
            assert (start, verdict, parts[-1]) == (0, is_good, Hole(None))
            assert plain.startswith(run)
            assert len(run) > 50_000

    def test_behind_a_damage_nothing_is_searched_in_a_file_of_one_member(self) -> None:
        inner = gzip.compress(b"a file inside " * 10_000, mtime=0)
        packed = gzip.compress(random.Random(1).randbytes(300_000) + inner + bytes(100_000), 1, mtime=0)
        damaged = bytearray(packed)
        damaged[40_000:40_100] = random.Random(3).randbytes(100)
        parts = salvaged(bytes(damaged))
        assert good(parts) == b""

    def test_members_of_another_program_are_found_again(self) -> None:
        blocks = [plain_bytes(100_000, seed) for seed in range(5)]
        members = [gzip.compress(block, mtime=0) for block in blocks]
        damaged = bytearray(b"".join(members))
        damaged[sum(map(len, members[:2])) + 5000] ^= 0xFF
        assert good(salvaged(bytes(damaged))) == b"".join(blocks[:2] + blocks[3:])

    def test_a_header_with_a_name_and_a_checksum_is_read(self) -> None:
        head = b"\x1f\x8b\x08\x1a" + bytes(6) + b"name\0comment\0"
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
        plain = plain_bytes(1000)
        packed = head + zlib.compress(plain, wbits=-15) + struct.pack("<II", zlib.crc32(plain), len(plain))
        assert good(salvaged(packed + bytes(512))) == plain


@pytest.mark.parametrize("data", [b"", b"\x1f", b"no gzip at all" * 1000, bytes(5000)])
def test_what_is_not_gzip_is_one_hole(data: bytes) -> None:
    assert set(salvaged(data)) == {Hole(None)}


def test_a_stretch_of_zeros_in_the_middle_is_a_hole() -> None:
    plain = plain_bytes(4 * SMALL)
    members = small_members(plain)
    members[1] = bytes(len(members[1]))
    parts = salvaged(b"".join(members), SMALL)
    assert good(parts) == plain[:SMALL] + plain[2 * SMALL :]
    assert Hole(None) in parts


def test_a_stream_that_is_made_to_waste_time_does_not() -> None:
    # Each 24 bytes look like a member that states a great length.
    trap = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x08\0BK\x04\0" + struct.pack("<I", BLOCK) + b"\x00\xff\xff\0"
    assert set(salvaged(trap * 100_000)) == {Hole(None)}
