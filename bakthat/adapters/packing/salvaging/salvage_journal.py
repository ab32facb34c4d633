"""`Journal`: what was salvaged and is still to be judged."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from bakthat.adapters.streams import write_all


class Journal:
    """Paths and sizes of files that are still to be judged, in a file: there may be any number of them."""

    _HEAD = struct.Struct("<QIQ?")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = 0

    def add(self, path: bytes, size: int, run: int, is_symlink: bool) -> None:
        """run: which one it is of."""
        entry = self._HEAD.pack(size, len(path), run, is_symlink) + path
        os.lseek(self._fd, self._size, os.SEEK_SET)
        write_all(self._fd, entry)
        self._size += len(entry)

    def take(self) -> Iterator[tuple[bytes, int, int, bool]]:
        """Give all entries, and forget them."""
        at, end, self._size = 0, self._size, 0
        while at < end:
            size, length, run, is_symlink = self._HEAD.unpack(os.pread(self._fd, self._HEAD.size, at))
            at += self._HEAD.size
            yield os.pread(self._fd, length, at), size, run, is_symlink
            at += length

    def close(self) -> None:
        os.close(self._fd)
