"""`StoredRanges`: an object in a store, read by ranges."""

from __future__ import annotations

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.random_access import RandomAccess

_LEAST = 64 * 1024
"""Bytes that are requested at least: a request costs more than so many bytes."""

_TAIL = 256 * 1024
"""Bytes that are requested of the end, where an archive has its footer, and a small one its whole index."""

_KEPT = 4 * 1024 * 1024
"""Bytes of earlier answers that are kept."""


class StoredRanges(RandomAccess):
    """The bytes of the object that `info` describes; an object that replaced it is a `StoreError`.

    bytes_read: what was requested from the store, for measurements.
    """

    def __init__(self, objects: ObjectStore, info: ObjectInfo) -> None:
        self.size = info.size
        self.bytes_read = 0
        self._objects = objects
        self._info = info
        self._kept: dict[int, bytes] = {}
        """Answers by their position, the oldest first."""

    def read_at(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.size)
        if offset >= stop:
            return b""
        for start, content in self._kept.items():
            if start <= offset and stop <= start + len(content):
                return content[offset - start : stop - start]
        start, content = self._requested(offset, stop)
        return content[offset - start : stop - start]

    def _requested(self, offset: int, stop: int) -> tuple[int, bytes]:
        """Request these bytes, and some around them if they are few; return what came, and its position."""
        tail = max(0, self.size - _TAIL)
        if offset >= tail:
            start, stop = tail, self.size
        else:
            start, stop = offset, min(self.size, max(stop, offset + _LEAST))
        with self._objects.open_range(self._info.key, start, stop, expected=self._info) as reader:
            content = reader.read(stop - start)
        self.bytes_read += len(content)
        if len(content) != stop - start:
            raise StoreError(
                f"{self._objects.location}: of {self._info.key} only {len(content)} of {stop - start} bytes came"
            )
        self._keep(start, content)
        return start, content

    def _keep(self, start: int, content: bytes) -> None:
        if len(content) > _KEPT:
            return
        self._kept[start] = content
        while sum(map(len, self._kept.values())) > _KEPT:
            del self._kept[next(iter(self._kept))]
