"""Commands that a profile's `hooks` section names: run after a success or a failure, to ping a monitoring service.

    hooks:
      success: [curl, -fsS, https://hc.example/ping]
      failure: [/usr/local/bin/alert]
      timeout: 30                     # seconds, 60 by default

The command is run without a shell; the facts come as JSON on its standard input. What it prints goes to stderr.
"""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from bakthat.errors import ConfigInvalid

log = logging.getLogger("bakthat")

DEFAULT_TIMEOUT = 60.0


@frozen(kw_only=True)
class CommandHooks:
    """`success`, `failure`: the command and its arguments, empty for none. `timeout`: seconds."""

    success: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT

    def succeeded(self, facts: Mapping[str, Any]) -> None:
        """Run the command for a success."""
        self._run(self.success, facts)

    def failed(self, facts: Mapping[str, Any]) -> None:
        """Run the command for a failure."""
        self._run(self.failure, facts)

    def _run(self, command: Sequence[str], facts: Mapping[str, Any]) -> None:
        """A hook that fails is logged; the backup that it was told of stands."""
        if not command:
            return
        try:
            done = subprocess.run(
                command, input=json.dumps(facts).encode(), stdout=2, timeout=self.timeout, check=False
            )
        except FileNotFoundError:
            log.warning("the hook %s is not there", command[0])
        except subprocess.TimeoutExpired:
            log.warning("the hook %s was stopped after %g seconds", command[0], self.timeout)
        except OSError as error:
            log.warning("the hook %s could not be run: %s", command[0], error.strerror)
        else:
            if done.returncode:
                log.warning("the hook %s ended with exit code %d", command[0], done.returncode)


def command_hooks(section: Mapping[str, Any], where: str) -> CommandHooks:
    """The hooks of a profile's section. Raises `ConfigInvalid` naming the key."""
    known = {"success", "failure", "timeout"}
    for key in section:
        if key not in known:
            raise ConfigInvalid(f"{where}: hooks has an unknown key {key!r}; it may hold {', '.join(sorted(known))}")
    timeout = section.get("timeout", DEFAULT_TIMEOUT)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        raise ConfigInvalid(f"{where}: hooks.timeout must be a number of seconds above 0")
    return CommandHooks(
        success=_command(section.get("success"), f"{where}: hooks.success"),
        failure=_command(section.get("failure"), f"{where}: hooks.failure"),
        timeout=float(timeout),
    )


def _command(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ConfigInvalid(f"{where} cannot be read: {error}") from None
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ConfigInvalid(f"{where} must be a command: text, or a list of words")
