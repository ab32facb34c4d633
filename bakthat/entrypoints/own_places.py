"""Finds bakthat's own data on this machine: no backup contains it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bakthat.domain.profile import Profile
from bakthat.ports.object_store import ObjectStore

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.exclusions import OwnThings


def own_things(
    source: Path, profile: Profile, others: Iterable[Profile], stores: Mapping[str, ObjectStore]
) -> OwnThings:
    """Return bakthat's own data below or around the source: local stores, databases and the cache."""
    from bakthat.adapters.packing.writing.own_things import find_own_things

    folders = [(name, store.location) for name, store in stores.items() if store.location.startswith("file://")]
    folders.append(("" if "local" in stores else "local", profile.local_path))
    folders += [("", other.local_path) for other in others]
    databases = [_database_file(one.database) for one in (profile, *others)]
    cache = cache_folder()
    return find_own_things(
        source,
        stores=[(name, path) for name, folder in folders if (path := _path(folder))],
        databases=[path for database in databases if database and (path := _path(database))],
        caches=[cache] if cache is not None else [],
    )


def cache_folder() -> Path | None:
    """Return bakthat's folder below the user's cache (XDG Base Directory Specification); None without a home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    folder = _path(given if os.path.isabs(given) else "~/.cache")  # the specification ignores a relative path
    return None if folder is None else folder / "bakthat"


def lock_folder() -> Path | None:
    """Return the folder of the locks of jobs, below the user's state (XDG Base Directory Specification); None without a
    home. Not the specification's folder for sockets and locks: cron jobs do not have it."""
    given = os.environ.get("XDG_STATE_HOME", "")
    folder = _path(given if os.path.isabs(given) else "~/.local/state")
    return None if folder is None else folder / "bakthat" / "locks"


def _path(setting: str) -> Path | None:
    """Return the path, or None if it begins with `~` and there is no home directory."""
    if setting.startswith("file://"):
        return Path(unquote(urlsplit(setting).path))
    try:
        return Path(setting).expanduser()
    except RuntimeError:
        return None


def _database_file(database: str) -> str:
    """Return the file of a SQLite database; "" for any other database."""
    if database.startswith("sqlite://"):
        return database.removeprefix("sqlite://").removeprefix("/")
    return "" if "://" in database else database
