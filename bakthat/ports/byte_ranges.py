"""What an `ObjectStore.open_range` needs: it checks its arguments, compares the object, and cuts the stream."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreError
from bakthat.ports.streams import fill


def check_range(start: int, stop: int) -> None:
    """Raise `ValueError` unless `0 <= start <= stop`."""
    if not 0 <= start <= stop:
        raise ValueError(f"the range from {start} to {stop} is invalid; 0 <= start <= stop")


def check_version(found: ObjectInfo, expected: ObjectInfo | None, what: str) -> None:
    """Raise `StoreError` if the object that was found is not the one of an earlier `stat`. `what` names the object."""
    if expected is not None and not found.is_version(expected):
        raise StoreError(f"{what}: was replaced while it was read; start again")


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
