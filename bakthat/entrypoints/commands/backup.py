"""`bakthat backup`."""

from __future__ import annotations

import click

from bakthat.domain.backup import Backup
from bakthat.entrypoints import terminal
from bakthat.entrypoints.left_out_report import left_out_line
from bakthat.entrypoints.options import (
    INCOMPLETE,
    Settings,
    ask_new_password,
    common,
    destination_option,
    dry_run_option,
    json_option,
)


@click.command(short_help="Back up a file or a directory.")
@click.argument("filename", default=".", type=click.Path(readable=False))
@destination_option
@click.option(
    "-t", "--tags", multiple=True, metavar='"TAG TAG"', help="Words to find the backup by; may be given several times."
)
@click.option("--prompt", type=click.Choice(["yes", "no"]), default="yes", help="Whether to ask for a password.")
@click.option("-r", "--recipient", "recipients", multiple=True, metavar="AGE1…", help="Encrypt to this public key.")
@click.option("--name", metavar="NAME", help="Name of the series (default: the base name of FILENAME).")
@click.option(
    "--exclude", "excludes", multiple=True, metavar="PATTERN", help="Leave out (gitignore grammar); repeatable."
)
@click.option(
    "--exclude-from", "exclude_files", multiple=True, metavar="FILE", help="Patterns, one a line; repeatable."
)
@click.option("--no-gitignore", is_flag=True, help="Do not leave out what FILENAME/.gitignore names.")
@click.option("--exclude-caches", is_flag=True, help="Of directories with a CACHEDIR.TAG, keep only that.")
@click.option(
    "--exclude-if-present",
    "markers",
    multiple=True,
    metavar="NAME",
    help="Of directories that hold NAME, keep only that; repeatable.",
)
@click.option("--exclude-larger-than", metavar="SIZE", help="Leave out larger files: 500M, 16MiB, or bytes.")
@click.option("--one-file-system", is_flag=True, help="Leave out what is mounted below FILENAME.")
@dry_run_option
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
    no_gitignore: bool,
    exclude_caches: bool,
    markers: tuple[str, ...],
    exclude_larger_than: str | None,
    one_file_system: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Back up FILENAME, a file or a directory (default: the current directory).

    FILENAME/.bakthatexclude, else FILENAME/.gitignore, names what is left out, and so do --exclude and --exclude-from,
    which may be given several times. bakthat's own database and local folders are always left out. With --dry-run, what
    would be stored is counted: no file is read, and nothing is stored.
    """
    with settings.opened() as bakthat:
        made = bakthat.backup(
            filename,
            destination,
            name=name,
            tags=tags,
            recipients=recipients,
            excludes=excludes,
            exclude_from=exclude_files,
            gitignore=False if no_gitignore else None,
            exclude_caches=exclude_caches or None,
            exclude_if_present=markers or None,
            exclude_larger_than=exclude_larger_than,
            one_file_system=one_file_system or None,
            ask=ask_new_password if prompt == "yes" else None,
            on_excluded=_tell_excluded if settings.verbose else None,
            dry_run=dry_run,
        )
    if as_json:
        terminal.result_json(made.as_record())
    elif dry_run:
        terminal.result(_summary_of_dry_run(made))
    else:
        terminal.result(made.stored_filename)
        settings.say(_summary(made))
    if left_out := left_out_line(made, filename):
        settings.say(left_out)
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


def _summary_of_dry_run(made: Backup) -> str:
    counts = made.metadata["counts"]
    files, size = terminal.counted(counts["files"], "file"), terminal.human_size(counts["bytes"])
    return f"Would back up {files} ({size}) as {made.filename}; nothing was stored."


def _tell_excluded(path: str, why: str) -> None:
    terminal.tell(f"left out: {path} ({why})")
