"""`bakthat glacier-inventory`: 2013's four commands for the inventory of a vault."""

from __future__ import annotations

from collections.abc import Mapping

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_group import group
from bakthat.entrypoints.common_options import common_before
from bakthat.entrypoints.options import Settings, common, json_option


@group(short_help="The inventory of a Glacier vault, and its copy.")
@common_before
def glacier_inventory() -> None:
    """The inventory of a Glacier vault: in the database, and its copy in the profile's bucket."""


@glacier_inventory.command("show", short_help="List the bucket's copy.")
@json_option
@common
def show(settings: Settings, as_json: bool) -> None:
    """List the archives in the copy of the Glacier inventory, in the bucket."""
    _tell(settings.bakthat().glacier_inventory.show(), settings, "{} in the copy.", as_json)


@glacier_inventory.command("show-local", short_help="List the database's inventory.")
@json_option
@common
def show_local(settings: Settings, as_json: bool) -> None:
    """List the archives in the Glacier inventory of the database."""
    _tell(settings.bakthat().glacier_inventory.show_local(), settings, "{} in the database.", as_json)


@glacier_inventory.command("save", short_help="Save the inventory to the bucket.")
@json_option
@common
def save(settings: Settings, as_json: bool) -> None:
    """Save the Glacier inventory of the database to the bucket, and keep what was in the copy."""
    _tell(settings.bakthat().glacier_inventory.save(), settings, "Saved {}.", as_json)


@glacier_inventory.command("load", short_help="Load the inventory from the bucket.")
@json_option
@common
def load(settings: Settings, as_json: bool) -> None:
    """Load the copy of the Glacier inventory into the database; existing entries are kept."""
    found = settings.bakthat().glacier_inventory.load()
    _tell(found, settings, "{} new to the database.", as_json)


def _tell(found: Mapping[str, str], settings: Settings, said: str, as_json: bool) -> None:
    if as_json:
        json_output.print_document({"archives": dict(found)})
        return
    for name, archive_id in sorted(found.items()):
        terminal.result(f"{name}\t{archive_id}")
    settings.say(said.format(terminal.counted(len(found), "archive")))
