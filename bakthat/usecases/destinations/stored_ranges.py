"""`StoredRanges`: an object in a store, read by ranges."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import BinaryIO

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import PayloadDamaged, StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.random_access import RandomAccess

_LEAST = 64 * 1024
"""Bytes that are requested at least: a request costs more than so many bytes."""

_TAIL = 256 * 1024
"""Bytes that are requested of the end, where an archive has its footer, and a small one its whole index."""

_KEPT = 4 * 1024 * 1024
"""Bytes of earlier answers that are kept."""

_DROPPED = 1024 * 1024
"""Bytes that are read at a time, of those that are skipped."""


class StoredRanges(RandomAccess):
    """The bytes of an object. One that replaced it while it was read is a `StoreError`; one of another size than was
    expected, `PayloadDamaged`.

    bytes_read: what came from the store. answers: what was asked for and not known, by position, until
    `forget_answers`; for a cache.
    """

    def __init__(
        self, objects: ObjectStore, key: str, *, info: ObjectInfo | None, size: int, known: Mapping[int, bytes]
    ) -> None:
        """info: what `stat` said; None if the object is asked for when more is needed than `known` holds: parts of it,
        by position."""
        self.size = size
        self.bytes_read = 0
        self.answers: dict[int, bytes] | None = {}
        self._objects = objects
        self._key = key
        self._info = info
        self._known = known
        self._kept: dict[int, bytes] = {}
        """Answers by their position, the oldest first."""
        self._opened = ExitStack()
        self._stream: BinaryIO | None = None
        """The object from some position on, at a store that cannot begin anywhere."""
        self._at = 0
        """The position of its next byte."""

    def forget_answers(self) -> None:
        """What comes from now on is not for the cache."""
        self.answers = None

    @property
    def is_cold(self) -> bool:
        """Whether the object lies in an archive class, so that nothing of it can be read before it is retrieved. Asks
        the store. Raises `ObjectNotFound`, `PayloadDamaged` for an object of another size."""
        return self._current().is_cold

    def read_at(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.size)
        if offset >= stop:
            return b""
        found = _within(self._known, offset, stop)
        if found is not None:
            return found
        found = _within(self._kept, offset, stop)
        if found is None:
            start, content = self._requested(offset, stop)
            found = content[offset - start : stop - start]
        if self.answers is not None:
            self.answers[offset] = found
        return found

    def _requested(self, offset: int, stop: int) -> tuple[int, bytes]:
        """Request these bytes, and some around them if they are few; return what came, and its position."""
        tail = max(0, self.size - _TAIL)
        if offset >= tail:
            start, stop = tail, self.size
        else:
            start, stop = offset, min(self.size, max(stop, offset + _LEAST))
        if self._objects.reads_ranges:
            with self._objects.open_range(self._key, start, stop, expected=self._current()) as reader:
                content = reader.read(stop - start)
            self.bytes_read += len(content)
        else:
            content = self._read_on(start, stop)
        if len(content) != stop - start:
            raise StoreError(
                f"{self._objects.location}: of {self._key} only {len(content)} of {stop - start} bytes arrived"
            )
        self._keep(start, content)
        return start, content

    def _read_on(self, start: int, stop: int) -> bytes:
        """Return the bytes from a stream that stays open, so that ranges in ascending order cost one pass over the
        object and not one each."""
        try:
            if self._stream is None or start < self._at:
                self._opened.close()
                opened = self._objects.open_range(self._key, start, self.size, expected=self._current())
                self._stream, self._at = self._opened.enter_context(opened), start
            while self._at < start and (dropped := self._stream.read(min(start - self._at, _DROPPED))):
                self._count(dropped)
            content = self._stream.read(stop - start)
            self._count(content)
        except BaseException:
            self._stream = None
            self._opened.close()
            raise
        if self._at == self.size:
            self._stream = None
            self._opened.close()
        return content

    def _count(self, content: bytes) -> None:
        self._at += len(content)
        self.bytes_read += len(content)

    def _current(self) -> ObjectInfo:
        if self._info is None:
            self._info = self._objects.stat(self._key)
        if self._info.size != self.size:
            raise PayloadDamaged(
                f"{self._key}: the store has {self._info.size} bytes of it, the record says {self.size}"
            )
        return self._info

    def _keep(self, start: int, content: bytes) -> None:
        if len(content) > _KEPT:
            return
        self._kept[start] = content
        while sum(map(len, self._kept.values())) > _KEPT:
            del self._kept[next(iter(self._kept))]


def _within(ranges: Mapping[int, bytes], offset: int, stop: int) -> bytes | None:
    for start, content in ranges.items():
        if start <= offset and stop <= start + len(content):
            return content[offset - start : stop - start]
    return None
