"""`PathSearch`: which member of an archive a path means, through hard and symbolic links."""

from __future__ import annotations

import itertools
import posixpath

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.selector import nearest
from bakthat.errors import BackupNotFound, UsageError
from bakthat.usecases.inside.members import below_root, plain_path

_MOST_LINKS = 40
"""Links that are followed one after the other. Linux follows as many."""


_MOST_NAMES = 10_000
"""Paths among which a similar one is looked for."""


def _climbs_later(link: str) -> bool:
    """Whether a `..` follows a name. If that name is itself a symbolic link, the path leads elsewhere than its text."""
    parts = [part for part in link.split("/") if part not in ("", ".")]
    return ".." in itertools.dropwhile(lambda part: part == "..", parts)


class PathSearch:
    """The path that is looked for, from link to link.

    Args:
        backup: In which it is looked for; it is named in errors.
        wanted: Relative to the backup's root; None means the only file of a backup of one file.
        in_chain: The members are those of several archives, so that their positions say nothing of their order.
    """

    def __init__(self, backup: Backup, wanted: str | None, *, in_chain: bool = False) -> None:
        self._in_chain = in_chain
        self._backup = backup
        self._asked = wanted
        self._below: str | None = wanted
        """Relative to the root."""
        self._full: str | None = None
        """As the archive has it, once a link has named it."""
        self._before: int | None = None
        """A hard link stands for a member before this position."""
        self._followed: set[int] = set()
        """The positions of the links that led here."""
        self._dead_end = ""
        """What to say if the link that was followed last leads to nothing."""
        self._seen: set[str] = set()
        self._link_above: tuple[str, str] | None = None
        """A symbolic link in the place of a directory above the path, and what it contains."""

    def meets(self, entry: IndexEntry) -> bool:
        """Whether this member is the one that is looked for."""
        path = plain_path(entry.path)
        if self._before is not None and entry.offset >= self._before:
            return False
        if self._full is not None:
            return path == self._full
        below = below_root(path)
        if self._below is None:
            # The only file of a backup of one file
            return not below
        if not self._followed:
            self._remember(below or path, entry)
        return (below or path) == self._below if below or entry.kind != "directory" else False

    def _remember(self, path: str, entry: IndexEntry) -> None:
        """Keep what the error for a path that is not there can suggest."""
        if entry.kind != "directory" and len(self._seen) < _MOST_NAMES:
            self._seen.add(path)
        if entry.kind == "symlink" and (self._below or "").startswith(f"{path}/"):
            self._link_above = (path, entry.link)

    def is_file(self, entry: IndexEntry) -> bool:
        """Whether the member has content of its own; a link is followed. Raises `UsageError`, `BackupNotFound`."""
        if entry.kind == "file":
            return True
        shown = self.shown(entry)
        if entry.kind == "directory":
            raise UsageError(f"{shown} is a directory; name a file in it (`bakthat ls` lists them)")
        if entry.kind not in ("hardlink", "symlink"):
            raise UsageError(f"{shown} is a device or a fifo, which has no content")
        if entry.offset in self._followed or len(self._followed) == _MOST_LINKS:
            raise BackupNotFound(f"{shown} is a link to itself, or a chain of too many links")
        self._followed.add(entry.offset)
        if entry.kind == "hardlink":
            self._full, self._before = plain_path(entry.link), None if self._in_chain else entry.offset
            self._dead_end = f"{shown} is a hard link to {entry.link}, which is not in the backup"
            return False
        path = plain_path(entry.path)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.link))
        self._dead_end = f"{shown} is a symbolic link to {entry.link}, which is not in the backup"
        if entry.link.startswith("/") or target.startswith("../") or not below_root(target):
            raise BackupNotFound(self._dead_end)
        if _climbs_later(entry.link):
            raise BackupNotFound(f"{shown} is a symbolic link to {entry.link}, which only a restore can follow")
        self._full, self._before = target, None
        return False

    def shown(self, entry: IndexEntry) -> str:
        """The path for a message."""
        return below_root(plain_path(entry.path)) or entry.path

    def not_found(self) -> BackupNotFound:
        """The error for a path that the archive does not have."""
        name = self._backup.stored_filename
        if self._followed:
            return BackupNotFound(self._dead_end or f"{self._asked} leads to what is not in {name}")
        if self._asked is None:
            return BackupNotFound(f"{name} is a directory; name a file in it (`bakthat ls` lists them)")
        if self._link_above is not None:
            link, goal = self._link_above
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(link), goal))
            is_inside = not goal.startswith("/") and inside != ".." and not inside.startswith("../")
            way_out = f"; name {posixpath.join(inside, self._asked[len(link) + 1 :])}" if is_inside else ""
            return BackupNotFound(f"{link} is a symbolic link to {goal}, which is not followed{way_out}")
        alike = nearest(self._asked, self._seen)
        hint = f"; did you mean {' or '.join(alike)}?" if alike else "; paths start below its root, see `bakthat ls`"
        return BackupNotFound(f"{self._asked}: no such file in {name}{hint}")
