"""`bakthat show`."""

from __future__ import annotations

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.listing import list_backups
from bakthat.entrypoints.options import Settings, common, json_option


@click.command(short_help="List backups, newest first.")
@click.argument("query", default="")
@click.option("-d", "--destination", metavar="DEST", help="Only this destination (default: all).")
@click.option(
    "-t",
    "--tags",
    multiple=True,
    metavar='"TAG TAG"',
    help="Only backups that have all of these tags; repeatable.",
)
@json_option
@common
def show(settings: Settings, query: str, destination: str | None, tags: tuple[str, ...], as_json: bool) -> None:
    """List the backups whose name contains QUERY, newest first (dates in UTC).

    With -v also the host, and when a backup was last verified.
    """
    found = list_backups(
        settings.open_config(),
        settings.profile,
        query=query,
        destination=destination,
        tags=tags,
        notice=settings.notice,
    )
    if as_json:
        json_output.print_backups(found)
        return
    for backup in found:
        terminal.result(terminal.backup_line(backup, verbose=settings.verbose))
    if not found:
        settings.say("No backups." if not query else f"No backups match {query!r}.")
