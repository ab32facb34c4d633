"""`Destination`: where a backup goes, whatever kind of store it is. The verbs know nothing else."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO

from attrs import frozen

from bakthat.domain.backup import Backup, Owner
from bakthat.domain.catalog import MOST_BYTES, CatalogEntry, key_of, loads
from bakthat.domain.objects import ArchiveId, Tier
from bakthat.domain.retrieval import Wait
from bakthat.errors import ObjectNotFound
from bakthat.ports.object_store import ObjectStore


@frozen(kw_only=True)
class Found:
    """An archive in a destination's own listing.

    size: bytes, None if the listing does not say. modified: aware UTC. stored_at: the store's own date of the archive,
    aware UTC, None if the listing does not say. entry_modified: when its catalog entry was written, None without one.
    record: what the listing itself says of the backup. archive_id: in an archive store, where the listing says it.
    is_cold: it lies in an archive class. claimed: it is cold, and the saved inventory says that it is an archive of
    `glacier` in the same bucket. only_by_entry: the listing does not show that it is of this destination; only its
    entry can.
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


class Destination(ABC):
    """A store under the name that a person gives it (`s3`, `glacier`, `local`, …). `owner` marks the records of what
    is in it. `catalog`: where catalog entries lie, None if there is nowhere."""

    owner: Owner
    catalog: ObjectStore | None

    lists_archives = True
    """Whether `found` with a prefix is a listing of the archives themselves, so that what it lacks may be gone."""

    @property
    def name(self) -> str:
        return self.owner.backend

    @abstractmethod
    def store(self, draft: Backup, body: BinaryIO, *, size_hint: int | None = None) -> ArchiveId | None:
        """Store an archive whole or not at all. Gives the id under which an archive store keeps it.

        draft: its record as far as it is known before. size_hint: bytes that it will not exceed by much.

        Raises `ObjectExists` if the name is taken."""

    @abstractmethod
    def open(self, backup: Backup, *, tier: Tier | None = None) -> AbstractContextManager[BinaryIO]:
        """Read a backup's stored bytes. `tier`: how fast, where that can be chosen. On entry: `ObjectNotFound`,
        `RetrievalPending` while it is being retrieved, and what else the store says."""

    @abstractmethod
    def size_of(self, backup: Backup) -> int | None:
        """The bytes that the store holds of a backup, None if it does not say at once. Raises `ObjectNotFound`."""

    @abstractmethod
    def is_gone(self, backup: Backup) -> bool:
        """Whether a backup that `found` did not list is gone indeed; asked once more, by its name."""

    @abstractmethod
    def remove(self, backup: Backup) -> None:
        """The archive is absent afterwards."""

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        """How long a retrieval usually takes, None where there is none to wait for."""
        return None

    def days_still_billed(self, backup: Backup, now: datetime) -> int:
        """For how many days more the service bills the archive, deleted or not."""
        return 0

    @abstractmethod
    def found(self, prefix: str = "") -> Iterator[Found]:
        """Every archive whose stored filename starts with the prefix, by one listing. Without a prefix it may raise
        `RetrievalPending`, where the list itself must be waited for; with one it answers at once, as far as it can."""

    def write_entry(self, entry: CatalogEntry) -> None:
        """Put the catalog entry where the store keeps them, in the place of an earlier one."""
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
        """The catalog entry is absent afterwards."""
        if self.catalog is not None:
            self.catalog.delete(key_of(stored_filename))
