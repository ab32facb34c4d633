"""What became of a backup, and of a job, in one line without a path."""

from __future__ import annotations

from bakthat.domain.backup import Backup
from bakthat.domain.verification import Level
from bakthat.entrypoints import terminal
from bakthat.entrypoints.signals import StoppedBySignal
from bakthat.errors import BakthatError, RetrievalPending
from bakthat.usecases.run_job import JobOutcome, JobRun
from bakthat.usecases.verify import Verified

_VERIFIED = {Level.PRESENT: "verified: present", Level.STORED: "verified: intact", Level.OPENS: "verified: good"}


def summary_of_backup(made: Backup) -> str:
    """`etc.20260102030405.tgz: 12 files (3.4 MB), 1.2 MB stored, encrypted`."""
    counts = made.metadata.counts or {}
    number = counts.get("files", 0)
    files = "a stream" if made.source == "-" else terminal.counted(number, "file")
    encryption = "encrypted" if made.is_encrypted else "not encrypted"
    incomplete = f", {made.completeness}" if made.is_incomplete else ""
    return (
        f"{made.stored_filename}: {files} ({terminal.human_size(counts.get('bytes', 0))}), "
        f"{terminal.human_size(made.size)} stored, {encryption}{incomplete}"
    )


def run_summary(run: JobRun) -> str:
    """The steps of a job that were carried out, and what went wrong."""
    if run.outcome is JobOutcome.RUNNING:
        return "another run of this job is under way"
    parts = [error_line(run.error)] if run.error is not None else []
    if run.backup is not None:
        parts.append(summary_of_backup(run.backup))
    if run.retention is not None:
        parts.append(f"kept {len(run.retention.plan.keep)}, deleted {len(run.retention.removed)}")
    if run.verified is not None and (not run.verified.is_bad or run.error is not run.verified.error):
        parts.append(_verified(run.verified))
    return "; ".join(parts)


def run_line(run: JobRun) -> str:
    """The line of `bakthat run` for a job."""
    words = {JobOutcome.FAILURE: "FAILED: ", JobOutcome.INCOMPLETE: "INCOMPLETE: "}
    return f"{run.job}: {words.get(run.outcome, '')}{run_summary(run)}"


def error_line(error: BaseException) -> str:
    """The line of an error, also of one that bakthat does not know, and of being stopped."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by SIGINT"
    if isinstance(error, StoppedBySignal):
        return f"stopped by {error.signal_name}"
    text = str(error)
    if isinstance(error, BakthatError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _verified(result: Verified) -> str:
    if isinstance(result.error, RetrievalPending):
        return "verification waits for a retrieval"
    if result.error is not None:
        return f"not verified: {result.error}"
    return _VERIFIED.get(result.level, "not verified")
