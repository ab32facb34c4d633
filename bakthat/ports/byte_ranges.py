"""What an `ObjectStore.open_range` needs: it checks its arguments, compares the object, and cuts the stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreError
from bakthat.ports.streams import fill

if TYPE_CHECKING:
    from bakthat.ports.object_store import ObjectStore

_CHUNK = 1024 * 1024
"""Bytes that are read at a time, of those that are dropped."""


def check_range(start: int, stop: int) -> None:
    """Raise `ValueError` unless `0 <= start <= stop`."""
    if not 0 <= start <= stop:
        raise ValueError(f"the range from {start} to {stop} is invalid; 0 <= start <= stop")


def check_version(found: ObjectInfo, expected: ObjectInfo | None, what: str) -> None:
    """Raise `StoreError` if the object that was found is not the one of an earlier `stat`. `what` names the object."""
    if expected is not None and not found.is_version(expected):
        raise StoreError(f"{what}: was replaced while it was read; start again")


@contextmanager
def read_and_skip(
    store: ObjectStore, key: str, start: int, stop: int, expected: ObjectInfo | None
) -> Iterator[BinaryIO]:
    """Open the whole object, read and drop the bytes before `start`, and yield those up to `stop`."""
    check_range(start, stop)
    with store.open(key) as reader:
        if expected is not None:
            # After it was opened: what is found now was there already then, or the object was replaced in between.
            check_version(store.stat(key), expected, f"{store.location}: {key}")
        left = start
        while left and (dropped := reader.read(min(left, _CHUNK))):
            left -= len(dropped)
        yield limited(reader, stop - start)


def limited(reader: BinaryIO, size: int) -> BinaryIO:
    """Return a stream of the next `size` bytes of the reader, fewer if it ends before. Closing it closes nothing."""
    return cast(BinaryIO, io.BufferedReader(_Limited(reader, size)))


class _Limited(io.RawIOBase):
    def __init__(self, reader: BinaryIO, size: int) -> None:
        self._reader = reader
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            count = fill(self._reader, view[: self._left])
        self._left -= count
        return count
