"""Directories by descriptor: every step is relative to an open directory. So no symbolic link is followed, even if one
is put in place meanwhile, and the length of a whole path does not matter."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence

SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags to open a directory in order to work in it. O_PATH needs no permission to read the directory, only to
search."""
LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags to open a directory in order to list or lock it."""
ENTRY = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags to open something other than a directory, without reading it or waiting."""
NO_DIRECTORY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Errors of opening with these flags: nothing there, a file, or a symbolic link (ENOTDIR or ELOOP)."""


@contextlib.contextmanager
def opened(name: bytes | str, flags: int, directory: int, mode: int = 0) -> Iterator[int]:
    """Open an entry of the directory and return its descriptor. `mode`: of a new file."""
    fd = os.open(name, flags, mode, dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def descended(directory: int, parts: Sequence[bytes]) -> Iterator[int]:
    """Open a directory further down, part by part, and return its descriptor."""
    with contextlib.ExitStack() as on_the_way:
        for part in parts:
            directory = on_the_way.enter_context(opened(part, SEARCH, directory))
        yield directory


def exists(name: bytes, directory: int) -> bool:
    """Whether an entry with this name exists; a symbolic link counts, wherever it points."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def identity(name: bytes, directory: int) -> tuple[int, int] | None:
    """Return `(st_dev, st_ino)` of the entry, or None if it does not exist."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def set_mode(fd: int, mode: int) -> None:
    """Set the permissions of an open entry, also if opened with `SEARCH`, for which fchmod(2) does not work."""
    if hasattr(os, "O_PATH"):
        os.chmod(f"/proc/self/fd/{fd}", mode)
    else:
        os.fchmod(fd, mode)


def allow(fd: int, bits: int) -> int | None:
    """Give the owner these permissions on an open entry. Return the previous mode, or None if nothing was changed."""
    mode = os.fstat(fd).st_mode & 0o7777
    if mode & bits == bits:
        return None
    set_mode(fd, mode | bits)
    return mode


def empty(directory: int) -> OSError | None:
    """Remove everything in the directory, at any depth and with any modes. Continues after a failure, and returns the
    first.

    A nested directory is first moved up into the outermost one. So only one is open at a time, and a mount point, which
    cannot be moved, is never entered.
    """
    failure: OSError | None = None
    token = os.urandom(8).hex()
    moved = 0

    def clear(inner: int, names_up: list[str]) -> None:
        nonlocal failure, moved
        with os.scandir(inner) as entries:
            for entry in entries:
                try:
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry.name, dir_fd=inner)
                    elif inner == directory:
                        names_up.append(entry.name)
                    else:
                        moved += 1
                        up = f"{token}-{moved}"
                        _move_up(entry.name, inner, up, directory)
                        names_up.append(up)
                except OSError as error:
                    failure = failure or error

    waiting: list[str] = []
    try:
        clear(directory, waiting)
    except OSError as error:
        return error
    while waiting:
        name = waiting.pop()
        try:
            with _opened_at_any_rate(name, directory) as inner:
                clear(inner, waiting)
            os.rmdir(name, dir_fd=directory)
        except OSError as error:
            failure = failure or error
    return failure


def _move_up(name: str, inner: int, up: str, outer: int) -> None:
    try:
        os.rename(name, up, src_dir_fd=inner, dst_dir_fd=outer)
    except PermissionError:
        # Its ".." changes, so the directory itself must be writable
        with opened(name, SEARCH, inner) as fd:
            allow(fd, 0o700)
        os.rename(name, up, src_dir_fd=inner, dst_dir_fd=outer)


@contextlib.contextmanager
def _opened_at_any_rate(name: str, directory: int) -> Iterator[int]:
    with opened(name, SEARCH, directory) as fd:
        with contextlib.suppress(PermissionError):
            allow(fd, 0o700)
        with opened(".", LIST, fd) as inner:
            yield inner
