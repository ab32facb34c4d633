"""`known_names`: names in a database of backups, for a shell that completes a word."""

from __future__ import annotations

from typing import Literal

from peewee import fn

from bakthat.adapters.database.peewee_repo import open_engine
from bakthat.adapters.database.tables import BACKUPS

_BUSY_TIMEOUT = 0.5
"""Seconds. A person is waiting for the words."""

_CONNECT_TIMEOUT = 2
"""Seconds, for PostgreSQL."""


def known_names(database: str, column: Literal["filename", "stored_filename"], prefix: str, *, most: int) -> list[str]:
    """Return the series, or the stored filenames, that begin with the prefix, in their order; at most `most`.

    Reads only: a database that does not exist is not created.

    Raises:
        BakthatError: The database cannot be read.
    """
    if "://" in database and not database.startswith("sqlite:") and "connect_timeout=" not in database:
        database += f"{'&' if '?' in database else '?'}connect_timeout={_CONNECT_TIMEOUT}"
    names = getattr(BACKUPS, column)
    statement = (
        BACKUPS.select(names)
        .where(fn.COALESCE(BACKUPS.is_deleted, 0) == 0, fn.SUBSTR(names, 1, len(prefix)) == prefix)
        .distinct()
        .order_by(names)
        .limit(most)
    )
    with open_engine(database, busy_timeout=_BUSY_TIMEOUT).reading("backups") as opened:
        return [] if opened is None else [str(name) for (name,) in opened.execute(statement).fetchall()]
