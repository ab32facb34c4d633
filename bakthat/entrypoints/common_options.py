"""The options that every command has. They may stand before the command as well: `bakthat -p work show`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from attrs import evolve, frozen
from click.core import ParameterSource

_KEY = "bakthat.common_options"


@frozen
class Common:
    """What they have been set to."""

    profile: str | None = None
    config: str | None = None
    quiet: bool = False
    verbose: bool = False


COMMON = ("profile", "config", "quiet", "verbose")
"""The names of their parameters."""


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Also what happens underneath."),
        click.option("-q", "--quiet", is_flag=True, help="Only results, warnings and errors."),
        click.option("-c", "--config", metavar="FILE", envvar="BAKTHAT_CONFIG", help="Default: ~/.bakthat.yml."),
        click.option("-p", "--profile", metavar="NAME", help="Profile of the configuration file (default: default)."),
    ):
        command = option(command)
    return command


def common_before(group: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a group, for the command that follows."""

    @with_common
    @functools.wraps(group)
    def wrapped(**options: Any) -> None:
        context = click.get_current_context()
        context.meta[_KEY] = common_of(context)
        group(**{name: value for name, value in options.items() if name not in COMMON})

    return wrapped


def common_of(context: click.Context) -> Common:
    """Return the options of a command: its own, then those before it, then those of the environment."""
    before: Common = context.meta.get(_KEY, Common())
    own = {
        name: context.params[name]
        for name in COMMON
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE or getattr(before, name) in (None, False)
    }
    return evolve(before, **own)
