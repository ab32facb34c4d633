"""Reads gzip (RFC 1952): members that say their length (see `gzip_writer`) in parallel, others as a stream.

No length that a file states is believed before it is checked: a member that says its length is read only if that is
within what our own writer can produce, and inflated no further than the length that its trailer states, 1 MiB at most.
Everything else is inflated in small steps. Damage of any kind is `PayloadDamaged`.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO

from bakthat.errors import PayloadDamaged
from bakthat.ports.streams import chunk_reader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 1024 * 1024
_SHORTEST_MEMBER = 20 + 2 + 8
# A block that does not compress grows a little; our writer keeps it within this.
LONGEST_MEMBER = _BLOCK + _BLOCK // 8
"""Bytes of a member that says its length, at most; a longer one is damaged."""

_READ = 256 * 1024
# A stream is inflated in small pieces: what lies behind a member's end is copied, and members may be tiny.
_PIECE = 16 * 1024
_STEP = 256 * 1024
# Names and comments state no length.
_LONGEST_TEXT = 1024 * 1024

_FIXED = struct.Struct("<HBBIBB")
_TRAILER = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_SHORT = struct.Struct("<H")
_MAGIC = 0x8B1F
_DEFLATE = 8
_HAS_CRC, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0


class _OneStream:
    """One raw deflate stream, inflated in one call: zlib's way of what `igzip_lib.IgzipDecompressor` is."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-15)
        self.crc = 0

    def decompress(self, packed: bytes, most: int) -> bytes:
        plain = self._stream.decompress(packed, most)
        self.crc = zlib.crc32(plain)
        return plain

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


Engines = tuple[Any, Callable[[], Any]]
"""For streams, zlib or its twin. For members, what makes an `igzip_lib.IgzipDecompressor` or its like."""


def zlib_engines() -> Engines:
    """What Python always has."""
    return zlib, _OneStream


def best_engines() -> Engines:
    """`isal`'s, where it is installed. Its decompressor for members takes room for all of the output at once, and lets
    go of Python's lock once, not at each doubling; it sums up on the way."""
    try:
        from isal import igzip_lib, isal_zlib
    except ImportError:
        return zlib_engines()
    return isal_zlib, functools.partial(igzip_lib.IgzipDecompressor, igzip_lib.DECOMP_GZIP_NO_HDR)


_NOTHING = memoryview(b"")


