"""A vault's own inventory: made about once a day, and readable hours after a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from bakthat.domain import retrieval
from bakthat.domain.archive_description import rebuilt
from bakthat.domain.backup import Owner
from bakthat.domain.objects import RetrievalJob, Tier
from bakthat.errors import RetrievalExpired, RetrievalPending
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.usecases.destinations.base import Found


class VaultListing:
    """The inventory of one vault. `asked_at`: when the last inventory was requested."""

    def __init__(
        self,
        owner: Owner,
        archives: ArchiveStore,
        *,
        repo: MetadataRepo,
        clock: Callable[[], datetime],
        notice: Callable[[str], None],
    ) -> None:
        self.asked_at: datetime | None = None
        self._owner = owner
        self._archives = archives
        self._repo = repo
        self._clock = clock
        self._notice = notice

    def found(self) -> Iterator[Found]:
        """Every archive whose description contains a stored filename. Raises `RetrievalPending` until the inventory is
        ready."""
        name = f"inventory of {self._owner.location}"
        job = self._repo.job(name)
        if job is not None:
            try:
                infos = list(self._archives.inventory(job.job_id))
            except RetrievalPending:
                raise self._pending(job) from None
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
                raise self._pending(job) from None
        self._repo.forget_job(name)  # the next sync requests a newer one
        self.asked_at = job.requested
        # The oldest of a name first: anyone who may upload may choose any name, and must not hide another archive.
        names: set[str] = set()
        for info in sorted(infos, key=lambda info: info.created):
            record = rebuilt(info, self._owner)
            if record is None:
                continue
            if record.stored_filename in names:
                self._notice(f"{record.stored_filename}: the vault contains another archive of this name, made at "
                             f"{info.created:%Y-%m-%d %H:%M:%S} UTC; the oldest is listed")  # fmt: skip
                continue
            names.add(record.stored_filename)
            yield Found(
                stored_filename=record.stored_filename,
                size=info.size,
                modified=info.created,
                stored_at=info.created,
                record=record,
                archive_id=info.archive_id,
            )

    def _pending(self, job: RetrievalJob) -> RetrievalPending:
        pending = retrieval.pending(
            job.filename,
            requested=job.requested,
            tier=job.tier,
            waits=self._archives.usual_waits,
            now=self._clock(),
        )
        return RetrievalPending(str(pending).replace("run restore again", "run sync again"))
