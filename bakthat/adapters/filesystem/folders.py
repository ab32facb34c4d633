"""Folders whose names survive a power cut."""

from __future__ import annotations

import contextlib
import os

from bakthat.adapters.filesystem.whole_file import sync_folder


def make_folders(path: str) -> None:
    """Create missing folders, accessible only to their owner. Each name is synced before the folder is used. Raises
    OSError."""
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, mode=0o700)
        sync_names(os.path.dirname(folder))


def sync_names(folder: str) -> None:
    """Sync the names in this folder to disk. Raises OSError."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return  # it may be writable but not readable, and so cannot be synced
    try:
        sync_folder(fd)
    finally:
        os.close(fd)
