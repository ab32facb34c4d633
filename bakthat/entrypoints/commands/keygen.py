"""`bakthat keygen`."""

from __future__ import annotations

from datetime import datetime

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import Settings, common

_SHORT = 100
"""Characters of a public key that a message may repeat."""


@click.command(short_help="Make a key pair to encrypt with.")
@click.option("-o", "--output", metavar="FILE", help="Write the key to this file (never an existing one).")
@click.option("--pq", is_flag=True, help="A post-quantum key: ML-KEM-768 and X25519 (age 1.3 reads it).")
@common
def keygen(settings: Settings, output: str | None, pq: bool) -> None:
    """Make a key pair, as `age-keygen` does. Backups to its public key can be decrypted only with its key file.

    With --pq, backups stay secret also from quantum computers. The public key has 1,959 characters: put it into the
    configuration, or name a file of it with -R.
    """
    from bakthat.adapters.encryption import key_files

    pair = key_files.keygen(clock=lambda: datetime.now().astimezone(), post_quantum=pq)
    if output is None:
        for line in pair.as_text().splitlines():
            terminal.result(line)
    else:
        key_files.write_key_file(output, pair)
        terminal.result(pair.recipient)
        settings.say(f"Wrote the private key to {output}.")
    recipient = pair.recipient if len(pair.recipient) <= _SHORT else "KEY"
    settings.say(
        "Keep a copy of the private key away from this machine and from the backups: without it, nobody can decrypt "
        f"them. To encrypt to the public key: `bakthat backup DIR -r {recipient}`, or `recipients: [{recipient}]` in a "
        f"profile. To decrypt: `bakthat restore NAME -i {output or 'FILE'}`."
    )
