"""`RandomAccess`: bytes that can be read at any position, such as an object in a store read by ranges.

The readers for looking inside an archive are chained like those for restoring it: over the stored object lies the
cipher's `random_access`, over that the compressor's, and out comes the tar stream.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any

READ_AHEAD = 1024 * 1024
"""Bytes that a `RangeReader` requests at a time, unless its caller says otherwise."""


class RandomAccess(ABC):
    """A sequence of bytes of known length, which does not change while it is read.

    An object is used by one thread at a time.
    """

    size: int
    """Number of bytes in all."""

    @abstractmethod
    def read_at(self, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset` on; fewer only at the end, none behind it.

        Raises:
            StoreError: The store failed, or the object has been replaced since it was opened.
            PayloadDamaged: The bytes there are damaged; other positions may still be readable.
        """


class BytesAccess(RandomAccess):
    """Random access to bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]


class RangeReader(io.RawIOBase):
    """The bytes `start` to `stop` (not included; the end by default) as a stream, requested `read_ahead` at a time."""

    def __init__(
        self, source: RandomAccess, start: int = 0, stop: int | None = None, *, read_ahead: int = READ_AHEAD
    ) -> None:
        self._source = source
        self._at = start
        self._stop = source.size if stop is None else min(stop, source.size)
        self._read_ahead = read_ahead
        self._buffered = b""
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            chunk = self.read_chunk(len(view))
            view[: len(chunk)] = chunk
        return len(chunk)

    def read_chunk(self, limit: int) -> bytes:
        """Return the next available bytes, at most `limit`; `b""` means end of stream."""
        if self._given >= len(self._buffered) and limit:
            wanted = max(0, min(self._stop - self._at, self._read_ahead))
            self._buffered, self._given = self._source.read_at(self._at, wanted) if wanted else b"", 0
            self._at += len(self._buffered)
        # What is left is not copied: chunks may be small, and many
        chunk = self._buffered[self._given : self._given + limit]
        self._given += len(chunk)
        return chunk
