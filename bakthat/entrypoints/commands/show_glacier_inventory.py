"""`bakthat show_glacier_inventory`."""

from __future__ import annotations

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.options import Settings, common, json_option
from bakthat.usecases import glacier_inventory


@click.command(short_help="List the bucket's copy of the inventory.")
@json_option
@common
def show_glacier_inventory(settings: Settings, as_json: bool) -> None:
    """List the archives in the copy of the Glacier inventory, in the bucket."""
    found = glacier_inventory.show_saved_inventory("glacier", settings.bakthat().tools)
    if as_json:
        json_output.print_document({"archives": dict(found)})
        return
    for name, archive_id in sorted(found.items()):
        terminal.result(f"{name}\t{archive_id}")
    settings.say(f"{len(found)} archives in the copy.")
