"""`VaultJobs`: retrievals and inventories of a vault. The service calls them jobs, and takes hours for them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, cast

from bakthat.adapters.aws.answer import Answer
from bakthat.adapters.aws.glacier_output import JobOutput, OutputReader, expired
from bakthat.adapters.aws.glacier_vault import Vault, moment, short
from bakthat.domain import retrieval
from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Tier
from bakthat.errors import AccessDenied, ObjectNotFound, RetrievalExpired, StoreError, StoreUnavailable

_CHUNK = 1 << 20

WAITS = retrieval.WAITS["VAULT"]
"""The tiers of a vault, and how long a retrieval in each usually takes."""


class VaultJobs:
    """The jobs of one vault.

    Args:
        max_concurrency: Ranges of one output that are fetched at once.
        clock: The current time.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, vault: Vault, *, max_concurrency: int, clock: Callable[[], datetime], sleep: Callable[[float], None]
    ) -> None:
        self._vault = vault
        self._concurrency = max_concurrency
        self._clock = clock
        self._sleep = sleep

    def request(self, archive_id: ArchiveId, *, tier: Tier) -> JobId:
        """Request a retrieval, or return one that exists, as `ArchiveStore.request`."""
        running = self._running(archive_id, tier)
        if running is not None:
            return running
        absent = ObjectNotFound(f"{self._vault.location}: the vault has no archive {short(archive_id)}")
        asked = {"Type": "archive-retrieval", "ArchiveId": archive_id, "Tier": tier.capitalize()}
        with self._vault.asking("retrieval", absent=absent, malformed=absent):
            return JobId(self._vault.ask(self._vault.client.initiate_job, jobParameters=asked).text("jobId"))

    def _running(self, archive_id: ArchiveId, tier: Tier) -> JobId | None:
        """Return a retrieval of this archive that is ready, or will be; for the expedited tier, no slower one."""
        try:
            jobs = [job for job in self._jobs() if job.maybe_text("ArchiveId") == archive_id and _is_whole(job)]
        except AccessDenied:
            return None  # nothing else needs the permission to list jobs
        ready = [job for job in jobs if job.maybe_text("StatusCode") == "Succeeded" and self._is_kept(job)]
        coming = [
            job
            for job in jobs
            if job.maybe_text("StatusCode") == "InProgress"
            and (tier is not Tier.EXPEDITED or _tier_of(job) is Tier.EXPEDITED)
        ]
        if ready:
            return JobId(max(ready, key=lambda job: job.maybe_text("CompletionDate") or "").text("JobId"))
        if coming:
            return JobId(max(coming, key=lambda job: retrieval.SPEED[_tier_of(job)]).text("JobId"))
        return None

    def _is_kept(self, job: Answer) -> bool:
        completed = moment(job.maybe_text("CompletionDate"))
        return completed is None or retrieval.state_at(self._clock(), ready=completed) is retrieval.JobState.READY

    def _jobs(self) -> list[Answer]:
        with self._vault.asking("retrieval"):
            pages = self._vault.pages("list_jobs")
            return [job for page in pages for job in page.listed("JobList")]

    @contextmanager
    def opened(self, job_id: JobId) -> Iterator[BinaryIO]:
        """Read what a job has made readable, as `ArchiveStore.open`."""
        job = self._done(job_id)
        output = JobOutput(vault=self._vault, job_id=job_id, sleep=self._sleep)
        size = job.maybe_number("ArchiveSizeInBytes") or output.size()
        reading = OutputReader(
            output.range,
            size=size,
            expected=job.maybe_text("SHA256TreeHash"),
            ahead=self._concurrency,
            name=self._vault.location,
        )
        with reading, io.BufferedReader(reading, _CHUNK) as reader:
            yield cast(BinaryIO, reader)

    def _done(self, job_id: JobId) -> Answer:
        """Return the description of a job that has succeeded."""
        gone = expired(self._vault, job_id)
        with self._vault.asking("retrieval", absent=gone, malformed=gone):
            job = self._vault.ask(self._vault.client.describe_job, jobId=job_id)
        if not job.flag("Completed"):
            job.text("JobId")  # an answer without any field does not describe a running job
            tier = _tier_of(job) if job.has("Tier") else None
            asked = moment(job.maybe_text("CreationDate"))
            raise retrieval.pending(self._vault.location, requested=asked, tier=tier, waits=WAITS, now=self._clock())
        if job.maybe_text("StatusCode") == "Failed":
            why = job.maybe_text("StatusMessage") or "no reason given"
            raise RetrievalExpired(
                f"{self._vault.location}: the retrieval {short(job_id)} failed ({why}); request it again"
            )
        return job

    def request_inventory(self) -> JobId:
        """Request an inventory, as `ArchiveStore.request_inventory`."""
        try:
            for job in self._jobs():
                if job.maybe_text("Action") == "InventoryRetrieval" and job.maybe_text("StatusCode") == "InProgress":
                    return JobId(job.text("JobId"))
        except AccessDenied:
            pass
        none_yet = StoreUnavailable(
            f"{self._vault.location}: there is no inventory of this vault yet; Amazon makes one about once a day, "
            "try tomorrow"
        )
        with self._vault.asking("inventory", absent=none_yet):
            asked = {"Type": "inventory-retrieval", "Format": "JSON"}
            return JobId(self._vault.ask(self._vault.client.initiate_job, jobParameters=asked).text("jobId"))

    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        """Return the archives of an inventory, as `ArchiveStore.inventory`."""
        self._done(job_id)
        content = JobOutput(vault=self._vault, job_id=job_id, sleep=self._sleep).whole()
        try:
            return iter([_archive_info(entry) for entry in json.loads(content)["ArchiveList"]])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._vault.location}: the answer is not an inventory of a vault ({error})") from error


def _is_whole(job: Answer) -> bool:
    """Whether a job retrieves the whole archive."""
    size, retrieved = job.maybe_number("ArchiveSizeInBytes") or 0, job.maybe_text("RetrievalByteRange")
    return job.maybe_text("Action") == "ArchiveRetrieval" and retrieved in {None, f"0-{size - 1}"}


def _tier_of(job: Answer) -> Tier:
    try:
        return Tier((job.maybe_text("Tier") or "Standard").lower())
    except ValueError:
        return Tier.STANDARD


def _archive_info(entry: Mapping[str, Any]) -> ArchiveInfo:
    created = moment(entry["CreationDate"])
    if created is None:
        raise ValueError(f"{entry['CreationDate']!r} is not a date")
    return ArchiveInfo(
        archive_id=ArchiveId(str(entry["ArchiveId"])),
        description=str(entry.get("ArchiveDescription") or ""),
        size=int(entry["Size"]),
        created=created,
    )
