"""`bakthat rotate_backups`."""

from __future__ import annotations

import click

from bakthat.domain.calendar_view import calendar_of
from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import Settings, common, destination_option, dry_run_option, json_option
from bakthat.entrypoints.retention_report import report, tell_plan


@click.command(short_help="Thin out a series: days, weeks, months.")
@click.argument("name")
@destination_option
@dry_run_option
@json_option
@common
def rotate_backups(settings: Settings, name: str, destination: str | None, dry_run: bool, as_json: bool) -> None:
    """Thin out the series NAME by the profile's rotation (see configure_backups_rotation).

    Shows what is kept and why, and what goes. The newest backup is never deleted.
    """
    with settings.opened() as bakthat:
        done = bakthat.rotate_backups_with_report(name, destination, dry_run=dry_run, on_plan=tell_plan(as_json))
    if dry_run and not as_json:
        for line in calendar_of(done.plan).splitlines():
            terminal.result(line)
    report(done, settings, dry_run=dry_run, as_json=as_json)
