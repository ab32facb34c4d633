"""Cuts a stream into blocks, and compresses them in parallel: the writer of every compression."""

from __future__ import annotations

import io
from array import array
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from bakthat.ports.streams import write_whole

Compress = Callable[[memoryview], bytes]
"""Compresses a block to a unit that can be decompressed alone, in any thread."""


class BlockWriter(io.BufferedIOBase):
    """Cuts what is written into blocks, compresses them in the pool's threads, and writes the results, in their order,
    in the thread that calls `write`. At most `ahead` blocks are in flight, so that memory is bounded.

    Args:
        block_size: Bytes of each block but the last.
    """

    def __init__(
        self, into: BinaryIO, pool: ThreadPoolExecutor, compress: Compress, *, ahead: int, block_size: int
    ) -> None:
        self._into = into
        self._compress = compress
        self._pool = pool
        self._size = block_size
        self._ahead = ahead
        self._waiting: deque[tuple[Future[bytes], bytearray]] = deque()
        self._spare: list[bytearray] = []
        self._block = bytearray()  # grows with what is written: a small backup takes little memory
        self._filled = 0
        self._any = False
        self.block_lengths = array("I")
        """Compressed bytes of each block that was written."""
        self.plain_size = 0
        """Bytes that were written to the last block that is full, or to the end."""
        self._failure: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._check()
        with memoryview(data) as given, given.cast("B") as view:  # type: ignore[arg-type]
            size = len(view)
            at = 0
            while at < size:
                count = min(size - at, self._size - self._filled)
                self._block[self._filled : self._filled + count] = view[at : at + count]
                self._filled += count
                at += count
                if self._filled == self._size:
                    self._submit()
        return size

    def finish(self) -> None:
        """Compress what is left, and write everything in flight; an empty stream is one empty block."""
        self._check()
        if not self._any:
            # Most small backups: a thread would take longer than the only block.
            self.plain_size = self._filled
            self._write_result(lambda: self._compress(memoryview(self._block)[: self._filled]))
        elif self._filled:
            self._submit()
        while self._waiting:
            self._write_next()
        self.close()

    def abandon(self) -> None:
        """Accept and write nothing more. After `finish`, nothing is left to abandon."""
        self._waiting.clear()
        self.close()

    def _check(self) -> None:
        if self.closed:
            raise ValueError("write to a compressor that is closed")
        if self._failure is not None:
            # What was to be written is lost: a caller that goes on all the same must not get a stream with a hole.
            raise self._failure

    def _submit(self) -> None:
        block = self._block
        future = self._pool.submit(self._compress, memoryview(block)[: self._filled])
        self._waiting.append((future, block))
        self._any = True
        self.plain_size += self._filled
        self._filled = 0
        while self._waiting and (len(self._waiting) >= self._ahead or self._waiting[0][0].done()):
            self._write_next()
        self._block = self._spare.pop() if self._spare else bytearray()

    def _write_next(self) -> None:
        future, block = self._waiting.popleft()
        self._write_result(future.result)
        self._spare.append(block)

    def _write_result(self, compressed: Callable[[], bytes]) -> None:
        try:
            packed = compressed()
            write_whole(self._into, packed)
        except BaseException as error:
            self._failure = error
            raise
        self.block_lengths.append(len(packed))
