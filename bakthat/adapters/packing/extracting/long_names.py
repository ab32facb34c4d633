"""`LongNames`: keeps the long names of an archive with little memory, even millions of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b

_SHORT = 256
"""The maximum length of a name that is kept in memory unchanged, in bytes. Nearly all paths and link targets are
shorter."""


class LongNames:
    """Represents names (paths, link targets) by keys of at most 256 bytes. A short name is its own key; the key of a
    long one is a digest, and the name is in a file. No name may begin with a NUL byte.

    open_file: returns the descriptor of an empty file for them; called at the first long name. `close` closes it.
    """

    def __init__(self, open_file: Callable[[], int]) -> None:
        self._open_file = open_file
        self._file = -1
        self._end = 0
        self._places: dict[bytes, tuple[int, int]] = {}

    def key(self, name: bytes) -> bytes:
        """The key of a name, for lookups."""
        return name if len(name) <= _SHORT else b"\0" + blake2b(name, digest_size=24).digest()

    def keep(self, name: bytes) -> bytes:
        """Store a name and return its key, from which `name` returns it. Raises OSError."""
        if len(name) <= _SHORT:
            return name
        key = self.key(name)
        if key not in self._places:
            if self._file < 0:
                self._file = self._open_file()
            at, rest = self._end, memoryview(name)
            while rest:
                rest = rest[os.pwrite(self._file, rest, at + len(name) - len(rest)) :]
            self._places[key] = at, len(name)
            self._end = at + len(name)
        return key

    def length(self, key: bytes) -> int:
        """The length of the stored name."""
        return self._places[key][1] if key[:1] == b"\0" else len(key)

    def name(self, key: bytes) -> bytes:
        """The stored name. Raises OSError."""
        if key[:1] != b"\0":
            return key
        at, length = self._places[key]
        return os.pread(self._file, length, at)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file >= 0:
            fd, self._file = self._file, -1
            os.close(fd)
