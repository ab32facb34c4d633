"""`bakthat status`."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from bakthat.domain.status import StatusReport
from bakthat.entrypoints import json_output, screen, status_table, terminal
from bakthat.entrypoints.options import Settings, common, json_option
from bakthat.errors import UsageError


@click.command(short_help="Report late, incomplete or bad backups.")
@click.option(
    "--max-age", metavar="INTERVAL", help="How old a newest backup may be, such as 26h; a job's own goes first."
)
@click.option("--prometheus", metavar="FILE", help="Also write metrics for the node exporter's textfile collector.")
@click.option("--html", metavar="FILE", help="Also write a page for a browser.")
@json_option
@common
def status(settings: Settings, max_age: str | None, prometheus: str | None, html: str | None, as_json: bool) -> None:
    """Report for each series and origin: the newest backup, its age and size, how many there are, and when a backup was
    last verified. Reads only the database.

    Reports on the stores and jobs of one profile: `default` without -p, unlike show.

    Exit code 1 if a backup is late, the newest one is incomplete, or the last verification found a bad backup.
    """
    bakthat = settings.bakthat()
    report = bakthat.status(max_age=max_age)
    with _files(report, bakthat.profile.name, prometheus, html):
        if as_json:
            json_output.print_document(status_table.as_json(report))
        elif not settings.quiet:
            on_screen = screen.is_terminal(sys.stdout)
            width = screen.size_of(sys.stdout)[0] if on_screen else None
            terminal.results(status_table.table(report, width=width, header=True))
        for one in report.series:
            for problem in one.problems:
                settings.notice(f"{one.title}: {problem}")
        if not as_json:
            settings.say(status_table.total_words(report, bakthat.profile.name))
    if not report.is_good:
        click.get_current_context().exit(1)


def _files(
    report: StatusReport, profile: str, prometheus: str | None, html: str | None
) -> contextlib.AbstractContextManager[object]:
    """Return a context that writes the files at its end: each one, whether or not the other one or the output can be
    written."""
    files = contextlib.ExitStack()
    if html is not None:
        from bakthat.entrypoints.status_page.page import page

        files.callback(_write, html, "--html", page(report, profile))
    if prometheus is not None:
        from bakthat.entrypoints.status_metrics import metrics

        files.callback(_write, prometheus, "--prometheus", metrics(report, profile))
    return files


def _write(path: str, option: str, content: str) -> None:
    from bakthat.adapters.filesystem.replaced_file import replace_file

    try:
        replace_file(path, content)
    except OSError as error:
        raise UsageError(f"{option}: {path!r} cannot be written: {os.strerror(error.errno or 0)}") from None
