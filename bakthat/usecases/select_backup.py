"""Selects a backup by name or by record: applies the selector's rule to the database, within one destination."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.parameter import parameter
from bakthat.domain.query import Query, newest_first
from bakthat.domain.selector import Lookup, OfAnotherHost, Viewpoint, dates_of, nearest, of_host, select
from bakthat.errors import BackupNotFound
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools


def choose(name: str | Backup, destination: Destination, tools: Tools, *, host: str | None = None) -> Backup:
    """The backup that NAME means in this destination; with `host`, only of that host. Gives notices about the choice.
    A record means its own backup, never another one of that name; what the database knows about it now is returned.

    Raises `AmbiguousName`, and `BackupNotFound` with similar names or the other destination that has such a backup."""

    def held(query: Query) -> Iterable[Backup]:
        return tools.repo.find(evolve(query, backend=destination.name, owners=(destination.owner,)))

    if isinstance(name, Backup):
        rows = [row for row in held(Query(stored_filename=name.stored_filename)) if row.same_backup_as(name)]
        if not rows or not name.belongs_to(destination.owner):
            raise BackupNotFound(_record_not_found(name, destination, tools))
        return of_host(name.stored_filename, max(rows, key=newest_first), host)
    lookup = Lookup(
        by_stored_filename=lambda text: held(Query(stored_filename=text)),
        by_filename=lambda text: held(Query(filename=text)),
    )
    try:
        choice = select(name, lookup, Viewpoint(here=tools.host(), now=tools.clock(), host=host))
    except OfAnotherHost:
        raise
    except BackupNotFound:
        raise BackupNotFound(not_found(name, destination, tools)) from None
    for notice in choice.notices:
        tools.notice(notice)
    return choice.backup


def _record_not_found(backup: Backup, destination: Destination, tools: Tools) -> str:
    if backup.location is None or backup.belongs_to(destination.owner):
        return (
            f"{backup.stored_filename}: the database has no such backup in {destination.name} "
            f"({destination.owner.location}) any more"
        )
    return (
        f"{backup.stored_filename}: this record is of a backup in {backup.location}, and {destination.name} of this "
        f"profile is {destination.owner.location}; open the profile of the other one"
    )


def not_found(name: str, destination: Destination, tools: Tools) -> str:
    """The error message with the way out: similar names, or the destination that has such a backup."""
    here: list[Backup] = []
    elsewhere: set[str] = set()
    for backup in tools.repo.find(Query()):
        if backup.belongs_to(destination.owner):
            here.append(backup)
        elif name in {backup.filename, backup.stored_filename}:
            elsewhere.add(backup.backend)
    text = f"{name}: no such backup in {destination.name} ({destination.owner.location})"
    if destination.name in elsewhere:
        return (
            f"{text}; a backup of this name is in another bucket or folder, or its record has no location: try "
            "another profile (`profile=`), `sync()`, or `restore_from()`"
        )
    if "swift" in elsewhere:
        return f"{text}; there is one in Swift, which is no longer supported: see docs/from-2013.md"
    if elsewhere:
        names = " or ".join(parameter("destination", backend) for backend in sorted(elsewhere))
        return f"{text}; there is one elsewhere, try {names} or another profile (`profile=`)"
    if dates := dates_of(name, here):
        return f"{text}; {dates}"
    alike = nearest(name, {backup.filename for backup in here})
    if alike:
        return f"{text}; did you mean {' or '.join(alike)}?"
    return f"{text}; `bakthat show` lists the backups, `bakthat sync` finds those made by other machines"
