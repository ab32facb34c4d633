"""`bakthat copy`."""

from __future__ import annotations

from typing import Any

import click

from bakthat.domain.backup import Backup
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_line_words import in_command_line_words
from bakthat.entrypoints.library.copy_verbs import error_of
from bakthat.entrypoints.limit_options import limit_options
from bakthat.entrypoints.options import (
    Settings,
    common,
    destination_option,
    dry_run_option,
    host_option,
    json_option,
    retrieval_options,
)
from bakthat.errors import BakthatError, UsageError
from bakthat.usecases.copy import CopyReport, report_of
from bakthat.usecases.copying.one_backup import Copied


@click.command(short_help="Copy backups to another destination.")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every backup of the source.")
@click.option("--series", metavar="NAME", help="With --all: only backups of this series.")
@click.option("--to", required=True, metavar="DEST", help="Where to: s3, glacier, local, or a plug-in's name.")
@click.option("--to-profile", metavar="NAME", help="The profile of --to (default: the same).")
@destination_option
@host_option
@retrieval_options
@dry_run_option
@json_option
@common
@limit_options
def copy(
    settings: Settings,
    name: str | None,
    everything: bool,
    series: str | None,
    to: str,
    to_profile: str | None,
    destination: str | None,
    host: str | None,
    tier: str | None,
    wait: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Copy the backup NAME, or with --all every one, to another destination: a second copy.

    The stored bytes are copied as they are, and checked on the way. Nothing is replaced; what is there already is not
    copied again, so a repeated call copies what is missing. -d is the source.
    """
    if (name is None) is not everything:
        raise UsageError("copy requires the NAME of a backup, or --all")
    if series is not None and not everything:
        raise UsageError("--series goes with --all; give NAME alone, or --all --series NAME")

    copied: list[Copied] = []
    failed: list[tuple[Backup, BakthatError]] = []
    results = terminal.ResultsOfWork()

    def show(one: Copied) -> None:
        copied.append(one)
        if not as_json and one.is_new:
            results.line(f"{'would copy' if dry_run else 'copied'}\t{one.backup.stored_filename}")

    def complain(backup: Backup, error: BakthatError) -> None:
        failed.append((backup, error))
        text, named = str(error), backup.stored_filename
        if name is None:
            settings.notice(text if text.startswith(named) else f"{named}: {text}")

    try:
        with settings.opened() as bakthat:
            done = bakthat.copy(
                name,
                destination,
                to=to,
                to_profile=to_profile,
                series=series,
                host=host,
                tier=tier,
                wait=wait,
                dry_run=dry_run,
                on_copied=show,
                on_failed=complain,
            )
    except BakthatError:
        if as_json and (copied or failed):  # what happened before the error has happened
            json_output.print_document(_as_json(report_of(copied, failed, dry_run=dry_run)))
        raise
    if as_json:
        json_output.print_document(_as_json(done))
    else:
        settings.say(_summary(done))
    error = error_of(done)
    if error is not None:
        total = len(done.failed) + len(done.copied) + len(done.present)
        raise type(error)(f"{len(done.failed)} of {total} could not be copied; run this again when that is mended")
    results.check()


def _summary(done: CopyReport) -> str:
    there = f", {len(done.present)} already there" if done.present else ""
    by_service = f" ({len(done.by_service)} within the service)" if done.by_service else ""
    word = "Would copy" if done.dry_run else "Copied"
    return f"{word} {len(done.copied)}{by_service}{there}."


def _as_json(done: CopyReport) -> dict[str, Any]:
    return {
        "dry_run": done.dry_run,
        "copied": [json_output.record_json(backup) for backup in done.copied],
        "present": [json_output.record_json(backup) for backup in done.present],
        "by_service": [backup.stored_filename for backup in done.by_service],
        "failed": [
            {"stored_filename": backup.stored_filename, "error": in_command_line_words(str(error))}
            for backup, error in done.failed
        ],
    }
