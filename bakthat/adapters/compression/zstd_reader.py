"""Reads any zstd stream (RFC 8878): small frames, as bakthat writes them, in parallel, others as a stream.

No length in the stream is believed before it is checked. A frame is small if it states at most 4 MiB of content and
ends within what those may take; it is decompressed no further than that. Everything else is decompressed in small
steps, with a window of at most 128 MiB. Damage of any kind is `PayloadDamaged`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from bakthat.adapters.compression.block_reader import BlockReader
from bakthat.adapters.compression.zstd_engine import zstd
from bakthat.adapters.compression.zstd_frame import (
    LARGEST_WINDOW_LOG,
    LONGEST_HEADER,
    MAGIC,
    SKIPPABLE_HEAD,
    FrameHeader,
    decompressor,
    frame_length,
    garbled,
    parse_header,
    read_frame,
    skippable_content,
)
from bakthat.errors import PayloadDamaged
from bakthat.ports.streams import chunk_reader

_READ = 256 * 1024
_CHUNK = 64 * 1024
_STEP = 256 * 1024


class ZstdReader(BlockReader):
    """The plain bytes of a zstd stream."""

    def __init__(self, packed: BinaryIO, pool: ThreadPoolExecutor, *, ahead: int) -> None:
        self._source = _Source(packed)
        self._pool = pool
        self._ahead = ahead
        super().__init__(self._decompressed())

    def _decompressed(self) -> Generator[bytes, None, None]:
        """The plain bytes, block by block. At most `ahead` frames are in flight."""
        source = self._source
        waiting: deque[Future[bytes]] = deque()
        if not source.fill(1):
            raise PayloadDamaged("the archive is empty")
        is_first = True
        while source.fill(LONGEST_HEADER):
            head = source.peek(0, LONGEST_HEADER)
            skipped = skippable_content(head)
            if skipped is not None:
                source.skip_through(SKIPPABLE_HEAD + skipped)
            elif not head.startswith(MAGIC):
                if not is_first and not head.strip(b"\0"):
                    source.zeros_to_the_end()
                    break
                raise _truncated() if MAGIC.startswith(head) else _not_zstd(is_first)
            else:
                header = _header(head)
                length = _length(header, source) if header.is_small else None
                if length is None or header.content is None:
                    while waiting:
                        yield waiting.popleft().result()
                    yield from self._streamed(header)
                else:
                    frame = source.take(length)
                    waiting.append(self._pool.submit(read_frame, frame, header.content))
                    if len(waiting) >= self._ahead:
                        yield waiting.popleft().result()
            is_first = False
        while waiting:
            yield waiting.popleft().result()

    def _streamed(self, header: FrameHeader) -> Iterator[bytes]:
        """The plain bytes of a frame of any length."""
        source = self._source
        frame = decompressor()
        total = 0
        while not frame.eof:
            packed = b""
            if frame.needs_input:
                if not source.fill(1):
                    raise _truncated()
                packed = source.take(min(source.fill(1), _CHUNK))
            try:
                plain = frame.decompress(packed, _STEP)
            except zstd.ZstdError as error:
                raise garbled() from error
            if plain:
                total += len(plain)
                yield plain
        source.give_back(frame.unused_data)
        if header.content not in (None, total):
            raise PayloadDamaged("a zstd frame does not have the length that it states; the archive is damaged")


class _Source:
    """The compressed bytes, with a look ahead."""

    def __init__(self, packed: BinaryIO) -> None:
        self._read = chunk_reader(packed)
        self._have = bytearray()
        self._at = 0

    def fill(self, wanted: int) -> int:
        """Read ahead until there are this many bytes; return how many there are, fewer only at the end."""
        have = len(self._have) - self._at
        while have < wanted:
            more = self._read(max(wanted - have, _READ))
            if not more:
                break
            if self._at:
                del self._have[: self._at]
                self._at = 0
            self._have += more
            have += len(more)
        return have

    def peek(self, start: int, stop: int) -> bytes:
        """Return the bytes between these distances, as far as they were read."""
        return bytes(self._have[self._at + start : self._at + stop])

    def take(self, size: int) -> bytes:
        """Return this many bytes, which were read, and go behind them."""
        with memoryview(self._have) as view:
            chunk = bytes(view[self._at : self._at + size])
        self._at += size
        return chunk

    def give_back(self, chunk: bytes) -> None:
        """Go back before the last bytes that were taken."""
        self._at -= len(chunk)

    def skip_through(self, size: int) -> None:
        while size:
            have = min(self.fill(1), size)
            if not have:
                raise _truncated()
            self._at += have
            size -= have

    def zeros_to_the_end(self) -> None:
        while have := self.fill(1):
            if self.take(have).strip(b"\0"):
                raise _not_zstd(is_first=False)


def _header(head: bytes) -> FrameHeader:
    header = parse_header(head)
    if header is None:
        if len(head) < LONGEST_HEADER:
            raise _truncated()
        raise PayloadDamaged("a zstd header has flags that the format does not define; the archive is damaged")
    if header.has_dictionary:
        raise PayloadDamaged("the archive was compressed with a dictionary, which bakthat does not have")
    if header.window > 1 << LARGEST_WINDOW_LOG and not header.is_small:
        raise PayloadDamaged(
            f"a zstd frame demands a window of {header.window / 2**20:,.0f} MiB, and bakthat takes at most "
            f"{1 << (LARGEST_WINDOW_LOG - 20)}: the archive is damaged, or for `zstd -d --long=31`"
        )
    return header


def _length(header: FrameHeader, source: _Source) -> int | None:
    try:
        return frame_length(header, source.fill, source.peek)
    except EOFError:
        raise _truncated() from None


def _not_zstd(is_first: bool) -> PayloadDamaged:
    if is_first:
        return PayloadDamaged("the archive does not begin as zstd does: it is damaged, or was never compressed")
    return PayloadDamaged("the archive is followed by something that is not zstd; it is damaged")


def _truncated() -> PayloadDamaged:
    return PayloadDamaged("the archive ends in the middle of a zstd frame: it is truncated")
