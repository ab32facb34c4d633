"""Generates the manual page `bakthat(1)` from the commands: `make man`. The wheel installs it."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from bakthat.domain.environment_settings import VARIABLES
from bakthat.entrypoints.cli import cli
from bakthat.entrypoints.common_options import COMMON

PAGE = Path(__file__).with_name("bakthat.1")

DATE = "2026-11-26"
"""When the frame of the page was last changed. A page without a date is not valid."""

EXIT_STATUS = {
    0: "Done.",
    1: "Not found, ambiguous, or refused; the output could not be written. `diff`: different. `find`: nothing found.",
    2: "Usage or configuration.",
    3: "Backed up or restored, but incomplete.",
    4: "The store could not be reached, or refused.",
    5: "A wrong password or key, or damaged data.",
    75: "A retrieval from Glacier is pending: run the command again later.",
    130: "Stopped by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP.",
    141: "The reader of the output has left, as in bakthat show | head.",
}

ENVIRONMENT = {
    "BAKTHAT_PROFILE": "Name of the profile, if there is no -p.",
    "BAKTHAT_CONFIG": "The configuration file, if there is no -c.",
    "BAKTHAT_PASSWORD": "The password.",
    "BAKTHAT_PASSWORD_FILE": "A file whose only line is the password.",
    "BAKTHAT_PAGER": "The program that shows long output on a terminal; else that of PAGER.",
}

FILES = {
    "~/.bakthat.yml": "The configuration.",
    "$XDG_CONFIG_HOME/bakthat/config.yml": "The configuration, if the file above does not exist.",
    "~/.bakthat.sqlite": "The database of backups; `bakthat sync` rebuilds it from the store.",
    "~/.cache/bakthat": "Parts of archives that were read; may be deleted.",
}

EXAMPLES = {
    "bakthat backup ~/photos -t family": "Back up a directory to the default destination.",
    "bakthat restore photos --target /tmp": "Restore the newest backup of photos.",
    "bakthat restore photos.20260102 --only '2025/*.jpg'": "Restore a part of the newest backup of a day.",
    "bakthat rotate-backups photos --dry-run": "Show what a rotation would keep and delete.",
    "aws s3 cp s3://bucket/photos.20260102030405.tgz.enc - | age -d | tar xz": "Restore without bakthat.",
}


def page() -> str:
    """Return the page in the macros of man(7)."""
    context = click.Context(cli, info_name="bakthat")
    lines = [
        f'.TH BAKTHAT 1 {DATE} "bakthat" "User Commands"',
        ".SH NAME",
        r"bakthat \- one archive per backup, in your own store",
        ".SH SYNOPSIS",
        ".B bakthat",
        r".RI [ OPTIONS ]\~ COMMAND \~[ ARGS ]",
        ".SH DESCRIPTION",
        *_text(
            "Backs up files, directories and streams to Amazon S3 and other S3 services, Glacier, or a folder. Each "
            "backup is one archive, which tar(1) and age(1) open as well.\n\nNAME is a stored filename, a series (its "
            "newest backup), or a series and the start of a date. Names of commands and options may be written with "
            "`_` for `-`."
        ),
        ".SH COMMANDS",
    ]
    for name in cli.list_commands(context):
        lines += _command(cli, name, context)
    lines += [".SH OPTIONS OF EVERY COMMAND", *_text("They may also stand before the command.")]
    lines += _options(parameter for parameter in cli.params if parameter.name in COMMON)
    lines += [".SH ENVIRONMENT", *_items(ENVIRONMENT), ".PP"]
    lines += _text(
        "Every key of a profile that has a single value can be given by a variable, which stands before the file and "
        "after an option:"
    )
    lines += [".PP", ".RS", ".nf", *map(_escaped, VARIABLES), ".fi", ".RE"]
    lines += [".SH FILES", *_items(FILES)]
    lines += [".SH EXIT STATUS", *_items({str(code): meaning for code, meaning in EXIT_STATUS.items()})]
    lines += [".SH EXAMPLES", *_items(EXAMPLES)]
    lines += [".SH SEE ALSO", r".BR age (1),", r".BR tar (1)"]
    return "\n".join(lines) + "\n"


def _command(group: click.Group, name: str, parent: click.Context) -> Iterator[str]:
    command = group.get_command(parent, name)
    if command is None:
        raise LookupError(name)
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_escaped(context.command_path.removeprefix('bakthat '))} {_escaped(usage)}"
    yield from _text(inspect.cleandoc(command.help or ""))
    yield from _options(parameter for parameter in command.params if parameter.name not in COMMON)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _command(command, child, context)


def _options(parameters: Iterator[click.Parameter]) -> Iterator[str]:
    for parameter in parameters:
        record = parameter.get_help_record(click.Context(cli))
        if isinstance(parameter, click.Option) and record is not None:
            yield from _items({record[0]: record[1]})


def _items(items: dict[str, str]) -> list[str]:
    return [line for term, text in items.items() for line in (".TP", f".B {_escaped(term)}", *_filled(text))]


def _text(text: str) -> Iterator[str]:
    """Return the lines of paragraphs; one that begins with a line `\\b` keeps its line breaks."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", *map(_begun, map(_escaped, paragraph.splitlines()[1:])), ".fi")
        else:
            yield from _filled(paragraph)


def _filled(text: str) -> list[str]:
    return [_begun(_escaped(line)) for line in textwrap.wrap(text, 64, break_long_words=False, break_on_hyphens=False)]


_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "^": r"\(ha", "~": r"\(ti", "`": ""}


def _escaped(text: str) -> str:
    """Return the text with roff's special characters escaped, and in ASCII."""
    escaped = (_SPECIAL.get(char, char if char.isascii() else rf"\[u{ord(char):04X}]") for char in text)
    return "".join(escaped).strip()


def _begun(line: str) -> str:
    """Return a line of text that is not taken for a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
