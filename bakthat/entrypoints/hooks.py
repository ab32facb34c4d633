"""Passes the facts and the outcome of a verb to a profile's commands (`hooks`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bakthat.domain.backup import Backup
from bakthat.domain.profile import Profile
from bakthat.entrypoints.summaries import error_line
from bakthat.errors import BakthatError, RetrievalPending
from bakthat.usecases.cleanup import CleanedUp
from bakthat.usecases.copy import CopyReport
from bakthat.usecases.restore import Restored
from bakthat.usecases.retention import Retention
from bakthat.usecases.rotate_all import RotatedSeries
from bakthat.usecases.run_job import JobRun, JobRuns
from bakthat.usecases.sync import Synced, SyncReport
from bakthat.usecases.verify import Verified

_NAMES = {"delete_older_than": "remove_older_than"}
"""Events have the names of 2013, hooks those of the commands."""


class Commands(Protocol):
    """`bakthat.adapters.commands.hooks.CommandHooks`."""

    def ended(self, verb: str, outcome: str, facts: Mapping[str, Any]) -> None:
        """Run the command for this outcome of a verb."""


class Hooks:
    """The commands of one profile."""

    def __init__(self, commands: Commands, profile: str) -> None:
        self._commands = commands
        self._profile = profile

    def ended(self, verb: str, session: str, done: object, error: BaseException | None) -> None:
        """Called when a verb has ended: with the result `done` (None: without one), and with `error` if it failed.

        A pending retrieval is neither success nor failure, so nothing is run; nor is a job that is running already.
        """
        if isinstance(error, RetrievalPending) or (isinstance(done, JobRuns) and done.is_undecided):
            return
        outcome = "failure" if error is not None else "incomplete" if _is_incomplete(verb, done) else "success"
        name = _NAMES.get(verb, verb)
        facts: dict[str, Any] = {"verb": name, "outcome": outcome, "session": session, "profile": self._profile}
        facts.update(_facts(done))
        if error is not None:
            facts["error"] = error_line(error)
        self._commands.ended(name, outcome, facts)


def _is_incomplete(verb: str, done: object) -> bool:
    with_files = Backup | Restored | JobRun | JobRuns
    return verb in {"backup", "restore", "run"} and isinstance(done, with_files) and done.is_incomplete


def _facts(done: object) -> dict[str, Any]:
    match done:
        case Backup():
            return {"backup": done.as_record()}
        case Restored():
            return {"backup": done.backup.as_record()}
        case Retention() | RotatedSeries():
            return {"backups": _records(done.removed)}
        case JobRun():
            return _of_run(done)
        case JobRuns():
            return {"jobs": [{**_of_run(run), "outcome": str(run.outcome), **_error_of(run)} for run in done.jobs]}
        case Synced():
            return {"synced": {name: _changes(report) for name, report in done.reports.items()}}
        case CleanedUp():
            return {"removed": {name: [left.key for left in report.removed] for name, report in done.reports.items()}}
        case CopyReport():
            return {"copied": _records(done.copied), "failed": [_failed(*failure) for failure in done.failed]}
        case list():
            return {"verified": [_verified(result) for result in done if isinstance(result, Verified)]}
        case _:
            return {}


def _of_run(run: JobRun) -> dict[str, Any]:
    facts: dict[str, Any] = {"job": run.job}
    if run.backup is not None:
        facts["backup"] = run.backup.as_record()
    if run.retention is not None:
        facts["backups"] = _records(run.retention.removed)
    if run.verified is not None:
        facts["verified"] = [_verified(run.verified)]
    return facts


def _error_of(run: JobRun) -> dict[str, Any]:
    return {} if run.error is None else {"error": error_line(run.error)}


def _changes(report: SyncReport) -> dict[str, Any]:
    return {name: _records(getattr(report, name)) for name in ("added", "updated", "vanished")}


def _records(backups: Sequence[Backup]) -> list[dict[str, Any]]:
    return [backup.as_record() for backup in backups]


def _failed(backup: Backup, error: BakthatError) -> dict[str, Any]:
    return {"stored_filename": backup.stored_filename, "error": str(error)}


def _verified(result: Verified) -> dict[str, Any]:
    return {
        "stored_filename": result.backup.stored_filename,
        "level": str(result.level),
        "error": str(result.error) if result.error is not None else None,
        "incomplete": result.is_incomplete,
    }


def hooks_of(
    profile: Profile, environment: Mapping[str, str], notice: Callable[[str], None], *, where: str
) -> Hooks | None:
    """The profile's commands; None if it has none. `where`: whose settings they are. Raises `ConfigInvalid`."""
    if not profile.hooks:
        return None
    from bakthat.adapters.commands.environment import child_environment
    from bakthat.adapters.commands.hooks import command_hooks

    commands = command_hooks(
        profile.hooks,
        where=where,
        environment=child_environment(environment, with_aws=profile.pass_environment),
        notice=notice,
    )
    return Hooks(commands, profile.name)
