"""`bakthat restore_glacier_inventory`."""

from __future__ import annotations

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.options import Settings, common, json_option
from bakthat.usecases import glacier_inventory


@click.command(short_help="Load the inventory from the bucket.")
@json_option
@common
def restore_glacier_inventory(settings: Settings, as_json: bool) -> None:
    """Load the copy of the Glacier inventory into the database; existing entries are kept."""
    found = glacier_inventory.restore_inventory("glacier", settings.bakthat().tools)
    if as_json:
        json_output.print_document({"archives": dict(found)})
        return
    for name, archive_id in sorted(found.items()):
        terminal.result(f"{name}\t{archive_id}")
    settings.say(f"{len(found)} archives were new to the database.")
