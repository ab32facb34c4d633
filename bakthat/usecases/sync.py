"""`sync`: makes the database agree with the store. On an empty database it is the disaster recovery.

It never writes to the store and never deletes from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.object_key import check_key
from bakthat.domain.query import Query
from bakthat.errors import BakthatError, InvalidName
from bakthat.usecases.destinations.base import Found
from bakthat.usecases.syncing.former_location import rewrite_former
from bakthat.usecases.syncing.run import Complaints, SyncRun, mark_vanished, take_in
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class SyncReport:
    """What a sync changed, or would change. `updated`: their catalog entry was newer than the row, or the
    row had a former location of the store."""

    added: tuple[Backup, ...] = ()
    vanished: tuple[Backup, ...] = ()
    updated: tuple[Backup, ...] = ()
    unreadable: tuple[str, ...] = field(default=())
    """Archives whose catalog entry cannot be read, or does not fit: they are listed from name, size and date alone, or
    their record stays as it is."""


@define(kw_only=True)
class Synced:
    """What syncing several destinations changed, by their names, and why it could not."""

    reports: dict[str, SyncReport] = field(factory=dict)
    failures: dict[str, BakthatError] = field(factory=dict)


def sync(destination_name: str, tools: Tools, *, dry_run: bool = False) -> SyncReport:
    """Add archives that the database does not know, mark those that are gone as deleted, take newer catalog entries.

    An archive that another machine is still uploading is neither there yet nor in the database; one that it stores
    meanwhile is found the next time. An archive or an entry that is odd costs itself, and `tools.notice`
    is called with it. Raises `StoreError`, `DatabaseError`, `RetrievalPending` (a vault's list).
    """
    destination = tools.destination(destination_name)
    # The rows first, the listing after: a row whose archive is not in a later listing is gone indeed, while an archive
    # that is stored in between is at worst met twice.
    query = Query(backend=destination.name, owners=(destination.owner,), deleted=True)
    rows = {row.stored_filename: row for row in tools.repo.find(query)}
    with Complaints(tools.notice) as complain:
        run = SyncRun(destination=destination, tools=tools, query=query, dry_run=dry_run, complain=complain)
        archives = _backups_among(run, rows)
        rewritten = rewrite_former(rows, archives, destination, tools, dry_run=dry_run)
        rows |= {row.stored_filename: row for row in rewritten}
        taken = take_in(run, list(archives.values()), rows)
        vanished = mark_vanished(run, rows, archives)
    return SyncReport(
        added=taken.added,
        vanished=vanished,
        updated=(*rewritten, *taken.updated),
        unreadable=taken.unreadable,
    )


def _backups_among(run: SyncRun, rows: Mapping[str, Backup]) -> dict[str, Found]:
    """The archives of a listing by name: what is known, or has an entry, or bears a stored filename as its name."""
    archives: dict[str, Found] = {}
    for found in run.destination.found():
        name = found.stored_filename
        if name not in rows:
            if found.entry_modified is None and found.record is None and not _is_of_backup(name):
                continue
            try:
                check_key(name)
            except InvalidName as error:
                run.complain(f"left out: {error}")
                continue
        archives[name] = found
    return archives


def _is_of_backup(name: str) -> bool:
    return "/" not in name and stored_name.is_stored_name(name)
