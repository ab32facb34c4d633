"""`ArchiveDestination`: backups in an archive store, which returns them hours after a request.

The archive id of each stored filename is kept in the database's inventory, in each record (`archive_id`), in the
catalog entries, and in a copy in the bucket of the profile, if it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import BinaryIO

from bakthat.domain.archive_description import describe
from bakthat.domain.backup import Backup, Owner
from bakthat.domain.catalog import PREFIX, key_of, stored_filename_of
from bakthat.domain.evidence import claims_to_be_of
from bakthat.domain.glacier_inventory import GlacierInventory
from bakthat.domain.objects import ArchiveId, Leftover, Lock, Tier
from bakthat.domain.query import Query
from bakthat.domain.retrieval import Wait
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    InvalidName,
    ObjectNotFound,
    PayloadDamaged,
    StoreError,
    StoreUnavailable,
)
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.archive_names import ArchiveNames
from bakthat.usecases.destinations.base import Destination, Found, Stored, lock_in_force
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.destinations.retrievals import Retrievals
from bakthat.usecases.destinations.saved_inventory import SavedInventory
from bakthat.usecases.destinations.vault_listing import VaultListing

_STALE = timedelta(days=2)
"""A vault makes its inventory about once a day (Glacier developer guide, "Vault inventory"): an archive younger than
this may be missing from it although it exists."""


class ArchiveDestination(Destination):
    """A vault, or an archive class of a bucket.

    catalog: the store for catalog entries and the copy of the inventory, None if the profile has none. inventory: that
        copy. names: the archives of backups, according to the database.
    """

    lists_archives = False
    keeps_index_copies = True

    def __init__(
        self,
        owner: Owner,
        archives: ArchiveStore,
        catalog: ObjectStore | None,
        *,
        repo: MetadataRepo,
        clock: Callable[[], datetime],
        notice: Callable[[str], None],
    ) -> None:
        self.owner = owner
        self.catalog = catalog
        self._archives = archives
        self._repo = repo
        self._clock = clock
        self._notice = notice
        self._retrievals = Retrievals(archives, repo, clock=clock, notice=notice)
        self.names = ArchiveNames(owner, repo=repo, clock=clock)
        self.inventory = SavedInventory(catalog, notice=notice)
        self._listing = VaultListing(owner, archives, repo=repo, clock=clock, notice=notice)

    def store(self, draft: Backup, body: BinaryIO, *, size_hint: int | None = None) -> Stored:
        return self._stored(draft, self._archives.upload(body, description=describe(draft), size_hint=size_hint))

    def copy_from(self, backup: Backup, source: Destination) -> Stored | None:
        if not isinstance(source, ObjectDestination):
            return None
        there = source.as_recorded(backup)
        if there is None:
            return None
        archive_id = self._archives.copy_from(there.key, source.objects, description=describe(backup), expected=there)
        return None if archive_id is None else self._stored(backup, archive_id)

    def _stored(self, draft: Backup, archive_id: ArchiveId) -> Stored:
        """Remember an archive that was just stored."""
        name = draft.stored_filename
        try:
            # The copy of a backup has the name of its source, which may be in another vault, and known only here.
            if self._repo.archive_id(name) is None:
                self._repo.remember_archive(name, archive_id)
        except BakthatError as error:
            # The archive is stored; the copy in the bucket and its catalog entry can still identify it.
            self._notice(f"{name} is stored, but not in the database's inventory: {error}")
        own = GlacierInventory(archives={name: archive_id})
        # Another machine may have deleted other archives of this database: they are used only for a first copy.
        self.inventory.update(lambda saved: (saved if saved is not None else self.names.inventory()).merged(own))
        return Stored(archive_id=archive_id, locked_until=self._locked_until(archive_id))

    def _locked_until(self, archive_id: ArchiveId) -> datetime | None:
        if not self._archives.locks:
            return None
        try:
            lock = self._archives.lock_of(archive_id)
        except StoreError as error:
            self._notice(f"{self.owner.location}: the lock of what was stored cannot be read: {error}")
            return None
        return None if lock is None else lock.until

    def open(self, backup: Backup, *, tier: Tier | None = None) -> AbstractContextManager[BinaryIO]:
        return self._retrievals.opened(backup.stored_filename, self._id_of(backup), tier)

    def size_of(self, backup: Backup) -> int | None:
        return None

    def is_gone(self, backup: Backup) -> bool:
        if self.catalog is not None:
            try:
                self.catalog.stat(key_of(backup.stored_filename))
            except ObjectNotFound:
                if backup.metadata.tool is None and self._repo.archive_id(backup.stored_filename):
                    return False  # 2013 wrote no entries, and its copy of the inventory may never have been here
                return backup.stored_filename not in self.inventory.read().archives
            return False
        asked = self._listing.asked_at
        return asked is not None and backup.when < asked - _STALE

    def remove(self, backup: Backup) -> None:
        archive_id = self._id_of(backup)
        self.names.check_alone(backup, archive_id)
        self._archives.delete(archive_id)
        self._repo.forget_archive(backup.stored_filename)
        self._retrievals.forget(backup.stored_filename)
        self.inventory.update(
            lambda saved: (saved if saved is not None else self.names.inventory()).without([backup.stored_filename])
        )

    def lock_of(self, backup: Backup, now: datetime) -> Lock | None:
        try:
            archive_id = self._id_of(backup)
        except ObjectNotFound:
            return None
        asked = partial(self._archives.lock_of, archive_id)
        return lock_in_force(backup, now, seen=asked, asked=asked)

    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        return self._archives.leftovers(details=details)

    def remove_leftover(self, leftover: Leftover) -> bool:
        return self._archives.remove_leftover(leftover)

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        return self._retrievals.usual_wait(tier)

    def days_still_billed(self, backup: Backup, now: datetime) -> int:
        return max(0, self._archives.minimum_days - (now - backup.when).days)

    def found(self, prefix: str = "") -> Iterator[Found]:
        """From the bucket, if it has any data; else, without a prefix, from the vault's own inventory, which takes
        hours. With a prefix, only what the copy of the inventory names."""
        return self._inventoried(prefix) if prefix else self._found()

    def unlisted(self, stored_filename: str) -> Found | None:
        if not self._archives.names_are_ids or self.catalog is None:
            return None
        try:
            info = self.catalog.stat(stored_filename)
        except ObjectNotFound:
            return None
        return Found(
            stored_filename=stored_filename,
            size=info.size,
            modified=info.modified,
            stored_at=info.modified,
            archive_id=stored_filename,
            is_cold=info.is_cold,
        )

    def _inventoried(self, prefix: str) -> Iterator[Found]:
        if self.catalog is not None:
            archives = self.inventory.readable().archives
            ours = {name: archive_id for name, archive_id in archives.items() if name.startswith(prefix)}
            if ours:
                yield from self._of_inventory(ours, self._entries(self.catalog, prefix))

    def _of_inventory(self, archives: Mapping[str, ArchiveId], entries: Mapping[str, datetime]) -> Iterator[Found]:
        for name, archive_id in archives.items():
            yield Found(
                stored_filename=name,
                size=None,
                modified=entries.get(name, self._clock()),
                stored_at=entries.get(name),
                entry_modified=entries.get(name),
                archive_id=name if self._archives.names_are_ids else archive_id,
            )

    @staticmethod
    def _entries(catalog: ObjectStore, prefix: str = "") -> dict[str, datetime]:
        """The dates of the catalog entries, by stored filename."""
        listed = catalog.list(f"{PREFIX}{prefix}")
        return {name: info.modified for info in listed if (name := stored_filename_of(info.key)) is not None}

    def _found(self) -> Iterator[Found]:
        known = False
        if self.catalog is not None:
            archives = self.inventory.readable().archives
            entries = self._entries(self.catalog)
            self._tell_shared(archives)
            yield from self._of_inventory(archives, entries)
            unlisted = self._unlisted({name: date for name, date in entries.items() if name not in archives})
            yield from unlisted
            known = bool(archives) or any(self._is_ours(found.stored_filename) for found in unlisted)
        if not known:
            yield from self._listing.found()

    def _tell_shared(self, archives: Mapping[str, ArchiveId]) -> None:
        names: dict[ArchiveId, list[str]] = {}
        for name, archive_id in archives.items():
            if self._archives.names_are_ids and archive_id != name:
                self._notice(
                    f"{name}: the Glacier inventory gives it the id {archive_id}, which is not its name: ignored"
                )
            names.setdefault(archive_id, []).append(name)
        if not self._archives.names_are_ids:
            for shared in names.values():
                if len(shared) > 1:
                    self._notice(f"{' and '.join(shared[:3])} are one archive in the Glacier inventory: one of the "
                "names is wrong, and `delete` refuses them")  # fmt: skip

    def _unlisted(self, entries: Mapping[str, datetime]) -> list[Found]:
        """Archives that have an entry but are missing in the copy of the inventory: two machines may have written it at
        once, or somebody has damaged it. An archive that is an object in the bucket is not one of a vault."""
        if not entries or self.catalog is None:
            return []
        try:
            there = {info.key: info for info in self.catalog.list()}
        except AccessDenied:
            return []
        others = {
            row.stored_filename
            for row in self._repo.find(Query(deleted=True))
            if row.backend != self.name and row.location == self.catalog.location
        }
        return [
            Found(
                stored_filename=name,
                size=None,
                modified=written,
                stored_at=written,
                entry_modified=written,
                only_by_entry=True,
            )
            for name, written in entries.items()
            if name not in others
            and (name in there and there[name].is_cold if self._archives.names_are_ids else name not in there)
        ]

    def _is_ours(self, stored_filename: str) -> bool:
        """Whether there is an entry that says that the archive is in this store."""
        try:
            entry = self.read_entry(stored_filename)
        except StoreUnavailable:
            raise
        except (StoreError, PayloadDamaged, InvalidName):
            return False
        return entry is not None and claims_to_be_of(entry.backup, self.owner)

    def _id_of(self, backup: Backup) -> ArchiveId:
        if self._archives.names_are_ids:
            return ArchiveId(backup.stored_filename)
        known = self.names.id_of(backup)
        if known is None and self.catalog is not None:
            known = self.inventory.read().archives.get(backup.stored_filename)
        if known is None:
            raise ObjectNotFound(
                f"{backup.stored_filename}: its archive in {self.owner.location} is unknown; run "
                "`glacier_inventory.load()`, or `sync('glacier')`, which asks the vault"
            )
        return known
