"""Salvages the blocks of a damaged archive whose index says where each begins; the same for every compression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from attrs import frozen

from bakthat.adapters.compression.tape import Tape
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.salvage import Hole, Part, Verdict

_STEP = 256 * 1024


@frozen(kw_only=True)
class SalvagedBlocks:
    """What blocks of a compression are like.

    shortest, longest: compressed bytes. header: bytes that are not given to the functions.
    decompress: a whole block, whose plain size is known; raises `PayloadDamaged` if it does not match its checksum.
    prefix: what can be decompressed of a damaged block, at most so many bytes, and whether no error was met.
    """

    shortest: int
    longest: int
    header: int = 0
    decompress: Callable[[bytes, int], bytes]
    prefix: Callable[[bytes, int], tuple[bytes, bool]]

    def salvage(self, parts: Iterator[Part], index: ArchiveIndex) -> Iterator[Part]:
        """Yield the plain bytes. The lengths of all holes are known."""
        tape = Tape(parts)
        left = index.header.plain_size
        for start, stop in pairwise(index.block_starts):
            size = min(index.header.block_size, left)
            if not tape.go_to(start):
                break
            left -= size
            if tape.position == start and self.shortest <= stop - start <= self.longest:
                yield from self._block(tape, stop - start, size)
            elif size:
                yield Hole(size)
        if left:
            yield Hole(left)
        while tape.fill(_STEP) or tape.hole:
            tape.skip(tape.fill(_STEP))
            if tape.hole:
                tape.cross()

    def _block(self, tape: Tape, length: int, size: int) -> Iterator[Part]:
        """The block of this length and plain size that begins here."""
        start = tape.position
        have = min(tape.fill(length), length)
        packed = tape.peek(self.header, have)
        tape.skip(have)
        if have == length:
            try:
                plain = self.decompress(packed, size)
            except PayloadDamaged:
                yield from damaged_block(self.prefix(packed, size)[0], Verdict.DOUBTFUL, size)
            else:
                if plain:
                    yield plain
                    yield Verdict.GOOD
            return
        prefix, is_sound = self.prefix(packed, size)
        is_good = is_sound and tape.are_good(start, tape.position)
        yield from damaged_block(prefix, Verdict.GOOD if is_good else Verdict.DOUBTFUL, size)


def damaged_block(prefix: bytes, verdict: Verdict, size: int | None) -> Iterator[Part]:
    """A block of which only these first plain bytes are there. size: of all its plain bytes; None if nobody knows."""
    if prefix:
        yield prefix
        yield verdict
    if size is None or size > len(prefix):
        yield Hole(None if size is None else size - len(prefix))
