"""Shows many lines on a terminal by a pager, as git does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from bakthat.domain.environment_settings import PAGER_VARIABLE
from bakthat.entrypoints import screen, terminal

_NOT_FOUND = 127
"""How a shell ends that does not know the program."""

_DEFAULTS = {"LESS": "FRX", "LV": "-c"}
"""What git sets: less ends if all fits the screen (F), and leaves the lines on it (X)."""


def pager_command(environment: Mapping[str, str]) -> str | None:
    """Return the command of BAKTHAT_PAGER, else of PAGER, else `less`; None for none: an empty one, `cat`, a terminal
    that cannot do it, or a machine without `less`."""
    if environment.get("TERM", "dumb") == "dumb":
        return None
    chosen = next((environment[name] for name in (PAGER_VARIABLE, "PAGER") if name in environment), None)
    if chosen is None:
        return "less" if shutil.which("less") else None
    return None if chosen.strip() in ("", "cat") else chosen


def show(lines: Sequence[str]) -> None:
    """Write lines to the terminal: by a pager if they are more than its screen has. Raises `terminal.OutputLost`."""
    command = pager_command(os.environ)
    _, height = screen.size_of(sys.stdout)
    if command is None or len(lines) < height or not _paged(command, lines):
        terminal.results(lines)


def _paged(command: str, lines: Sequence[str]) -> bool:
    """Whether the command has shown the lines."""
    from bakthat.adapters.commands.environment import child_environment

    environment = {**_DEFAULTS, **child_environment(os.environ)}
    text = "".join(f"{terminal.printable(line)}\n" for line in lines)
    # The command line is the user's own, as for git and man.
    process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)  # noqa: S602
    # Ctrl-C is the pager's: it stops a search there. Set after the start, since a program inherits an ignored signal.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.communicate(text.encode(errors="backslashreplace"))  # does not mind a pager that is left early
    finally:
        signal.signal(signal.SIGINT, before)
    return process.returncode != _NOT_FOUND
