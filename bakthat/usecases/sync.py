"""`sync`: updates the database from the store. With an empty database it is the disaster recovery.

It never writes to the store and never deletes from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.chain import BaseNotRecorded, Chains
from bakthat.domain.object_key import check_key
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BakthatError, ChainBroken, InvalidName
from bakthat.usecases.destinations.base import Found
from bakthat.usecases.syncing.former_location import rewrite_former
from bakthat.usecases.syncing.leftovers import tell_of_leftovers
from bakthat.usecases.syncing.run import Complaints, SyncRun, mark_vanished, take_in
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class SyncReport:
    """What a sync changed, or would change. `updated`: rows whose catalog entry was newer, or that had a former
    location of the store."""

    added: tuple[Backup, ...] = ()
    vanished: tuple[Backup, ...] = ()
    updated: tuple[Backup, ...] = ()
    unreadable: tuple[str, ...] = field(default=())
    """Archives whose catalog entry cannot be read, or does not match: they are listed by name, size and date alone, or
    their record is not changed."""


@define(kw_only=True)
class Synced:
    """The results of syncing several destinations, by name, and the failures."""

    reports: dict[str, SyncReport] = field(factory=dict)
    failures: dict[str, BakthatError] = field(factory=dict)

    @property
    def together(self) -> SyncReport:
        """The reports of all destinations as one."""
        reports = self.reports.values()
        return SyncReport(
            added=tuple(backup for report in reports for backup in report.added),
            vanished=tuple(backup for report in reports for backup in report.vanished),
            updated=tuple(backup for report in reports for backup in report.updated),
            unreadable=tuple(name for report in reports for name in report.unreadable),
        )


def sync(destination_name: str, tools: Tools, *, dry_run: bool = False) -> SyncReport:
    """Add archives that the database does not know, mark those that are gone as deleted, take newer catalog entries.

    An archive that another machine stores during the sync is found the next time. A bad archive or entry is skipped and
    named through `tools.notice`. Raises `StoreError`, `DatabaseError`, `RetrievalPending` (a vault's inventory).
    """
    destination = tools.destination(destination_name)
    # The rows first, then the listing: an archive missing in a later listing is really gone, while an archive stored in
    # between is at worst seen twice.
    query = Query(backend=destination.name, owners=(destination.owner,), deleted=True)
    rows = {row.stored_filename: row for row in tools.repo.find(query)}
    with Complaints(tools.notice) as complain:
        run = SyncRun(destination=destination, tools=tools, query=query, dry_run=dry_run, complain=complain)
        archives = _backups_among(run, rows)
        rewritten = rewrite_former(rows, archives, destination, tools, dry_run=dry_run)
        rows |= {row.stored_filename: row for row in rewritten}
        taken = take_in(run, list(archives.values()), rows)
        vanished = mark_vanished(run, rows, archives)
        gone = [row.deleted(tools.clock()) for row in vanished]
        known = rows | {row.stored_filename: row for row in (*taken.added, *taken.updated, *gone)}
        _complain_of_broken_chains(list(known.values()), complain)
    tell_of_leftovers(destination, tools)
    return SyncReport(
        added=taken.added,
        vanished=vanished,
        updated=(*rewritten, *taken.updated),
        unreadable=taken.unreadable,
    )


def _complain_of_broken_chains(rows: Sequence[Backup], complain: Callable[[str], None]) -> None:
    """Name the incremental backups that cannot be restored, because one that they need is not there."""
    if not any(row.is_incremental for row in rows):
        return
    chains = Chains(rows)
    for row in sorted(rows, key=newest_first):
        if row.is_incremental and not row.is_deleted:
            try:
                chains.chain(row)
            except BaseNotRecorded as error:
                complain(f"{error}; what reads the backup asks the archive")
            except ChainBroken as error:
                complain(f"{error}; it cannot be restored as a whole")


def _backups_among(run: SyncRun, rows: Mapping[str, Backup]) -> dict[str, Found]:
    """The archives of a listing by name: those that are known, have an entry, or have a stored filename as their
    name."""
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
