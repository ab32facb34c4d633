"""`bakthat keygen`."""

from __future__ import annotations

from datetime import datetime

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import Settings, common


@click.command(short_help="Make a key pair to encrypt with.")
@click.option("-o", "--output", metavar="FILE", help="Write the key here (never over a file that is there).")
@common
def keygen(settings: Settings, output: str | None) -> None:
    """Make a key pair, as `age-keygen` does: backups to its public key open with its key file alone."""
    from bakthat.adapters.encryption import key_files

    pair = key_files.keygen(clock=lambda: datetime.now().astimezone())
    if output is None:
        for line in pair.as_text().splitlines():
            terminal.result(line)
    else:
        key_files.write_key_file(output, pair)
        terminal.result(pair.recipient)
        settings.say(f"Wrote the private key to {output}: keep a copy where the backups are not.")
