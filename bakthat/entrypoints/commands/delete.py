"""`bakthat delete`."""

from __future__ import annotations

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.options import Settings, common, destination_option, dry_run_option, host_option, json_option
from bakthat.errors import DeletionRefused
from bakthat.usecases.delete import DeletionCandidate


@click.command(short_help="Delete exactly one backup.")
@click.argument("name")
@destination_option
@host_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask; also delete the last complete backup.")
@dry_run_option
@json_option
@common
def delete(
    settings: Settings,
    name: str,
    destination: str | None,
    host: str | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete the one backup NAME: a stored filename, a series (its newest), or a series and the start of a date.

    Asks on a terminal. Without one, the last complete backup of its host and path is deleted only with --yes.
    """
    asks = terminal.is_interactive() and not yes and not dry_run
    with settings.opened() as bakthat:
        if asks:
            chosen = bakthat.about_to_delete(name, destination, host=host)
            if not terminal.ask_yes(_question(chosen), default=False):
                raise DeletionRefused("nothing was deleted")
            name = chosen.backup.stored_filename
        gone = bakthat.delete(
            name, destination, host=host, dry_run=dry_run, spare_last_complete=not (asks or yes or dry_run)
        )
    if as_json:
        json_output.print_document(json_output.record_json(gone))
        return
    terminal.result(gone.stored_filename)
    settings.say(f"{'Would delete' if dry_run else 'Deleted'} {gone.stored_filename} from {gone.backend}.")


def _question(chosen: DeletionCandidate) -> str:
    """`Delete photos.20260102030405.tgz, 1.2 GB, the newest of 14?`"""
    if chosen.of_origin == 1:
        place = f"the only one of {chosen.origin}"
    elif chosen.is_last_complete:
        place = f"the only complete one of {chosen.of_origin}"
    else:
        place = f"{'the newest' if chosen.is_newest else 'one'} of {chosen.of_origin}"
    size = chosen.backup.known_size
    facts = [chosen.backup.stored_filename, *([terminal.human_size(size)] if size is not None else []), place]
    return f"Delete {', '.join(facts)}?"
