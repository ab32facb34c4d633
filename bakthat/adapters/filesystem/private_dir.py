"""The private directory of a restore, beside the final place of its files: creation, recognition, and removal after a
killed restore.

    .bakthat-restore-0123456789abcdef/      mode 0700, locked (flock) while its restore runs
        new/            files grow here
        scratch/        what is never committed
        names           long names; has no name once it is open
        old/            what was replaced where two names cannot be exchanged: "0", and "0.path" says where it was
        replaced/       the same, once it need not go back
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re

from bakthat.adapters.filesystem.dir_fd import LIST, SEARCH, allow, descended, empty, exists, identity, opened
from bakthat.adapters.filesystem.moves import noted_path
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.target_dir import MakeDirectory, TargetDirectory
from bakthat.errors import TargetError

PREFIX = ".bakthat-restore-"
"""The prefix of private directories."""

RESCUED = "bakthat-rescued-"
"""The prefix of a directory with old files that could not be put back; nothing removes it."""

_OURS = re.compile(re.escape(PREFIX) + "[0-9a-f]{16}")
_INSIDE = re.compile("new|scratch|names|old|replaced|[0-9a-f]{16}-[0-9]+")
"""All entries that such a directory may contain; the last form is left by `empty` when it is killed."""


class PrivateDirectory:
    """The private directory of one restore. `fd`: its descriptor, -1 before `make` and after `close`. `name`: its name
    in the target."""

    def __init__(self, target: TargetDirectory, mkdir: MakeDirectory) -> None:
        self._target = target
        self._mkdir = mkdir
        self.name = ""
        self.fd = -1

    def make(self) -> None:
        """Create and lock it. Raises OSError; TargetError if another user has replaced it."""
        while not self._make_and_lock():
            pass

    def remove(self) -> OSError | None:
        """Remove it with its contents. Continues after a failure, and returns the first."""
        failure: OSError | None = None
        try:
            if self.fd >= 0:
                retire_old(self.fd)
                failure = empty(self.fd)
            os.rmdir(self.name, dir_fd=self._target.fd)
        except OSError as error:
            failure = failure or error
        return failure

    def rescue(self) -> str:
        """Rename it so that no later restore removes it as a leftover; return the new name. Raises OSError."""
        rescued = self.name.replace(PREFIX, RESCUED)
        os.rename(self.name, rescued, src_dir_fd=self._target.fd, dst_dir_fd=self._target.fd)
        return rescued

    def close(self) -> None:
        """Close the descriptor, which releases the lock. May be called again."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def _make_and_lock(self) -> bool:
        self.name = PREFIX + os.urandom(8).hex()
        self._mkdir(os.fsencode(self.name), 0o700, self._target.fd)
        # Until the lock is ours, another restore may remove this directory as a leftover
        try:
            with opened(self.name, SEARCH, self._target.fd) as fd:
                # A user who may write to the target can rename the new directory and put another in its place before it
                # is opened. So the opened one must be ours, and closed to others.
                if not _is_private(fd, self._target.fd):
                    raise self._intruder()
                allow(fd, 0o700)  # whatever the umask
                self.fd = os.open(".", LIST, dir_fd=fd)
        except FileNotFoundError:
            return False
        with os.scandir(self.fd) as entries:
            if next(entries, None) is not None:
                self.close()
                raise self._intruder()
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            locked = False
        except OSError:
            return True  # no locks on this file system: nobody can remove leftovers, either
        else:
            status = os.fstat(self.fd)
            locked = identity(os.fsencode(self.name), self._target.fd) == (status.st_dev, status.st_ino)
        if not locked:
            self.close()
        return locked

    def _intruder(self) -> TargetError:
        return TargetError(
            f"{printable(self._target.path_of(self.name))}: another user has replaced bakthat's own "
            "directory; nothing was restored; restore into a directory where only you may write"
        )


def sweep(target: int) -> None:
    """Remove leftovers of killed restores in this directory. Failures are ignored."""
    try:
        with opened(".", LIST, target) as here, os.scandir(here) as entries:
            names = [entry.name for entry in entries if _OURS.fullmatch(entry.name)]
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError), opened(name, LIST, target) as fd:
            # Another user may have created a directory of such a name to mislead us, for example in /tmp
            if not _is_private(fd, target):
                continue
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with os.scandir(fd) as entries:
                # One of our own directories that somebody has renamed to such a name
                if not all(_INSIDE.fullmatch(entry.name) for entry in entries):
                    continue
            _give_back(fd, target)
            retire_old(fd)
            if empty(fd) is None:
                os.rmdir(name, dir_fd=target)


def retire_old(private: int) -> None:
    """Mark everything in `old` as finally replaced. It is one step, before any of it is removed, so that after a kill
    the rest is not put back."""
    with contextlib.suppress(FileNotFoundError):
        os.rename("old", "replaced", src_dir_fd=private, dst_dir_fd=private)


def _is_private(fd: int, target: int) -> bool:
    """Whether it is ours, and closed to others."""
    status = os.fstat(fd)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
        return True
    # Some file systems have no owners (FAT) or map them (NFS, for root): a new file shows which
    name = PREFIX + os.urandom(8).hex()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with opened(name, flags, target, mode=0o600) as probe:
        usual = os.fstat(probe)
        os.unlink(name, dir_fd=target)
    return status.st_uid == usual.st_uid and not status.st_mode & ~usual.st_mode & 0o066


def _give_back(private: int, target: int) -> None:
    """Put old entries back. Where names cannot be exchanged, a killed restore may have moved the old entry away without
    putting the new one in place. Raises OSError if that fails; then nothing must be removed."""
    if not exists(b"old", private):
        return
    with opened("old", LIST, private) as old:
        with os.scandir(old) as entries:
            numbers = [os.fsencode(entry.name) for entry in entries if entry.name.isdigit()]
        for number in numbers:
            *parents, name = noted_path(number, old).split(b"/")
            with descended(target, parents) as directory:
                if not exists(name, directory):
                    os.rename(number, name, src_dir_fd=old, dst_dir_fd=directory)
