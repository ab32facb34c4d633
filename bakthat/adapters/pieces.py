"""`reader_of`: pieces of bytes as a stream, as stores have to give it."""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import Any


def reader_of(pieces: Generator[bytes, None, None]) -> io.BufferedReader:
    """A reader, and context manager, over what a generator yields, for the `open` of a store.

    `read(n)` gives fewer than n bytes only at the end, whatever the sizes of the pieces. What the generator raises
    comes out of `read`. Closing the reader closes the generator.
    """
    return io.BufferedReader(_Pieces(pieces))


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._pieces.close()
        super().close()
