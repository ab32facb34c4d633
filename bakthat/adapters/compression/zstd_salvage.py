"""Salvages damaged zstd: every frame that matches its checksum, and of the others what can be decompressed.

Where a frame begins, in this order:

    the index says it                   `salvage_by_index`
    the frame before ends there
    a search finds the magic of a frame whose blocks lead to another one

Of a damaged frame, the blocks before the damage are decompressed: they are good if the cipher authenticated them, and
doubtful otherwise, since nobody knows where the damage is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from bakthat.adapters.compression.block_salvage import SalvagedBlocks, damaged_block
from bakthat.adapters.compression.tape import Tape
from bakthat.adapters.compression.zstd_engine import zstd
from bakthat.adapters.compression.zstd_frame import (
    LARGEST_WINDOW_LOG,
    LONGEST_FRAME,
    LONGEST_HEADER,
    MAGIC,
    SHORTEST_FRAME,
    SKIPPABLE_HEAD,
    FrameHeader,
    decompressor,
    frame_length,
    parse_header,
    read_frame,
    skippable_content,
)
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.salvage import Hole, Part, Verdict

_STEP = 256 * 1024
_CHUNK = 64 * 1024
_SMALL_STEP = 1024
"""Compressed bytes that are decompressed at once where an error must cost little."""


def salvage_by_index(parts: Iterator[Part], index: ArchiveIndex) -> Iterator[Part]:
    """Yield the plain bytes. The lengths of all holes are known."""
    frames = SalvagedBlocks(shortest=SHORTEST_FRAME, longest=LONGEST_FRAME, decompress=read_frame, prefix=_prefix)
    return frames.salvage(parts, index)


def salvage_by_frames(parts: Iterator[Part]) -> Iterator[Part]:
    """Yield the plain bytes of a stream without an index."""
    return _FrameSalvage(Tape(parts)).parts()


class _FrameSalvage:
    """The methods that yield a frame return whether the next one is in its place."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def parts(self) -> Generator[Part, None, None]:
        tape = self._tape
        if not tape.fill(1) and tape.is_at_end:
            yield Hole(None)
        while tape.fill(LONGEST_HEADER) or not tape.is_at_end:
            start = tape.position
            if (yield from self._next()):
                continue
            if tape.position == start and tape.fill(1):
                tape.skip(1)
            self._search()
            yield Hole(None)

    def _next(self) -> Generator[Part, None, bool]:
        tape = self._tape
        head = tape.peek(0, LONGEST_HEADER)
        if head and not head.strip(b"\0"):
            return self._skip_zeros()
        skipped = skippable_content(head)
        if skipped is not None:
            stop = tape.position + SKIPPABLE_HEAD + skipped
            return tape.go_to(stop) and tape.position == stop
        header = parse_header(head)
        if header is None or header.has_dictionary:
            return False
        if not header.is_small:
            if header.window > 1 << LARGEST_WINDOW_LOG:
                return False
            return (yield from self._streamed())
        return (yield from self._small(header))

    def _skip_zeros(self) -> bool:
        """Some programs fill up the last block of a tape."""
        tape = self._tape
        have = tape.fill(_CHUNK)
        chunk = tape.peek(0, have)
        zeros = len(chunk) - len(chunk.lstrip(b"\0"))
        tape.skip(zeros)
        return zeros == have and tape.hole is None

    def _small(self, header: FrameHeader) -> Generator[Part, None, bool]:
        tape = self._tape
        start = tape.position
        size = header.content or 0
        try:
            length = frame_length(header, tape.fill, tape.peek)
        except PayloadDamaged:
            length = None
        except EOFError:
            have = tape.fill(LONGEST_FRAME)
            prefix, is_sound = _prefix(tape.peek(0, have), size)
            verdict = Verdict.GOOD if is_sound and tape.are_good(start, start + have) else Verdict.DOUBTFUL
            if verdict is Verdict.GOOD:
                tape.skip(have)  # else it may be a wrong length that leads to the end, and frames lie before that
            if prefix:
                yield prefix
                yield verdict
            return False
        if length is None:
            prefix = _prefix(tape.peek(0, tape.fill(LONGEST_FRAME)), size)[0]
            if prefix:
                yield prefix
                yield Verdict.DOUBTFUL
            return False
        frame = tape.peek(0, length)
        try:
            plain = read_frame(frame, size)
        except PayloadDamaged:
            prefix = _prefix(frame, size)[0]
            if not self._is_place(length):
                if prefix:
                    yield prefix
                    yield Verdict.DOUBTFUL
                return False
            tape.skip(length)
            yield from damaged_block(prefix, Verdict.DOUBTFUL, size)
            return True
        tape.skip(length)
        if plain:
            yield plain
            yield Verdict.GOOD if header.has_checksum or tape.are_good(start, tape.position) else Verdict.DOUBTFUL
        return True

    def _streamed(self) -> Generator[Part, None, bool]:
        """A frame that is decompressed in steps."""
        tape = self._tape
        start = tape.position
        header = parse_header(tape.peek(0, LONGEST_HEADER))
        has_checksum = header is not None and header.has_checksum
        frame = decompressor()
        while not frame.eof:
            packed = b""
            if frame.needs_input:
                packed = tape.peek(0, min(tape.fill(_CHUNK), _CHUNK))
                if not packed:
                    yield Verdict.GOOD if tape.are_good(start, tape.position) else Verdict.DOUBTFUL
                    return False
                tape.skip(len(packed))
            try:
                plain = frame.decompress(packed, _STEP)
            except zstd.ZstdError:
                yield Verdict.DOUBTFUL
                return False
            if plain:
                yield plain
        tape.skip(-len(frame.unused_data))
        yield Verdict.GOOD if has_checksum or tape.are_good(start, tape.position) else Verdict.DOUBTFUL
        return True

    def _is_place(self, distance: int) -> bool:
        """Whether a frame ends at this distance: another one or zeros follow, or nothing that can be seen."""
        self._tape.fill(distance + LONGEST_HEADER)
        head = self._tape.peek(distance, distance + LONGEST_HEADER)
        return len(head) < SKIPPABLE_HEAD or head.startswith(MAGIC) or skippable_content(head) is not None

    def _search(self) -> None:
        """Go to the next frame, across holes; else to the end."""
        tape = self._tape
        while True:
            have = tape.fill(_STEP)
            found = tape.find(MAGIC)
            if found >= 0:
                tape.skip(found)
                if self._is_frame():
                    return
                tape.skip(1)
            elif tape.hole is not None:
                tape.cross()
            elif have < _STEP:
                tape.skip(have)
                return
            else:
                tape.skip(have - len(MAGIC) + 1)

    def _is_frame(self) -> bool:
        tape = self._tape
        tape.fill(LONGEST_HEADER)
        header = parse_header(tape.peek(0, LONGEST_HEADER))
        if header is None or header.has_dictionary or not header.is_small:
            return False
        try:
            length = frame_length(header, tape.fill, tape.peek)
        except EOFError:
            return True
        except PayloadDamaged:
            return False
        return length is not None and self._is_place(length)


def _prefix(frame: bytes, size: int) -> tuple[bytes, bool]:
    """What can be decompressed of a damaged frame, at most `size` bytes, and whether no error was met."""
    decompressing = decompressor()
    plain = bytearray()
    try:
        for start in range(0, len(frame), _SMALL_STEP):
            packed = frame[start : start + _SMALL_STEP]
            while len(plain) < size and not decompressing.eof and (packed or not decompressing.needs_input):
                plain += decompressing.decompress(packed, size - len(plain))
                packed = b""
    except zstd.ZstdError:
        return bytes(plain), False
    return bytes(plain), True
