"""`MemberSearch`: finds the next member of a damaged gzip stream whose order is lost.

The search may meet gzip files that lie uncompressed inside the archive. So it looks only for members like those that
the archive was seen to have: ours if there was one of them, or nothing yet; others if there were two of them. Most gzip
files of other programs are one member, and behind a damage there is nothing to be found in them.
"""

from __future__ import annotations

from isal import isal_zlib

from bakthat.adapters.compression.gzip_headers import MAGIC, header_size, kind_of, length_in_place, member_length
from bakthat.adapters.compression.gzip_member import HEADER_SIZE, LONGEST_MEMBER, TRAILER, DeflateError, inflate
from bakthat.adapters.compression.tape import Tape
from bakthat.errors import PayloadDamaged

_SEARCHED_HEADER = 4 * 1024
"""Bytes of a header with its names and extra field, of members that are searched for."""

_SAMPLE = 64 * 1024
"""Bytes that must be decompressed without an error, so that something that was found is a member."""

_WORK_PER_BYTE = 64
_WORK_AT_ONCE = 256 * 1024 * 1024
"""Bytes that the search may decompress in vain: for each byte of the stream, and beyond that."""


class MemberSearch:
    """Finds the next member of a stream whose order is lost."""

    def __init__(self, tape: Tape, block: int) -> None:
        self._tape = tape
        self._block = block
        self._credit = _WORK_AT_ONCE
        self._others = 0
        self._like = b""
        self.found_ours = False

    def met_other(self, head: bytes, is_whole: bool) -> None:
        """A member that is not ours was met in its place."""
        self._others += 1
        if is_whole:
            self._like = kind_of(head)

    def look_ahead(self, data: bytes) -> int | None:
        """Return where a member begins in these bytes, which end the stream or precede a hole; None if none does."""
        tape = Tape(iter([data]))
        search = MemberSearch(tape, self._block)
        search.found_ours, search._others, search._like = self.found_ours, self._others, self._like
        search._credit = self._credit
        search.find_member()
        self._credit = search._credit
        return None if tape.is_at_end else tape.position

    def find_member(self) -> None:
        """Go to the next member, or to the end."""
        tape = self._tape
        if not tape.fill(1) and tape.hole:
            tape.cross()
        while have := tape.fill(LONGEST_MEMBER + _SEARCHED_HEADER):
            distance = tape.find(MAGIC)
            if distance < 0:
                distance = have if tape.hole or have < len(MAGIC) else have - len(MAGIC) + 1
            self._credit = min(_WORK_AT_ONCE, self._credit + distance * _WORK_PER_BYTE)
            tape.skip(distance)
            if distance < have and self._credit > 0 and self._is_member():
                return
            tape.skip(min(1, tape.fill(1)))
            if not tape.fill(1) and tape.hole:
                tape.cross()

    def _is_member(self) -> bool:
        """Whether what begins here is a member of the archive; about to cost some work."""
        self._credit -= _SEARCHED_HEADER
        head = self._tape.peek(0, _SEARCHED_HEADER)
        if length := member_length(head):
            return (self.found_ours or not self._others) and self._is_ours(head, length)
        size = header_size(head)
        return bool(size) and self._others > 1 and kind_of(head) == self._like and self._is_other(size)

    def _is_ours(self, head: bytes, length: int) -> bool:
        tape = self._tape
        self._credit -= LONGEST_MEMBER
        if tape.fill(length + _SEARCHED_HEADER) < length:
            return False
        try:
            plain = inflate(tape.peek(header_size(head), length))
        except PayloadDamaged:
            return False
        return len(plain) == self._block or is_place(tape, length)

    def _is_other(self, header: int) -> bool:
        tape = self._tape
        self._credit -= 2 * _SAMPLE
        tape.fill(header + _SAMPLE)
        inflater = isal_zlib.decompressobj(-15)
        try:
            plain = inflater.decompress(tape.peek(header, header + _SAMPLE), _SAMPLE)
        except DeflateError:
            return False
        if not inflater.eof:
            return len(plain) == _SAMPLE
        return inflater.unused_data[: TRAILER.size] == TRAILER.pack(isal_zlib.crc32(plain), len(plain))


def is_place(tape: Tape, distance: int) -> bool:
    """Whether a member ends at this distance: another one or zeros follow, or nothing that can be seen."""
    tape.fill(distance + HEADER_SIZE)
    head = tape.peek(distance, distance + HEADER_SIZE)
    if len(head) < len(MAGIC):
        return True
    return bool(length_in_place(head) or header_size(head) or head.startswith(MAGIC) or not head.strip(b"\0"))
