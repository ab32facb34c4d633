"""Runs the commands of a profile's `hooks` section when a verb has ended, to notify a monitoring service.

    hooks:
      success: [curl, -fsS, https://hc.example/ping]     # of `backup`
      failure: [/usr/local/bin/alert]                    # of `backup`, incomplete ones too
      verify: {failure: [/usr/local/bin/alert]}          # of any other verb
      timeout: 30                                        # seconds, 60 by default

A command is run without a shell and gets the facts as JSON on its standard input. Its output goes to stderr, up to a
limit.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, cast

from attrs import field, frozen

from bakthat.adapters.commands.programs import why_missing
from bakthat.domain.selector import nearest
from bakthat.errors import ConfigInvalid

DEFAULT_TIMEOUT = 60.0
"""Seconds."""

LONGEST_TIMEOUT = 86_400.0
"""Seconds: a day. A hook that takes longer would delay the next night's backup."""

OUTPUT_LIMIT = 64 * 1024
"""The maximum bytes of a hook's output that are passed on: cron mails everything on stderr."""

_SUCCESS_OR_FAILURE = ("success", "failure")
_WITH_INCOMPLETE = ("success", "incomplete", "failure")
OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "backup": _WITH_INCOMPLETE,
    "cleanup": _SUCCESS_OR_FAILURE,
    "copy": _SUCCESS_OR_FAILURE,
    "delete": _SUCCESS_OR_FAILURE,
    "remove_older_than": _SUCCESS_OR_FAILURE,
    "restore": _WITH_INCOMPLETE,
    "rotate_backups": _SUCCESS_OR_FAILURE,
    "run": _WITH_INCOMPLETE,
    "sync": _SUCCESS_OR_FAILURE,
    "verify": _SUCCESS_OR_FAILURE,
}
"""The verbs that may have commands, with their possible outcomes."""

_CHUNK = 64 * 1024
_POLL_INTERVAL = 0.1
"""Seconds between two checks whether the command has ended although a process that it started keeps its output open."""


def to_stderr(output: bytes) -> None:
    """Pass the output of a hook on."""
    with contextlib.suppress(OSError):  # closed, or nobody reads it
        while output:
            output = output[os.write(2, output) :]


@frozen(kw_only=True)
class CommandHooks:
    """`commands`: by verb and outcome, the program and its arguments. `timeout`: seconds. `environment`: of the
    commands; it may contain secrets. `notice`: called with a line about a hook that fails. `relay`: called with the
    output of the commands."""

    commands: Mapping[tuple[str, str], Sequence[str]]
    timeout: float = DEFAULT_TIMEOUT
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    notice: Callable[[str], None] = lambda _: None
    relay: Callable[[bytes], None] = to_stderr

    def ended(self, verb: str, outcome: str, facts: Mapping[str, Any]) -> None:
        """Run the command for this outcome of a verb, if there is one; for `incomplete` that of `failure` if there is
        none. A hook that fails gives a notice and changes nothing else."""
        command = self.commands.get((verb, outcome))
        if command is None and outcome == "incomplete":
            command = self.commands.get((verb, "failure"))
        if not command:
            return
        failure = self._run(command, json.dumps(facts).encode())
        if failure:
            self.notice(f"the hook {command[0]} {failure}")

    def _run(self, command: Sequence[str], facts: bytes) -> str:
        """Why it failed; "" if it did not."""
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environment,
                # A separate process group, so that its children are killed with it when its time is up.
                process_group=0,
            )
        except FileNotFoundError:
            return f"could not be run: {why_missing(command[0])}"
        except OSError as error:
            return f"could not be run: {error.strerror}"
        deadline = time.monotonic() + self.timeout
        try:
            printed = self._converse(process, facts, deadline)
            code = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            return f"was stopped after {self.timeout:g} seconds"
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    cast("IO[bytes]", stream).close()
        if printed > OUTPUT_LIMIT:
            self.notice(
                f"the hook {command[0]} printed {printed} bytes; all after the first {OUTPUT_LIMIT} were dropped"
            )
        if code:
            return f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        return ""

    def _converse(self, process: subprocess.Popen[bytes], facts: bytes, deadline: float) -> int:
        """Write the facts and read the output until the command ends or has closed both; return the number of bytes
        read. Raises `TimeoutError`."""
        stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        printed = 0
        with selectors.DefaultSelector() as selector:
            for stream, event in ((stdin, selectors.EVENT_WRITE), (stdout, selectors.EVENT_READ)):
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, event)
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                # In this order: output printed before the end can be read then.
                ended = process.poll() is not None
                ready = {key.fileobj for key, _ in selector.select(0 if ended else min(left, _POLL_INTERVAL))}
                if stdin in ready:
                    facts = _written(stdin.fileno(), facts)
                    if not facts:
                        selector.unregister(stdin)
                        stdin.close()
                if stdout in ready:
                    chunk = os.read(stdout.fileno(), _CHUNK)
                    if not chunk:
                        selector.unregister(stdout)
                    self.relay(chunk[: max(0, OUTPUT_LIMIT - printed)])
                    printed += len(chunk)
                elif ended or not selector.get_map():
                    return printed


