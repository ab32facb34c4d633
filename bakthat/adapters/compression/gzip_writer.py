"""gzip, in members that are compressed and inflated in parallel.

What is written is what any `gzip -d` reads: a sequence of members (RFC 1952 §2.2) of at most 1 MiB of input each. Every
member's header carries an extra field, subfield id `BK`, of four bytes: the member's whole length, little-endian, as
BGZF does. A reader therefore knows where the next member begins before it has inflated this one.
"""

from __future__ import annotations

import io
import struct
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, Protocol, cast

from bakthat.ports.payload import Compressor
from bakthat.ports.streams import write_whole

BLOCK = 1024 * 1024
"""Bytes of input in a member, at most."""

MEMBER_HEADER = struct.Struct("<4sIBBH2sHI")
"""Magic, method and flags; time (0); extra flags (0); system (255, unknown); the extra field's length; its one
subfield: id, length, the member's whole length."""

_TRAILER = struct.Struct("<II")
_STORED = struct.Struct("<BHH")
_STORED_MOST = 0xFFFF

# A block is looked into at 17 places, which takes a hundredth of what deflating it does, and overlooks no 64 KiB of
# something else amidst noise. They lie at no multiples of a power of two, as beginnings of pages and clusters do.
_SAMPLE = 512
_SAMPLES_APART = 5 / 87
"""As a part of the block."""

# Below, the samples would be the whole.
_SMALL = 16 * 1024

_LEAST_GAIN = 64
"""What deflating must take away, as a part of the whole."""

_MAGIC = b"\x1f\x8b\x08\x04"


class Engine(Protocol):
    """What deflates a block: `isal` where it is installed, else `zlib`. Both release the interpreter's lock."""

    def deflate(self, block: memoryview) -> bytes:
        """The block as one whole raw deflate stream."""

    def crc32(self, block: memoryview) -> int: ...


class IsalEngine:
    """Several times faster than zlib. Levels 0 to 3; see docs/decisions/0010 for the choice of 2."""

    def __init__(self, level: int = 2) -> None:
        from isal import isal_zlib

        self._compress, self.crc32 = isal_zlib.compress, isal_zlib.crc32
        self._level = level

    def deflate(self, block: memoryview) -> bytes:
        return self._compress(block, self._level, -15)


class ZlibEngine:
    """What Python always has. Levels 1 to 9."""

    def __init__(self, level: int = 6) -> None:
        import zlib

        self._compress, self.crc32 = zlib.compress, zlib.crc32
        self._level = level

    def deflate(self, block: memoryview) -> bytes:
        return self._compress(block, self._level, -15)


def best_engine() -> Engine:
    try:
        return IsalEngine()
    except ImportError:
        return ZlibEngine()


class GzipCompressor(Compressor):
    """threads: how many compress, or inflate, at the same time. engine: made when the first stream is written."""

    def __init__(self, *, threads: int = 2, engine: Callable[[], Engine] = best_engine) -> None:
        self._threads = threads
        self._engine = engine

    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-deflate")
        writer = GzipWriter(into, self._engine(), pool, ahead=self._threads + 6)
        try:
            yield cast(BinaryIO, writer)
            writer.finish()
        finally:
            writer.abandon()
            pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        from bakthat.adapters.compression.gzip_reader import GzipReader  # a backup does without

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-inflate")
        reader = GzipReader(packed, pool, ahead=2 * self._threads)
        try:
            yield cast(BinaryIO, reader)
        finally:
            reader.close()
            pool.shutdown(wait=True, cancel_futures=True)


class GzipWriter(io.BufferedIOBase):
    """Cuts what is written into blocks, has them compressed in the pool's threads, and writes the members, in order,
    in the thread that writes. At most `ahead` blocks are on the way, so that memory is bounded."""

    def __init__(self, into: BinaryIO, engine: Engine, pool: ThreadPoolExecutor, *, ahead: int) -> None:
        self._into = into
        self._engine = engine
        self._pool = pool
        self._ahead = ahead
        self._waiting: deque[tuple[Future[bytes], bytearray]] = deque()
        self._spare: list[bytearray] = []
        self._block = bytearray(BLOCK)
        self._filled = 0
        self._any = False
        self._failure: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._check()
        with memoryview(data) as given, given.cast("B") as view:  # type: ignore[arg-type]
            size = len(view)
            at = 0
            while at < size:
                count = min(size - at, BLOCK - self._filled)
                self._block[self._filled : self._filled + count] = view[at : at + count]
                self._filled += count
                at += count
                if self._filled == BLOCK:
                    self._submit()
        return size

    def finish(self) -> None:
        """Compress what is left and write all that is on the way; an empty stream gets one empty member."""
        self._check()
        if self._filled or not self._any:
            self._submit()
        while self._waiting:
            self._write_next()
        self.close()

    def abandon(self) -> None:
        """Take no more, and write nothing more. After `finish`, nothing is left to abandon."""
        self._waiting.clear()
        self.close()

    def _check(self) -> None:
        if self.closed:
            raise ValueError("write to a compressor that is closed")
        if self._failure is not None:
            # What was to be written is lost: whoever goes on all the same must not end up with a hole in the stream.
            raise self._failure

    def _submit(self) -> None:
        block = self._block
        future = self._pool.submit(_member, self._engine, memoryview(block)[: self._filled])
        self._waiting.append((future, block))
        self._any = True
        self._filled = 0
        while self._waiting and (len(self._waiting) >= self._ahead or self._waiting[0][0].done()):
            self._write_next()
        self._block = self._spare.pop() if self._spare else bytearray(BLOCK)

    def _write_next(self) -> None:
        future, block = self._waiting.popleft()
        try:
            write_whole(self._into, future.result())
        except BaseException as error:
            self._failure = error
            raise
        self._spare.append(block)


def _member(engine: Engine, block: memoryview) -> bytes:
    deflated = _deflated(engine, block)
    length = MEMBER_HEADER.size + len(deflated) + _TRAILER.size
    header = MEMBER_HEADER.pack(_MAGIC, 0, 0, 255, 8, b"BK", 4, length)
    return b"".join((header, deflated, _TRAILER.pack(engine.crc32(block), len(block))))


def _deflated(engine: Engine, block: memoryview) -> bytes:
    """The block as a raw deflate stream: stored as it is where deflating gains next to nothing, as of photographs, of
    films, and of what is encrypted. Inflating that would take longer than all else that a restore does with it."""
    size = len(block)
    if size > _SMALL:
        step = int(size * _SAMPLES_APART)
        samples = b"".join([block[at : at + _SAMPLE] for at in range(0, size - _SAMPLE, step)])
        if len(engine.deflate(memoryview(samples))) >= len(samples):
            return _stored(block)
    deflated = engine.deflate(block)
    return deflated if len(deflated) <= size - size // _LEAST_GAIN else _stored(block)


def _stored(block: memoryview) -> bytes:
    """A deflate stream of stored blocks (RFC 1951 §3.2.4). zlib's level 0 gives the same, forty times slower."""
    parts: list[bytes | memoryview] = []
    for at in range(0, max(len(block), 1), _STORED_MOST):
        piece = block[at : at + _STORED_MOST]
        last = at + _STORED_MOST >= len(block)
        parts += (_STORED.pack(last, len(piece), len(piece) ^ 0xFFFF), piece)
    return b"".join(parts)
