"""`ArchiveDestination`: backups in an archive store, which gives them back by appointment.

Which stored filename is which archive is kept in the database's inventory, in each record (`archive_id`), in the
catalog entries, and as one copy in the bucket of the profile, if it has one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import BinaryIO

from bakthat.domain import glacier_inventory
from bakthat.domain.archive_description import describe
from bakthat.domain.backup import Backup, Owner
from bakthat.domain.catalog import PREFIX, key_of, stored_filename_of
from bakthat.domain.glacier_inventory import GlacierInventory
from bakthat.domain.objects import ArchiveId, Tier
from bakthat.domain.query import Query
from bakthat.domain.retrieval import Wait
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    ConfigInvalid,
    InvalidName,
    ObjectNotFound,
    PayloadDamaged,
    StoreError,
    StoreUnavailable,
)
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.base import Destination, Found
from bakthat.usecases.destinations.retrievals import Appointments
from bakthat.usecases.destinations.vault_listing import VaultListing
from bakthat.usecases.syncing.entry_reader import says_that_it_is_of

_STALE = timedelta(days=2)
"""A vault's own list is made about once a day (Glacier developer guide, "Vault inventory"): what is younger than this
may be missing from it although it is there."""

_NAMES_KEPT = timedelta(minutes=1)


class ArchiveDestination(Destination):
    """`catalog`: the store for catalog entries and the copy of the inventory, None if the profile has none."""

    lists_archives = False

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
        self._appointments = Appointments(archives, repo, clock=clock, notice=notice)
        self._listing = VaultListing(owner, archives, repo=repo, clock=clock, notice=notice)
        self._names_of: Mapping[str, Sequence[str]] = {}
        self._names_at: datetime | None = None

    def store(self, draft: Backup, body: BinaryIO, *, size_hint: int | None = None) -> ArchiveId:
        archive_id = self._archives.upload(body, description=describe(draft), size_hint=size_hint)
        name = draft.stored_filename
        try:
            self._repo.remember_archive(name, archive_id)
        except BakthatError as error:
            # The archive is stored, and the copy in the bucket and its catalog entry can still say which it is.
            self._notice(f"{name} is stored, but the database's inventory does not know it: {error}")
        own = GlacierInventory(archives={name: archive_id})
        # What this database knows besides may be what another machine has deleted: only a first copy is made of it.
        self._save_after(lambda saved: (saved if saved is not None else self.local()).merged(own))
        return archive_id

    def open(self, backup: Backup, *, tier: Tier | None = None) -> AbstractContextManager[BinaryIO]:
        return self._appointments.opened(backup.stored_filename, self._id_of(backup), tier)

    def size_of(self, backup: Backup) -> int | None:
        return None

    def is_gone(self, backup: Backup) -> bool:
        if self.catalog is not None:
            try:
                self.catalog.stat(key_of(backup.stored_filename))
            except ObjectNotFound:
                if backup.metadata.tool is None and self._repo.archive_id(backup.stored_filename):
                    return False  # 2013 wrote no entries, and its copy of the inventory may never have been in here
                return backup.stored_filename not in self.saved().archives
            return False
        asked = self._listing.asked_at
        return asked is not None and backup.when < asked - _STALE

    def remove(self, backup: Backup) -> None:
        archive_id = self._id_of(backup)
        self._check_alone(backup, archive_id)
        self._archives.delete(archive_id)
        self._repo.forget_archive(backup.stored_filename)
        self._appointments.forget(backup.stored_filename)
        self._save_after(lambda saved: (saved if saved is not None else self.local()).without([backup.stored_filename]))

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        return self._appointments.usual_wait(tier)

    def days_still_billed(self, backup: Backup, now: datetime) -> int:
        return max(0, self._archives.minimum_days - (now - backup.when).days)

    def found(self, prefix: str = "") -> Iterator[Found]:
        """From the bucket, if it knows anything; else, without a prefix, from the vault's own list, which takes hours.
        With a prefix only what the copy of the inventory names."""
        return self._inventoried(prefix) if prefix else self._found()

    def _inventoried(self, prefix: str) -> Iterator[Found]:
        if self.catalog is not None:
            archives = self._readable_inventory(self.catalog).archives
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
        """When the catalog entries were written, by the stored filenames that they are of."""
        listed = catalog.list(f"{PREFIX}{prefix}")
        return {name: info.modified for info in listed if (name := stored_filename_of(info.key)) is not None}

    def _found(self) -> Iterator[Found]:
        known = False
        if self.catalog is not None:
            archives = self._readable_inventory(self.catalog).archives
            entries = self._entries(self.catalog)
            self._tell_shared(archives)
            yield from self._of_inventory(archives, entries)
            unlisted = self._unlisted({name: date for name, date in entries.items() if name not in archives})
            yield from unlisted
            known = bool(archives) or any(self._is_ours(found.stored_filename) for found in unlisted)
        if not known:
            yield from self._listing.found()

    def _readable_inventory(self, catalog: ObjectStore) -> GlacierInventory:
        """The copy in the bucket; empty if it cannot be read, which is told: the entries say what it would."""
        try:
            inventory = self.saved()
        except StoreUnavailable:
            raise
        except (StoreError, PayloadDamaged) as error:
            self._notice(f"{catalog.location}: the copy of the Glacier inventory cannot be read: {error}")
            return GlacierInventory()
        if inventory.left_out:
            self._notice(
                f"{catalog.location}: {inventory.left_out} elements of the Glacier inventory name no archive and are "
                "left out"
            )
        return inventory

    def _tell_shared(self, archives: Mapping[str, ArchiveId]) -> None:
        names: dict[ArchiveId, list[str]] = {}
        for name, archive_id in archives.items():
            if self._archives.names_are_ids and archive_id != name:
                self._notice(
                    f"{name}: the Glacier inventory calls it {archive_id}, which is not its name: not believed"
                )
            names.setdefault(archive_id, []).append(name)
        if not self._archives.names_are_ids:
            for shared in names.values():
                if len(shared) > 1:
                    self._notice(f"{' and '.join(shared[:3])} are one archive in the Glacier inventory: one of the "
                                 "names is wrong, and `delete` refuses them")  # fmt: skip

    def _unlisted(self, entries: Mapping[str, datetime]) -> list[Found]:
        """Archives that have an entry and that the copy of the inventory lacks: two machines may have written it at
        once, or somebody has damaged it. What has an object of its own in the bucket is no archive of a vault."""
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
        """Whether there is an entry, and it says that the archive is in this store."""
        try:
            entry = self.read_entry(stored_filename)
        except StoreUnavailable:
            raise
        except (StoreError, PayloadDamaged, InvalidName):
            return False
        return entry is not None and says_that_it_is_of(self, entry.backup)

    # The copy of the inventory

    def saved(self) -> GlacierInventory:
        """The copy in the bucket, empty if there is none. Raises `PayloadDamaged`, `ConfigInvalid` without a bucket."""
        copy = self._copy()
        return copy if copy is not None else GlacierInventory()

    def _copy(self) -> GlacierInventory | None:
        """As `saved`; None if there is no copy yet."""
        try:
            with self._bucket().open(glacier_inventory.KEY) as reader:
                return glacier_inventory.loads(reader.read(glacier_inventory.MOST_BYTES + 1))
        except ObjectNotFound:
            return None

    def saved_or_empty(self) -> GlacierInventory:
        """The copy in the bucket; empty if it is damaged, which is told."""
        try:
            return self.saved()
        except PayloadDamaged as error:
            self._notice(f"{error}; it is written anew from the database")
            return GlacierInventory()

    def save(self, inventory: GlacierInventory) -> None:
        """Write the copy in the bucket, in the place of the one that is there. Raises `StoreError` for one that would
        be too long to be read again."""
        content = inventory.dumps()
        if len(content) > glacier_inventory.MOST_BYTES:
            raise StoreError(f"{glacier_inventory.KEY} would be longer than {glacier_inventory.MOST_BYTES} bytes")
        self._bucket().put(glacier_inventory.KEY, io.BytesIO(content), replace=True)

    def _bucket(self) -> ObjectStore:
        if self.catalog is None:
            raise ConfigInvalid(
                "the copy of the Glacier inventory lies in a bucket, and the profile names no s3_bucket; "
                "run `bakthat configure`"
            )
        return self.catalog

    def local(self) -> GlacierInventory:
        """What the database knows, but for what its records say is deleted, or lies in another vault."""
        rows = list(self._repo.find(Query(backend=self.name, deleted=True)))
        here = {row.stored_filename for row in rows if row.belongs_to(self.owner) and not row.is_deleted}
        not_here = {row.stored_filename for row in rows} - here
        return GlacierInventory(archives=self._repo.archive_ids()).without(not_here)

    def _save_after(self, change: Callable[[GlacierInventory | None], GlacierInventory]) -> None:
        if self.catalog is None:
            return
        try:
            self.save(change(self._copy()))
        except BakthatError as error:
            self._notice(
                f"the copy of the Glacier inventory could not be saved: {error}; "
                "run `bakthat backup_glacier_inventory` once that is mended"
            )

    def _check_alone(self, backup: Backup, archive_id: ArchiveId) -> None:
        """Raises `StoreError` if another backup's record has the same archive, unless this one was recorded when it was
        uploaded: an inventory or an entry may give an archive a second name."""
        others = [name for name in self._names().get(archive_id, ()) if name != backup.stored_filename]
        if others and (backup.stored_at is not None or backup.is_from_listing):
            raise StoreError(
                f"{backup.stored_filename}: the archive is recorded as {others[0]}, too, so it is not deleted; remove "
                f"the wrong name from {glacier_inventory.KEY} and its catalog entry, then run `bakthat sync -d "
                f"{self.name}`"
            )

    def _names(self) -> Mapping[str, Sequence[str]]:
        """The stored filenames of each archive id in the records. Kept for a minute: a rotation deletes many."""
        now = self._clock()
        if self._names_at is None or not timedelta(0) <= now - self._names_at <= _NAMES_KEPT:
            names: dict[str, list[str]] = {}
            for row in self._repo.find(Query(backend=self.name, owners=(self.owner,))):
                known = row.metadata.archive_id
                if known is not None:
                    names.setdefault(known, []).append(row.stored_filename)
            self._names_of, self._names_at = names, now
        return self._names_of

    def _id_of(self, backup: Backup) -> ArchiveId:
        if self._archives.names_are_ids:
            return ArchiveId(backup.stored_filename)
        # The record's own first: the database's inventory has one id for a name, though two vaults may both hold it.
        known = backup.metadata.archive_id
        if known is None:
            known = self._repo.archive_id(backup.stored_filename)
        if known is None and self.catalog is not None:
            known = self.saved().archives.get(backup.stored_filename)
        if known is None:
            raise ObjectNotFound(
                f"{backup.stored_filename}: nobody knows which archive of {self.owner.location} it is; run "
                "`bakthat restore_glacier_inventory`, or `bakthat sync -d glacier`, which asks the vault"
            )
        return ArchiveId(known)
