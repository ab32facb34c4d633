"""`bakthat sync`."""

from __future__ import annotations

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import Settings, common, destination_option, dry_run_option, json_option


@click.command()
@destination_option
@dry_run_option
@json_option
@common
def sync(settings: Settings, destination: str | None, dry_run: bool, as_json: bool) -> None:
    """Make the database agree with the store; on a new machine, find every backup again.

    Nothing in the store is ever changed.
    """
    with settings.opened() as bakthat:
        done = bakthat.sync(destination, dry_run=dry_run)
    if as_json:
        terminal.result_json(
            {
                "dry_run": dry_run,
                "added": [backup.as_record() for backup in done.added],
                "updated": [backup.as_record() for backup in done.updated],
                "vanished": [backup.as_record() for backup in done.vanished],
                "unreadable": list(done.unreadable),
            }
        )
        return
    for word, backups in (("added", done.added), ("updated", done.updated), ("vanished", done.vanished)):
        for backup in backups:
            terminal.result(f"{word}\t{backup.stored_filename}")
    would = "Would add" if dry_run else "Added"
    settings.say(f"{would} {len(done.added)}, updated {len(done.updated)}, marked {len(done.vanished)} as deleted.")
