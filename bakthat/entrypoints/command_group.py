"""A command that consists of commands: the program itself, and `glacier-inventory`."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.command_names import ALIASES, COMMANDS, advice, canonical
from bakthat.entrypoints.help_text import Context

PACKAGE = "bakthat.entrypoints.commands"


@contextlib.contextmanager
def _broken_pipe_by_name() -> Iterator[None]:
    """click handles a broken pipe with `sys.exit`, which is indistinguishable from a plug-in that ends the program."""
    try:
        yield
    except BrokenPipeError as error:
        raise terminal.ReaderGone from error


class Group(click.Group):
    """Its commands may be written with `_` or `-`, and so may options. It explains unknown words."""

    context_class = Context

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-"):
            command = self.get_command(ctx, name)
            if command is None:
                known = self.list_commands(ctx)
                raise click.UsageError(f"No such command {name!r}.{advice(name, known)}", ctx)
            return canonical(name), command, args[1:]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not self.invoke_without_command:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            near = f" Did you mean {error.possibilities[0]}?" if error.possibilities else ""
            message = (
                f"No such option {error.option_name} before the command; a command's own options follow its name.{near}"
            )
            raise click.UsageError(message, ctx) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, canonical(cmd_name))
        return command if command is None else _prepared(command, ctx)


def _prepared(command: click.Command, ctx: click.Context) -> click.Command:
    command.context_class = Context
    if ctx.resilient_parsing:  # a shell asks for words
        from bakthat.entrypoints.completion import add_completions

        add_completions(command)
    return command


class Commands(Group):
    """The commands of the program, each imported on first use, and 2013's names of them."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _broken_pipe_by_name():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _broken_pipe_by_name():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = canonical(cmd_name)
        words = ALIASES.get(name, (name,))
        if words[0] not in COMMANDS:
            return None
        attribute = words[0].replace("-", "_")
        command = getattr(importlib.import_module(f"{PACKAGE}.{attribute}"), attribute)
        for word in words[1:]:
            command = command.get_command(ctx, word)
        return _prepared(command, ctx) if isinstance(command, click.Command) else None


def group(**options: Any) -> Callable[[Callable[..., None]], Group]:
    """Return a decorator that makes a function a command of commands."""
    return click.group(cls=Group, subcommand_metavar="COMMAND [ARGS]...", no_args_is_help=False, **options)
