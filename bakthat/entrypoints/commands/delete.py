"""`bakthat delete`."""

from __future__ import annotations

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import Settings, common, destination_option, dry_run_option, json_option


@click.command(short_help="Delete exactly one backup.")
@click.argument("name")
@destination_option
@dry_run_option
@json_option
@common
def delete(settings: Settings, name: str, destination: str | None, dry_run: bool, as_json: bool) -> None:
    """Delete the one backup NAME: a stored filename, a series (its newest), or a series and the start of a date."""
    with settings.opened() as bakthat:
        gone = bakthat.delete(name, destination, dry_run=dry_run)
    if as_json:
        terminal.result_json(gone.as_record())
        return
    terminal.result(gone.stored_filename)
    settings.say(f"{'Would delete' if dry_run else 'Deleted'} {gone.stored_filename} from {gone.backend}.")
