"""A file that gets its name in a folder only when it is complete and synced, and that never replaces another."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from types import TracebackType

from attrs import frozen

from bakthat.adapters.filesystem.linux import NO_HARD_LINKS, NO_SUCH_CALL, NOREPLACE, RenameWithFlags, rename_with_flags
from bakthat.adapters.streams import write_all

TEMPORARY = ".bakthat-put-"
"""The prefix of files that are incomplete, or claim a name."""

ABANDONED_AFTER = 12 * 3600.0
"""Seconds without a change after which an unlocked temporary file is a leftover. The lock alone is not sufficient: a
network mount may have no locks, or only local ones, and the file may belong to another machine."""

NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
"""Flags of a new file. It is locked while it is written, so that a leftover of a killed process can be
distinguished."""

_NO_SUCH_RENAME = NO_SUCH_CALL | {errno.EPERM}
"""EPERM: the answer of some sandboxes to an unknown system call."""

_COPY = 1024 * 1024


def _unnamed(folder: int) -> int:
    """Open a new file without a name, which disappears with its writer (open(2), O_TMPFILE). Raises OSError if the
    system or the file system does not support this."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)


@frozen(kw_only=True)
class FileCalls:
    """System calls that some file systems lack. `link`: os.link. `rename`: renameat2(2).
    `unnamed`: opens a new file without a name. `lock`: fcntl.flock."""

    link: Callable[..., None] = os.link
    rename: RenameWithFlags = rename_with_flags
    unnamed: Callable[[int], int] = _unnamed
    lock: Callable[[int, int], None] = fcntl.flock


class WholeFile:
    """A context: a new file, open as `fd`; `publish` gives it its name. An unpublished file is removed at the end.

    While it is written it has no name, if the system supports that, else a hidden one, which `remove_leftovers` removes
    some time after its writer was killed.
    """

    def __init__(self, folder: int, calls: FileCalls) -> None:
        """`folder`: an open directory, which stays open."""
        self.fd = -1
        self._folder = folder
        self._calls = calls
        self._name: str | None = None

    def __enter__(self) -> WholeFile:
        try:
            self.fd = self._calls.unnamed(self._folder)
        except OSError:
            self.fd, self._name = _named(self._folder, self._calls)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._name is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
        # The published file was synced before: an error now does not concern it
        with contextlib.suppress(OSError):
            os.close(self.fd)

    def publish(self, name: str, *, replace: bool = False) -> None:
        """Sync the content, give the file this name, and sync the name. Raises `FileExistsError` if the name exists,
        unless `replace`.

        The name is given by a hard link, which never replaces. Without hard links, by renameat2(2) with
        RENAME_NOREPLACE. Without that call, by a plain rename while a hidden file claims the name, which protects
        against all users of this class.
        """
        os.fsync(self.fd)
        if replace:
            os.replace(self._own_name(), name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._name = None
        elif not (self._linked(name) or self._renamed(name)):
            with _claimed(name, self._folder, self._calls, now=os.fstat(self.fd).st_mtime):
                self._rename_if_free(name)
        sync_folder(self._folder)

    def _linked(self, name: str) -> bool:
        source, source_folder = self._name or f"/proc/self/fd/{self.fd}", self._folder if self._name else None
        try:
            self._calls.link(source, name, src_dir_fd=source_folder, dst_dir_fd=self._folder, follow_symlinks=True)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            return False
        return True

    def _renamed(self, name: str) -> bool:
        source = os.fsencode(self._own_name())
        try:
            self._calls.rename(self._folder, source, self._folder, os.fsencode(name), NOREPLACE)
        except OSError as error:
            if error.errno not in _NO_SUCH_RENAME:
                raise
            return False
        self._name = None
        return True

    def _rename_if_free(self, name: str) -> None:
        try:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(self._own_name(), name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._name = None
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _own_name(self) -> str:
        """The hidden name; if the file has none yet, it gets one: by a link, or by a copy if there are no links."""
        if self._name is None:
            name = _temporary_name()
            if self._linked(name):
                self._name = name
            else:
                copy, self._name = _named(self._folder, self._calls)
                written, self.fd = self.fd, copy
                _copy(written, copy)
                os.close(written)
                os.fsync(copy)
        return self._name


def remove_leftovers(folder: int, calls: FileCalls, now: float) -> None:
    """Remove leftovers of killed writers in the folder. `now`: the current time of the file system in epoch seconds,
    such as that of a new file: a server's clock may differ from this machine's."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(TEMPORARY)]
    for name in names:
        _remove_leftover(name, folder, calls, now)


def leftovers_in(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the hidden files of writers, killed or not, in a folder and all below it: their paths, and what they are.
    What cannot be read is left out."""
    # Not `os.walk`: before Python 3.12 it is recursive, and somebody may have put a thousand folders into each other.
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                here = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in here:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.startswith(TEMPORARY) and entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.stat(follow_symlinks=False)


def remove_unlocked(path: str, calls: FileCalls) -> bool:
    """Remove the hidden file of a writer, unless the writer has it locked. Return whether it is gone."""
    folder, name = os.path.split(path)
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return _remove_leftover(name, fd, calls, now=0.0, older_than=-math.inf)
    finally:
        os.close(fd)


def sync_folder(folder: int) -> None:
    """Sync the folder's names. Some network mounts do not support that; they write names at once."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}:
            raise


def _temporary_name() -> str:
    return f"{TEMPORARY}{secrets.token_hex(8)}"


def _named(folder: int, calls: FileCalls) -> tuple[int, str]:
    while True:
        name = _temporary_name()
        fd = _locked_new(name, folder, calls)
        if fd is not None:
            return fd, name


def _locked_new(name: str, folder: int, calls: FileCalls) -> int | None:
    """Create a file with this name, open and locked; None if it was removed as a leftover before it was locked. Raises
    `FileExistsError`."""
    fd = os.open(name, NEW_FILE, 0o600, dir_fd=folder)
    try:
        with contextlib.suppress(OSError):  # a network mount may have no locks
            calls.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=folder, follow_symlinks=False)):
                return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


@contextlib.contextmanager
def _claimed(name: str, folder: int, calls: FileCalls, now: float) -> Iterator[None]:
    """Hold the claim of this name for the block. Raises `FileExistsError` if another process holds it, which is about
    to publish a file with this name."""
    claim = f"{TEMPORARY}claim-{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}"
    fd = None
    while fd is None:
        try:
            fd = _locked_new(claim, folder, calls)
        except FileExistsError:
            if not _remove_leftover(claim, folder, calls, now):
                raise
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(claim, dir_fd=folder)
        os.close(fd)


def _remove_leftover(name: str, folder: int, calls: FileCalls, now: float, older_than: float = ABANDONED_AFTER) -> bool:
    """Remove the file if it is a leftover: nobody has it locked, and it has not changed for so many seconds. Return
    whether it is gone."""
    try:
        # Non-blocking: it may be a fifo that somebody has put there, without a writer.
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or now - found.st_mtime < older_than:
            return False
        with contextlib.suppress(OSError):
            try:
                calls.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        os.unlink(name, dir_fd=folder)
    except OSError as error:
        return error.errno == errno.ENOENT
    finally:
        os.close(fd)
    return True


def _copy(source: int, target: int) -> None:
    position = 0
    while piece := os.pread(source, _COPY, position):
        position += len(piece)
        write_all(target, piece)
