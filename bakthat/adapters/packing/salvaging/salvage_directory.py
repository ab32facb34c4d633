"""`salvage_directory`: the new directory that takes what is salvaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.domain.salvage import DIRECTORY_SUFFIX
from bakthat.errors import PayloadDamaged, TargetExists

_LONGEST_NAME = 255
"""Bytes: NAME_MAX of limits.h."""


@contextlib.contextmanager
def salvage_directory(into: Path, name: str) -> Iterator[tuple[StagingDirectory, bytes]]:
    """A new directory for what is salvaged, which is not in place yet, and its name. Raises TargetExists."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise PayloadDamaged(f"nothing can be called {name!r}, as this backup says; nothing was salvaged")
    suffix = os.fsencode(DIRECTORY_SUFFIX)
    directory = os.fsencode(name)[: _LONGEST_NAME - len(suffix)] + suffix
    with StagingDirectory(into) as staging:
        try:
            staging.check(directory)
        except TargetExists:
            raise TargetExists(
                f"{printable(os.path.join(into, os.fsdecode(directory)))} already exists, and salvaging replaces "
                "nothing: move it away, or salvage into another directory with `target=DIR`"
            ) from None
        try:
            os.mkdir(directory, staging.default_mode, dir_fd=staging.fd)
            yield staging, directory
        except FileExistsError:
            raise
        except OSError as error:
            raise target_error(error, os.path.join(into, os.fsdecode(directory))) from error
