"""`reader_of`: pieces of bytes as a stream, as stores have to give it; `piecewise`: a stream as pieces."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import Any, BinaryIO


def reader_of(pieces: Generator[bytes, None, None]) -> io.BufferedReader:
    """A reader, and context manager, over what a generator yields, for the `open` of a store.

    `read(n)` gives fewer than n bytes only at the end, whatever the sizes of the pieces. What the generator raises
    comes out of `read`. Closing the reader closes the generator.
    """
    return io.BufferedReader(_Pieces(pieces))


def piecewise(stream: BinaryIO) -> Callable[[int], bytes]:
    """Reads the next piece of a stream: at most so many bytes, none at its end only. Without a copy, where the stream
    has a `read_piece` of its own (see `bakthat.ports.payload`)."""
    read: Callable[[int], bytes] = getattr(stream, "read_piece", stream.read)
    return read


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
