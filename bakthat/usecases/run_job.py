"""`run_job`: one backup, then what its job says should follow: retention and verification."""

from __future__ import annotations

import enum
import logging
from collections.abc import Sequence
from typing import Protocol

from attrs import evolve, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.job import Job
from bakthat.domain.origin import origins
from bakthat.domain.query import Query, newest_first
from bakthat.domain.rotation import is_later, rank
from bakthat.domain.verification import last_good_reading
from bakthat.errors import BakthatError, RetrievalPending
from bakthat.usecases.retention import Retention
from bakthat.usecases.tools import Tools
from bakthat.usecases.verify import Verified

log = logging.getLogger("bakthat")


class JobOutcome(enum.StrEnum):
    """How a run of a job ended."""

    SUCCESS = "success"
    INCOMPLETE = "incomplete"
    """Everything succeeded, but files are missing in the backup."""
    FAILURE = "failure"
    RUNNING = "running"
    """Nothing was done: another run of this job is under way."""


@frozen(kw_only=True)
class JobRun:
    """A run of a job: what came of each step that was carried out.

    backup: the new one. retention: what was deleted. verified: the result of verifying.
    error: of the first step that failed.
    """

    job: str
    outcome: JobOutcome
    backup: Backup | None = None
    retention: Retention | None = None
    verified: Verified | None = None
    error: Exception | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether everything succeeded, but files are missing in the backup."""
        return self.outcome is JobOutcome.INCOMPLETE


@frozen(kw_only=True)
class JobRuns:
    """The runs of several jobs, in order."""

    jobs: tuple[JobRun, ...]

    @property
    def error(self) -> Exception | None:
        """The error of the first job that failed."""
        return next((run.error for run in self.jobs if run.outcome is JobOutcome.FAILURE), None)

    @property
    def is_incomplete(self) -> bool:
        """Whether a backup is incomplete."""
        return any(run.is_incomplete for run in self.jobs)

    @property
    def was_running(self) -> bool:
        """Whether a job was not run because another run of it was under way."""
        return any(run.outcome is JobOutcome.RUNNING for run in self.jobs)

    @property
    def is_undecided(self) -> bool:
        """Whether nothing is wrong, except that another run of a job is under way, which will say how it ends."""
        return self.was_running and self.error is None and not self.is_incomplete


class Steps(Protocol):
    """The verbs that a job consists of."""

    def back_up(self, job: Job) -> Backup:
        """Make the backup."""

    def rotate(self, job: Job) -> Retention:
        """Thin out the job's own origin of its series by the job's rotation."""

    def verify(self, job: Job, backup: Backup) -> Verified:
        """Verify one backup of the job."""


def run_job(job: Job, steps: Steps, tools: Tools) -> JobRun:
    """Back up; then rotate, if the job has a rotation; then verify the newest complete backup of the job's origin, if
    its last verification is too old.

    A job whose backup failed is neither rotated nor verified. A rotation that fails does not stop the verification.
    Never raises an `Exception`: see `JobRun.error`.
    """
    try:
        made = steps.back_up(job)
    except Exception as error:  # noqa: BLE001 - one job must not stop the others
        return JobRun(job=job.name, outcome=JobOutcome.FAILURE, error=_noted(error))
    run = JobRun(job=job.name, outcome=JobOutcome.SUCCESS, backup=made)
    if made.is_incomplete:
        run = evolve(run, outcome=JobOutcome.INCOMPLETE)
    try:
        if job.rotation is not None:
            run = _rotated(run, job, steps)
    except Exception as error:  # noqa: BLE001
        run = _failed(run, error)
    try:
        backup = _to_verify(job, tools)
        if backup is not None:
            run = _verified(run, steps.verify(job, backup))
    except Exception as error:  # noqa: BLE001
        run = _failed(run, error)
    return run


def _rotated(run: JobRun, job: Job, steps: Steps) -> JobRun:
    done = steps.rotate(job)
    run = evolve(run, retention=done)
    return _failed(run, done.failed[0][1]) if done.failed else run


def _verified(run: JobRun, result: Verified) -> JobRun:
    run = evolve(run, verified=result)
    # A pending retrieval is not a failure: a later run reads what is then ready.
    if result.error is None or isinstance(result.error, RetrievalPending):
        return run
    return _failed(run, result.error)


def _failed(run: JobRun, error: Exception) -> JobRun:
    return evolve(run, outcome=JobOutcome.FAILURE, error=run.error if run.error is not None else _noted(error))


def _noted(error: Exception) -> Exception:
    if not isinstance(error, BakthatError):
        log.error("a job failed with an error that bakthat does not know", exc_info=error)
    return error


def _to_verify(job: Job, tools: Tools) -> Backup | None:
    """The backup to verify; None if nothing is due."""
    if job.verify_every is None:
        return None
    now = tools.clock()
    own = own_backups(job, tools)
    last = last_good_reading(own, now)
    if not job.verification_is_due(None if last is None else now - last):
        return None
    complete = [one for one in own if not one.is_deleted and rank(one) == 0 and not is_later(one, now)]
    return complete[0] if complete else None


def own_backups(job: Job, tools: Tools) -> Sequence[Backup]:
    """The recorded backups of the job's series and of its own origin, deleted ones too, newest first."""
    owner = tools.destination(job.destination).owner
    query = Query(filename=job.series, backend=owner.backend, owners=(owner,), deleted=True)
    found = [backup for backup in tools.repo.find(query) if not backup.is_value]
    here = (tools.host(), job.recorded_source)
    members = next((group for origin, group in origins(found) if (origin.host, origin.source) == here), [])
    return sorted(members, key=newest_first, reverse=True)
