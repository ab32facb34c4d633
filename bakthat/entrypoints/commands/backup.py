"""`bakthat backup`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bakthat.domain.backup import Backup
from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import INCOMPLETE, Settings, ask_new_password, common, destination_option, json_option
from bakthat.errors import UsageError


@click.command(short_help="Back up a file or a directory.")
@click.argument("filename", default=".", type=click.Path(readable=False))
@destination_option
@click.option(
    "-t", "--tags", multiple=True, metavar='"TAG TAG"', help="Words to find the backup by; may be given several times."
)
@click.option("--prompt", type=click.Choice(["yes", "no"]), default="yes", help="Whether to ask for a password.")
@click.option("-r", "--recipient", "recipients", multiple=True, metavar="AGE1…", help="Encrypt to this public key.")
@click.option("--name", metavar="NAME", help="Name of the series (default: the base name of FILENAME).")
@click.option("--exclude", "excludes", multiple=True, metavar="PATTERN", help="Leave out (gitignore grammar).")
@click.option("--exclude-from", "exclude_files", multiple=True, metavar="FILE", help="Patterns, one a line.")
@json_option
@common
def backup(
    settings: Settings,
    filename: str,
    destination: str | None,
    tags: tuple[str, ...],
    prompt: str,
    recipients: tuple[str, ...],
    name: str | None,
    excludes: tuple[str, ...],
    exclude_files: tuple[str, ...],
    as_json: bool,
) -> None:
    """Back up FILENAME, a file or a directory (default: the current directory).

    FILENAME/.bakthatexclude, else FILENAME/.gitignore, names what is left out.
    """
    if not filename:
        # As from an unset variable in a script, which must not become a backup of wherever it runs.
        raise UsageError("FILENAME is empty; leave it out to back up the current directory")
    patterns = [*excludes, *(line for path in exclude_files for line in _lines_of(path))]
    with settings.opened() as bakthat:
        made = bakthat.backup(
            filename,
            destination,
            name=name,
            tags=tags,
            recipients=recipients,
            excludes=patterns,
            ask=ask_new_password if prompt == "yes" else None,
        )
    if as_json:
        terminal.result_json(made.as_record())
    else:
        terminal.result(made.stored_filename)
        settings.say(_summary(made))
    if made.is_incomplete:
        terminal.tell("bakthat: the backup is incomplete: see the files named above")
        click.get_current_context().exit(INCOMPLETE)


def _summary(made: Backup) -> str:
    counts = made.metadata["counts"]
    sealed = "encrypted" if made.is_encrypted else "not encrypted"
    files = terminal.counted(counts["files"], "file")
    return (
        f"Backed up {files} ({terminal.human_size(counts['bytes'])}) to {made.location}: "
        f"{terminal.human_size(made.size)}, {sealed}."
    )


def _lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise UsageError(f"--exclude-from {path}: {os.strerror(error.errno or 0)}") from error
