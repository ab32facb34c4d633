"""Notices about the series that a new backup joins."""

from __future__ import annotations

from datetime import datetime

from bakthat.domain.backup import Backup
from bakthat.domain.origin import listed, origins, shown
from bakthat.domain.query import Query, newest_first
from bakthat.domain.rotation import is_later
from bakthat.errors import DatabaseError
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools


def tell_of_neighbours(draft: Backup, destination: Destination, tools: Tools) -> None:
    """Notify the user if, according to the database, the series already has backups of another origin, or one with a
    later date. An unusable database is ignored here."""
    query = Query(filename=draft.filename, backend=destination.name, owners=(destination.owner,))
    try:
        series = [row for row in tools.repo.find(query) if not row.is_value]
    except DatabaseError:
        return
    for line in (_of_others(draft, series), _of_later_ones(draft.filename, series, draft.when)):
        if line:
            tools.notice(line)


def _of_others(draft: Backup, series: list[Backup]) -> str:
    others = [origin for origin, members in origins([draft, *series]) if draft not in members]
    if not others:
        return ""
    return (
        f"{shown(draft.filename)}: this name also has backups of {listed(others)}; each origin is rotated separately. "
        "Use `name=` or s3_prefix to separate them; set `host` if the name of the machine changes"
    )


def _of_later_ones(filename: str, series: list[Backup], now: datetime) -> str:
    later = [row for row in series if is_later(row, now)]
    if not later:
        return ""
    last = max(later, key=newest_first)
    return (
        f"{shown(filename)}: {last.stored_filename} is dated after this backup, so one of the clocks is wrong; "
        "`restore` takes the newest that is not dated after now"
    )
