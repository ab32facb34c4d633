"""The command line: it parses, asks, prints, and maps errors to exit codes. It decides nothing.

Exit codes: 0 done · 1 not found, ambiguous, or refused · 2 usage or configuration · 3 backed up, but incomplete ·
4 the store · 5 password or damaged data · 75 a retrieval is pending (EX_TEMPFAIL of sysexits.h) · 130 Ctrl-C.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from bakthat import __version__, errors
from bakthat.domain.backup import Backup
from bakthat.domain.progress import Progress
from bakthat.entrypoints import terminal
from bakthat.entrypoints.api import Bakthat, open_profile
from bakthat.entrypoints.listing import list_backups
from bakthat.entrypoints.wiring import open_config
from bakthat.ports.config_source import ConfigSource

INCOMPLETE = 3
EXIT_CODES: list[tuple[type[BaseException], int]] = [
    (errors.ConfigError, 2),
    (errors.UsageError, 2),
    (errors.StoreError, 4),
    (errors.PayloadError, 5),
    (errors.RetrievalPending, 75),
    (errors.BakthatError, 1),
]
"""The first class that fits decides."""


@frozen
class Settings:
    """The options that every command has."""

    config: str | None
    profile: str | None
    quiet: bool
    verbose: bool

    def notice(self, text: str) -> None:
        terminal.tell(f"bakthat: {text}")

    def open_config(self) -> ConfigSource:
        return open_config(self.config, notice=self.notice)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Bakthat]:
        """The verbs for the chosen profile, with a progress bar while they run."""
        with terminal.progress_bar(not self.quiet) as progress:
            yield self.bakthat(progress)

    def bakthat(self, progress: Callable[[Progress], None] = lambda _: None) -> Bakthat:
        return open_profile(self.profile or "default", config=self.open_config(), notice=self.notice, progress=progress)

    def say(self, text: str) -> None:
        """A line for a person, unless they asked for quiet."""
        if not self.quiet:
            terminal.tell(text)


class Commands(click.Group):
    """Names may be written with `_` or `-`; `delete_older_than` is 2013's name of `remove_older_than`."""

    ALIASES = {"delete_older_than": "remove_older_than"}  # noqa: RUF012 - never changed

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        return super().get_command(ctx, self.ALIASES.get(name, name))


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of every command, and hands them over as one `Settings`."""

    @click.option("-p", "--profile", metavar="NAME", help="Profile of the configuration file (default: default).")
    @click.option("-c", "--config", metavar="FILE", envvar="BAKTHAT_CONFIG", help="Default: ~/.bakthat.yml.")
    @click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")
    @click.option("-v", "--verbose", is_flag=True, help="Also what happens underneath.")
    @functools.wraps(command)
    def wrapped(profile: str | None, config: str | None, quiet: bool, verbose: bool, **options: Any) -> None:
        if verbose:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
            logging.getLogger("bakthat").addHandler(handler)
            logging.getLogger("bakthat").setLevel(logging.DEBUG)
        command(Settings(config=config, profile=profile, quiet=quiet, verbose=verbose), **options)

    return wrapped


destination_option = click.option("-d", "--destination", metavar="DEST", help="s3, local, or a plug-in's name.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="bakthat %(version)s")
def cli() -> None:
    """One compressed, optionally encrypted archive per backup, in your own store."""


@cli.command()
@click.argument("filename", default=".", type=click.Path())
@destination_option
@click.option("-t", "--tags", default="", metavar='"TAG TAG"', help="Words to find the backup by.")
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
    tags: str,
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
    patterns = [*excludes, *(line for path in exclude_files for line in _lines_of(path))]
    with settings.opened() as bakthat:
        made = bakthat.backup(
            filename,
            destination,
            name=name,
            tags=tags,
            recipients=recipients,
            excludes=patterns,
            ask=_new_password if prompt == "yes" else None,
        )
    if as_json:
        terminal.result_json(made.as_record())
    else:
        terminal.result(made.stored_filename)
        settings.say(_summary(made))
    if made.is_incomplete:
        terminal.tell("bakthat: the backup is incomplete: see the files named above")
        raise SystemExit(INCOMPLETE)


def _summary(made: Backup) -> str:
    counts = made.metadata["counts"]
    sealed = "encrypted" if made.is_encrypted else "not encrypted"
    return (
        f"Backed up {counts['files']} files ({terminal.human_size(counts['bytes'])}) to {made.location}: "
        f"{terminal.human_size(made.size)}, {sealed}."
    )


def _new_password() -> str:
    if not terminal.is_interactive():
        raise errors.UsageError(
            "no password, and no terminal to ask for one: set BAKTHAT_PASSWORD, name a recipient with -r, "
            "or ask for a plain backup with --prompt no"
        )
    return terminal.ask_new_password()


def _password() -> str:
    if not terminal.is_interactive():
        raise errors.PasswordNeeded(
            "the backup is encrypted, and there is no terminal to ask for its password: set BAKTHAT_PASSWORD, "
            "or name a key file with -i"
        )
    return terminal.ask_password()


def _lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise errors.UsageError(f"--exclude-from {path}: {os.strerror(error.errno or 0)}") from error


@cli.command()
@click.argument("name")
@destination_option
@click.option("--target", default=".", metavar="DIR", type=click.Path(), help="Where to (default: here).")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("-i", "--identity", "identities", multiple=True, metavar="FILE", help="Key file that opens the backup.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only what matches (gitignore grammar).")
@json_option
@common
def restore(
    settings: Settings,
    name: str,
    destination: str | None,
    target: str,
    overwrite: bool,
    identities: tuple[str, ...],
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Restore the backup NAME: a stored filename, a series (its newest), or a series and the start of a date."""
    with settings.opened() as bakthat:
        restored = bakthat.restore_with_report(
            name,
            destination,
            target=target,
            overwrite=overwrite,
            identities=identities,
            only=only,
            ask=_password,
        )
    if as_json:
        terminal.result_json(restored.backup.as_record())
        return
    for root in restored.report.roots:
        terminal.result(os.path.join(target, root))
    report = restored.report
    settings.say(
        f"Restored {restored.backup.stored_filename}: {report.files} files ({terminal.human_size(report.size)})."
    )


