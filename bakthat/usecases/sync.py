"""`sync`: makes the database agree with the store. On an empty database it is the disaster recovery.

It never writes to the store and never deletes from it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from itertools import islice
from typing import Any

from attrs import evolve, field, frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, InvalidName, PayloadDamaged
from bakthat.usecases.destination import Destination, Found
from bakthat.usecases.former_location import rewrite_former
from bakthat.usecases.tools import Tools

_READERS = 16
"""Catalog entries that are read at once: small requests, whose time is the way there and back."""

_BATCH = 512
"""Entries that are asked for before the first of them is recorded: bounds memory, keeps the readers busy."""

_SKEW = timedelta(minutes=15)
"""How far the clocks of a store and of a machine may differ before an entry counts as newer than its row."""


@frozen(kw_only=True)
class SyncReport:
    """What a sync changed, or would change. `updated`: their catalog entry was newer than the row, or the
    row had a former location of the store."""

    added: tuple[Backup, ...] = ()
    vanished: tuple[Backup, ...] = ()
    updated: tuple[Backup, ...] = ()
    unreadable: tuple[str, ...] = field(default=())
    """Archives whose catalog entry is damaged: they are listed from name, size and date alone."""


def sync(destination_name: str, tools: Tools, *, dry_run: bool = False) -> SyncReport:
    """Add archives that the database does not know, mark those that are gone as deleted, take newer catalog entries.

    An archive that another machine is still uploading is neither there yet nor in the database; one that it stores
    meanwhile is found the next time. Raises `StoreError`, `DatabaseError`, `RetrievalPending` (a vault's list).
    """
    destination = tools.destination(destination_name)
    # The rows first, the listing after: a row whose archive is not in a later listing is gone indeed, while an archive
    # that is stored in between is at worst met twice.
    query = Query(backend=destination.name, owners=(destination.owner,), deleted=True)
    rows = {row.stored_filename: row for row in tools.repo.find(query)}
    archives = {found.stored_filename: found for found in destination.found() if _is_backup(found, rows)}
    rewritten = rewrite_former(rows, archives, destination, tools, dry_run=dry_run)
    rows |= {row.stored_filename: row for row in rewritten}

    wanted = [found for found in archives.values() if _wants_reading(found, rows.get(found.stored_filename))]
    taken = _take_in(wanted, rows, destination, tools, dry_run=dry_run)
    return SyncReport(
        added=taken.added,
        vanished=_mark_vanished(rows, archives, destination, tools, dry_run=dry_run),
        updated=(*rewritten, *taken.updated),
        unreadable=taken.unreadable,
    )


@frozen(kw_only=True)
class SyncedSeries:
    """A series as its store and the database have it now, newest first. `nameless`: archives that have no readable
    catalog entry; they are not in the database, and only their names say that they belong to the series."""

    backups: tuple[Backup, ...]
    nameless: tuple[Backup, ...] = ()


def sync_series(filename: str, destination: Destination, tools: Tools, *, dry_run: bool = False) -> SyncedSeries:
    """Make the database agree with the store for exactly this series: one listing by prefix, and one read for each
    archive that the database does not know. Unlike `sync`, it takes in only archives that have a catalog entry.

    Raises `AccessDenied` where the credentials may not list, `StoreError`, `DatabaseError`.
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
    taken = _take_in(unknown, rows, destination, tools, dry_run=dry_run, by_name_alone=False)
    ours = {name: row for name, row in rows.items() if row.filename == filename}
    listed = {name: row for name, row in ours.items() if name.startswith(prefix)}
    vanished = _mark_vanished(listed, archives, destination, tools, dry_run=dry_run)
    for row in (*taken.added, *taken.updated, *vanished):
        ours[row.stored_filename] = row
    live = [row for row in ours.values() if not row.is_deleted and row.filename == filename]
    return SyncedSeries(
        backups=tuple(sorted(live, key=newest_first, reverse=True)),
        nameless=tuple(sorted(taken.nameless, key=newest_first, reverse=True)),
    )


def _is_of_series(filename: str, found: Found, row: Backup | None) -> bool:
    if row is not None:
        return row.filename == filename
    try:
        return stored_name.parse(found.stored_filename).series == filename
    except InvalidName:
        return False


def _is_unknown(row: Backup | None) -> bool:
    """Whether the database knows no more of an archive than its name, or thinks that it is gone."""
    return row is None or row.is_deleted or bool(row.metadata.get("from_listing"))


@frozen(kw_only=True)
class _Taken:
    """What a sync took in. `nameless`: what it left out, since no catalog entry says what it is."""

    added: tuple[Backup, ...]
    updated: tuple[Backup, ...]
    unreadable: tuple[str, ...]
    nameless: tuple[Backup, ...]


def _take_in(
    wanted: Sequence[Found],
    rows: Mapping[str, Backup],
    destination: Destination,
    tools: Tools,
    *,
    dry_run: bool,
    by_name_alone: bool = True,
) -> _Taken:
    """Read the entries of these archives, and add or update their rows. `by_name_alone`: also add what has none."""
    added: list[Backup] = []
    updated: list[Backup] = []
    unreadable: list[str] = []
    nameless: list[Backup] = []
    recorded = 0  # of those in `added`
    for done, (found, entry, damaged) in enumerate(_read_entries(wanted, destination), start=1):
        tools.progress(Progress(stage="syncing", done=done, total=len(wanted), unit="backups"))
        if damaged:
            unreadable.append(found.stored_filename)
            tools.notice(f"{found.stored_filename}: {damaged}; listed from its name, size and date alone")
        if entry is not None and _is_of_another(entry, destination):
            continue
        row = rows.get(found.stored_filename)
        if row is None and entry is None and not by_name_alone:
            nameless.append(_from_listing(found, destination))
        elif row is None:
            added.append(_from_entry(entry, found, destination) if entry else _from_listing(found, destination))
            if len(added) - recorded >= _BATCH and not dry_run:
                tools.repo.put_all(added[recorded:])
                recorded = len(added)
        else:
            newer = _newer(row, entry, found, destination)
            if newer is not None:
                updated.append(newer)
                if not dry_run:
                    _replace(row, newer, tools)
    if not dry_run:
        tools.repo.put_all(added[recorded:])
    return _Taken(added=tuple(added), updated=tuple(updated), unreadable=tuple(unreadable), nameless=tuple(nameless))


def _mark_vanished(
    rows: Mapping[str, Backup],
    archives: Mapping[str, Found],
    destination: Destination,
    tools: Tools,
    *,
    dry_run: bool,
) -> tuple[Backup, ...]:
    """Mark the rows whose archives are gone as deleted."""
    vanished: list[Backup] = []
    for row in rows.values():
        # Asked once more by name: a listing that is empty by mistake must not empty the database.
        if row.stored_filename not in archives and not row.is_deleted and destination.is_gone(row):
            gone = row.deleted(tools.clock())
            vanished.append(gone)
            if not dry_run:
                _replace(row, gone, tools)
    return tuple(vanished)


def _is_backup(found: Found, rows: dict[str, Backup]) -> bool:
    """Whether an object is one of ours: it is known, or has an entry, or its name is a stored filename."""
    if found.stored_filename in rows or found.entry_modified is not None or found.record is not None:
        return True
    try:
        stored_name.parse(found.stored_filename)
    except InvalidName:
        return False
    return "/" not in found.stored_filename


def _is_of_another(entry: Backup, destination: Destination) -> bool:
    """Whether the archive is one of `glacier` in the same bucket, which the copy of the inventory may not name."""
    return (
        entry.backend != destination.name
        and entry.location == destination.owner.location
        and entry.metadata.get("archive_id") is not None
    )


def _wants_reading(found: Found, row: Backup | None) -> bool:
    if row is None or row.is_deleted:
        return True
    if found.entry_modified is None:
        return False
    if row.metadata.get("from_listing"):
        return True
    seen = row.metadata.get("entry_seen")
    known = max(int(row.last_updated.timestamp()), seen if isinstance(seen, int) else 0)
    return found.entry_modified.timestamp() > known + _SKEW.total_seconds()


Read = tuple[Found, Backup | None, str]
"""A found archive, the record of its entry (None: there is none), and what is wrong with the entry ("": nothing)."""


def _read_entries(wanted: Iterable[Found], destination: Destination) -> Iterator[Read]:
    def read(found: Found) -> Read:
        if found.entry_modified is None:
            return found, found.record, ""
        try:
            entry = destination.read_entry(found.stored_filename)
        except PayloadDamaged as error:
            return found, found.record, str(error)
        if entry is None:
            return found, found.record, ""
        if _is_namesakes(entry.backup, found, destination):
            return found, found.record, f"its catalog entry is of another archive, in {entry.backup.backend}"
        return found, entry.backup, ""

    waiting = iter(wanted)
    with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="bakthat-sync") as readers:
        while batch := list(islice(waiting, _BATCH)):
            yield from readers.map(read, batch)


