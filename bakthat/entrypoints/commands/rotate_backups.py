"""`bakthat rotate-backups`."""

from __future__ import annotations

import click

from bakthat.entrypoints.options import (
    Settings,
    common,
    destination_option,
    dry_run_option,
    json_option,
    origins_options,
)
from bakthat.entrypoints.retention_report import report, tell_calendar, tell_plan


@click.command(short_help="Thin out a series: days, weeks, months.")
@click.argument("name")
@destination_option
@origins_options
@dry_run_option
@json_option
@common
def rotate_backups(
    settings: Settings,
    name: str,
    destination: str | None,
    group_by: str,
    host: str | None,
    source: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Thin out the series NAME by the profile's rotation (see configure-backups-rotation).

    Each host and path that has backups of this name is thinned separately. Shows what is kept and deleted, and why. The
    newest backup is never deleted.
    """
    with settings.opened() as bakthat:
        done = bakthat.rotate_backups_with_report(
            name,
            destination,
            group_by=group_by,
            host=host,
            source=source,
            dry_run=dry_run,
            on_plan=tell_plan(as_json),
        )
    if dry_run and not as_json:
        tell_calendar(done.plan)
    report(done, settings, dry_run=dry_run, as_json=as_json)
