"""The page about every command and option, from the commands themselves."""

from __future__ import annotations

import re

import click

from bakthat.entrypoints.cli import cli

INTRODUCTION = """# Commands

Every command with all its options, as this version has them; `bakthat COMMAND -h` prints the same. Names may be written
with `_` for `-`. [Exit codes](exit-codes.md) · [JSON output](json.md) · [Settings](configuration.md)

"""


def page() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="bakthat")
    parts = [INTRODUCTION, "## Options before a command\n\n", _options(cli, context)]
    for name in cli.list_commands(context):
        parts.append(_section(name, context, level=2))
    return "".join(parts)


def _section(name: str, above: click.Context, *, level: int) -> str:
    assert isinstance(above.command, click.Group)
    command = above.command.get_command(above, name)
    assert command is not None, name
    context = click.Context(command, info_name=name, parent=above)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = (command.help or command.short_help or "").replace("\b\n", "")
    parts = [f"{'#' * level} {context.command_path.removeprefix('bakthat ')}\n\n```text\n{usage}\n```\n\n"]
    parts.append(f"{_plain(text)}\n\n")
    if isinstance(command, click.Group):
        parts += [_section(each, context, level=level + 1) for each in command.list_commands(context)]
    else:
        parts.append(_options(command, context))
    return "".join(parts)


def _options(command: click.Command, context: click.Context) -> str:
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
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
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", escaped)