def _is_namesakes(entry: Backup, found: Found, destination: Destination) -> bool:
    """Whether the entry is of an archive of the same name in another destination, whose entries lie in the same bucket:
    two machines that know nothing of each other may back up two directories of one name in the same second."""
    fits = found.size in (None, entry.size)
    fits = fits and all(entry.metadata.get(key) == value for key, value in found.metadata.items())
    return entry.backend != destination.name and not fits and not _is_of_another(entry, destination)


def _from_entry(entry: Backup, found: Found, destination: Destination) -> Backup:
    """The entry's record, as a row of this destination: what is there decides over what was written down."""
    return evolve(
        entry,
        backend=destination.name,
        backend_hash=destination.owner.backend_hash,
        stored_filename=found.stored_filename,
        size=found.size if found.size is not None else entry.size,
        is_deleted=False,
        metadata={**entry.metadata, "location": destination.owner.location, **_facts(found)},
    )


def _from_listing(found: Found, destination: Destination) -> Backup:
    modified = whole_seconds(found.modified)
    try:
        name = stored_name.parse(found.stored_filename)
        series, when, encrypted = name.series, name.when.astimezone(UTC), name.encrypted
    except InvalidName:
        series, when, encrypted = found.stored_filename, modified, found.stored_filename.endswith(".enc")
    return Backup(
        backend=destination.name,
        backend_hash=destination.owner.backend_hash,
        backup_date=when,
        filename=series,
        stored_filename=found.stored_filename,
        size=found.size if found.size is not None else 0,
        last_updated=modified,
        metadata={
            "is_enc": encrypted,
            "location": destination.owner.location,
            "from_listing": True,
            **_facts(found),
        },
    )


