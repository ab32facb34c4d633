"""`bakthat find`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from bakthat.domain.backup import Backup
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.contents_report import entry_json, found_line
from bakthat.entrypoints.library.content_verbs import why_unopened
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
    trouble_is_two,
)
from bakthat.errors import BakthatError
from bakthat.usecases.find import FoundFile

_NOTHING_FOUND = 1
_NOTHING_FOUND_AND_UNOPENED = 5


@click.command(short_help="Find a file in all backups.")
@click.argument("pattern")
@click.option("--series", metavar="NAME", help="Only backups of this series.")
@click.option("--since", metavar="INTERVAL", help="Only backups that are at most so old, such as 30D.")
@click.option("--all-versions", is_flag=True, help="Every backup that has the file, not only where it changed.")
@allow_plain_option
@identity_option
@password_file_option
@destination_option
@host_option
@json_option
@common
@trouble_is_two
def find(
    settings: Settings,
    pattern: str,
    series: str | None,
    since: str | None,
    all_versions: bool,
    allow_plain: bool,
    identities: tuple[str, ...],
    password: str | None,
    destination: str | None,
    host: str | None,
    as_json: bool,
) -> None:
    """Find in which backups a file is, newest first. PATTERN is a name, or *.jpg, or 2026/*.jpg (gitignore grammar).

    A version of a file that several backups have, with the same size and time, is shown once. Exit codes: 0 found, 1
    nothing found, 5 nothing found and some backups could not be opened.
    """
    unopened: list[tuple[Backup, BakthatError]] = []
    count = 0

    def note(backup: Backup, error: BakthatError) -> None:
        unopened.append((backup, error))
        settings.notice(why_unopened(backup, error))

    with settings.opened() as bakthat:
        found = bakthat.find(
            pattern,
            destination,
            series=series,
            since=since,
            host=host,
            all_versions=all_versions,
            allow_plain=allow_plain,
            identities=identities,
            password=password,
            ask=ask_password,
            on_unopened=note,
        )

        def counted() -> Iterator[FoundFile]:
            nonlocal count
            for one in found:
                count += 1
                yield one

        if as_json:
            json_output.print_items({}, "found", map(_as_json, counted()))
        else:
            terminal.results(map(found_line, counted()))
    if not count:
        hint = (
            ""
            if set(pattern) & set("*?[/!")
            else f" A pattern is a whole name; '*{pattern}*' finds it inside of names."
        )
        settings.say(f"{pattern}: not found.{hint}")
        click.get_current_context().exit(_NOTHING_FOUND_AND_UNOPENED if unopened else _NOTHING_FOUND)


def _as_json(found: FoundFile) -> dict[str, Any]:
    backup = found.backup
    return {
        "stored_filename": backup.stored_filename,
        "destination": backup.backend,
        "date": json_output.iso(backup.when),
        "host": backup.host,
        **entry_json(found.entry),
    }
