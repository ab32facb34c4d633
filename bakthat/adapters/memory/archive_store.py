"""`MemoryArchiveStore`: archives in memory that need a retrieval, by a clock that a test controls."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from attrs import define, frozen

from bakthat.domain import retrieval
from bakthat.domain.archive_description import LIMIT
from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Tier
from bakthat.domain.retrieval import JobState, Wait
from bakthat.errors import ObjectNotFound, RetrievalExpired, UsageError
from bakthat.ports.archive_store import ArchiveStore


@frozen
class _Archive:
    info: ArchiveInfo
    content: bytes


@define
class _Job:
    asked: datetime
    ready: datetime
    tier: Tier
    archive: _Archive | None
    listed: tuple[ArchiveInfo, ...] = ()


class MemoryArchiveStore(ArchiveStore):
    """Archives live as long as the instance. A retrieval is ready when the longest usual wait of its tier has passed on
    `clock`, and is kept for `kept` from then on, unless `forget` is called."""

    def __init__(
        self,
        location: str = "memory://vault",
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        usual_waits: Mapping[Tier, Wait] = retrieval.WAITS["VAULT"],
        kept: timedelta = retrieval.KEPT,
        minimum_days: int = 0,
    ) -> None:
        self.location = location
        self.usual_waits = usual_waits
        self.minimum_days = minimum_days
        self._clock = clock
        self._kept = kept
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._archives: dict[ArchiveId, _Archive] = {}
        self._jobs: dict[JobId, _Job] = {}

    def __repr__(self) -> str:
        return f"MemoryArchiveStore({self.location!r})"

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        if len(description) > LIMIT or any(not " " <= char <= "~" for char in description):
            raise UsageError(f"{self.location}: a description is at most {LIMIT} printable ASCII characters")
        content = b"".join(iter(lambda: body.read(1 << 20), b""))
        with self._lock:
            archive_id = ArchiveId(f"archive-{next(self._numbers)}")
            info = ArchiveInfo(archive_id=archive_id, description=description, size=len(content), created=self._clock())
            self._archives[archive_id] = _Archive(info, content)
        return archive_id

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        if tier not in self.usual_waits:
            raise UsageError(f"{self.location}: there is no {tier} tier; choose one of {', '.join(self.usual_waits)}")
        with self._lock:
            archive = self._archives.get(archive_id)
            if archive is None:
                raise ObjectNotFound(f"{self.location}: no archive {archive_id}")
            for job_id, job in self._jobs.items():
                if job.archive == archive and self._serves(job, tier):
                    return job_id
            return self._begun(tier, archive, ())

    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        archive = self._done(job_id).archive
        if archive is None:
            raise UsageError(f"{self.location}: {job_id} is the job of an inventory, not of an archive")
        return io.BytesIO(archive.content)

    def delete(self, archive_id: ArchiveId) -> None:
        with self._lock:
            self._archives.pop(archive_id, None)

    def request_inventory(self) -> JobId:
        with self._lock:
            listed = tuple(archive.info for archive in self._archives.values())
            return self._begun(Tier.STANDARD, None, listed)

    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return iter(self._done(job_id).listed)

    def finish(self, job_id: JobId) -> None:
        """Make this job ready now, whatever the clock says."""
        with self._lock:
            self._jobs[job_id].ready = self._clock()

    def expire(self, job_id: JobId) -> None:
        """Make this job expired."""
        with self._lock:
            self._jobs[job_id].ready = self._clock() - self._kept

    def forget(self, job_id: JobId) -> None:
        """Make this job unknown, as after the service has removed it."""
        with self._lock:
            self._jobs.pop(job_id, None)

    def _begun(self, tier: Tier, archive: _Archive | None, listed: tuple[ArchiveInfo, ...]) -> JobId:
        job_id, now = JobId(f"job-{next(self._numbers)}"), self._clock()
        wait = self.usual_waits.get(tier)
        ready = now + (wait.most if wait is not None else timedelta(0))
        self._jobs[job_id] = _Job(now, ready, tier, archive, listed)
        return job_id

    def _serves(self, job: _Job, tier: Tier) -> bool:
        """Whether a request for this tier reuses this job: it is ready, or running and not too slow."""
        state = self._state(job)
        too_slow = tier is Tier.EXPEDITED and job.tier is not Tier.EXPEDITED
        return state is JobState.READY or (state is JobState.PENDING and not too_slow)

    def _state(self, job: _Job) -> JobState:
        return retrieval.state_at(self._clock(), ready=job.ready, kept=self._kept)

    def _done(self, job_id: JobId) -> _Job:
        with self._lock:
            job = self._jobs.get(job_id)
        state = self._state(job) if job is not None else JobState.EXPIRED
        if job is None or state is JobState.EXPIRED:
            raise RetrievalExpired(
                f"{self.location}: the retrieval {job_id} has expired or is unknown; request it again"
            )
        if state is JobState.PENDING:
            raise retrieval.pending(
                self.location, requested=job.asked, tier=job.tier, waits=self.usual_waits, now=self._clock()
            )
        return job
