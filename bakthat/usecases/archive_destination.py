"""`ArchiveDestination`: backups in an archive store, which gives them back by appointment.

Which stored filename is which archive is kept in the database's inventory, in each record (`archive_id`), in the
catalog entries, and as one copy in the bucket of the profile, if it has one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from bakthat.domain import glacier_inventory, retrieval
from bakthat.domain.archive_description import describe, rebuilt
from bakthat.domain.backup import Backup, Owner
from bakthat.domain.catalog import PREFIX, key_of, stored_filename_of
from bakthat.domain.glacier_inventory import GlacierInventory
from bakthat.domain.objects import ArchiveId, RetrievalJob, Tier
from bakthat.domain.query import Query
from bakthat.domain.retrieval import Wait
from bakthat.errors import (
    BakthatError,
    ConfigInvalid,
    ObjectNotFound,
    PayloadDamaged,
    RetrievalExpired,
    RetrievalPending,
)
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.appointments import Appointments
from bakthat.usecases.destination import Destination, Found

_STALE = timedelta(days=2)
"""A vault's own list is made about once a day (Glacier developer guide, "Vault inventory"): what is younger than this
may be missing from it although it is there."""


class ArchiveDestination(Destination):
    """`catalog`: the store for catalog entries and the copy of the inventory, None if the profile has none."""

    lists_at_once = False

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
        self._listed_at: datetime | None = None

    def store(self, draft: Backup, body: BinaryIO, *, size_hint: int | None = None) -> Mapping[str, Any]:
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
        return {"archive_id": archive_id}

    def open(self, backup: Backup, *, tier: Tier | None = None) -> AbstractContextManager[BinaryIO]:
        return self._appointments.opened(backup.stored_filename, self._id_of(backup), tier)

    def size_of(self, backup: Backup) -> int | None:
        return None

    def is_gone(self, backup: Backup) -> bool:
        if self.catalog is not None:
            try:
                self.catalog.stat(key_of(backup.stored_filename))
            except ObjectNotFound:
                if "tool" not in backup.metadata and self._repo.archive_id(backup.stored_filename):
                    return False  # 2013 wrote no entries, and its copy of the inventory may never have been in here
                return backup.stored_filename not in self.saved().archives
            return False
        return self._listed_at is not None and backup.when < self._listed_at - _STALE

    def remove(self, backup: Backup) -> None:
        self._archives.delete(self._id_of(backup))
        self._repo.forget_archive(backup.stored_filename)
        self._appointments.forget(backup.stored_filename)
        self._save_after(lambda saved: (saved if saved is not None else self.local()).without([backup.stored_filename]))

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        return self._appointments.usual_wait(tier)

    def days_still_billed(self, backup: Backup, now: datetime) -> int:
        return max(0, self._archives.minimum_days - (now - backup.when).days)

    def found(self, prefix: str = "") -> Iterator[Found]:
        """From the bucket, if it knows anything; else from the vault's own list, which takes hours."""
        return (found for found in self._found() if found.stored_filename.startswith(prefix))

    def _found(self) -> Iterator[Found]:
        if self.catalog is not None:
            entries = {
                name: info.modified
                for info in self.catalog.list(PREFIX)
                if (name := stored_filename_of(info.key)) is not None
            }
            archives = self.saved().archives
            for name, archive_id in archives.items():
                yield Found(
                    stored_filename=name,
                    size=None,
                    modified=entries.get(name, self._clock()),
                    entry_modified=entries.get(name),
                    metadata={"archive_id": archive_id},
                )
            if archives:
                return
        yield from self._listed()

    # The copy of the inventory

    def saved(self) -> GlacierInventory:
        """The copy in the bucket, empty if there is none. Raises `PayloadDamaged`, `ConfigInvalid` without a bucket."""
        copy = self._copy()
        return copy if copy is not None else GlacierInventory()

    def _copy(self) -> GlacierInventory | None:
        """As `saved`; None if there is no copy yet."""
        try:
            with self._bucket().open(glacier_inventory.KEY) as reader:
                return glacier_inventory.loads(reader.read())
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
        """Write the copy in the bucket, in the place of the one that is there."""
        self._bucket().put(glacier_inventory.KEY, io.BytesIO(inventory.dumps()), replace=True)

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

    def _id_of(self, backup: Backup) -> ArchiveId:
        # The record's own first: the database's inventory has one id for a name, though two vaults may both hold it.
        known = backup.metadata.get("archive_id")
        if not isinstance(known, str) or not known:
            known = self._repo.archive_id(backup.stored_filename)
        if known is None and self.catalog is not None:
            known = self.saved().archives.get(backup.stored_filename)
        if known is None:
            raise ObjectNotFound(
                f"{backup.stored_filename}: nobody knows which archive of {self.owner.location} it is; run "
                "`bakthat restore_glacier_inventory`, or `bakthat sync -d glacier`, which asks the vault"
            )
        return ArchiveId(known)

    # The vault's own list

    def _listed(self) -> Iterator[Found]:
        name = f"inventory of {self.owner.location}"
        job = self._repo.job(name)
        if job is not None:
            try:
                infos = list(self._archives.inventory(job.job_id))
            except RetrievalPending:
                raise self._list_pending(job) from None
            except RetrievalExpired:
                job = None
        if job is None:
            job = RetrievalJob(
                filename=name, job_id=self._archives.request_inventory(), requested=self._clock(), tier=Tier.STANDARD
            )
            self._repo.remember_job(job)
            try:
                infos = list(self._archives.inventory(job.job_id))
            except RetrievalPending:
                raise self._list_pending(job) from None
        self._repo.forget_job(name)  # the next sync wants a newer one
        self._listed_at = job.requested
        for info in infos:
            record = rebuilt(info, self.owner)
            if record is not None:
                yield Found(
                    stored_filename=record.stored_filename,
                    size=info.size,
                    modified=info.created,
                    stored_at=info.created,
                    record=record,
                    metadata={"archive_id": info.archive_id},
                )

    def _list_pending(self, job: RetrievalJob) -> RetrievalPending:
        told = retrieval.pending(
            job.filename,
            requested=job.requested,
            tier=job.tier,
            waits=self._archives.usual_waits,
            now=self._clock(),
        )
        return RetrievalPending(str(told).replace("run restore again", "run sync again"))
