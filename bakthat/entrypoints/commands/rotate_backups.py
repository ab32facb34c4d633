"""`bakthat rotate-backups`."""

from __future__ import annotations

import click

from bakthat.domain.rotation import Plan
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.options import (
    Settings,
    common,
    destination_option,
    dry_run_option,
    json_option,
    origins_options,
)
from bakthat.entrypoints.retention_report import (
    report,
    retention_as_json,
    tell_calendar,
    tell_failures,
    tell_outcome,
    tell_plan,
    wants_table,
)
from bakthat.errors import UsageError
from bakthat.usecases.rotate_all import RotatedSeries


@click.command(short_help="Thin out a series: days, weeks, months.")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every series of the destination.")
@destination_option
@origins_options
@dry_run_option
@json_option
@common
def rotate_backups(
    settings: Settings,
    name: str | None,
    everything: bool,
    destination: str | None,
    group_by: str,
    host: str | None,
    source: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Thin out the series NAME, or with --all every series, by the profile's rotation (see configure-backups-rotation).

    Each host and path that has backups of this name is thinned separately; those of a job by the job's rotation. With
    -v and --dry-run, shows what is kept and deleted, and why. The newest backup is never deleted.
    """
    if (name is None) is not everything:
        raise UsageError("rotate-backups requires the NAME of a series, or --all")
    has_table = wants_table(settings, dry_run=dry_run, as_json=as_json)
    if name is not None:
        with settings.opened() as bakthat:
            done = bakthat.rotate_backups_with_report(
                name,
                destination,
                group_by=group_by,
                host=host,
                source=source,
                dry_run=dry_run,
                on_plan=tell_plan(has_table),
            )
        if dry_run and not as_json:
            tell_calendar(done.plan)
        report(name, done, settings, dry_run=dry_run, as_json=as_json)
        return

    def show(series: str, plan: Plan) -> None:
        if has_table:
            terminal.result(f"{series}:")
        tell_plan(has_table)(plan)

    with settings.opened() as bakthat:
        done_all = bakthat.rotate_all_backups(
            destination, group_by=group_by, host=host, source=source, dry_run=dry_run, on_plan=show
        )
    _report_all(done_all, settings, dry_run=dry_run, as_json=as_json)


def _report_all(done: RotatedSeries, settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """The outcome of every series; raises the first error."""
    for name, retention in done.retentions.items():
        if not as_json:
            tell_outcome(name, retention, settings, dry_run=dry_run)
        tell_failures(retention, settings)
    if as_json:
        series = {name: retention_as_json(one, dry_run) for name, one in done.retentions.items()}
        failures = json_output.errors_json(done.failures)
        json_output.print_document({"dry_run": dry_run, "series": series, "failures": failures})
    for name, error in done.failures.items():
        if error is not done.error:
            settings.notice(f"{name}: {error}")
    if not done.retentions and not done.failures:
        settings.say("No backups.")
    if done.error is not None:
        raise done.error
