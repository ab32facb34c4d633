"""`Target`: the destination that backups are copied to, and what is known of its content."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import evolve

from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.catalog import ONLY_IN_A_DATABASE, CatalogEntry
from bakthat.domain.objects import ArchiveId
from bakthat.domain.query import Query
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    CredentialsRefused,
    DuplicateBackup,
    InvalidName,
    ObjectExists,
    PayloadDamaged,
    RetrievalPending,
    StoreUnavailable,
)
from bakthat.usecases.destinations.base import Destination, Found, Stored
from bakthat.usecases.streams.archive_stream import read_through
from bakthat.usecases.tools import Tools


class Presence(enum.Enum):
    """How much of a backup is at the target."""

    NOTHING = enum.auto()
    ARCHIVE = enum.auto()
    """The archive, without its catalog entry or its row: an earlier copy was interrupted."""
    DESCRIBED = enum.auto()
    """The archive and an entry that describes it, without a row: another database knows more of it than this one."""
    ALL = enum.auto()


class Target:
    """A destination that backups are copied to. It is listed once for each series, and nothing is believed of it that
    its rows, its entries or its bytes do not show."""

    def __init__(self, destination: Destination, tools: Tools) -> None:
        """tools: those of the target's profile, whose database gets the rows."""
        self.destination = destination
        self._tools = tools
        self._listings: dict[str, dict[str, Found] | None] = {}
        """By prefix; None where the credentials must not list."""

    def presence_of(self, backup: Backup, *, may_read: bool) -> Presence:
        """How much of the backup is at the target. may_read: the archive there, to find out whether it is the same.

        Raises `ObjectExists` if another object has the name, and `RetrievalPending` if only reading an archive that
        must be retrieved would show it.
        """
        row = self.row(backup)
        found, is_listed = self._found(backup)
        if row is not None:
            self._check_same(backup, row)
        if found is None:
            # An archive that a listing of the archives themselves does not show is gone; others show only what is
            # known of them.
            is_recorded = row is not None and not (is_listed and self.destination.lists_archives)
            return Presence.ALL if is_recorded else Presence.NOTHING
        if None not in (found.size, backup.known_size) and found.size != backup.known_size:
            raise self._another(backup, f"it has {found.size} bytes, the backup {backup.size}")
        has_entry = found.entry_modified is not None or self.destination.catalog is None or backup.is_from_listing
        if row is not None:
            return Presence.ALL if has_entry else Presence.ARCHIVE
        entry = self._entry(backup) if has_entry else None
        if entry is not None:
            self._check_same(backup, entry.backup)
            return Presence.DESCRIBED
        if may_read and backup.sha256 is not None:
            self._check_bytes(backup, found)
        return Presence.ARCHIVE

    def row(self, backup: Backup) -> Backup | None:
        """The target's record of the backup; None if it has none, or has it marked as deleted."""
        owner = self.destination.owner
        query = Query(stored_filename=backup.stored_filename, backend=owner.backend, owners=(owner,))
        return next(iter(self._tools.repo.find(query)), None)

    def draft(self, backup: Backup) -> Backup:
        """The record of the copy as far as it is known before: where it lies is the target's own, all else the
        backup's."""
        owner = self.destination.owner
        only_here = ONLY_IN_A_DATABASE - {"from_listing"}
        if backup.distrust:
            # A copy is not more trustworthy than its source.
            only_here -= {"stored_at"}
        metadata = backup.metadata.without(*only_here, "archive_id", "locked_until")
        return evolve(
            backup,
            backend=owner.backend,
            backend_hash=owner.backend_hash,
            is_deleted=False,
            last_updated=whole_seconds(self._tools.clock()),
            metadata=BackupMetadata.from_dict(metadata).changed(location=owner.location),
        )

    def record(self, copy: Backup, original: Backup, entry: CatalogEntry | None) -> Backup:
        """Write the catalog entry of a copy, and its row. original: the record at the source. entry: that of the
        source; None if it has none.

        Raises after both were tried: a row without an entry is completed by the next copy.
        """
        failure: BakthatError | None = None
        if not copy.is_from_listing:
            described = evolve(copy, last_updated=original.last_updated)
            own = CatalogEntry(backup=described) if entry is None else evolve(entry, backup=described)
            try:
                self.destination.write_entry(own)
            except BakthatError as error:
                failure = type(error)(
                    f"{copy.stored_filename} is copied, but its catalog entry is not: {error}; copy it again"
                )
        self.add(copy)
        if failure is not None:
            raise failure
        return copy

    def add(self, copy: Backup) -> Backup:
        """Write the row of a copy."""
        try:
            self._tools.repo.add(copy)
        except DuplicateBackup:
            self._tools.repo.replace(copy)
        except BakthatError as error:
            raise type(error)(f"{copy.stored_filename} is copied, but not in the database: {error}") from error
        return copy

    def stored_already(self, backup: Backup) -> Stored:
        """What is known of an archive that is at the target already."""
        row = self.row(backup)
        if row is not None:
            until = row.metadata.locked_until
            return Stored(archive_id=_archive_id(row.metadata.archive_id), locked_until=until)
        found, _ = self._found(backup)
        here = self._here(backup, found.archive_id if found is not None else None)
        lock = self.destination.lock_of(here, self._tools.clock())
        return Stored(
            archive_id=_archive_id(here.metadata.archive_id), locked_until=lock.until if lock is not None else None
        )

    def stored_at(self, backup: Backup) -> int | None:
        """When the target got an archive, by its own date, in UTC epoch seconds; None if it does not say."""
        found, _ = self._found(backup)
        return None if found is None or found.stored_at is None else int(found.stored_at.timestamp())

    def _here(self, backup: Backup, archive_id: str | None) -> Backup:
        draft = self.draft(backup)
        return evolve(draft, metadata=draft.metadata.changed(archive_id=archive_id))

    def _found(self, backup: Backup) -> tuple[Found | None, bool]:
        """The archive in the target's listing, and whether there is a listing at all."""
        name, series = backup.stored_filename, backup.filename
        prefix = series if name.startswith(series) else name
        if prefix not in self._listings:
            try:
                self._listings[prefix] = {found.stored_filename: found for found in self.destination.found(prefix)}
            except CredentialsRefused:
                raise
            except AccessDenied:
                self._listings[prefix] = None
            except StoreUnavailable:
                if self._has_rows():
                    raise  # a disk that is not mounted, say
                self._listings[prefix] = None  # a folder that the first copy creates
        listing = self._listings[prefix]
        if listing is None:
            return None, False
        return listing.get(name) or self.destination.unlisted(name), True

    def _has_rows(self) -> bool:
        owner = self.destination.owner
        return any(True for _ in self._tools.repo.find(Query(backend=owner.backend, owners=(owner,))))

    def _entry(self, backup: Backup) -> CatalogEntry | None:
        try:
            return self.destination.read_entry(backup.stored_filename)
        except (PayloadDamaged, InvalidName):
            return None

    def _check_same(self, backup: Backup, other: Backup) -> None:
        if None not in (backup.sha256, other.sha256) and backup.sha256 != other.sha256:
            raise self._another(backup, "its SHA-256 differs")

    def _check_bytes(self, backup: Backup, found: Found) -> None:
        """Read the archive that an interrupted copy, or another program, left without an entry."""
        here = self._here(backup, found.archive_id)
        try:
            read_through(self.destination.open(here), here, self._tools, stage=f"comparing {backup.stored_filename}")
        except PayloadDamaged:
            raise self._another(backup, "its bytes are others") from None
        except RetrievalPending as pending:
            raise RetrievalPending(str(pending).replace("run restore again", "run copy again")) from pending

    def _another(self, backup: Backup, how: str) -> ObjectExists:
        return ObjectExists(
            f"{backup.stored_filename}: {self.destination.owner.location} holds another object under this name "
            f"({how}); it was not replaced"
        )


def _archive_id(text: str | None) -> ArchiveId | None:
    return None if text is None else ArchiveId(text)


def oldest_first(backups: Iterable[Backup]) -> list[Backup]:
    """The order of copying: what is based on another backup comes after it."""
    return sorted(backups, key=lambda backup: (backup.when, backup.stored_filename))