def _facts(found: Found) -> dict[str, Any]:
    """What the store's own list says of an archive, for its record. `stored_at`: UTC epoch seconds, the store's own
    date; only rows of archives that this database did not write itself have it."""
    facts = dict(found.metadata)
    if found.stored_at is not None:
        facts["stored_at"] = int(found.stored_at.timestamp())
    return facts


def _newer(row: Backup, entry: Backup | None, found: Found, destination: Destination) -> Backup | None:
    """The row as it should be, None if it is."""
    if row.is_deleted:
        # Marked as deleted, and there all the same: what is in the store can be restored, so it is shown.
        source = evolve(_from_entry(entry, found, destination) if entry else row, is_deleted=False)
        if found.stored_at is not None and found.stored_at.timestamp() >= row.last_updated.timestamp() + 1:
            # What lies there was stored after the backup was deleted, so it is not what this database knew.
            return evolve(source, metadata={**source.metadata, **_facts(found)})
        return _as_trusted_as(row, source)
    if entry is None or found.entry_modified is None:
        return None
    if row.is_from_listing:
        taken = _from_entry(entry, found, destination)
    elif entry.last_updated > row.last_updated:
        taken = _as_trusted_as(row, _from_entry(entry, found, destination))
    else:
        taken = row
    seen = int(found.entry_modified.timestamp())
    if seen > int(taken.last_updated.timestamp()) + _SKEW.total_seconds():
        taken = evolve(taken, metadata={**taken.metadata, "entry_seen": seen})
    return taken if taken != row else None


def _as_trusted_as(row: Backup, changed: Backup) -> Backup:
    """The changed row with the row's own evidence of when the archive was stored: what this database's `backup` wrote
    has none, and an entry must not change that."""
    metadata = {key: value for key, value in changed.metadata.items() if key != "stored_at"}
    if "stored_at" in row.metadata:
        metadata["stored_at"] = row.metadata["stored_at"]
    return evolve(changed, metadata=metadata)


def _replace(row: Backup, changed: Backup, tools: Tools) -> None:
    """Put the changed row in the place of `row`, unless another process has changed it meanwhile, as by deleting the
    backup: what it knows is newer, and the next sync sees it."""
    known = tools.repo.find(Query(stored_filename=row.stored_filename, deleted=True))
    if any(other == row for other in known):
        with contextlib.suppress(BackupNotFound):
            tools.repo.replace(changed)
