"""Writes a small file that other programs read: they see the old content or the new, never a part of it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile

_READABLE_BY_ALL = 0o644


def replace_file(path: str | os.PathLike[str], content: str) -> None:
    """Replace the file, or create it; another kind of file, such as a pipe or a device, is written to. Raises OSError.

    The temporary file beside it begins with `.bakthat-` and has no suffix: programs that read `*.prom` do not see it.
    """
    target = os.path.realpath(path)  # a symbolic link stays
    with contextlib.suppress(FileNotFoundError):
        if not _can_be_replaced(os.stat(path), target):
            with open(path, "w", encoding="utf-8") as device:
                device.write(content)
            return
    descriptor, temporary = tempfile.mkstemp(prefix=".bakthat-", dir=os.path.dirname(target))
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, _READABLE_BY_ALL)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _can_be_replaced(found: os.stat_result, target: str) -> bool:
    """Whether it is a file that has this name. What `/dev/stdout` leads to may be a pipe, or be deleted."""
    try:
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.stat(target))
    except FileNotFoundError:
        return False
