"""What the page about the commands has on the site: every command and option, from the commands themselves."""

from __future__ import annotations

import inspect
import re

import click

from bakthat.entrypoints.cli import cli


def sections() -> str:
    """A section for each command."""
    context = click.Context(cli, info_name="bakthat")
    parts = ["\n## Options of every command\n\n", _options(cli, context)]
    for name in cli.list_commands(context):
        parts.append(_section(name, context, level=2))
    return "".join(parts)


def _command(name: str, above: click.Context) -> click.Command:
    command = above.command.get_command(above, name) if isinstance(above.command, click.Group) else None
    if command is None:
        raise LookupError(name)
    return command


def _section(name: str, above: click.Context, *, level: int) -> str:
    command = _command(name, above)
    context = click.Context(command, info_name=name, parent=above)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or command.short_help or "").replace("\b\n", "")
    parts = [f"{'#' * level} {context.command_path.removeprefix('bakthat ')}\n\n```text\n{usage}\n```\n\n"]
    parts.append(f"{_plain(text)}\n\n")
    if isinstance(command, click.Group):
        parts += [_section(each, context, level=level + 1) for each in command.list_commands(context)]
    else:
        parts.append(_options(command, context))
    return "".join(parts)


def _options(command: click.Command, context: click.Context) -> str:
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context)) and record[1]]
    if not rows:
        return ""
    lines = ["| option | meaning |", "|---|---|"]
    lines += [f"| {_code(names)} | {_plain(meaning).replace('|', chr(92) + '|')} |" for names, meaning in rows]
    return "\n".join(lines) + "\n\n"


def _code(names: str) -> str:
    return f"`{names}`".replace("|", "\\|")


def _plain(text: str) -> str:
    """The text of a help as Markdown: nothing in it is a mark. Options are set as code."""
    escaped = re.sub(r"([\\*_<>\[\]#])", r"\\\1", text)
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]*|--(?=\s))", r"`\1`", escaped)
