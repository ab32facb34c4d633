"""The rows of archives in a listing, made from the listing, the entry and the existing row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from types import TracebackType

from attrs import evolve

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata, Facts
from bakthat.domain.evidence import other_identity
from bakthat.domain.query import Query
from bakthat.errors import BakthatError, InvalidName
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.usecases.destinations.base import Destination, Found
from bakthat.usecases.syncing.entry_reader import BATCH, Read

SKEW = 15 * 60
"""Seconds by which the clocks of a store and of a machine may differ before an entry counts as newer than its row."""

_MOST_SIZE = 2**63 - 1


def entry_date(found: Found) -> int | None:
    """When the entry was written, in UTC epoch seconds; None if there is none."""
    return None if found.entry_modified is None else int(found.entry_modified.timestamp())


def wants_reading(found: Found, row: Backup | None) -> bool:
    """Whether the entry must be read because it may add to the row, or the row must change without one."""
    if row is None or row.is_deleted:
        return True
    written = entry_date(found)
    if written is None:
        return False
    seen = row.metadata.entry_seen
    if row.is_from_listing:
        return seen != written
    known = max(int(row.last_updated.timestamp()), seen or 0)
    return written > known + SKEW


def new_row(read: Read, destination: Destination) -> Backup:
    """The row of an archive that the database does not know."""
    if read.entry is None:
        return _from_listing(read, destination)
    return _seen(_from_entry(read.entry, read.found, destination), read.found)


def changed_row(row: Backup, read: Read, destination: Destination) -> tuple[Backup, str]:
    """The updated row, and the problem of the entry, if any."""
    found, entry = read.found, read.entry
    if row.is_deleted:
        # Marked as deleted, but in the store: it can be restored, so it is shown.
        return _returned(row, read, destination), read.problem
    if entry is None or found.entry_modified is None:
        return _seen(row, found, always=True) if read.problem and read.seen else row, read.problem
    others = other_identity(row, entry) if _is_settled(row, entry) else ()
    replaced = bool(others) and _is_replaced(row, found)
    if others and not replaced:
        problem = f"its catalog entry now describes another archive ({', '.join(others)}), and is ignored"
        return _seen(row, found, always=True), problem
    taken = row
    if row.is_from_listing or replaced or entry.last_updated > row.last_updated:
        taken = evolve(_from_entry(entry, found, destination), filename=row.filename)
        if not row.is_from_listing and not replaced:
            taken = _as_trusted_as(row, taken)
    return _seen(taken, found), ""


def _is_settled(row: Backup, entry: Backup) -> bool:
    """Whether the row identifies the archive, so that no entry may redefine it: it has a SHA-256, or it dates from
    2013, which wrote no entries. A value may be replaced under its key, but not by one that is no longer encrypted."""
    if row.is_value:
        return row.is_encrypted and not entry.is_encrypted
    return row.sha256 is not None or (row.stored_at is None and not row.is_from_listing)


def _is_replaced(row: Backup, found: Found) -> bool:
    """Whether the store holds a different object than the one that this database recorded. False for archives that its
    own `backup` recorded, which it knows better than any entry, and for archives that the store does not list
    itself."""
    if row.stored_at is None or found.stored_at is None or found.size is None:
        return False
    return found.size != row.size or whole_seconds(found.stored_at) != row.stored_at


def _from_entry(entry: Backup, found: Found, destination: Destination) -> Backup:
    """The record of the entry as a row of this destination. Values observed in the store override those in the
    entry."""
    return evolve(
        entry,
        backend=destination.name,
        backend_hash=destination.owner.backend_hash,
        stored_filename=found.stored_filename,
        size=_size(found) if found.size is not None else entry.size,
        is_deleted=False,
        metadata=entry.metadata.changed(location=destination.owner.location).changed(**_facts(found)),
    )


def _from_listing(read: Read, destination: Destination) -> Backup:
    found = read.found
    modified = whole_seconds(found.modified)
    try:
        name = stored_name.parse(found.stored_filename)
        series, when, encrypted = name.series, name.when.astimezone(UTC), name.encrypted
    except InvalidName:
        series, when, encrypted = found.stored_filename, modified, found.stored_filename.endswith(".enc")
    row = Backup(
        backend=destination.name,
        backend_hash=destination.owner.backend_hash,
        backup_date=when,
        filename=series,
        stored_filename=found.stored_filename,
        size=_size(found),
        last_updated=modified,
        metadata=BackupMetadata.of(is_enc=encrypted, location=destination.owner.location, from_listing=True).changed(
            **_facts(found)
        ),
    )
    return _seen(row, found, always=True) if read.problem and read.seen else row


def _facts(found: Found) -> Facts:
    """The metadata of an archive from the store's own listing. `stored_at`: the store's own date in UTC epoch seconds;
    only rows of archives that this database did not write itself have it."""
    facts: Facts = {}
    if found.archive_id is not None:
        facts["archive_id"] = found.archive_id
    if found.stored_at is not None:
        facts["stored_at"] = int(found.stored_at.timestamp())
    return facts


def _size(found: Found) -> int:
    return found.size if found.size is not None and 0 <= found.size <= _MOST_SIZE else 0


def _seen(row: Backup, found: Found, *, always: bool = False) -> Backup:
    """The row, with the date of its entry if the entry would otherwise count as newer at the next sync."""
    written = entry_date(found)
    if written is None or not (always or written > int(row.last_updated.timestamp()) + SKEW):
        return row
    return evolve(row, metadata=row.metadata.changed(entry_seen=written))


def _returned(row: Backup, read: Read, destination: Destination) -> Backup:
    """The row of a backup that was marked as deleted but exists."""
    found = read.found
    if found.stored_at is not None and found.stored_at.timestamp() >= row.last_updated.timestamp() + 1:
        # This archive was stored after the backup was deleted, so it is not the one that this database knew.
        taken = evolve(new_row(read, destination), filename=row.filename)
    elif read.entry is None or (_is_settled(row, read.entry) and other_identity(row, read.entry)):
        taken = evolve(row, is_deleted=False)
    else:
        taken = evolve(_from_entry(read.entry, found, destination), filename=row.filename)
        taken = _seen(_as_trusted_as(row, taken), found)
    return taken


def _as_trusted_as(row: Backup, changed: Backup) -> Backup:
    """The changed row, with the location and storage date of the existing row. An archive written by this database's
    `backup` has no date of the store, and an entry must not change that."""
    metadata = changed.metadata.without("stored_at").to_dict()
    metadata.update({key: row.metadata[key] for key in ("stored_at", "archive_id") if key in row.metadata})
    return evolve(changed, metadata=BackupMetadata.from_dict(metadata))


def _without_seen(row: Backup) -> Backup:
    return evolve(row, metadata=row.metadata.without("entry_seen"))


class RowChanges:
    """Rows that a sync adds and changes, written in batches. On leaving its context, also after an error, the rest is
    written, so that nothing has to be read again. `added`, `updated`: the rows, except those in which only the date of
    the entry changed."""

    def __init__(self, repo: MetadataRepo, query: Query, *, dry_run: bool) -> None:
        """query: finds every row that may be changed."""
        self.added: list[Backup] = []
        self.updated: list[Backup] = []
        self._repo = repo
        self._query = query
        self._dry_run = dry_run
        self._written = 0  # of those in `added`
        self._pairs: list[tuple[Backup, Backup]] = []

    def __enter__(self) -> RowChanges:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, BakthatError):
            self._write_added()
            self._write_changed()

    def add(self, row: Backup) -> None:
        """Add a row."""
        self.added.append(row)
        if len(self.added) - self._written >= BATCH:
            self._write_added()

    def change(self, row: Backup, changed: Backup) -> None:
        """Replace `row` by the changed row, unless another process has changed it meanwhile, for example by deleting
        the backup: its change is newer, and the next sync sees it."""
        # A repository keeps the later of two records. A clock that was set back must not decide here.
        changed = evolve(changed, last_updated=max(changed.last_updated, row.last_updated))
        if _without_seen(changed) != _without_seen(row):
            self.updated.append(changed)
        self._pairs.append((row, changed))
        if len(self._pairs) >= 8 * BATCH:
            self._write_changed()

    def _write_added(self) -> None:
        rows, self._written = self.added[self._written :], len(self.added)
        if not self._dry_run:
            self._repo.put_all(rows)

    def _write_changed(self) -> None:
        pairs, self._pairs = self._pairs, []
        if not self._dry_run and pairs:
            known = self._known(pairs)
            self._repo.put_all([changed for row, changed in pairs if row in known.get(row.stored_filename, ())])

    def _known(self, pairs: Sequence[tuple[Backup, Backup]]) -> dict[str, list[Backup]]:
        """The current rows of the database, by stored filename."""
        known: dict[str, list[Backup]] = {}
        if len(pairs) > BATCH // 8:
            for row in self._repo.find(self._query):
                known.setdefault(row.stored_filename, []).append(row)
        else:
            for row, _ in pairs:
                query = Query(stored_filename=row.stored_filename, deleted=True)
                known[row.stored_filename] = list(self._repo.find(query))
        return known
