"""`bakthat cleanup`."""

from __future__ import annotations

from typing import Any

import click

from bakthat.domain.objects import Leftover
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_line_words import in_command_line_words
from bakthat.entrypoints.library.cleanup_verbs import cleanup_error
from bakthat.entrypoints.options import Settings, common, dry_run_option, json_option
from bakthat.usecases.cleanup import CleanupReport


@click.command(short_help="Remove what killed backups left in a store.")
@click.option("-d", "--destination", metavar="DEST", help="Only this destination (default: all of the profile's).")
@click.option(
    "--older-than", default="7D", metavar="INTERVAL", help="To which nothing was added for so long (default: 7D)."
)
@dry_run_option
@json_option
@common
def cleanup(settings: Settings, destination: str | None, older_than: str, dry_run: bool, as_json: bool) -> None:
    """Remove unfinished uploads, and what killed backups left in a folder.

    They are invisible, and services bill them. No backup is touched. Uploads of other programs are left, and so are
    younger ones, which may belong to a running backup.
    """
    with settings.opened() as bakthat:
        done = bakthat.cleanup_all(
            [destination] if destination is not None else [], older_than=older_than, dry_run=dry_run
        )
    if as_json:
        destinations = {name: _as_json(report) for name, report in done.reports.items()}
        failures = json_output.errors_json(done.failures)
        json_output.print_document({"dry_run": dry_run, "destinations": destinations, "failures": failures})
    else:
        for name, report in done.reports.items():
            _tell(name, report, settings)
    for name, error in done.failures.items():
        if len(done.failures) + len(done.reports) > 1:
            settings.notice(f"{name}: {error}")
    first = cleanup_error(done)
    if first is not None:
        raise first


def _tell(name: str, report: CleanupReport, settings: Settings) -> None:
    word = "would remove" if report.dry_run else "removed"
    for leftover in report.removed:
        size = "" if leftover.size is None else f"\t{terminal.human_size(leftover.size)}"
        terminal.result(f"{word}\t{leftover.key}\t{leftover.started:%Y-%m-%d %H:%M:%SZ}{size}")
    kept = [
        f"{len(leftovers)} {what}"
        for leftovers, what in (
            (report.younger, "younger"),
            (report.unknown, "of unknown age"),
            (report.foreign, "of other programs"),
        )
        if leftovers
    ]
    settings.say(f"{name}: {word} {len(report.removed)}{', left ' + ', '.join(kept) if kept else ''}.")


def _as_json(report: CleanupReport) -> dict[str, Any]:
    return {
        "removed": [_leftover(leftover) for leftover in report.removed],
        "younger": [_leftover(leftover) for leftover in report.younger],
        "unknown": [_leftover(leftover) for leftover in report.unknown],
        "foreign": [_leftover(leftover) for leftover in report.foreign],
        "failed": [
            {**_leftover(leftover), "error": in_command_line_words(str(error))} for leftover, error in report.failed
        ],
    }


def _leftover(leftover: Leftover) -> dict[str, Any]:
    return {
        "key": leftover.key,
        "started": int(leftover.started.timestamp()),
        "started_iso": json_output.iso(leftover.started),
        "latest": None if leftover.latest is None else int(leftover.latest.timestamp()),
        "latest_iso": json_output.iso(leftover.latest),
        "size": leftover.size,
    }
