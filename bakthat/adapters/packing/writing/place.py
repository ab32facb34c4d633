"""`Place`: the current position of a walk over a source; opens entries and reports problems."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.writing.source import O_NOATIME, O_READ, reason
from bakthat.adapters.packing.writing.tally import Tally

O_FILE = O_READ | os.O_NOFOLLOW
O_DIRECTORY = O_FILE | os.O_DIRECTORY

CHANGED = "changed while it was read"
VANISHED = "disappeared before it was read"
OTHER_KIND = "was replaced by an entry of another kind while the backup ran"

_OTHER_KINDS = frozenset({stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK})
_ENCODING = sys.getfilesystemencoding()
_ENCODING_ERRORS = sys.getfilesystemencodeerrors()


class Place:
    """Of one walk below the directory `source`."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self.path = b""
        """The archive's path of the directory that the walk is in, with a slash at its end."""
        self.flags = O_NOATIME
        """Additional flags of open(2). 0 after a file of another user was found, whose access time must change."""
        self.problems = Tally()
        self.notices = Tally()

    def open(self, name: str, flags: int, parent: int) -> int:
        """Open something in a directory. Raises OSError."""
        if self.flags:
            try:
                return os.open(name, flags | self.flags, dir_fd=parent)
            except PermissionError:
                descriptor = os.open(name, flags, dir_fd=parent)
                # It belongs to another user; others probably do as well, so do not try each one twice.
                self.flags = 0
                return descriptor
        return os.open(name, flags, dir_fd=parent)

    def look_at_other(self, name: str, parent: int) -> tuple[os.stat_result, bytes] | None:
        """Return the status of something that is neither a file nor a directory, and where a symbolic link points; None
        after reporting why an archive cannot hold it."""
        link = b""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFLNK:
                link = os.fsencode(os.readlink(name, dir_fd=parent))
        except FileNotFoundError:
            self.problem(name, VANISHED)
        except OSError as error:
            self.problem(name, reason(error))
        else:
            if kind in _OTHER_KINDS:
                return status, link
            if kind == stat.S_IFSOCK:
                self.notice(name, "is a socket, which cannot be archived; it is left out")
            else:
                self.problem(name, OTHER_KIND)
        return None

    def problem(self, name: str, why: str) -> None:
        """Report that an entry of this directory could not be backed up as it was; the directory itself for an empty
        name."""
        self.problems.add(self._shown(name), why)

    def notice(self, name: str, why: str) -> None:
        """Report a notice about an entry of this directory that does not make the backup incomplete."""
        self.notices.add(self._shown(name), why)

    def known_as(self, name: str) -> str:
        """The path of an entry of this directory, as the user knows it."""
        within = os.fsdecode(self.path.partition(b"/")[2]) + name
        return os.path.join(self._source, within.removesuffix("/")) if within else str(self._source)

    def _shown(self, name: str) -> str:
        return printable(self.known_as(name))


def encoded(name: str) -> bytes:
    """As `os.fsencode`, three times as fast."""
    return name.encode(_ENCODING, _ENCODING_ERRORS)
