"""Finds bakthat's own files and folders, as seen from a source: `find_own_things`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.exclusions import OwnThings

_BESIDE_A_DATABASE = ("", "-wal", "-shm", "-journal")
"""The suffixes of SQLite's files beside a database (SQLite: Temporary Files)."""


def find_own_things(
    source: Path,
    *,
    stores: Iterable[tuple[str, Path]],
    databases: Iterable[Path],
    caches: Iterable[Path],
) -> OwnThings:
    """`stores`: folders of local destinations, each with the destination's name in the profile that makes the backup,
    empty for another profile's. `databases`: files of SQLite. None of them need exist; nothing is opened."""
    real_source = os.path.realpath(source)
    below: dict[str, None] = {}
    around: dict[str, set[str]] = {}
    store_folders: set[str] = set()
    for name, folder in [*stores, *(("", cache) for cache in caches)]:
        real = os.path.realpath(folder)
        if _is_below(real, real_source):
            below[real] = None
        elif real == real_source or _is_below(real_source, real):
            around.setdefault(real, set()).add(name)
    for _, folder in stores:
        store_folders.add(os.path.realpath(folder))
    for database in databases:
        real = os.path.realpath(database)
        below.update((real + ending, None) for ending in _BESIDE_A_DATABASE if _is_below(real, real_source))
    innermost = max(around, key=len, default="")
    return OwnThings(
        paths=tuple(below),
        folder=printable(innermost),
        is_store=innermost == real_source and innermost in store_folders,
        destinations=frozenset(around.get(innermost, ())) - {""},
    )


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, "")) and path != folder
