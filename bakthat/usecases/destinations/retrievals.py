"""`Retrievals`: a state machine, kept in the database, for archives that can be read hours after a request.

not requested -> requested -> pending -> ready; expired -> requested again. The job is kept under the stored filename of
the backup, so that a later call, or another process, continues where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import BinaryIO

from bakthat.domain import retrieval
from bakthat.domain.objects import ArchiveId, RetrievalJob, Tier
from bakthat.domain.retrieval import Wait
from bakthat.errors import ObjectNotFound, RetrievalExpired, RetrievalPending
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.metadata_repo import MetadataRepo


class Retrievals:
    """The retrievals of one archive store."""

    def __init__(
        self,
        archives: ArchiveStore,
        repo: MetadataRepo,
        *,
        clock: Callable[[], datetime],
        notice: Callable[[str], None],
    ) -> None:
        self.archives = archives
        self._repo = repo
        self._clock = clock
        self._notice = notice

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        """How long a retrieval of this tier usually takes."""
        return self.archives.usual_waits.get(tier if tier is not None else Tier.STANDARD)

    @contextmanager
    def opened(self, name: str, archive_id: ArchiveId, tier: Tier | None) -> Iterator[BinaryIO]:
        """Read the archive if its retrieval is ready. Else start one, or find the running one, and raise
        `RetrievalPending`, which says what was requested, when, and when it is usually ready. `tier`: None accepts any
        running retrieval; a faster tier than that of the running one starts a new one."""
        with ExitStack() as stack:
            reader = self._ready(name, tier, stack)
            if reader is None:
                job = self._ask(name, archive_id, tier)
                try:
                    reader = stack.enter_context(self.archives.open(job.job_id))
                except RetrievalPending:
                    raise self._pending(job) from None
            yield reader

    def forget(self, name: str) -> None:
        """Forget a retrieval because its archive is gone."""
        self._repo.forget_job(name)

    def _ready(self, name: str, tier: Tier | None, stack: ExitStack) -> BinaryIO | None:
        """The stream of the recorded retrieval; None if there is none, or it is no longer usable."""
        job = self._repo.job(name)
        if job is None:
            return None
        try:
            return stack.enter_context(self.archives.open(job.job_id))
        except RetrievalPending:
            if tier is not None and retrieval.SPEED[tier] > retrieval.SPEED[job.tier or Tier.STANDARD]:
                return None
            raise self._pending(job) from None
        except ObjectNotFound:
            # The retrieval of a copy of this backup in another store, which has the same name.
            self._repo.forget_job(name)
            return None
        except RetrievalExpired:
            self._repo.forget_job(name)
            self._notice(f"{name}: the earlier retrieval has expired; requesting it again")
            return None

    def _ask(self, name: str, archive_id: ArchiveId, tier: Tier | None) -> RetrievalJob:
        chosen = tier if tier is not None else Tier.STANDARD
        job_id = self.archives.request(archive_id, tier=chosen)
        job = RetrievalJob(filename=name, job_id=job_id, requested=self._clock(), tier=chosen)
        self._repo.remember_job(job)
        return job

    def _pending(self, job: RetrievalJob) -> RetrievalPending:
        return retrieval.pending(
            job.filename,
            requested=job.requested,
            tier=job.tier,
            waits=self.archives.usual_waits,
            now=self._clock(),
        )
