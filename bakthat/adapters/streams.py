"""Streams: `reader_of` (chunks as a stream), `piecewise` (a stream as chunks), `fill` (read until a buffer is full),
`write_all` (write until everything is written)."""

from __future__ import annotations

import io
import os
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


def fill(stream: BinaryIO, buffer: memoryview) -> int:
    """Read until the buffer is full or the stream ends. A raw stream may return fewer bytes at any time.

    Returns:
        The number of bytes read; less than `len(buffer)` only at the end of the stream.

    Raises:
        BlockingIOError: The stream is in non-blocking mode and has no bytes at the moment.
    """
    readinto: Callable[[memoryview], int | None] | None = getattr(stream, "readinto", None)
    filled = 0
    while filled < len(buffer):
        if readinto is not None:
            count = readinto(buffer[filled:])
        else:
            chunk = stream.read(len(buffer) - filled)
            count = len(chunk)
            buffer[filled : filled + count] = chunk
        if count is None:
            raise BlockingIOError("the stream has no bytes at the moment; it must wait for them itself")
        if not count:
            break
        filled += count
    return filled


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write everything at the file's position: one `os.write` may write less, for example when the disk is full.

    Raises:
        OSError: As `os.write`; what was written before stays written.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


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