class GzipReader(io.BufferedIOBase):
    """The plain bytes of a gzip stream. `read` gives fewer bytes than asked for at the end only, and does not end
    before the stream has. After an error, reading goes on to raise that error."""

    def __init__(
        self, packed: BinaryIO, pool: ThreadPoolExecutor, *, ahead: int, engines: Callable[[], Engines] = best_engines
    ) -> None:
        self._source = _Source(packed)
        self._pool = pool
        self._ahead = ahead
        self._inflater, self._one_stream = engines()
        self._blocks = self._inflated()
        self._block = _NOTHING
        self._failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            parts = []
            while self._fill():
                parts.append(self._block)
                self._block = _NOTHING
            return b"".join(parts)
        if size <= len(self._block):
            return self._take(size).tobytes()
        parts = []
        while size and self._fill():
            parts.append(self._take(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def read_chunk(self, most: int) -> bytes:
        """What is at hand; nothing at the end. A whole block is not copied."""
        if not self._fill():
            return b""
        block = self._take(most)
        whole = block.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(block) else block.tobytes()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            at = 0
            while at < len(view) and self._fill():
                piece = self._take(len(view) - at)
                view[at : at + len(piece)] = piece
                at += len(piece)
        return at

    def _take(self, size: int) -> memoryview:
        piece, self._block = self._block[:size], self._block[size:]
        return piece

    def _fill(self) -> bool:
        """Have a block that is not empty; False at the end."""
        if self.closed:
            raise ValueError("read from a decompressor that is closed")
        if self._failure is not None:
            raise self._failure
        try:
            while not self._block:
                block = next(self._blocks, None)
                if block is None:
                    return False
                self._block = memoryview(block)
        except BaseException as error:
            self._failure = error
            raise
        return True

    def _inflated(self) -> Generator[bytes, None, None]:
        """The plain bytes, block by block. At most `ahead` members are on the way."""
        source = self._source
        waiting: deque[Future[bytes]] = deque()
        first = True
        while True:
            length, head = self._header(first)
            first = False
            if length:
                member = source.exactly(length - len(head))
                waiting.append(self._pool.submit(_inflate, self._one_stream, self._inflater.error, member))
                if len(waiting) >= self._ahead:
                    yield waiting.popleft().result()
                continue
            while waiting:
                yield waiting.popleft().result()
            if not head:
                return
            yield from self._streamed()

    def _header(self, first: bool) -> tuple[int, bytes]:
        """Read a member's header: its length, if it says one, else 0; and the header. Nothing at the end."""
        source = self._source
        fixed = source.up_to(_FIXED.size)
        if not fixed and first:
            raise PayloadDamaged("the archive is empty: not one byte of gzip")
        if not first and not fixed.strip(b"\0"):
            source.zeros_to_the_end()
            return 0, b""
        if len(fixed) < _FIXED.size:
            raise _no_gzip(first) if fixed[:2] != b"\x1f\x8b"[: len(fixed)] else _truncated()
        magic, method, flags, _, _, _ = _FIXED.unpack(fixed)
        if magic != _MAGIC:
            raise _no_gzip(first)
        if method != _DEFLATE or flags & _RESERVED:
            raise PayloadDamaged("a gzip header asks for what the format does not have; the archive is damaged")
        head = fixed
        length = 0
        if flags & _HAS_EXTRA:
            size = source.exactly(_SHORT.size)
            extra = source.exactly(_SHORT.unpack(size)[0])
            head += size + extra
            length = _stated_length(extra)
        if flags & _HAS_NAME:
            head += source.through_zero()
        if flags & _HAS_COMMENT:
            head += source.through_zero()
        if flags & _HAS_CRC:
            stated = source.exactly(_SHORT.size)
            if _SHORT.unpack(stated)[0] != zlib.crc32(head) & 0xFFFF:
                raise PayloadDamaged("a gzip header does not match its checksum; the archive is damaged")
            head += stated
        if length and not max(_SHORTEST_MEMBER, len(head) + 10) <= length <= LONGEST_MEMBER:
            raise PayloadDamaged(f"a gzip member states an impossible length ({length} bytes); the archive is damaged")
        return length, head

    def _streamed(self) -> Iterator[bytes]:
        """The plain bytes of a member of unknown length, whose header has been read."""
        source = self._source
        inflater = self._inflater.decompressobj(-15)
        crc = total = 0
        packed = b""
        while not inflater.eof:
            if not packed:
                packed = source.some()
                if not packed:
                    raise _truncated()
            try:
                block = inflater.decompress(packed, _STEP)
            except (zlib.error, self._inflater.error) as error:
                raise _garbled() from error
            packed = inflater.unconsumed_tail
            if block:
                crc = self._inflater.crc32(block, crc)
                total += len(block)
                yield block
        source.give_back(len(inflater.unused_data))
        if _TRAILER.unpack(source.exactly(_TRAILER.size)) != (crc, total & 0xFFFFFFFF):
            raise _mismatched()

    def close(self) -> None:
        self._blocks.close()
        self._block = _NOTHING
        super().close()


def _stated_length(extra: bytes) -> int:
    """The member's length, 0 if the extra field holds none."""
    at = 0
    while at + 4 <= len(extra):
        size = _SHORT.unpack_from(extra, at + 2)[0]
        if extra[at : at + 2] == b"BK" and size == 4 and at + 8 <= len(extra):
            return int(_LENGTH.unpack_from(extra, at + 4)[0]) or -1
        at += 4 + size
    return 0


def _inflate(one_stream: Callable[[], Any], error_of_it: type[Exception], member: bytes) -> bytes:
    """One member without its header, of at most `_BLOCK` plain bytes."""
    crc, size = _TRAILER.unpack_from(member, len(member) - _TRAILER.size)
    if size > _BLOCK:
        raise _mismatched()
    inflater = one_stream()
    try:
        # One byte more than it should be: the end of the stream is seen, and a bomb is not.
        plain: bytes = inflater.decompress(member, size + 1)
    except error_of_it as error:
        raise _garbled() from error
    if not inflater.eof or len(inflater.unused_data) != _TRAILER.size:
        raise PayloadDamaged("a gzip member does not have the length that it states; the archive is damaged")
    if len(plain) != size or inflater.crc != crc:
        raise _mismatched()
    return plain


class _Source:
    """The packed bytes, with what has been read and not yet been used."""

    def __init__(self, packed: BinaryIO) -> None:
        self._read = chunk_reader(packed)
        self._have = b""
        self._at = 0

    def up_to(self, size: int) -> bytes:
        """That many bytes, fewer only at the end."""
        end = self._at + size
        if end <= len(self._have):
            piece = self._have[self._at : end]
            self._at = end
            return piece
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
        piece = self.up_to(size)
        if len(piece) < size:
            raise _truncated()
        return piece

    def some(self) -> bytes:
        """A small piece of what comes next; empty at the end."""
        if self._at >= len(self._have):
            self._have, self._at = self._read(_READ), 0
        piece = self._have[self._at : self._at + _PIECE]
        self._at += len(piece)
        return piece

    def give_back(self, count: int) -> None:
        """The last bytes of the piece that `some` gave come again."""
        self._at -= count

    def through_zero(self) -> bytes:
        """A text and the NUL that ends it."""
        parts: list[bytes] = []
        length = 0
        while length <= _LONGEST_TEXT:
            piece = self.some()
            if not piece:
                raise _truncated()
            end = piece.find(b"\0") + 1
            if end:
                self.give_back(len(piece) - end)
                return b"".join([*parts, piece[:end]])
            parts.append(piece)
            length += len(piece)
        raise PayloadDamaged("a gzip header has a name without an end; the archive is damaged")

    def zeros_to_the_end(self) -> None:
        while piece := self.some():
            if piece.strip(b"\0"):
                raise _no_gzip(first=False)


def _no_gzip(first: bool) -> PayloadDamaged:
    if first:
        return PayloadDamaged("the archive does not begin as gzip does: it is damaged, or was never compressed")
    return PayloadDamaged("the archive is followed by something that is no gzip; it is damaged")


def _truncated() -> PayloadDamaged:
    return PayloadDamaged("the archive ends in the middle of a gzip member: it is truncated")


def _garbled() -> PayloadDamaged:
    return PayloadDamaged("the compressed bytes cannot be inflated; the archive is damaged")


def _mismatched() -> PayloadDamaged:
    return PayloadDamaged("the inflated bytes do not match their checksum; the archive is damaged")
