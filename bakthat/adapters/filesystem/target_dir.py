"""`TargetDirectory`: the target of a restore; it is created if it is missing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from bakthat.adapters.filesystem.dir_fd import SEARCH, descended
from bakthat.adapters.filesystem.printable import printable
from bakthat.errors import TargetExists

MakeDirectory = Callable[[bytes, int, int], None]
"""Takes a name, a mode, and the parent directory. Raises OSError."""


class TargetDirectory:
    """The target, open from `open` to `close`. `fd`: its descriptor, -1 while it is not open."""

    def __init__(self, path: Path, mkdir: MakeDirectory) -> None:
        self.path = path
        self.fd = -1
        self._mkdir = mkdir
        self._base = -1
        self._missing: list[bytes] = []
        self._created: list[int] = []

    def open(self) -> None:
        """Open it. Missing directories are created step by step relative to an open one: a symbolic link that another
        user puts in the path meanwhile is not followed. Raises OSError."""
        path = self.path
        while not os.path.lexists(path):
            self._missing.insert(0, os.fsencode(path.name))
            path = path.parent
        self.fd = os.open(path, SEARCH & ~os.O_NOFOLLOW)
        if self._missing:
            self._base = os.dup(self.fd)
        for depth, part in enumerate(self._missing):
            self._created.append(depth)
            try:
                self._mkdir(part, 0o777, self.fd)
            except FileExistsError:  # another process was faster; then we must not remove it
                self._created.remove(depth)
            above, self.fd = self.fd, -1
            try:
                self.fd = os.open(part, SEARCH, dir_fd=above)
            finally:
                os.close(above)

    def close(self) -> None:
        """Close it. Empty directories that `open` created are removed, because nothing was restored. May be called
        again."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)
        for depth in reversed(self._created):
            with contextlib.suppress(OSError), descended(self._base, self._missing[:depth]) as above:
                os.rmdir(self._missing[depth], dir_fd=above)
        if self._base >= 0:
            fd, self._base = self._base, -1
            os.close(fd)

    def path_of(self, name: str | bytes) -> str:
        """The path of an entry; its own path for an empty name."""
        return os.path.join(self.path, os.fsdecode(name)) if name else os.fspath(self.path)


class ReplacementRules:
    """What a restore may replace in its target.

    Args:
        overwrite: whether anything may be replaced.
        root: the only name that may be replaced or added to; bytes that are not UTF-8 are written as `\\xff`. None:
            any.
    """

    def __init__(self, target: TargetDirectory, *, overwrite: bool, root: str | None) -> None:
        self._target = target
        self._root = root
        self._has_several_roots = False
        self.overwrite = overwrite

    def replace_nothing(self) -> None:
        """From now on, no name may be replaced."""
        self._has_several_roots = True

    def may_replace(self, path: bytes) -> bool:
        """Whether an entry at this path, relative to the target, may be replaced."""
        return self.overwrite and self.is_root(path)

    def is_root(self, path: bytes) -> bool:
        """Whether the path is the root of the backup, or below it."""
        if self._has_several_roots:
            return False
        if self._root is None:
            return True
        root = path.partition(b"/")[0]
        return os.fsencode(self._root) == root or self._root == root.decode("utf-8", "backslashreplace")

    def taken(self, path: bytes) -> TargetExists:
        """The error for an existing path that may not be replaced."""
        there = f"{printable(self._target.path_of(path))} already exists"
        if self._has_several_roots:
            return TargetExists(
                f"{there}; the backup contains several names and its own is not recorded, so it replaces "
                "none; restore elsewhere with `target=DIR`"
            )
        if not self.is_root(path):
            return TargetExists(
                f"{there}, and this backup may replace only {printable(self._root or '')}; restore elsewhere "
                "with `target=DIR`"
            )
        return TargetExists(f"{there}; `overwrite=True` replaces it, `target=DIR` restores elsewhere")
