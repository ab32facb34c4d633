"""`ExtractionTree`: the directories of an archive during extraction. `UnselectedTree`: files that are never
committed."""

from __future__ import annotations

import errno
import os
import stat

from attrs import define

from bakthat.adapters.filesystem.dir_fd import LIST, NO_DIRECTORY, SEARCH, allow, empty, exists, opened
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.packing.extracting.attributes import Attributes
from bakthat.adapters.packing.extracting.long_names import LongNames
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.errors import PayloadDamaged

_MAX_OPEN = 64
"""The number of directories kept open. Descriptors are limited (1,024 by default); most archives stay in one directory
for a while."""

_UNSELECTED_SHARE = 4
"""Unselected files that are kept in case a hard link needs them use at most this part of the free space (a quarter)."""


@define(eq=False)
class PendingSymlink:
    """A symbolic link, which is created after everything else.

    `target`: where it points, as `LongNames` keeps it. `made_at`: for a link with several names, the path of the one
        already created, as `LongNames` keeps it.
    """

    attributes: Attributes
    target: bytes
    made_at: bytes | None = None


class ExtractionTree:
    """A directory tree that is created on demand. Its directories are opened relative to each other, never through a
    symbolic link; a few stay open.

    `directories` and `symlinks`: work that remains for the end, by the paths as `names` keeps them.
    """

    def __init__(self, root: int, names: LongNames, directory_mode: int, umask_bars_owner: bool) -> None:
        self._root = root
        self._names = names
        self._directory_mode = directory_mode
        self._umask_bars_owner = umask_bars_owner
        self._open: dict[bytes, int] = {}
        self.directories: dict[bytes, Attributes] = {}
        self.symlinks: dict[bytes, PendingSymlink] = {}

    def directory(self, path: bytes, *, make: bool = True) -> int:
        """Return a descriptor of the directory, valid until the next call. Missing parents are created.

        Raises PayloadDamaged if a parent is not a directory; FileNotFoundError if one is missing and
        `make` is false.
        """
        if not path:
            return self._root
        fd = self._open.get(path)
        if fd is not None:
            return fd
        known = path
        while known and known not in self._open:
            known = known.rpartition(b"/")[0]
        fd = self._open[known] if known else self._root
        for part in path[len(known) :].lstrip(b"/").split(b"/"):
            known = known + b"/" + part if known else part
            fd = self._remember(known, self._step(fd, part, known, make))
        return fd

    def make(self, name: bytes, parent: int) -> None:
        """Create a directory that can be filled, whatever the umask."""
        os.mkdir(name, self._directory_mode, dir_fd=parent)
        if self._umask_bars_owner:
            with opened(name, SEARCH, parent) as fd:
                allow(fd, 0o700)

    def is_symlink(self, path: bytes) -> bool:
        """Whether a symbolic link will be created at this path."""
        return bool(self.symlinks) and self._names.key(path) in self.symlinks

    def has(self, path: bytes) -> bool:
        """Whether an earlier member has this path. Raises PayloadDamaged if it is a directory, which a hard link cannot
        be a name of."""
        if self.is_symlink(path):
            return True
        parent, _, name = path.rpartition(b"/")
        try:
            kind = os.stat(name, dir_fd=self.directory(parent, make=False), follow_symlinks=False).st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(kind):
            raise PayloadDamaged(f"the tar archive has a hard link to a directory: {printable(path)}")
        return True

    def vacate(self, parent: int, name: bytes, path: bytes) -> None:
        """Remove an earlier member with this path, as tar does. A directory that is not empty is kept, and the archive
        is refused."""
        key = self._names.key(path)
        self.symlinks.pop(key, None)
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except (IsADirectoryError, PermissionError):  # EPERM: POSIX's form of EISDIR
            fd = self._open.pop(path, None)
            if fd is not None:
                os.close(fd)
            self.directories.pop(key, None)
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError:
                raise PayloadDamaged(
                    f"the tar archive contains {printable(path)} as a non-empty directory and as something else"
                ) from None

    def discard(self, path: bytes) -> None:
        """Remove an earlier member with this path, if there is one, as `vacate` does."""
        parent, _, name = path.rpartition(b"/")
        try:
            self.vacate(self.directory(parent, make=False), name, path)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:  # nothing has such a name
                raise

    def holds(self, path: bytes) -> bool:
        """Whether an entry has this path; symbolic links that wait do not count."""
        parent, _, name = path.rpartition(b"/")
        try:
            return exists(name, self.directory(parent, make=False))
        except (FileNotFoundError, PayloadDamaged):
            return False

    def remove(self, parent: int, name: bytes, path: bytes, *, is_directory: bool) -> None:
        """Remove an entry; a directory with all that it contains. Raises OSError."""
        if not is_directory:
            os.unlink(name, dir_fd=parent)
            return
        for known in [known for known in self._open if known == path or known.startswith(path + b"/")]:
            os.close(self._open.pop(known))
        with opened(name, LIST, parent) as directory:
            failure = empty(directory)
        if failure is not None:
            raise failure
        os.rmdir(name, dir_fd=parent)

    def close(self) -> None:
        """Close the directories that are open."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _step(self, parent: int, part: bytes, path: bytes, make: bool) -> int:
        try:
            return os.open(part, LIST, dir_fd=parent)
        except OSError as error:
            if error.errno not in NO_DIRECTORY:
                raise
            if self.is_symlink(path) or not isinstance(error, FileNotFoundError):
                raise PayloadDamaged(
                    f"the tar archive has a member below {printable(path)}, which is not a directory in it"
                ) from None
            if not make:
                raise
        self.make(part, parent)
        return os.open(part, LIST, dir_fd=parent)

    def _remember(self, path: bytes, fd: int) -> int:
        if len(self._open) >= _MAX_OPEN:
            oldest = next(iter(self._open))
            os.close(self._open.pop(oldest))
        self._open[path] = fd
        return fd


class UnselectedTree:
    """Files and links that were not selected, kept in a hidden place: a selected hard link may be another name of one,
    and its content does not come again."""

    def __init__(self, staging: StagingDirectory, names: LongNames) -> None:
        self._staging = staging
        self._names = names
        self._root = -1
        self._room = 0
        self.tree: ExtractionTree | None = None
        """None until something is in it."""
        self.is_incomplete = False
        """Whether a file was left out that a hard link might need."""

    def tree_for(self, member: Member) -> ExtractionTree | None:
        """The place for this member; None if no hard link can need it, or it is too large."""
        if member.kind in (Kind.DEVICE, Kind.OTHER):
            return None
        if member.linked is False:
            self.is_incomplete = True
            return None
        if self.tree is None:
            self._root = self._staging.scratch()
            self.tree = ExtractionTree(self._root, self._names, 0o700, self._staging.umask_bars_owner)
            space = os.fstatvfs(self._root)
            self._room = space.f_bavail * space.f_frsize // _UNSELECTED_SHARE
        if member.kind is Kind.FILE:
            if member.size > self._room:
                self.is_incomplete = True
                return None
            self._room -= member.size
        return self.tree

    def close(self) -> None:
        """Close what is open."""
        if self.tree is not None:
            self.tree.close()
        if self._root >= 0:
            fd, self._root = self._root, -1
            os.close(fd)
