"""The verbs of the library that are about the jobs of a profile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.interval import interval_of
from bakthat.domain.job import Job, chosen_jobs
from bakthat.domain.origin import Origin
from bakthat.domain.status import Expected, StatusReport
from bakthat.entrypoints.library.backup_verbs import BackupVerbs
from bakthat.entrypoints.library.record_verbs import RecordVerbs
from bakthat.entrypoints.library.restore_verbs import RestoreVerbs
from bakthat.entrypoints.library.retention_verbs import RetentionVerbs
from bakthat.errors import ConfigError, UsageError
from bakthat.usecases.retention import Retention
from bakthat.usecases.run_job import JobOutcome, JobRun, JobRuns, own_backups, run_job
from bakthat.usecases.status import StatusRequest
from bakthat.usecases.status import status as status_of
from bakthat.usecases.tools import Tools
from bakthat.usecases.verify import Verified


class JobVerbs(BackupVerbs, RestoreVerbs, RecordVerbs, RetentionVerbs):
    """Running jobs, and looking whether they have run."""

    def run_jobs(self, names: Sequence[str] = (), *, on_job: Callable[[JobRun], None] = ignore) -> JobRuns:
        """Run jobs of the profile, one after the other: back up, rotate, verify, as each of them says.

        A job that fails does not stop the others. The profile's hooks of `run`, its `ping` and the event `on_run` are
        for all jobs together. A job with `hooks` or `ping` of its own has those as well, for itself.

        Args:
            names: Of the jobs; by default all.
            on_job: Called with each result as it comes.

        Returns:
            A result for each job. What went wrong is in it, and not raised.

        Raises:
            ConfigError: The profile has no such job, or there is no folder for locks.
        """

        def carry_out(_: Tools) -> JobRuns:
            results: list[JobRun] = []
            wanted = (names,) if isinstance(names, str) else names
            for job in chosen_jobs(self._jobs.by_name, wanted, self._where):
                done = self._run_one(job)
                on_job(done)
                results.append(done)
            return JobRuns(jobs=tuple(results))

        return self._run("run", carry_out, failure=lambda done: done.error)

    def status(self, *, max_age: str | timedelta | None = None) -> StatusReport:
        """Report whether the backups that should be there are there, by series and origin. Reads only the database.

        Args:
            max_age: How old a newest backup may be, such as `26h`, where the job that makes it does not say.

        Returns:
            The state of the backups in all stores of the profile and its jobs. A job that never ran is in it, too.

        Raises:
            InvalidInterval, DatabaseError: There is no report.
            ConfigError: There is no such destination as that of a job. The message names the job.
        """
        age = None if max_age is None else interval_of(max_age)
        expected = [self._expected(job) for job in self._jobs.by_name.values()]
        owners = (*self._owners(), *(one.owner for one in expected))
        return status_of(StatusRequest(owners=owners, expected=expected, max_age=age), self.tools)

    def _with_settings_of(self, job: Job) -> JobVerbs:
        own = self._jobs.opened(job)
        assert isinstance(own, JobVerbs)  # noqa: S101 - of the same class as this
        return own

    def _expected(self, job: Job) -> Expected:
        own = self._with_settings_of(job)
        owners = [owner for owner in own._owners() if owner.backend == job.destination]
        try:
            owner = owners[0] if owners else own.tools.destination(job.destination).owner
        except ConfigError as error:
            raise type(error)(f"job {job.name}: {error}") from None
        return Expected(
            job=job.name,
            series=job.series,
            owner=owner,
            origin=Origin(host=own.tools.host(), source=job.recorded_source),
            max_age=job.max_age,
        )

    def _run_one(self, job: Job) -> JobRun:
        own = self._with_settings_of(job)
        locks = self._jobs.locks()
        with contextlib.ExitStack() as held:
            try:
                # Not by the path of the file: copies of it are of the same jobs, and a profile may have none.
                is_ours = held.enter_context(locks.hold(f"{self.profile.name}.{job.name}", self.profile.database))
            except ConfigError as error:  # such as a full disk, where another job has a file for its lock
                failed = JobRun(job=job.name, outcome=JobOutcome.FAILURE, error=error)
                own._job_ended(job, own._new_session(), failed, error)
                return failed
            if not is_ours:
                return JobRun(job=job.name, outcome=JobOutcome.RUNNING)
            return own._carry_out(job)

    def _carry_out(self, job: Job) -> JobRun:
        """Run the job of these settings, with hooks and pings of its own."""
        session = self._new_session()
        if self._pings is not None:
            self._pings.began("run")
        try:
            done = run_job(job, _Steps(self), self.tools)
        except BaseException as error:
            self._job_ended(job, session, None, error)
            raise
        self._job_ended(job, session, done, done.error)
        return done

    def _job_ended(self, job: Job, session: str, done: JobRun | None, error: BaseException | None) -> None:
        if self._hooks is not None and "hooks" in job.replaced:
            self._hooks.ended("run", session, done, error)
        if self._pings is not None:
            self._pings.ended("run", done, error)


class _Steps:
    """The steps of a job by the verbs of its own settings, so that each has its events and hooks."""

    def __init__(self, verbs: JobVerbs) -> None:
        self._verbs = verbs

    def back_up(self, job: Job) -> Backup:
        def without_password() -> str:
            """Called if there is nothing to encrypt with. A cron job that has lost BAKTHAT_PASSWORD must not go on with
            plain backups."""
            newest = next((one for one in own_backups(job, self._verbs.tools) if not one.is_deleted), None)
            if newest is not None and newest.is_encrypted:
                raise UsageError(
                    f"the backups of {job.series} are encrypted, and there is no password for a new one: set "
                    "BAKTHAT_PASSWORD or `recipients`; for plain backups, give the job another `name`"
                )
            return ""

        if job.command is not None:
            return self._verbs.backup_command(
                job.command, job.destination, name=job.series, tags=job.tags, ask=without_password
            )
        return self._verbs.backup(
            job.source or "",
            job.destination,
            name=job.series,
            tags=job.tags,
            excludes=job.exclude,
            exclude_from=job.exclude_from,
            ask=without_password,
        )

    def rotate(self, job: Job) -> Retention:
        return self._verbs.rotate_backups_with_report(
            job.series,
            job.destination,
            policy=job.rotation,
            host=self._verbs.tools.host(),
            source=job.recorded_source,
        )

    def verify(self, job: Job, backup: Backup) -> Verified:
        return self._verbs.verify(backup.stored_filename, job.destination)[0]
