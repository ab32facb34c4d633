"""`bakthat run`."""

from __future__ import annotations

from typing import Any

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_line_words import in_command_line_words
from bakthat.entrypoints.exit_codes import exit_code
from bakthat.entrypoints.options import INCOMPLETE, Settings, common, json_option
from bakthat.entrypoints.progress_bar import clear_bars
from bakthat.entrypoints.summaries import error_line, run_line
from bakthat.errors import BakthatError, JobRunning
from bakthat.usecases.run_job import JobOutcome, JobRun, JobRuns


@click.command(short_help="Run the jobs: back up, rotate, verify.")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@json_option
@common
def run(settings: Settings, jobs: tuple[str, ...], as_json: bool) -> None:
    """Run each JOB of the profile, by default all: back up, then delete what its rotation does not keep, then verify,
    if the last verification is older than its verify_every.

    A job that fails does not stop the others. Two runs of one job never overlap: the second one does nothing. The exit
    code is that of the first job that failed, else 3 if a backup is incomplete, else 75 if a job was running already.
    """

    results = terminal.ResultsOfWork()

    def show(done: JobRun) -> None:
        clear_bars()  # the next job may begin with a program that writes to the terminal
        if done.outcome is not JobOutcome.SUCCESS:
            settings.notice(run_line(done))
        elif not as_json and not settings.quiet:
            results.words(run_line(done))

    with settings.opened() as bakthat:
        done = bakthat.run_jobs(jobs, on_job=show)
    if as_json:
        json_output.print_document({"jobs": [_as_json(one) for one in done.jobs]})
    code = _exit_code(done)
    if code == 0:
        results.check()
    click.get_current_context().exit(code)


def _exit_code(done: JobRuns) -> int:
    if done.error is not None:
        return exit_code(done.error) if isinstance(done.error, BakthatError) else 1
    if done.is_incomplete:
        return INCOMPLETE
    return exit_code(JobRunning()) if done.was_running else 0


def _as_json(run: JobRun) -> dict[str, Any]:
    return {
        "job": run.job,
        "outcome": str(run.outcome),
        "backup": json_output.record_json(run.backup) if run.backup is not None else None,
        "deleted": [gone.stored_filename for gone in run.retention.removed] if run.retention is not None else None,
        "verified": str(run.verified.level) if run.verified is not None else None,
        "error": in_command_line_words(error_line(run.error)) if run.error is not None else None,
    }
