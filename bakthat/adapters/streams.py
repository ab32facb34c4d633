"""`reader_of`: the chunks that a generator yields, as the stream that a store's `open` has to return.

`write_all`: write to a file descriptor until everything is written.
"""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from typing import Any

from bakthat.ports.streams import fill as fill


def reader_of(chunks: Generator[bytes, None, None]) -> io.BufferedReader:
    """Return a reader, which is a context manager, over what a generator yields.

    `read(n)` returns fewer than n bytes only at the end, whatever the sizes of the chunks. `read` raises the errors of
    the generator. Closing the reader closes the generator.
    """
    return io.BufferedReader(_ChunkReader(chunks))


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write everything at the file's position: one `os.write` may write less, for example when the disk is full.

    Raises:
        OSError: As `os.write`; what was written before stays written.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class _ChunkReader(io.RawIOBase):
    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._chunks.close()
        super().close()
