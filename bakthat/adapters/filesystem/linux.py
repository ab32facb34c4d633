"""Linux calls that Python's `os` lacks: renameat2(2), syncfs(2), the list of mounts; and the errors of link(2)."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
from collections.abc import Callable
from typing import Any

NOREPLACE = 1
"""RENAME_NOREPLACE: fail with EEXIST if the new name exists (linux/fs.h)."""
EXCHANGE = 2
"""RENAME_EXCHANGE: exchange the two names atomically (linux/fs.h)."""

RenameWithFlags = Callable[[int, bytes, int, bytes, int], None]
"""Takes directory and name, new directory and new name, and one of the flags. Raises OSError; with one of
`NO_SUCH_CALL` if the system or the file system does not support the flag."""

NO_SUCH_CALL = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})

NO_HARD_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EMLINK, errno.EXDEV}
)
"""Errors of link(2) without hard links: EPERM from the kernel itself (exFAT, FAT), EOPNOTSUPP from CIFS, ENOSYS from
FUSE. The others are treated alike; a real lack of permission fails again at the next attempt."""


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def rename_with_flags(directory: int, name: bytes, new_directory: int, new_name: bytes, flag: int) -> None:
    """renameat2(2), of Linux 3.15 and glibc 2.28; ENOSYS elsewhere."""
    call = getattr(_libc(), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    _check(call(directory, ctypes.c_char_p(name), new_directory, ctypes.c_char_p(new_name), ctypes.c_uint(flag)))


def sync_file_system(fd: int) -> None:
    """Sync everything written to the file system of `fd`; raises OSError if the disk refused any of it."""
    call = getattr(_libc(), "syncfs", None)
    if call is None:
        os.sync()
    else:
        _check(call(fd))


def has_default_acl(directory: int) -> bool:
    """Whether new files in this directory inherit an access control list from it."""
    try:
        return bool(os.getxattr(directory, "system.posix_acl_default"))
    except (OSError, AttributeError):
        return False


def mounts_below(path: str) -> list[str]:
    """The mount points at or below this absolute path, which must not contain symbolic links; empty if the system does
    not list them."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            # proc(5): the fifth field, with spaces and the like in octal
            points = [
                re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split(" ")[4]) for line in lines
            ]
    except OSError:
        return []
    inside = path.rstrip("/") + "/"
    return [point for point in points if point == path or point.startswith(inside)]