def _written(fd: int, facts: bytes) -> bytes:
    """The rest to be written; empty if nobody reads it."""
    try:
        return facts[os.write(fd, facts) :]
    except BlockingIOError:
        return facts
    except BrokenPipeError:
        return b""


def command_hooks(
    section: Mapping[str, Any],
    where: str,
    *,
    environment: Mapping[str, str],
    notice: Callable[[str], None] = lambda _: None,
) -> CommandHooks:
    """The hooks of a profile's section. `success` and `failure` beside the verbs are those of `backup`. Raises
    `ConfigInvalid` naming the key."""
    commands: dict[tuple[str, str], tuple[str, ...]] = {}
    for key, value in section.items():
        if key == "timeout":
            continue
        if key in _SUCCESS_OR_FAILURE:
            _add(commands, "backup", key, value, f"{where}: hooks.{key}")
            continue
        verb = "remove_older_than" if key == "delete_older_than" else key
        if verb not in OUTCOMES:
            raise _unknown(f"{where}: hooks", key, (*_SUCCESS_OR_FAILURE, "timeout", *OUTCOMES))
        if not isinstance(value, Mapping):
            raise ConfigInvalid(
                f"{where}: hooks.{key} must say for which outcome a command is run ({', '.join(OUTCOMES[verb])})"
            )
        for outcome, command in value.items():
            if outcome not in OUTCOMES[verb]:
                raise _unknown(f"{where}: hooks.{key}", outcome, OUTCOMES[verb])
            _add(commands, verb, outcome, command, f"{where}: hooks.{key}.{outcome}")
    return CommandHooks(
        commands=commands, timeout=_timeout(section.get("timeout"), where), environment=environment, notice=notice
    )


def _add(commands: dict[tuple[str, str], tuple[str, ...]], verb: str, outcome: str, value: object, where: str) -> None:
    if value is None:
        return
    if (verb, outcome) in commands:
        raise ConfigInvalid(f"{where} is given twice: also as {outcome!r} beside the verbs, or under another spelling")
    commands[verb, outcome] = _command(value, where)


def _unknown(where: str, key: object, known: Sequence[str]) -> ConfigInvalid:
    alike = nearest(str(key), known, most=1)
    hint = f", did you mean {alike[0]!r}?" if alike else ""
    return ConfigInvalid(f"{where} has an unknown key {key!r}{hint} (it may contain {', '.join(known)})")


def _timeout(value: object, where: str) -> float:
    if value is None:
        return DEFAULT_TIMEOUT
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 < value <= LONGEST_TIMEOUT
    ):
        raise ConfigInvalid(
            f"{where}: hooks.timeout must be a number of seconds above 0, at most {LONGEST_TIMEOUT:.0f} (a day)"
        )
    return float(value)


def _command(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ConfigInvalid(f"{where} cannot be read: {error}") from None
    elif isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        words = list(value)
    else:
        raise ConfigInvalid(f"{where} must be a command: text, or a list of words")
    # An empty list runs nothing, also not what `failure` runs.
    if (not words and isinstance(value, str)) or (words and not words[0]):
        raise ConfigInvalid(f"{where} is empty: name a program, or remove it")
    if any("\0" in word for word in words):
        raise ConfigInvalid(f"{where} contains a NUL character, which no command can")
    return tuple(words)
