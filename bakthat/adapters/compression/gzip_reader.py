"""Reads gzip (RFC 1952): members that state their length (see `gzip_member`) in parallel, others as a stream.

No length in the stream is believed before it is checked. A member that states its length is read only if that is within
what our own writer can produce, and decompressed no further than the length in its trailer, 1 MiB at most. Everything
else is decompressed in small steps. Damage of any kind is `PayloadDamaged`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from isal import isal_zlib

from bakthat.adapters.compression.block_reader import BlockReader
from bakthat.adapters.compression.gzip_member import (
    LONGEST_MEMBER,
    SHORTEST_MEMBER,
    TRAILER,
    DeflateError,
    garbled,
    inflate,
    mismatched,
    stated_length,
)
from bakthat.errors import PayloadDamaged
from bakthat.ports.streams import chunk_reader

_READ = 256 * 1024
_CHUNK = 16 * 1024
"""Bytes of a stream that are decompressed at once. They are few, since what lies behind a member's end is copied, and
members may be tiny."""
_STEP = 256 * 1024
_LONGEST_TEXT = 1024 * 1024
"""Bytes of the longest name or comment in a header: these do not state their length."""

_FIXED = struct.Struct("<HBBIBB")
_SHORT = struct.Struct("<H")
_MAGIC = 0x8B1F
_DEFLATE = 8
_HAS_CRC, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0


class GzipReader(BlockReader):
    """The plain bytes of a gzip stream."""

    def __init__(self, packed: BinaryIO, pool: ThreadPoolExecutor, *, ahead: int) -> None:
        self._source = _Source(packed)
        self._pool = pool
        self._ahead = ahead
        super().__init__(self._inflated())

    def _inflated(self) -> Generator[bytes, None, None]:
        """The plain bytes, block by block. At most `ahead` members are in flight."""
        source = self._source
        waiting: deque[Future[bytes]] = deque()
        first = True
        while True:
            length, head = self._header(first)
            first = False
            if length:
                member = source.exactly(length - len(head))
                waiting.append(self._pool.submit(inflate, member))
                if len(waiting) >= self._ahead:
                    yield waiting.popleft().result()
                continue
            while waiting:
                yield waiting.popleft().result()
            if not head:
                return
            yield from self._streamed()

    def _header(self, first: bool) -> tuple[int, bytes]:
        """Read a member's header. Return its length, 0 if it states none, and the header; nothing at the end."""
        source = self._source
        fixed = source.up_to(_FIXED.size)
        if not fixed and first:
            raise PayloadDamaged("the archive is empty")
        if not first and not fixed.strip(b"\0"):
            source.zeros_to_the_end()
            return 0, b""
        if len(fixed) < _FIXED.size:
            raise _not_gzip(first) if fixed[:2] != b"\x1f\x8b"[: len(fixed)] else _truncated()
        magic, method, flags, _, _, _ = _FIXED.unpack(fixed)
        if magic != _MAGIC:
            raise _not_gzip(first)
        if method != _DEFLATE or flags & _RESERVED:
            raise PayloadDamaged("a gzip header has flags that the format does not define; the archive is damaged")
        head = fixed
        length = 0
        if flags & _HAS_EXTRA:
            size = source.exactly(_SHORT.size)
            extra = source.exactly(_SHORT.unpack(size)[0])
            head += size + extra
            length = stated_length(extra)
        if flags & _HAS_NAME:
            head += source.through_zero()
        if flags & _HAS_COMMENT:
            head += source.through_zero()
        if flags & _HAS_CRC:
            stated = source.exactly(_SHORT.size)
            if _SHORT.unpack(stated)[0] != isal_zlib.crc32(head) & 0xFFFF:
                raise PayloadDamaged("a gzip header does not match its checksum; the archive is damaged")
            head += stated
        if length and not max(SHORTEST_MEMBER, len(head) + 10) <= length <= LONGEST_MEMBER:
            raise PayloadDamaged(f"a gzip member states an impossible length ({length} bytes); the archive is damaged")
        return length, head

    def _streamed(self) -> Iterator[bytes]:
        """The plain bytes of a member of unknown length, whose header has been read."""
        source = self._source
        inflater = isal_zlib.decompressobj(-15)
        crc = total = 0
        packed = b""
        while not inflater.eof:
            if not packed:
                packed = source.some()
                if not packed:
                    raise _truncated()
            try:
                block = inflater.decompress(packed, _STEP)
            except DeflateError as error:
                raise garbled() from error
            packed = inflater.unconsumed_tail
            if block:
                crc = isal_zlib.crc32(block, crc)
                total += len(block)
                yield block
        source.give_back(len(inflater.unused_data))
        if TRAILER.unpack(source.exactly(TRAILER.size)) != (crc, total & 0xFFFFFFFF):
            raise mismatched()


class _Source:
    """The compressed bytes, with what has been read and not yet been used."""

    def __init__(self, packed: BinaryIO) -> None:
        self._read = chunk_reader(packed)
        self._have = b""
        self._at = 0

    def up_to(self, size: int) -> bytes:
        """Return this many bytes; fewer only at the end."""
        end = self._at + size
        if end <= len(self._have):
            chunk = self._have[self._at : end]
            self._at = end
            return chunk
        parts = [self._have[self._at :]]
        missing = size - len(parts[0])
        self._have, self._at = b"", 0
        while missing:
            more = self._read(max(missing, _READ))
            if not more:
                break
            if len(more) > missing:
                self._have, self._at = more, missing
                more = more[:missing]
            parts.append(more)
            missing -= len(more)
        return b"".join(parts)

    def exactly(self, size: int) -> bytes:
        chunk = self.up_to(size)
        if len(chunk) < size:
            raise _truncated()
        return chunk

    def some(self) -> bytes:
        """Return a small chunk of what comes next; empty at the end."""
        if self._at >= len(self._have):
            self._have, self._at = self._read(_READ), 0
        chunk = self._have[self._at : self._at + _CHUNK]
        self._at += len(chunk)
        return chunk

    def give_back(self, count: int) -> None:
        """Put the last bytes of the chunk that `some` returned back."""
        self._at -= count

    def through_zero(self) -> bytes:
        """Return a text and the NUL that ends it."""
        parts: list[bytes] = []
        length = 0
        while length <= _LONGEST_TEXT:
            chunk = self.some()
            if not chunk:
                raise _truncated()
            end = chunk.find(b"\0") + 1
            if end:
                self.give_back(len(chunk) - end)
                return b"".join([*parts, chunk[:end]])
            parts.append(chunk)
            length += len(chunk)
        raise PayloadDamaged("a gzip header has a name without an end; the archive is damaged")

    def zeros_to_the_end(self) -> None:
        while chunk := self.some():
            if chunk.strip(b"\0"):
                raise _not_gzip(first=False)


def _not_gzip(first: bool) -> PayloadDamaged:
    if first:
        return PayloadDamaged("the archive does not begin as gzip does: it is damaged, or was never compressed")
    return PayloadDamaged("the archive is followed by something that is not gzip; it is damaged")


def _truncated() -> PayloadDamaged:
    return PayloadDamaged("the archive ends in the middle of a gzip member: it is truncated")
