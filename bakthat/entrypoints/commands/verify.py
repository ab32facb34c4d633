"""`bakthat verify`."""

from __future__ import annotations

from typing import Any

import click

from bakthat.domain.backup import said_of
from bakthat.domain.verification import Level
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_line_words import in_command_line_words
from bakthat.entrypoints.limit_options import limit_options
from bakthat.entrypoints.options import (
    Settings,
    allow_plain_option,
    ask_password,
    common,
    destination_option,
    host_option,
    identity_option,
    json_option,
    password_file_option,
)
from bakthat.errors import UsageError
from bakthat.usecases.verify import Verified


@click.command(short_help="Check that backups exist and are intact.")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every backup of the destination.")
@click.option("--quick", is_flag=True, help="Check only existence and size.")
@allow_plain_option
@identity_option
@password_file_option
@destination_option
@host_option
@json_option
@common
@limit_options
def verify(
    settings: Settings,
    name: str | None,
    everything: bool,
    quick: bool,
    allow_plain: bool,
    identities: tuple[str, ...],
    password: str | None,
    destination: str | None,
    host: str | None,
    as_json: bool,
) -> None:
    """Check the backup NAME, or with --all every one, without restoring it.

    Checks existence and size, the SHA-256 of the stored bytes, decryption, and that the archive can be read to its end.
    On a terminal, the password is asked for; without it, or without a key, an encrypted backup is checked as far as
    possible.
    """
    if (name is None) is not everything:
        raise UsageError("verify requires the NAME of a backup, or --all; `bakthat show` lists the backups")

    def show(result: Verified) -> None:
        if not as_json:
            terminal.result_words(_line(result), indent="        ")

    with settings.opened() as bakthat:
        results = bakthat.verify(
            name,
            destination,
            host=host,
            quick=quick,
            allow_plain=allow_plain,
            identities=identities,
            password=password,
            on_verified=show,
            ask=ask_password if terminal.is_interactive() else None,
        )
    if as_json:
        json_output.print_document({"backups": [_as_json(result) for result in results]})
    bad = [result.error for result in results if result.is_bad and result.error is not None]
    unchecked = [result.error for result in results if not result.is_bad and result.error is not None]
    if bad:
        settings.notice(f"{len(bad)} of {len(results)} {'is' if len(bad) == 1 else 'are'} not good")
    if unchecked:
        settings.notice(f"{len(unchecked)} of {len(results)} could not be checked")
    for error in bad + unchecked:
        raise error
    incomplete = len([result for result in results if result.is_incomplete])
    but = f" ({incomplete} incomplete)" if incomplete else ""
    partly = "" if all(result.level is Level.OPENS for result in results) else " as far as they were checked"
    settings.say(f"{len(results)} checked, all good{partly}{but}.")


def _line(result: Verified) -> str:
    if result.error is not None:
        word = "BAD" if result.is_bad else "not checked"
        return f"{word}\t{result.backup.stored_filename}\t{in_command_line_words(said_of(result.backup, result.error))}"
    words = {Level.PRESENT: "present", Level.STORED: "intact", Level.OPENS: "good"}
    note = f"\t{in_command_line_words(result.note)}" if result.note else ""
    but = f", but {result.backup.completeness}" if result.is_incomplete else ""
    return f"{words[result.level]}{but}\t{result.backup.stored_filename}{note}"


def _as_json(result: Verified) -> dict[str, Any]:
    return {
        "stored_filename": result.backup.stored_filename,
        "level": str(result.level),
        "error": in_command_line_words(str(result.error)) if result.error is not None else None,
        "note": in_command_line_words(result.note),
        "incomplete": result.is_incomplete,
        "problems": list(result.problems),
    }