@cli.command()
@click.argument("query", default="")
@click.option("-d", "--destination", metavar="DEST", help="Only this destination (default: all).")
@click.option("-t", "--tags", default="", metavar='"TAG TAG"', help="Only backups that have all of these tags.")
@json_option
@common
def show(settings: Settings, query: str, destination: str | None, tags: str, as_json: bool) -> None:
    """List the backups whose name contains QUERY, newest first (dates in UTC)."""
    found = list_backups(settings.open_config(), settings.profile, query=query, destination=destination, tags=tags)
    if as_json:
        terminal.result_json([backup.as_record() for backup in found])
        return
    for backup in found:
        terminal.result(terminal.backup_line(backup))
    if not found:
        settings.say("No backups." if not query else f"No backups match {query!r}.")


@cli.command()
@click.argument("name")
@destination_option
@click.option("--dry-run", is_flag=True, help="Only tell which backup would be deleted.")
@json_option
@common
def delete(settings: Settings, name: str, destination: str | None, dry_run: bool, as_json: bool) -> None:
    """Delete the one backup NAME: a stored filename, a series (its newest), or a series and the start of a date."""
    with settings.opened() as bakthat:
        gone = bakthat.delete(name, destination, dry_run=dry_run)
    if as_json:
        terminal.result_json(gone.as_record())
        return
    terminal.result(gone.stored_filename)
    settings.say(f"{'Would delete' if dry_run else 'Deleted'} {gone.stored_filename} from {gone.backend}.")


@cli.command()
@common
def configure(settings: Settings) -> None:
    """Ask for the settings of a profile, and save them."""
    from bakthat.entrypoints.configure import configure_profile

    configure_profile(settings.config, settings.profile or "default", notice=settings.notice)


def exit_code(error: BaseException) -> int:
    """The documented exit code of an error that was raised on purpose."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def _stop(number: int, _: object) -> None:
    # Unwinds as Ctrl-C does, so that a half-made upload is aborted; the code is the shell's own for the signal.
    raise SystemExit(128 + number)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the documented code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    code = 0
    try:
        result = cli.main(arguments, prog_name="bakthat", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except errors.BakthatError as error:
        terminal.tell(f"bakthat: {error}")
        code = exit_code(error)
    except click.ClickException as error:
        terminal.tell(f"bakthat: {error.format_message()}")
        context = getattr(error, "ctx", None)
        if context is not None:
            terminal.tell(f"See `{context.command_path} -h`.")
        code = 2
    except (KeyboardInterrupt, click.Abort):
        terminal.tell("\nbakthat: stopped")
        code = 130
    except BrokenPipeError:
        # Whoever read our output has left; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)
