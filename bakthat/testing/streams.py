"""Streams that behave as badly as they may, for the contracts."""

from __future__ import annotations

import io
import random
from typing import Any, BinaryIO, cast


class StreamFailed(Exception):
    """What these streams raise; no adapter can know it."""


class _ShortReads(io.RawIOBase):
    def __init__(self, content: bytes, fails: bool) -> None:
        self._rest = memoryview(content)
        self._fails = fails

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        if not self._rest and self._fails:
            raise StreamFailed
        view = memoryview(buffer).cast("B")
        # Never all at once: a short read is not an end.
        count = min(len(view), len(self._rest), 10_007)
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def short_reads(content: bytes, *, fails: bool = False) -> BinaryIO:
    """A stream that cannot seek and gives short reads. `fails`: raises `StreamFailed` where its end would be."""
    return cast(BinaryIO, _ShortReads(content, fails))


class FullSink(io.RawIOBase):
    """Takes so many bytes, and raises `StreamFailed` for any more."""

    def __init__(self, takes: int) -> None:
        self._left = takes

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            raise StreamFailed
        return size


def some_bytes(size: int, seed: int = 1) -> bytes:
    """The same bytes each time, without a pattern."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - test data


def write_in_pieces(into: BinaryIO, content: bytes) -> None:
    """Write all of it, in pieces of odd sizes from one buffer that is used again at once."""
    sizes = random.Random(3)  # noqa: S311 - test data
    buffer = bytearray(70_000)
    at = 0
    while at < len(content):
        piece = content[at : at + sizes.randrange(1, len(buffer))]
        buffer[: len(piece)] = piece
        into.write(memoryview(buffer)[: len(piece)])
        buffer[: len(piece)] = bytes(len(piece))
        at += len(piece)
