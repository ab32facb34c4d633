"""`FirstNames`: files with several names, and the member that contains their content."""

from __future__ import annotations

import os


class FirstNames:
    """Remembers a file until the last of its names was seen."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, int], tuple[bytes, int]] = {}

    def find(self, status: os.stat_result) -> bytes:
        """Return the path of the member that already contains this file; empty if there is none."""
        identity = (status.st_dev, status.st_ino)
        first, more = self._files.get(identity, (b"", 0))
        if more > 1:
            self._files[identity] = (first, more - 1)
        elif first:
            del self._files[identity]
        return first

    def add(self, status: os.stat_result, path: bytes) -> None:
        """Record that the member with this path contains the file, and other names of it may follow."""
        self._files[status.st_dev, status.st_ino] = (path, status.st_nlink - 1)
