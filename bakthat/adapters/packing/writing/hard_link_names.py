"""`FirstNames`: files with several names, and the member that contains their content."""

from __future__ import annotations

import os


class FirstNames:
    """Remembers a file until the last of its names was seen."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, int], tuple[bytes, int, bool]] = {}

    def has(self, status: os.stat_result) -> bool:
        """Whether a member contains this file, and other names of it may follow."""
        return (status.st_dev, status.st_ino) in self._files

    def is_stored(self, status: os.stat_result) -> bool:
        """Whether this member is in the archive that is being written, rather than in an earlier one."""
        return self._files.get((status.st_dev, status.st_ino), _NONE)[2]

    def find(self, status: os.stat_result) -> bytes:
        """Return the path of the member that already contains this file; empty if there is none."""
        identity = (status.st_dev, status.st_ino)
        first, more, is_stored = self._files.get(identity, _NONE)
        if more > 1:
            self._files[identity] = (first, more - 1, is_stored)
        elif first:
            del self._files[identity]
        return first

    def add(self, status: os.stat_result, path: bytes, *, is_stored: bool = True) -> None:
        """Record that the member with this path contains the file, and other names of it may follow."""
        self._files[status.st_dev, status.st_ino] = (path, status.st_nlink - 1, is_stored)


_NONE = (b"", 0, False)
