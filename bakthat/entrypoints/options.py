"""Common parts of all commands: options, and opening a profile."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import click
from attrs import field, frozen

from bakthat.domain.callbacks import ignore
from bakthat.domain.objects import Tier
from bakthat.domain.origin import GroupBy
from bakthat.domain.progress import Progress
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.api import Bakthat, open_profile
from bakthat.entrypoints.common_options import COMMON, common_of, with_common
from bakthat.entrypoints.config_place import open_config
from bakthat.entrypoints.exit_codes import exit_code
from bakthat.entrypoints.password_tries import AskAgain
from bakthat.entrypoints.progress_bar import progress_bar
from bakthat.errors import BakthatError, PasswordNeeded, UsageError
from bakthat.ports.config_source import ConfigSource

INCOMPLETE = 3
"""The exit code of an incomplete backup, and of its restore."""


@frozen
class Settings:
    """The options that every command has."""

    config: str | None
    profile: str | None
    quiet: bool
    verbose: bool
    limit_upload: str | None = None
    """This and the next one only on commands that have them (`limit_options`)."""
    limit_download: str | None = None
    _said: set[str] = field(factory=set, init=False, eq=False, repr=False)

    def notice(self, text: str) -> None:
        """Print a line for the user, also with `--quiet`; the same line once: each job reads the same files."""
        if text not in self._said:
            self._said.add(text)
            terminal.tell(f"bakthat: {text}")

    def say(self, text: str) -> None:
        """Print a line for the user, unless `--quiet` is given."""
        if not self.quiet:
            terminal.tell(text)

    def open_config(self) -> ConfigSource:
        """The configuration file."""
        return open_config(self.config, notice=self.notice)

    @contextlib.contextmanager
    def opened(self, *, bar: bool = True) -> Iterator[Bakthat]:
        """The verbs for the chosen profile, with a progress bar while they run."""
        with progress_bar(bar and not self.quiet) as progress:
            yield self.bakthat(progress)

    def bakthat(self, progress: Callable[[Progress], None] = ignore) -> Bakthat:
        """The verbs for the chosen profile."""
        return open_profile(
            self.profile,
            config=self.open_config(),
            notice=self.notice,
            progress=progress,
            ask_passphrase=terminal.ask_passphrase if terminal.is_interactive() else None,
            limit_upload=self.limit_upload,
            limit_download=self.limit_download,
        )


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command, and pass them on as one `Settings`. They may also stand before the command."""

    @with_common
    @functools.wraps(command)
    def wrapped(**options: Any) -> None:
        given = common_of(click.get_current_context())
        if given.verbose:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
            logging.getLogger("bakthat").addHandler(handler)
            logging.getLogger("bakthat").setLevel(logging.DEBUG)
        settings = Settings(config=given.config, profile=given.profile, quiet=given.quiet, verbose=given.verbose)
        command(settings, **{name: value for name, value in options.items() if name not in COMMON})

    return wrapped


destination_option = click.option(
    "-d", "--destination", metavar="DEST", help="s3, glacier, local, or a plug-in's name (default: the profile's)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
identity_option = click.option(
    "-i", "--identity", "identities", multiple=True, metavar="FILE", help="Key file that opens the backup; repeatable."
)


def _password_in(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Return the password in the file that the option names; nothing while a shell completes the line."""
    if path is None or context.resilient_parsing:
        return None
    from bakthat.entrypoints.keys import password_in_file

    return password_in_file(path, parameter.opts[0], notice=lambda text: terminal.tell(f"bakthat: {text}"))


password_file_option = click.option(
    "--password-file", "password", metavar="FILE", callback=_password_in, help="File whose only line is the password."
)
"""The command gets the password, not the file's name."""
allow_plain_option = click.option(
    "--allow-plain", is_flag=True, help="Also a plain backup of a series that is encrypted."
)
host_option = click.option("--host", metavar="NAME", help="Only backups of this host.")
no_xattrs_option = click.option(
    "--no-xattrs", is_flag=True, help="Without extended attributes, ACLs, capabilities, SELinux labels."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


def retrieval_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for backups that have to be retrieved first."""
    command = click.option("--wait", is_flag=True, help="Wait until a backup in Glacier is ready.")(command)
    tiers = click.Choice([str(tier) for tier in Tier])
    return click.option("--tier", type=tiers, help="How fast, from Glacier.")(command)


def trouble_is_two(command: Callable[..., None]) -> Callable[..., None]:
    """Have the command end with 2 where an error would end it with 1, which is one of its answers (as of diff(1))."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except BakthatError as error:
            if exit_code(error) != 1:
                raise
            json_output.tell_error(error, str(error), 2, as_json=bool(options.get("as_json")))
            click.get_current_context().exit(2)

    return wrapped


def ask_new_password() -> str:
    """Ask for the password of a new backup. Raises `UsageError` without a terminal."""
    if not terminal.is_interactive():
        raise UsageError(
            "no password, and no terminal to ask for one: set BAKTHAT_PASSWORD, name a recipient with -r, "
            "or ask for a plain backup with --prompt no"
        )
    return terminal.ask_new_password()


def _ask_password() -> str:
    if not terminal.is_interactive():
        raise PasswordNeeded(
            "there is no terminal to ask for its password: set BAKTHAT_PASSWORD, or name its file: --password-file"
        )
    return terminal.ask_password()


ask_password = AskAgain(_ask_password)
"""Asks for the password of a backup; a wrong one may be corrected. Raises `PasswordNeeded` without a terminal."""


def origins_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which origins of a series are thinned, and what makes an origin."""
    for option in (
        click.option("--source", metavar="PATH", help="Only backups of this path."),
        host_option,
        click.option(
            "--group-by",
            type=click.Choice([str(one) for one in GroupBy]),
            default=str(GroupBy.HOST_AND_SOURCE),
            help="What is thinned by itself (default: each host's each path).",
        ),
    ):
        command = option(command)
    return command
