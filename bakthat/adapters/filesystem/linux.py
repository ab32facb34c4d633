"""What Linux has and Python's `os` has not: renameat2(2), syncfs(2), the list of mounts; and what link(2) says."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
from collections.abc import Callable
from typing import Any

NOREPLACE = 1
"""RENAME_NOREPLACE: fail with EEXIST where the new name is taken (linux/fs.h)."""
EXCHANGE = 2
"""RENAME_EXCHANGE: the two names change places in one step (linux/fs.h)."""

RenameWithFlags = Callable[[int, bytes, int, bytes, int], None]
"""Directory and name, new directory and new name, one of the flags. Raises OSError; with one of `NO_SUCH_CALL` where
the system or the file system does not know the flag."""

NO_SUCH_CALL = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})

NO_HARD_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EMLINK, errno.EXDEV}
)
"""What link(2) says where there are no hard links: EPERM the kernel itself (exFAT, FAT), EOPNOTSUPP CIFS, ENOSYS FUSE.
The others are taken for the same; what must not be written says so again at the next attempt."""


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
    """Have everything written to the file system of `fd` on its disk; raises OSError if the disk refused any of it."""
    call = getattr(_libc(), "syncfs", None)
    if call is None:
        os.sync()
    else:
        _check(call(fd))


def has_default_acl(directory: int) -> bool:
    """Whether new files in this directory get an access control list from it."""
    try:
        return bool(os.getxattr(f"/proc/self/fd/{directory}", "system.posix_acl_default"))
    except (OSError, AttributeError):
        return False


def mounts_below(path: str) -> list[str]:
    """Where something is mounted at or below this absolute path, which has no symbolic link in it; nothing where the
    system does not tell."""
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
