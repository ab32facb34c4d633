"""Random access to the plain bytes of an archive, by the blocks that its index lists, whatever compresses them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from attrs import frozen

from bakthat.domain.archive_index import ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import RandomAccess

_AT_ONCE = 8 * 1024 * 1024
"""Plain bytes of the blocks that are read by one request, at most."""


@frozen(kw_only=True)
class BlockFormat:
    """What a compression's blocks are.

    block_size: plain bytes of one, at most. shortest, longest: its compressed bytes. decompress: is called with those,
    and with the plain bytes that they must give. It checks the length and the checksum, and raises `PayloadDamaged`.
    """

    block_size: int
    shortest: int
    longest: int
    decompress: Callable[[memoryview, int], bytes]


class BlockAccess(RandomAccess):
    """Decompresses the blocks that a range lies in, and keeps the last one of them for the next read.

    Of each block the length and the checksum of its content are checked, so an index that does not fit the archive is
    noticed as damage.
    """

    def __init__(self, packed: RandomAccess, index: ArchiveIndex, format_: BlockFormat) -> None:
        header = index.header
        if not 0 < header.block_size <= format_.block_size or header.packed_size > packed.size:
            raise PayloadDamaged("the archive's index does not fit the archive")
        self.size = header.plain_size
        self._packed = packed
        self._format = format_
        self._at_once = max(1, _AT_ONCE // header.block_size)
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
                more = self._blocks(first, min(last, first + self._at_once - 1))
            blocks += more
            first += len(more)
        self._cached_number, self._cached = last, blocks[-1]
        plain = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        start = offset % self._block_size
        return plain[start : start + stop - offset]

    def _blocks(self, first: int, last: int) -> list[bytes]:
        """The plain bytes of these blocks, which are requested at once."""
        starts = self._starts[first : last + 2]
        for start, stop in pairwise(starts):
            if not self._format.shortest <= stop - start <= self._format.longest:
                raise PayloadDamaged("the archive's index states an impossible length of a block")
        packed = memoryview(self._packed.read_at(starts[0], starts[-1] - starts[0]))
        blocks = []
        for number, (start, stop) in enumerate(pairwise(starts), first):
            block = packed[start - starts[0] : stop - starts[0]]
            if len(block) != stop - start:
                raise PayloadDamaged("the archive ends before a block that its index lists; one of them is damaged")
            size = min(self._block_size, self.size - number * self._block_size)
            blocks.append(self._format.decompress(block, size))
        return blocks
