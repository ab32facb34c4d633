"""Random access to the plain bytes of a gzip archive, by the members that its index lists."""

from __future__ import annotations

from itertools import pairwise

from bakthat.adapters.compression.gzip_member import BLOCK, LONGEST_MEMBER, SHORTEST_MEMBER, inflate, without_header
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import RandomAccess

_MEMBERS_AT_ONCE = 8
"""Members that are read by one request, at most: some 8 MiB."""


class GzipAccess(RandomAccess):
    """Decompresses the members that a range lies in, and keeps the last one of them for the next read.

    Of each member the header, the length, and the checksum of its content are checked, so an index that does not fit
    the archive is noticed as damage.
    """

    def __init__(self, packed: RandomAccess, index: ArchiveIndex) -> None:
        header = index.header
        if header.block_size > BLOCK or header.packed_size > packed.size:
            raise PayloadDamaged("the archive's index does not fit the archive")
        self.size = header.plain_size
        self._packed = packed
        self._block_size = header.block_size
        self._starts = index.block_starts
        self._cached_number = -1
        self._cached = b""

    def read_at(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.size)
        if offset >= stop:
            return b""
        first, last = offset // self._block_size, (stop - 1) // self._block_size
        blocks = []
        while first <= last:
            if first == self._cached_number:
                more = [self._cached]
            else:
                more = self._blocks(first, min(last, first + _MEMBERS_AT_ONCE - 1))
            blocks += more
            first += len(more)
        self._cached_number, self._cached = last, blocks[-1]
        plain = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        start = offset % self._block_size
        return plain[start : start + stop - offset]

    def _blocks(self, first: int, last: int) -> list[bytes]:
        """The plain bytes of these members, which are requested at once."""
        starts = self._starts[first : last + 2]
        for start, stop in pairwise(starts):
            if not SHORTEST_MEMBER <= stop - start <= LONGEST_MEMBER:
                raise PayloadDamaged("the archive's index states an impossible length of a member")
        packed = memoryview(self._packed.read_at(starts[0], starts[-1] - starts[0]))
        blocks = []
        for number, (start, stop) in enumerate(pairwise(starts), first):
            member = packed[start - starts[0] : stop - starts[0]]
            size = min(self._block_size, self.size - number * self._block_size)
            blocks.append(inflate(without_header(member, stop - start), size))
        return blocks
