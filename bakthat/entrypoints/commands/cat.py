"""`bakthat cat`."""

from __future__ import annotations

import functools
import sys

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.limit_options import limit_options
from bakthat.entrypoints.options import (
    Settings,
    allow_plain_option,
    ask_password,
    common,
    destination_option,
    host_option,
    identity_option,
    password_file_option,
    retrieval_options,
)

_CHUNK = 256 * 1024


@click.command(short_help="Write one file of a backup to standard output.")
@click.argument("name")
@click.argument("path", required=False)
@click.option("--full-check", is_flag=True, help="Read the whole archive, and check its SHA-256.")
@allow_plain_option
@identity_option
@password_file_option
@destination_option
@host_option
@retrieval_options
@common
@limit_options
def cat(
    settings: Settings,
    name: str,
    path: str | None,
    full_check: bool,
    allow_plain: bool,
    identities: tuple[str, ...],
    password: str | None,
    destination: str | None,
    host: str | None,
    tier: str | None,
    wait: bool,
) -> None:
    """Write the file PATH of the backup NAME to standard output.

    NAME is a stored filename, a series (its newest), or a series and the start of a date (photos.2026-01).
    PATH is relative to the backup's root, and literal; without it, NAME is a backup of a single file or stream. Links
    are followed inside of the backup. Of an archive that has an index, only the parts that hold the file are
    downloaded; each is checked.
    """
    with (
        settings.opened(bar=not sys.stdout.isatty()) as bakthat,
        bakthat.open_file(
            name,
            path,
            destination,
            host=host,
            allow_plain=allow_plain,
            full_check=full_check,
            identities=identities,
            password=password,
            tier=tier,
            wait=wait,
            ask=ask_password,
        ) as file,
    ):
        terminal.result_bytes(iter(functools.partial(file.read, _CHUNK), b""))
