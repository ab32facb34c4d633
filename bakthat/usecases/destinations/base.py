"""`Destination`: where backups are stored. It hides the kind of store from the verbs."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO

from attrs import frozen

from bakthat.domain.backup import Backup, Owner
from bakthat.domain.backup_metadata import Facts
from bakthat.domain.catalog import MOST_BYTES, CatalogEntry, index_key_of, key_of, loads
from bakthat.domain.objects import ArchiveId, Leftover, Lock, Tier
from bakthat.domain.retrieval import Wait
from bakthat.errors import CredentialsRefused, ObjectNotFound, StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.stored_ranges import StoredRanges


@frozen(kw_only=True)
class Found:
    """An archive in a destination's own listing.

    size: bytes, None if the listing has none.
    modified: aware UTC.
    stored_at: the store's own date of the archive, aware UTC, None if the listing has none.
    entry_modified: the date of its catalog entry, None without one.
    record: the record that the listing itself contains.
    archive_id: in an archive store, if the listing has it.
    is_cold: whether it is in an archive class.
    claimed: it is cold, and the saved inventory says that it is an archive of `glacier` in the same bucket.
    only_by_entry: the listing does not show that it belongs to this destination; only its entry can.
    """

    stored_filename: str
    size: int | None
    modified: datetime
    stored_at: datetime | None = None
    entry_modified: datetime | None = None
    record: Backup | None = None
    archive_id: str | None = None
    is_cold: bool = False
    claimed: bool = False
    only_by_entry: bool = False


@frozen(kw_only=True)
class Stored:
    """An archive that was just stored. `archive_id`: in an archive store. `locked_until`: when its lock ends, aware
    UTC; None without one."""

    archive_id: ArchiveId | None = None
    locked_until: datetime | None = None

    def as_facts(self) -> Facts:
        """For the record."""
        until = self.locked_until
        return {"archive_id": self.archive_id, "locked_until": None if until is None else int(until.timestamp())}


class Destination(ABC):
    """A store under the name that users give (`s3`, `glacier`, `local`, …). `owner`: identifies its records. `catalog`:
    the store of the catalog entries, None if there is none."""

    owner: Owner
    catalog: ObjectStore | None

    lists_archives = True
    """Whether `found` with a prefix lists the archives themselves, so that an archive missing in it may be gone."""

    keeps_index_copies = False
    """Whether the archives must be retrieved before they can be read, so that a copy of each index is kept."""

    @property
    def name(self) -> str:
        return self.owner.backend

    @abstractmethod
    def store(self, draft: Backup, body: BinaryIO, *, size_hint: int | None = None) -> Stored:
        """Store an archive completely or not at all.

        draft: its record as far as it is known before. size_hint: a size in bytes that it will not exceed by much.
        Raises `ObjectExists` if the name exists.
        """

    @abstractmethod
    def open(self, backup: Backup, *, tier: Tier | None = None) -> AbstractContextManager[BinaryIO]:
        """Read a backup's stored bytes. `tier`: the speed of a retrieval, if it needs one. Raises on entry:
        `ObjectNotFound`, `RetrievalPending` while it is being retrieved, and other errors of the store."""

    def open_ranges(self, backup: Backup, known: Mapping[int, bytes]) -> StoredRanges | None:
        """The backup's stored bytes, to be read at any position; None where they must be retrieved first.

        known: parts of them, by position, of a cache; the store is asked when more is needed.

        Raises `ObjectNotFound`, `PayloadDamaged` for an object of another size than recorded, and `StoreError` if it
        is replaced; each also later, when something is read.
        """
        return None

    @abstractmethod
    def size_of(self, backup: Backup) -> int | None:
        """The size of a backup in the store in bytes, None if the store does not return it at once. Raises
        `ObjectNotFound`."""

    @abstractmethod
    def is_gone(self, backup: Backup) -> bool:
        """Whether a backup that `found` did not list is really gone; looks it up by name."""

    def copy_from(self, backup: Backup, source: Destination) -> Stored | None:
        """Store a copy of the backup's archive within the service of both destinations. None if that is not possible:
        then nothing was stored. Raises `ObjectExists`, and `ObjectArchived` if it must be retrieved first."""
        return None

    @abstractmethod
    def remove(self, backup: Backup) -> None:
        """Remove the archive; it is absent afterwards. The caller has made sure that no lock keeps it (`lock_of`)."""

    def lock_of(self, backup: Backup, now: datetime) -> Lock | None:
        """What keeps the archive from being deleted now, by the store; where that must not say so, by the record."""
        return None

    def extend_lock(self, backup: Backup, until: datetime) -> None:
        """Keep the archive from being deleted until this moment: see `ObjectStore.extend_lock`."""
        raise StoreError(f"locks in {self.owner.location} cannot be extended")

    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        """See `ObjectStore.leftovers`."""
        return iter(())

    def remove_leftover(self, leftover: Leftover) -> bool:
        """See `ObjectStore.remove_leftover`."""
        return True

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        """How long a retrieval usually takes, None if there is none to wait for."""
        return None

    def days_still_billed(self, backup: Backup, now: datetime) -> int:
        """The number of further days for which the service bills the archive, even if it is deleted."""
        return 0

    @abstractmethod
    def found(self, prefix: str = "") -> Iterator[Found]:
        """Every archive whose stored filename starts with the prefix, from one listing. Without a prefix it may raise
        `RetrievalPending`, if the inventory must be retrieved first. With one it returns at once, with what is
        known."""

    def unlisted(self, stored_filename: str) -> Found | None:
        """An archive that is in the store under this name, although `found` with a prefix does not know it; None if
        there is none, or the store cannot be asked for a name."""
        return None

    def write_entry(self, entry: CatalogEntry) -> None:
        """Store the catalog entry; it replaces an earlier one."""
        if self.catalog is not None:
            key = key_of(entry.backup.stored_filename)
            self.catalog.put(key, io.BytesIO(entry.dumps()), replace=True)

    def read_entry(self, stored_filename: str) -> CatalogEntry | None:
        """The catalog entry of an archive, None if there is none. Raises `PayloadDamaged`."""
        if self.catalog is None:
            return None
        try:
            with self.catalog.open(key_of(stored_filename)) as reader:
                content = reader.read(MOST_BYTES + 1)
        except ObjectNotFound:
            return None
        return loads(content)

    def remove_entry(self, stored_filename: str) -> None:
        """Remove the catalog entry and the copy of the index; they are absent afterwards."""
        if self.catalog is not None:
            self.catalog.delete(key_of(stored_filename))
            if self.keeps_index_copies:
                self.catalog.delete(index_key_of(stored_filename))

    def write_index_copy(self, stored_filename: str, content: bytes) -> None:
        """Put the copy of an archive's index beside the entry."""
        if self.catalog is not None:
            self.catalog.put(index_key_of(stored_filename), io.BytesIO(content), replace=True)

    def read_index_copy(self, stored_filename: str, *, limit: int) -> bytes | None:
        """The copy of an archive's index; None if there is none, or it is longer than `limit` bytes."""
        if self.catalog is None or not self.keeps_index_copies:
            return None
        try:
            with self.catalog.open(index_key_of(stored_filename)) as reader:
                content = reader.read(limit + 1)
        except ObjectNotFound:
            return None
        return content if len(content) <= limit else None


def lock_in_force(
    backup: Backup,
    now: datetime,
    *,
    seen: Callable[[], Lock | None],
    asked: Callable[[], Lock | None],
) -> Lock | None:
    """The lock that holds now. `seen`: what every answer about the archive tells; `asked`: what the store finds out,
    which is used only if the record claims a lock that was not seen. Credentials that must not know leave it to the
    record. The store comes first: in a versioned bucket the deletion of a locked object succeeds, and hides it."""
    claimed = backup.metadata.locked_until
    recorded = Lock(until=claimed) if claimed is not None else None
    try:
        lock = seen()
        if lock is None and recorded is not None:
            lock = asked()
    except ObjectNotFound:
        return None
    except CredentialsRefused:
        raise
    except StoreError as error:
        if error.retryable:
            raise
        lock = recorded
    return lock if lock is not None and lock.holds(now) else None
