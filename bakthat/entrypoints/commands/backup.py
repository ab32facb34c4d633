"""`bakthat backup`."""

from __future__ import annotations

import functools
import time
from typing import Any, BinaryIO, cast

import click

from bakthat.domain.backup import Backup
from bakthat.domain.recipients import told
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.api import Bakthat
from bakthat.entrypoints.backup_table import home_folder, place_words
from bakthat.entrypoints.left_out_report import left_out_line
from bakthat.entrypoints.limit_options import limit_options
from bakthat.entrypoints.options import (
    INCOMPLETE,
    Settings,
    ask_new_password,
    common,
    destination_option,
    dry_run_option,
    json_option,
    no_xattrs_option,
    password_file_option,
)
from bakthat.errors import UsageError


@click.command(short_help="Back up a file, a directory, or a stream.")
@click.argument("words", nargs=-1, metavar="[FILENAME]", type=click.Path(readable=False))
@destination_option
@click.option("-t", "--tags", multiple=True, metavar='"TAG TAG"', help="Words to find the backup by; repeatable.")
@click.option("--prompt", type=click.Choice(["yes", "no"]), default="yes", help="Whether to ask for a password.")
@click.option(
    "-r", "--recipient", "recipients", multiple=True, metavar="KEY", help="Encrypt to this public key; repeatable."
)
@click.option(
    "-R",
    "--recipients-file",
    "recipients_files",
    multiple=True,
    metavar="FILE",
    help="Encrypt to the public keys in this file; repeatable.",
)
@click.option("--allow-mixed-recipients", is_flag=True, help="Allow post-quantum recipients together with others.")
@password_file_option
@click.option("--name", metavar="NAME", help="Name of the series (default: the base name of FILENAME).")
@click.option(
    "--compression", metavar="HOW", help="gzip, zstd, zstd:1 to zstd:19, or none (default: the profile's, else gzip)."
)
@click.option("--stdin-from-command", is_flag=True, help="Back up the output of the command that follows `--`.")
@click.option(
    "--exclude", "excludes", multiple=True, metavar="PATTERN", help="Leave out (gitignore grammar); repeatable."
)
@click.option(
    "--exclude-from", "exclude_files", multiple=True, metavar="FILE", help="Patterns, one per line; repeatable."
)
@click.option("--no-gitignore", is_flag=True, help="Ignore FILENAME/.gitignore.")
@click.option("--exclude-caches", is_flag=True, help="Keep only the tag of directories with a CACHEDIR.TAG.")
@click.option(
    "--exclude-if-present",
    "markers",
    multiple=True,
    metavar="NAME",
    help="Keep only NAME of directories that contain it; repeatable.",
)
@click.option("--exclude-larger-than", metavar="SIZE", help="Leave out larger files: 500M, 16MiB, or bytes.")
@click.option("--one-file-system", is_flag=True, help="Leave out file systems mounted below FILENAME.")
@no_xattrs_option
@click.option(
    "--incremental/--no-incremental",
    default=None,
    help="Of a directory, store only what changed since its newest backup.",
)
@click.option("--full", is_flag=True, help="Store everything, although backups are incremental.")
@dry_run_option
@json_option
@common
@limit_options
def backup(
    settings: Settings,
    words: tuple[str, ...],
    destination: str | None,
    tags: tuple[str, ...],
    prompt: str,
    recipients: tuple[str, ...],
    recipients_files: tuple[str, ...],
    allow_mixed_recipients: bool,
    password: str | None,
    name: str | None,
    compression: str | None,
    stdin_from_command: bool,
    excludes: tuple[str, ...],
    exclude_files: tuple[str, ...],
    no_gitignore: bool,
    exclude_caches: bool,
    markers: tuple[str, ...],
    exclude_larger_than: str | None,
    one_file_system: bool,
    no_xattrs: bool,
    incremental: bool | None,
    full: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Back up FILENAME, a file or a directory (default: the current directory).

    FILENAME/.bakthatexclude, else FILENAME/.gitignore, names what is left out, and so do --exclude and --exclude-from,
    which may be given several times. bakthat's own database and local folders are always left out. With --dry-run, what
    would be stored is counted: no file is read, and nothing is stored.

    With FILENAME `-`, back up standard input as the file NAME. With --stdin-from-command -- COMMAND [ARGS], run the
    command without a shell, and back up its output; if it fails, nothing is stored.
    """
    filename = words[0] if words else "."
    begun = time.monotonic()
    asked = ask_new_password if prompt == "yes" else None
    left_out = {
        "--exclude": excludes,
        "--exclude-from": exclude_files,
        "--no-gitignore": no_gitignore,
        "--exclude-caches": exclude_caches,
        "--exclude-if-present": markers,
        "--exclude-larger-than": exclude_larger_than,
        "--one-file-system": one_file_system,
        "--no-xattrs": no_xattrs,
        "--incremental": incremental,
        "--full": full,
        "--dry-run": dry_run,
    }
    if stdin_from_command or filename == "-":
        _check_stream([option for option, value in left_out.items() if value], words, stdin_from_command, name)
        with settings.opened() as bakthat:
            of_stream = functools.partial(_back_up_stream, bakthat, words, stdin_from_command)
            made = of_stream(
                destination=destination,
                name=name,
                tags=tags,
                password=password,
                recipients=recipients,
                recipients_files=recipients_files,
                allow_mixed_recipients=allow_mixed_recipients or None,
                compression=compression,
                ask=asked,
            )
        _report(settings, made, "-", seconds=time.monotonic() - begun, as_json=as_json)
        return
    if len(words) > 1:
        raise click.UsageError(f"Got unexpected extra argument ({' '.join(words[1:])})")
    with settings.opened() as bakthat:
        made = bakthat.backup(
            filename,
            destination,
            name=name,
            tags=tags,
            password=password,
            recipients=recipients,
            recipients_files=recipients_files,
            allow_mixed_recipients=allow_mixed_recipients or None,
            excludes=excludes,
            exclude_from=exclude_files,
            gitignore=False if no_gitignore else None,
            exclude_caches=exclude_caches or None,
            exclude_if_present=markers or None,
            exclude_larger_than=exclude_larger_than,
            one_file_system=one_file_system or None,
            xattrs=False if no_xattrs else None,
            compression=compression,
            incremental=incremental,
            full=full,
            ask=asked,
            on_excluded=_tell_excluded if settings.verbose else None,
            dry_run=dry_run,
        )
    _report(settings, made, filename, seconds=time.monotonic() - begun, as_json=as_json, dry_run=dry_run)


def _check_stream(left_out: list[str], words: tuple[str, ...], stdin_from_command: bool, name: str | None) -> None:
    """Raises `UsageError` for options that cannot be combined with a stream."""
    if left_out:
        raise UsageError(f"{left_out[0]} is for files and directories; it cannot be used with a stream")
    if stdin_from_command and not words:
        raise UsageError("--stdin-from-command requires a command after `--`: -- pg_dump shop")
    if stdin_from_command and words[0] == "-":
        raise UsageError("FILENAME `-` and --stdin-from-command are two sources; use one")
    if not stdin_from_command and len(words) > 1:
        raise click.UsageError(f"Got unexpected extra argument ({' '.join(words[1:])})")
    if name is None:
        raise UsageError("a stream has no name; give it one with --name, such as --name shop.sql")
    if not stdin_from_command and terminal.is_interactive():
        raise UsageError("standard input is a terminal; pipe in what to back up: pg_dump shop | bakthat backup - …")
    if not stdin_from_command and terminal.is_input_closed():
        raise UsageError("standard input is closed; pipe in what to back up: pg_dump shop | bakthat backup - …")


def _back_up_stream(bakthat: Bakthat, words: tuple[str, ...], stdin_from_command: bool, **options: Any) -> Backup:
    if stdin_from_command:
        return bakthat.backup_command(words, **options)
    if options["ask"] is not None:
        options["ask"] = _refuse_to_ask
    # Not `sys.stdin`: a thread blocked in its `read` would keep the process from ending.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        return bakthat.backup_stream(cast(BinaryIO, stdin), **options)


def _refuse_to_ask() -> str:
    raise UsageError(
        "standard input is the backup, so it cannot be asked for a password: set BAKTHAT_PASSWORD, name a recipient "
        "with -r, or ask for a plain backup with --prompt no"
    )


def _report(
    settings: Settings, made: Backup, filename: str, *, seconds: float, as_json: bool, dry_run: bool = False
) -> None:
    if as_json:
        json_output.print_document(json_output.record_json(made))
    elif dry_run:
        terminal.result(_summary_of_dry_run(made))
    else:
        terminal.result(made.stored_filename)
        settings.say(_summary(made))
        if settings.verbose:
            terminal.tell(_details(made, seconds))
    if left_out := left_out_line(made, filename):
        settings.say(left_out)
    if made.is_incomplete:
        terminal.tell("bakthat: the backup is incomplete: see the files named above")
        click.get_current_context().exit(INCOMPLETE)


def _summary(made: Backup) -> str:
    counts = made.metadata["counts"]
    encryption = "encrypted" if made.is_encrypted else "not encrypted"
    files = "a stream" if made.source == "-" else terminal.counted(counts["files"], "file")
    increment = made.metadata.incremental
    changed = f" for what changed since {increment.base}" if increment is not None else ""
    return (
        f"Backed up {files} ({terminal.human_size(counts['bytes'])}) to {_place(made)}: "
        f"{terminal.human_size(made.size)}{changed}, {encryption}."
    )


def _place(made: Backup) -> str:
    location = made.location or ""
    return location if "?" in location else f"{made.backend} {place_words(location, home=home_folder())}"


def _details(made: Backup, seconds: float) -> str:
    """What `-v` adds: what was read, how fast, how well it was compressed, and how it is encrypted."""
    metadata, counts = made.metadata, made.metadata["counts"]
    kinds = (("files", "file"), ("directories", "directory"), ("others", "other entry"))
    read = ", ".join(terminal.counted(counts[key], noun) for key, noun in kinds if counts.get(key))
    speed = terminal.human_size(counts["bytes"] / max(seconds, 0.001))
    facts = [f"Read {read or 'a stream'} in {seconds:.1f} s ({speed}/s)"]
    if counts["bytes"]:
        share = made.size / counts["bytes"]
        # Of a few bytes, the archive is mostly headers.
        stored = f"{100 * share:.0f} % of it" if share < 2 else terminal.human_size(made.size)
        facts.append(f"stored {stored} with {metadata.get('compression') or 'no compression'}")
    if made.is_encrypted:
        keys = told(metadata.recipients)
        facts.append(f"encrypted to {keys}" if keys else "encrypted with a password")
    facts.append(f"SHA-256 {made.sha256}")
    return f"{'; '.join(facts)}."


def _summary_of_dry_run(made: Backup) -> str:
    counts = made.metadata["counts"]
    files, size = terminal.counted(counts["files"], "file"), terminal.human_size(counts["bytes"])
    return f"Would back up {files} ({size}) as {made.filename}; nothing was stored."


def _tell_excluded(path: str, why: str) -> None:
    terminal.tell(f"left out: {path} ({why})")
