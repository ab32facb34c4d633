"""`bakthat sync`."""

from __future__ import annotations

from typing import Any

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.api import Bakthat
from bakthat.entrypoints.backup_table import details, home_folder, place_words
from bakthat.entrypoints.options import Settings, common, dry_run_option, json_option
from bakthat.usecases.sync import SyncReport


@click.command(short_help="Update the database from the store.")
@click.option("-d", "--destination", metavar="DEST", help="Only this destination (default: all of the profile's).")
@dry_run_option
@json_option
@common
def sync(settings: Settings, destination: str | None, dry_run: bool, as_json: bool) -> None:
    """Update the database from the store; on a new machine, find every backup again.

    Without -d, all destinations that the profile names. Stores are never changed.
    """
    with settings.opened() as bakthat:
        synced = bakthat.sync_all([destination] if destination is not None else [], dry_run=dry_run)
    reports, failures = synced.reports, list(synced.failures.values())
    if as_json:
        destinations = {name: {"dry_run": dry_run, **_as_json(report)} for name, report in reports.items()}
        failed = json_output.errors_json(synced.failures)
        json_output.print_document({"destinations": destinations, "failures": failed})
    else:
        for name, report in reports.items():
            _tell(name, report, settings, dry_run)
            if settings.verbose:
                _tell_details(name, report, bakthat)
    for other in failures[1:]:
        settings.notice(str(other))
    if failures:
        raise failures[0]


def _as_json(report: SyncReport) -> dict[str, Any]:
    return {
        "added": [json_output.record_json(backup) for backup in report.added],
        "updated": [json_output.record_json(backup) for backup in report.updated],
        "vanished": [json_output.record_json(backup) for backup in report.vanished],
        "unreadable": list(report.unreadable),
    }


def _tell_details(name: str, report: SyncReport, bakthat: Bakthat) -> None:
    """What `-v` adds: the facts of what changed, and what the destination has now."""
    changes = (("added", report.added), ("updated", report.updated), ("vanished", report.vanished))
    for word, backups in changes:
        for backup in backups:
            size = terminal.human_size(backup.size) if backup.known_size is not None else "size unknown"
            facts = [f"{backup.when:%Y-%m-%d %H:%M}", size, *details(backup)]
            terminal.tell(f"{word} {backup.stored_filename}: {'; '.join(facts)}")
    for unreadable in report.unreadable:
        terminal.tell(f"{unreadable}: its catalog entry is not used")
    known = bakthat.show(destination=name)
    size = terminal.human_size(sum(backup.size for backup in known))
    place = place_words(bakthat.tools.destination(name).owner.location, home=home_folder())
    terminal.tell(f"{name} {place}: {terminal.counted(len(known), 'backup')} in the database, {size}.")


def _tell(name: str, report: SyncReport, settings: Settings, dry_run: bool) -> None:
    for word, backups in (("added", report.added), ("updated", report.updated), ("vanished", report.vanished)):
        for backup in backups:
            terminal.result(f"{word}\t{backup.stored_filename}")
    added = f"{'would add' if dry_run else 'added'} {len(report.added)}"
    settings.say(f"{name}: {added}, updated {len(report.updated)}, marked {len(report.vanished)} as deleted.")
