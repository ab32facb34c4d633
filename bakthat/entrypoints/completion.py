"""Completion in shells: the scripts that they load, and the words that bakthat answers to those scripts.

click asks the types of parameters for words. `add_completions` gives each parameter its type by its name, so that a new
command has completions by itself. Nothing here may fail or print: the person is in the middle of a line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class
from click.types import StringParamType

from bakthat.entrypoints.command_names import COMPLETION_VARIABLE

if TYPE_CHECKING:
    from bakthat.domain.profile import Profile
    from bakthat.ports.config_source import ConfigSource

SHELLS = ("bash", "zsh", "fish")

MOST = 1000
"""Words. A shell asks before it shows a few hundred."""

_BASH = """\
%(complete_func)s() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            file,*) compopt -o default ;;
            dir,*) compopt -o dirnames ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""
"""Not click's, which splits words, and starts another bash to ask for its version."""

_BASH_SPECIAL = re.compile(r"([^\w@%+=:,./-])")
"""What has a meaning for bash in a word. A `~` has one at its beginning."""

_FISH = """\
function %(complete_func)s
    set -lx %(complete_var)s fish_complete
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    for line in (%(prog_name)s)
        set -l parts (string split --max 1 , -- $line)
        switch $parts[1]
            case file
                __fish_complete_path $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case plain
                echo $parts[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""
"""Not click's, which cuts names and descriptions at their first comma."""


class _Bash(ShellComplete):
    """bash, which does not quote words by itself."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _of_click(self).get_completion_args()

    def format_completion(self, item: CompletionItem[str]) -> str:
        escaped = _BASH_SPECIAL.sub(r"\\\1", item.value)
        return f"{item.type},{escaped}"


class _Fish(ShellComplete):
    """fish, which quotes words by itself."""

    name = "fish"
    source_template = _FISH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _of_click(self).get_completion_args()

    def format_completion(self, item: CompletionItem[str]) -> str:
        return _of_click(self).format_completion(item)


def _of_click(own: ShellComplete) -> ShellComplete:
    known = get_completion_class(own.name)
    assert known is not None  # noqa: S101 - click's own
    return known(own.cli, own.ctx_args, own.prog_name, own.complete_var)


def script(shell: str) -> str:
    """Return the script that a shell loads. `shell`: one of `SHELLS`."""
    return _completer(shell, click.Command(None)).source()


def answer(cli: click.Command, instruction: str) -> str:
    """Return the words for the line that the script has put into the environment; "" if anything is wrong.

    Args:
        cli: The program.
        instruction: The value of `COMPLETION_VARIABLE`.
    """
    shell, _, what = instruction.partition("_")
    if shell not in SHELLS or what != "complete":
        return ""
    try:
        add_completions(cli)
        return f"{_completer(shell, cli).complete()}\n"
    except (Exception, SystemExit):  # noqa: BLE001 - whatever it is, a person is typing
        return ""


def add_completions(command: click.Command) -> None:
    """Give the parameters of a command the types that complete them, by their names and metavars."""
    for parameter in command.params:
        if type(parameter.type) is not StringParamType:
            continue
        finder = _FINDERS.get(parameter.name or "")
        kind = _PATHS.get(str(parameter.metavar))
        if kind is not None:
            parameter.type = _PathWord(kind)
        elif finder is not None:
            parameter.type = _Word(finder)


def _completer(shell: str, cli: click.Command) -> ShellComplete:
    kind = {"bash": _Bash, "fish": _Fish}.get(shell) or get_completion_class(shell)
    assert kind is not None  # noqa: S101 - see SHELLS
    return kind(cli, {}, "bakthat", COMPLETION_VARIABLE)


Finder = Callable[[click.Context, str], Iterable[str]]
"""Returns words that may begin with the text."""


class _Word(StringParamType):
    """A text, with words that it may be."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        found = dict.fromkeys(word for word in self._finder(ctx, incomplete) if word.startswith(incomplete))
        return [CompletionItem(word) for word in found if word.isprintable()][:MOST]


class _PathWord(StringParamType):
    """The path of a file or a directory, which the shell completes."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return [CompletionItem(incomplete, type=self._kind)]


def _option(ctx: click.Context, name: str) -> str | None:
    """Return an option of the line, which may stand before the command."""
    context: click.Context | None = ctx
    while context is not None:
        if isinstance(value := context.params.get(name), str):
            return value
        context = context.parent
    return None


def _config(ctx: click.Context) -> ConfigSource:
    from bakthat.entrypoints.config_place import open_config

    return open_config(_option(ctx, "config"))


def _profile(ctx: click.Context) -> Profile:
    from bakthat.entrypoints.chosen_profile import chosen_profile

    return chosen_profile(_config(ctx), _option(ctx, "profile"), os.environ)


def _profiles(ctx: click.Context, _: str) -> Iterable[str]:
    return _config(ctx).names()


def _destinations(ctx: click.Context, _: str) -> Iterable[str]:
    from bakthat.entrypoints.destinations import all_names

    return all_names()


def _series(ctx: click.Context, text: str) -> Iterable[str]:
    from bakthat.adapters.database.known_names import known_names

    return known_names(_profile(ctx).database, "filename", text, most=MOST)


def _backups(ctx: click.Context, text: str) -> Iterable[str]:
    """Return series, and the stored filenames of a series that is typed out."""
    from bakthat.adapters.database.known_names import known_names

    database = _profile(ctx).database
    found = known_names(database, "filename", text, most=MOST)
    if found and found != [text]:
        return found
    return found + known_names(database, "stored_filename", f"{text}." if found else text, most=MOST)


def _jobs(ctx: click.Context, _: str) -> Iterable[str]:
    return _profile(ctx).jobs


def _compressions(_: click.Context, __: str) -> Iterable[str]:
    return ("gzip", "zstd", "none")


_FINDERS: Mapping[str, Finder] = {
    "profile": _profiles,
    "to_profile": _profiles,
    "destination": _destinations,
    "to": _destinations,
    "name": _backups,
    "names": _backups,
    "other": _backups,
    "query": _series,
    "series": _series,
    "job": _jobs,
    "jobs": _jobs,
    "compression": _compressions,
}
"""By the name of the parameter."""

_PATHS: Mapping[str, str] = {"FILE": "file", "DIR": "dir"}
"""By the metavar of the parameter."""
