"""`target_error`: converts an error of the disk to one line with the way out."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.errors import TargetError

_WAY_OUT = {
    errno.ENOSPC: "make room there, or restore elsewhere with `target=`",
    errno.EDQUOT: "make room there, or restore elsewhere with `target=`",
    errno.EACCES: "restore elsewhere with `target=`, or as a user who may write there",
    errno.EPERM: "restore elsewhere with `target=`, or as a user who may write there",
    errno.ENAMETOOLONG: "this file system does not support such a name, restore elsewhere with `target=`",
    errno.EFBIG: "this file system does not support a file of this size, restore elsewhere with `target=`",
    errno.ENOTDIR: "name a directory with `target=`",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def target_error(error: OSError, path: Path | str) -> TargetError:
    """The error for a path of a restore that the system refused."""
    way_out = _WAY_OUT.get(error.errno or 0, "restore elsewhere with `target=`")
    return TargetError(f"{printable(os.fspath(path))}: {error.strerror or error}; nothing was restored: {way_out}")
