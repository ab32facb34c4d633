"""`bakthat keygen`."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime

import click

from bakthat.entrypoints import screen, terminal
from bakthat.entrypoints.options import Settings, common


@click.command(short_help="Make a key pair to encrypt with.")
@click.option("-o", "--output", metavar="FILE", help="Write the key to this file (never an existing one).")
@click.option("--pq", is_flag=True, help="A post-quantum key: ML-KEM-768 and X25519 (age 1.3 reads it).")
@common
def keygen(settings: Settings, output: str | None, pq: bool) -> None:
    """Make a key pair, as `age-keygen` does. Backups to its public key can be decrypted only with its key file.

    With --pq, backups stay secret also from quantum computers. The public key has 1,959 characters: name a file
    of it with -R, or as recipients_file in the configuration.
    """
    from bakthat.adapters.encryption import key_files

    pair = key_files.keygen(clock=lambda: datetime.now().astimezone(), post_quantum=pq)
    if output is None:
        for line in pair.as_text().splitlines():
            terminal.result(line)
        settings.say("Keep a copy of the private key away from the backups: without it, nobody can decrypt them.")
    else:
        key_files.write_key_file(output, pair)
        terminal.result(pair.recipient)
        settings.say(
            f"Wrote the private key to {output}: keep a copy away from the backups; "
            "without it, nobody can decrypt them."
        )
    if not pq:
        settings.say("Encrypt with `bakthat backup DIR -r PUBLIC-KEY`, or `recipients: [PUBLIC-KEY]` in the profile.")
    else:  # nobody copies 1,959 characters into a command
        settings.say("Encrypt with `bakthat backup DIR -R FILE`, or `recipients_file: FILE` in the profile.")
        if output is None or screen.is_terminal(sys.stdout):
            key = shlex.quote(output) if output is not None else "KEY-FILE"
            settings.say(f"FILE has the public key alone: `grep -o 'age1pq.*' {key} > FILE` makes it.")
    settings.say(f"Decrypt with `bakthat restore NAME -i {output or 'FILE'}`, or `identity: FILE` in the profile.")
