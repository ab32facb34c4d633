"""`bakthat ls`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

import click

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.literal_names import literal_pattern
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.contents_report import entry_json, long_line, name_line
from bakthat.entrypoints.encryption_words import encryption_words
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
    retrieval_options,
)
from bakthat.errors import BackupNotFound


@click.command(short_help="List what a backup contains.")
@click.argument("name")
@click.argument("patterns", nargs=-1, metavar="[PATH]...")
@click.option("-l", "--long", is_flag=True, help="Also mode, owner, size and time (UTC).")
@click.option("-R", "--recursive", is_flag=True, hidden=True, help="The default, as people type it.")
@allow_plain_option
@identity_option
@password_file_option
@destination_option
@host_option
@retrieval_options
@json_option
@common
def ls(
    settings: Settings,
    name: str,
    patterns: tuple[str, ...],
    long: bool,
    recursive: bool,
    allow_plain: bool,
    identities: tuple[str, ...],
    password: str | None,
    destination: str | None,
    host: str | None,
    tier: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """List what the backup NAME contains, without restoring it: all of it, or what matches PATH (gitignore grammar).

    NAME is a stored filename, a series (its newest), or a series and the start of a date (photos.2026-01).
    Paths are relative to the backup's root. Of an archive that has an index, only the index is downloaded.

    With -l or -v, a line on standard error says to which keys the backup is encrypted, as far as its record has them.
    """
    with settings.opened() as bakthat:
        entries = bakthat.ls(
            name,
            destination,
            only=patterns,
            host=host,
            allow_plain=allow_plain,
            identities=identities,
            password=password,
            tier=tier,
            wait=wait,
            ask=ask_password,
        )
        count = 0

        def counted() -> Iterator[IndexEntry]:
            nonlocal count
            for entry in entries:
                count += 1
                yield entry

        if as_json:
            backup = entries.backup
            about = {"stored_filename": backup.stored_filename, "encryption": backup.metadata.get("encryption")}
            json_output.print_items(about, "entries", map(entry_json, counted()))
        else:
            if entries.backup.is_encrypted and (long or settings.verbose):
                settings.say(f"{entries.backup.stored_filename} is {encryption_words(entries.backup)}.")
            line: Callable[[IndexEntry], str] = long_line if long else name_line
            terminal.results(map(line, counted()))
        if not patterns and not count and not as_json:
            settings.say(f"{entries.backup.stored_filename} contains nothing.")
        if patterns and not count:
            literal = literal_pattern(patterns)
            hint = f"; a backslash makes a bracket literal: {shlex.quote(literal)}" if literal else ""
            raise BackupNotFound(f"nothing in {entries.backup.stored_filename} matches {', '.join(patterns)}{hint}")
