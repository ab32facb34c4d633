"""Syncs one series, for retention."""

from __future__ import annotations

from attrs import frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.query import Query, newest_first
from bakthat.errors import InvalidName
from bakthat.usecases.destinations.base import Destination, Found
from bakthat.usecases.syncing.run import Complaints, SyncRun, mark_vanished, take_in
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class SyncedSeries:
    """A series with the current contents of its store and the database, newest first. `nameless`: archives without a
    readable catalog entry; they are not in the database, and belong to the series by their names only."""

    backups: tuple[Backup, ...]
    nameless: tuple[Backup, ...] = ()


def sync_series(filename: str, destination: Destination, tools: Tools, *, dry_run: bool = False) -> SyncedSeries:
    """Update the database from the store for exactly this series: one listing by prefix, and one read for each archive
    that the database does not know. Unlike `sync`, it records only archives that have a catalog entry, and never waits
    for an inventory.

    Raises `AccessDenied` if the credentials may not list, `StoreError`, `DatabaseError`.
    """
    query = Query(text=filename, backend=destination.name, owners=(destination.owner,), deleted=True)
    rows = {row.stored_filename: row for row in tools.repo.find(query)}
    prefix = f"{filename}."
    archives = {
        found.stored_filename: found
        for found in destination.found(prefix)
        if _is_of_series(filename, found, rows.get(found.stored_filename))
    }
    unknown = [found for found in archives.values() if _is_unknown(rows.get(found.stored_filename))]
    ours = {name: row for name, row in rows.items() if row.filename == filename}
    listed = {name: row for name, row in ours.items() if name.startswith(prefix) and destination.lists_archives}
    with Complaints(tools.notice) as complain:
        run = SyncRun(destination=destination, tools=tools, query=query, dry_run=dry_run, complain=complain)
        taken = take_in(run, unknown, rows, by_name_alone=False)
        vanished = mark_vanished(run, listed, archives)
    for row in (*taken.added, *taken.updated, *vanished):
        ours[row.stored_filename] = row
    live = [row for row in ours.values() if not row.is_deleted and row.filename == filename]
    return SyncedSeries(
        backups=tuple(sorted(live, key=newest_first, reverse=True)),
        nameless=tuple(sorted(taken.nameless, key=newest_first, reverse=True)),
    )


def series_names(destination: Destination, tools: Tools) -> list[str]:
    """The names of all series of a destination, sorted: of those in the database, and of those in the store, where it
    can be listed at once.

    Raises `AccessDenied` if the credentials may not list, `StoreError`, `DatabaseError`.
    """
    names = set(recorded_series_names(destination, tools))
    if destination.lists_archives:
        for found in destination.found():
            if "/" not in found.stored_filename and stored_name.is_stored_name(found.stored_filename):
                names.add(stored_name.parse(found.stored_filename).series)
    return sorted(names)


def recorded_series_names(destination: Destination, tools: Tools) -> list[str]:
    """The names of the series in the database, sorted."""
    query = Query(backend=destination.name, owners=(destination.owner,))
    return sorted({backup.filename for backup in tools.repo.find(query) if not backup.is_value})


def _is_of_series(filename: str, found: Found, row: Backup | None) -> bool:
    if row is not None:
        return row.filename == filename
    try:
        return stored_name.parse(found.stored_filename).series == filename
    except InvalidName:
        return False


def _is_unknown(row: Backup | None) -> bool:
    """Whether the database knows only the name of an archive, or has it marked as deleted."""
    return row is None or row.is_deleted or row.is_from_listing
