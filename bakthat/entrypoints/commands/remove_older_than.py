"""`bakthat remove-older-than`, 2013's `delete_older_than`."""

from __future__ import annotations

from datetime import timedelta

import click

from bakthat.domain.duration import in_words
from bakthat.domain.interval import parse_interval
from bakthat.domain.rotation import Plan
from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import (
    Settings,
    common,
    destination_option,
    dry_run_option,
    json_option,
    origins_options,
)
from bakthat.entrypoints.retention_report import report, tell_plan, wants_table
from bakthat.errors import DeletionRefused

_A_DAY = timedelta(days=1)


@click.command(short_help="Delete backups older than, for example, 3M.")
@click.argument("name")
@click.argument("interval")
@destination_option
@origins_options
@dry_run_option
@json_option
@common
def remove_older_than(
    settings: Settings,
    name: str,
    interval: str,
    destination: str | None,
    group_by: str,
    host: str | None,
    source: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete the backups of the series NAME that are older than INTERVAL.

    INTERVAL is numbers with units, such as 3M2D8h20m5s: s, m, h, D, W, M (30 days), Y (365 days). The newest backup
    of each host and path is never deleted. Asks on a terminal if INTERVAL is shorter than a day: 6m are minutes.
    """
    age = parse_interval(interval)
    tell = tell_plan(wants_table(settings, dry_run=dry_run, as_json=as_json))

    def on_plan(plan: Plan) -> None:
        tell(plan)
        if plan.drop and age < _A_DAY and not dry_run and terminal.is_interactive():
            words = interval if age < timedelta(minutes=1) else in_words(age)
            what = f"{terminal.counted(len(plan.drop), 'backup')} of {name}, older than {words}"
            if not terminal.ask_yes(f"Delete {what}?", default=False):
                raise DeletionRefused("nothing was deleted")

    with settings.opened() as bakthat:
        done = bakthat.remove_older_than_with_report(
            name,
            age,
            destination,
            group_by=group_by,
            host=host,
            source=source,
            dry_run=dry_run,
            on_plan=on_plan,
        )
    report(name, done, settings, dry_run=dry_run, as_json=as_json)
