"""A run of a job: its steps in order, what stops which, and when it verifies."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from bakthat.domain.backup import Backup
from bakthat.domain.job import Job, jobs_of
from bakthat.domain.origin import Scope
from bakthat.domain.profile import Profile
from bakthat.domain.verification import Level
from bakthat.errors import PayloadDamaged, RetrievalPending, SourceError, StoreUnavailable
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.retention import Retention, rotate_backups
from bakthat.usecases.run_job import JobOutcome, JobRun, JobRuns, run_job
from bakthat.usecases.verify import Verified, verify

NIGHTLY = {"rotation": {"days": 1}, "verify_every": "30D"}


@define
class RealSteps:
    """The verbs themselves. `done`: the steps, in order. `raises`: the errors of steps that fail."""

    box: Toolbox
    done: list[str]
    raises: dict[str, Exception]
    changed: Callable[[Backup], Backup] = lambda made: made

    def _begin(self, step: str) -> None:
        self.done.append(step)
        if step in self.raises:
            raise self.raises[step]

    def back_up(self, job: Job) -> Backup:
        self._begin("back up")
        assert job.source is not None
        made = self.changed(
            backup(BackupRequest(source=Path(job.source), destination="s3", name=job.series), self.box.tools)
        )
        self.box.repo.replace(made)
        return made

    def rotate(self, job: Job) -> Retention:
        self._begin("rotate")
        assert job.rotation is not None
        scope = Scope(host=self.box.host, source=job.recorded_source)
        return rotate_backups(job.series, "s3", job.rotation, self.box.tools, scope=scope)

    def verify(self, job: Job, backup: Backup) -> Verified:
        self._begin(f"verify {backup.stored_filename}")
        return verify(backup.stored_filename, "s3", self.box.tools)[0]


@pytest.fixture
def run(box: Toolbox, tree: Path) -> Callable[..., tuple[JobRun, list[str]]]:
    """Runs a job that backs up the tree; returns the result and its steps."""

    def run(changed: Callable[[Backup], Backup] = lambda made: made, *, raises: Any = None, **section: Any):
        job = jobs_of(Profile(jobs={"site": {"source": str(tree), **section}}))["site"]
        steps = RealSteps(box, [], raises or {}, changed)
        return run_job(job, steps, box.tools), steps.done

    return run


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What bakthat logs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger("bakthat").addHandler(handler)
    yield text
    logging.getLogger("bakthat").removeHandler(handler)


def incomplete(made: Backup) -> Backup:
    return evolve(made, metadata={**made.metadata, "incomplete": True, "problems": ["a: gone"]})


def test_a_job_backs_up_rotates_and_verifies(run) -> None:
    done, steps = run(**NIGHTLY)
    assert (done.outcome, steps) == (JobOutcome.SUCCESS, ["back up", "rotate", "verify site.20260102030405.tgz"])
    assert (done.backup.stored_filename, len(done.retention.plan.keep)) == ("site.20260102030405.tgz", 1)
    assert done.verified.level is Level.OPENS


def test_a_job_without_more_only_backs_up(run) -> None:
    done, steps = run()
    assert (steps, done.retention, done.verified) == (["back up"], None, None)


def test_a_job_whose_backup_failed_does_nothing_more(run) -> None:
    done, steps = run(raises={"back up": SourceError("gone")}, **NIGHTLY)
    assert (done.outcome, steps, str(done.error)) == (JobOutcome.FAILURE, ["back up"], "gone")


def test_an_error_that_bakthat_does_not_know_fails_the_job_only(run, logged: io.StringIO) -> None:
    done, _ = run(raises={"back up": KeyError("plug-in")})
    assert (done.outcome, type(done.error)) == (JobOutcome.FAILURE, KeyError)
    assert "does not know" in logged.getvalue()


def test_a_rotation_that_fails_does_not_stop_the_verification(run) -> None:
    done, steps = run(raises={"rotate": StoreUnavailable("down")}, **NIGHTLY)
    assert (done.outcome, str(done.error), len(steps)) == (JobOutcome.FAILURE, "down", 3)


def test_an_incomplete_backup_is_incomplete_and_rotated(run) -> None:
    done, steps = run(incomplete, **NIGHTLY)
    assert (done.outcome, done.is_incomplete) == (JobOutcome.INCOMPLETE, True)
    assert steps == ["back up", "rotate"]  # nothing complete can be verified


def test_the_newest_complete_backup_is_verified(run, box: Toolbox) -> None:
    run()
    box.clock.forward(days=1)
    _, steps = run(incomplete, verify_every="30D")
    assert steps == ["back up", "verify site.20260102030405.tgz"]


def test_a_job_verifies_again_when_the_last_verification_is_too_old(run, box: Toolbox) -> None:
    verified = []
    for _ in range(9):
        _, steps = run(verify_every="3D", rotation={"last": 1})
        verified.append(len(steps) == 3)
        box.clock.forward(days=1)
    assert verified == [True, False, False, True, False, False, True, False, False]


def test_a_clock_that_was_ahead_once_does_not_put_off_the_verification(run, box: Toolbox) -> None:
    box.clock.forward(days=1000)
    run(verify_every="3D")
    box.clock.forward(days=-1000)
    _, steps = run(verify_every="3D")
    assert steps == ["back up", "verify site.20260102030405.tgz"]
    assert run(verify_every="3D")[1] == ["back up"]


def test_a_bad_verification_fails_the_job_and_is_repeated_the_next_time(run, box: Toolbox) -> None:
    bad = PayloadDamaged("damaged")

    def verify_badly(made: Backup) -> Backup:
        return made.with_metadata(made.last_updated, verified={"at": 1, "level": "none", "error": "damaged"})

    done, steps = run(verify_badly, raises={"verify site.20260102030405.tgz": bad}, verify_every="30D")
    assert (done.outcome, done.error, len(steps)) == (JobOutcome.FAILURE, bad, 2)
    box.clock.forward(days=1)
    assert len(run(verify_every="30D")[1]) == 2


def test_a_pending_retrieval_is_not_a_failure(run, box: Toolbox, tree: Path) -> None:
    class Pending(RealSteps):
        def verify(self, job: Job, backup: Backup) -> Verified:
            return Verified(backup=backup, level=Level.PRESENT, error=RetrievalPending("in five hours"))

    job = jobs_of(Profile(jobs={"site": {"source": str(tree), "verify_every": "1D"}}))["site"]
    done = run_job(job, Pending(box, [], {}), box.tools)
    assert (done.outcome, done.error) == (JobOutcome.SUCCESS, None)


def test_another_hosts_backup_of_the_same_path_is_not_verified(run, box: Toolbox) -> None:
    box.host = "elsewhere"
    run()
    box.host = "host"
    box.clock.forward(days=1)
    _, steps = run(verify_every="30D")
    assert steps[1] == "verify site.20260103030405.tgz"


@pytest.mark.parametrize(
    ("outcomes", "facts"),
    [
        ("success", (None, False, False)),
        ("incomplete running", (None, True, True)),
        ("failure incomplete", ("one", True, False)),
    ],
    ids=["good", "mixed", "failed"],
)
def test_the_results_of_several_jobs_are_summed_up(outcomes: str, facts: tuple[object, ...]) -> None:
    runs = JobRuns(
        jobs=tuple(
            JobRun(job=word, outcome=JobOutcome(word), error=SourceError("one") if word == "failure" else None)
            for word in outcomes.split()
        )
    )
    assert (str(runs.error) if runs.error else None, runs.is_incomplete, runs.was_running) == facts
