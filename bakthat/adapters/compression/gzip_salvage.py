"""Salvages damaged gzip: every member that matches its checksum, and of the others what can be decompressed.

Where a member begins, in this order:

    the index says it                   `salvage_by_index`
    the member before states its length
    a search finds what begins, and decompresses, like a member

A member that was found by its place is believed by its checksum alone, whatever is wrong with its header. Of a damaged
member, the bytes before the damage are decompressed: they are good if the cipher authenticated them, and doubtful
otherwise, since nobody knows where the damage is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from isal import isal_zlib

from bakthat.adapters.compression.block_salvage import SalvagedBlocks, damaged_block
from bakthat.adapters.compression.gzip_headers import (
    EXTRA_LENGTH,
    OURS,
    SECOND_SUBFIELD,
    header_size,
    length_in_place,
    resembles_ours,
)
from bakthat.adapters.compression.gzip_member import (
    BLOCK,
    HEADER_SIZE,
    LONGEST_MEMBER,
    SHORTEST_MEMBER,
    TRAILER,
    DeflateError,
    inflate,
)
from bakthat.adapters.compression.gzip_search import MemberSearch, is_place
from bakthat.adapters.compression.tape import Tape
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.salvage import Hole, Part, Verdict

_LONGEST_HEADER = 128 * 1024
"""Bytes of a header with its names and extra field."""

_CHUNK = 16 * 1024
_STEP = 256 * 1024
_SMALL_STEP = 1024
"""Compressed bytes that are decompressed at once where an error must cost little."""


def salvage_by_index(parts: Iterator[Part], index: ArchiveIndex) -> Iterator[Part]:
    """Yield the plain bytes. The lengths of all holes are known."""
    members = SalvagedBlocks(
        shortest=SHORTEST_MEMBER, longest=LONGEST_MEMBER, header=HEADER_SIZE, decompress=inflate, prefix=_prefix
    )
    return members.salvage(parts, index)


def salvage_by_headers(parts: Iterator[Part], *, block: int = BLOCK) -> Iterator[Part]:
    """Yield the plain bytes.

    block: plain bytes of each member that states its length, but the last one.
    """
    return _HeaderSalvage(Tape(parts), block).parts()


class _HeaderSalvage:
    """A gzip stream without an index. The methods that yield a member return whether the next one is in its place."""

    def __init__(self, tape: Tape, block: int) -> None:
        self._tape = tape
        self._block = block
        self._search = MemberSearch(tape, block)

    def parts(self) -> Generator[Part, None, None]:
        tape = self._tape
        is_first, is_behind_zeros = True, False
        while True:
            have = tape.fill(_LONGEST_HEADER)
            if not have and tape.is_at_end and not is_first:
                return
            head = tape.peek(0, _LONGEST_HEADER)
            if is_behind_zeros and head.strip(b"\0"):
                yield Hole(None)
            if not is_first and have and not head.strip(b"\0") and tape.hole is None:
                tape.skip(have)  # some programs fill up the last block of a tape
                is_behind_zeros = True
                continue
            is_behind_zeros = False
            start = tape.position
            length = length_in_place(head)
            if length:
                is_in_place = yield from self._stated_member(head, length)
            elif (size := header_size(head)) and not resembles_ours(head):
                is_in_place = yield from self._streamed_member(head, size)
            else:
                is_in_place = yield from self._member_by_content()
                if not is_in_place and resembles_ours(head):
                    # One of ours that does not say where it ends: it is damaged in its content, too.
                    tape.fill(LONGEST_MEMBER)
                    prefix = _prefix(tape.peek(HEADER_SIZE, LONGEST_MEMBER), self._block)[0]
                    yield from damaged_block(prefix, Verdict.DOUBTFUL, len(prefix))
            if not is_in_place:
                if tape.position == start and tape.fill(1):
                    tape.skip(1)
                self._search.find_member()
                yield Hole(None)
            is_first = False

    def _stated_member(self, head: bytes, length: int) -> Generator[Part, None, bool]:
        tape = self._tape
        if head[EXTRA_LENGTH] != OURS[EXTRA_LENGTH] and head[SECOND_SUBFIELD] in (b"BI", b"BF"):
            return tape.go_to(tape.position + length)  # of the index, without content
        start = tape.position
        header = HEADER_SIZE if resembles_ours(head) else header_size(head)
        have = tape.fill(length + _LONGEST_HEADER)
        if have >= length:
            packed = tape.peek(header, length)
            try:
                plain = inflate(packed)
            except PayloadDamaged:
                if not is_place(tape, length):
                    return (yield from self._member_by_content())
                prefix = _prefix(packed, self._block)[0]
                stated = int(TRAILER.unpack(packed[-TRAILER.size :])[1])
                size = self._size_before(length, stated if len(prefix) <= stated <= self._block else None)
                tape.skip(length)
                yield from damaged_block(prefix, Verdict.DOUBTFUL, size)
                return True
            tape.skip(length)
            self._search.found_ours = True
            if plain:
                yield plain
                yield Verdict.GOOD
            return True
        if (yield from self._member_by_content()):
            return True  # it states a wrong length
        # It ends behind a hole, in one, or not at all.
        prefix, is_sound = _prefix(tape.peek(header, have), self._block)
        verdict = Verdict.GOOD if is_sound and tape.are_good(start, start + have) else Verdict.DOUBTFUL
        if verdict is Verdict.DOUBTFUL and (distance := self._search.look_ahead(tape.peek(1, have))) is not None:
            tape.skip(1 + distance)  # it states a wrong length, and its content is damaged as well
            yield from damaged_block(prefix, verdict, len(prefix))
            return False
        tape.skip(have)
        is_reached = tape.go_to(start + length) and tape.position == start + length
        if not (is_reached and is_place(tape, 0)):
            yield from damaged_block(prefix, verdict, len(prefix))
            return False
        yield from damaged_block(prefix, verdict, self._size_before(0, None))
        return True

    def _size_before(self, distance: int, last: int | None) -> int | None:
        """The plain size of the member before this distance: that of a block, unless it is the last of our members,
        which has the size `last`."""
        self._tape.fill(distance + HEADER_SIZE)
        head = self._tape.peek(distance, distance + HEADER_SIZE)
        is_followed = length_in_place(head) and head[EXTRA_LENGTH] == OURS[EXTRA_LENGTH]
        return self._block if is_followed else last

    def _member_by_content(self) -> Generator[Part, None, bool]:
        """One of ours whose header cannot be used: a deflate stream shows its end itself."""
        tape = self._tape
        tape.fill(LONGEST_MEMBER)
        packed = tape.peek(HEADER_SIZE, LONGEST_MEMBER)
        inflater = isal_zlib.decompressobj(-15)
        try:
            plain = inflater.decompress(packed, self._block + 1)
        except DeflateError:
            return False
        rest = inflater.unused_data
        trailer = TRAILER.pack(isal_zlib.crc32(plain), len(plain))
        if not inflater.eof or not plain or rest[: TRAILER.size] != trailer:
            return False
        tape.skip(HEADER_SIZE + len(packed) - len(rest) + TRAILER.size)
        yield plain
        yield Verdict.GOOD
        return True

    def _streamed_member(self, head: bytes, header: int) -> Generator[Part, None, bool]:
        tape = self._tape
        start = tape.position
        tape.skip(header)
        inflater = isal_zlib.decompressobj(-15)
        crc = total = 0
        while not inflater.eof:
            chunk = tape.peek(0, min(tape.fill(_CHUNK), _CHUNK))
            if not chunk:
                yield Verdict.GOOD if tape.are_good(start, tape.position) else Verdict.DOUBTFUL
                return False
            packed = chunk
            while packed and not inflater.eof:
                try:
                    plain = inflater.decompress(packed, _STEP)
                except DeflateError:
                    yield Verdict.DOUBTFUL
                    return False
                packed = inflater.unconsumed_tail
                crc = isal_zlib.crc32(plain, crc)
                total += len(plain)
                if plain:
                    yield plain
            tape.skip(len(chunk) - len(inflater.unused_data))
        if tape.fill(TRAILER.size) < TRAILER.size:
            yield Verdict.GOOD if tape.are_good(start, tape.position) else Verdict.DOUBTFUL
            return False
        fits = TRAILER.unpack(tape.peek(0, TRAILER.size)) == (crc, total & 0xFFFFFFFF)
        tape.skip(TRAILER.size)
        yield Verdict.GOOD if fits else Verdict.DOUBTFUL
        self._search.met_other(head, fits)
        return True


def _prefix(deflated: bytes, size: int) -> tuple[bytes, bool]:
    """What can be decompressed of a damaged member, at most `size` bytes, and whether no error was met."""
    inflater = isal_zlib.decompressobj(-15)
    plain = bytearray()
    for start in range(0, len(deflated), _SMALL_STEP):
        packed = deflated[start : start + _SMALL_STEP]
        while packed and not inflater.eof and len(plain) < size:
            try:
                plain += inflater.decompress(packed, size - len(plain))
            except DeflateError:
                return bytes(plain), False
            packed = inflater.unconsumed_tail
    return bytes(plain), True
