"""What a file system supports of SQLite's needs. It is tested with a file beside the database, because closing a
descriptor of the database itself would drop all locks that this process holds on it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
from collections.abc import Iterator

_PROBE = "-probe"
_PAGE = 4096
_HELD = frozenset({errno.EAGAIN, errno.EACCES})
"""The errors of fcntl(2) if another process holds the lock."""


def can_share_memory(database: str) -> bool:
    """Whether processes can share memory through a file, as WAL requires. sshfs, 9p and some other mounts cannot. True
    if it cannot be determined."""
    with _probe(database) as fd:
        if fd is None:
            return True
        try:
            os.ftruncate(fd, _PAGE)
            mmap.mmap(fd, _PAGE).close()
        except OSError:
            return False
        return True


def has_locks(database: str) -> bool:
    """Whether files can be locked there, as SQLite locks them. True if it cannot be determined."""
    with _probe(database) as fd:
        if fd is None:
            return True
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _HELD
        return True


@contextlib.contextmanager
def _probe(database: str) -> Iterator[int | None]:
    """An open file beside the database; None if none can be created."""
    path = database + _PROBE
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(path)
