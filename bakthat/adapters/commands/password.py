"""`run_password_command`: reads the password from the output of a program such as `pass show backups`."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO, cast

from bakthat.adapters.commands.programs import why_missing
from bakthat.errors import ConfigError

TIME_LIMIT = 300.0
"""Seconds. The program may be waiting for a person (a gpg pinentry, a security key), but not forever."""

_OUTPUT_LIMIT = 64 * 1024
"""Bytes. The first line is the password; the rest (`pass` keeps notes there) is ignored."""


def run_password_command(
    command: str | Sequence[str], *, environment: Mapping[str, str] | None = None, time_limit: float = TIME_LIMIT
) -> str:
    """The first line that the command prints, without its line ending.

    Text is split into words as a shell would (`shlex`), but no shell runs: no variables, pipes or `~`. The command's
    stderr is ours, so that its questions and errors reach the terminal. Its stdin is empty, so that it does not consume
    the input of a loop that runs bakthat (programs that ask a person open the terminal themselves). `time_limit`:
    seconds. `environment`: of the command; None means that of this process.

    Raises `ConfigError` if there is no such program, it fails, takes too long, prints no password, or prints one with a
    NUL, which nobody could type. A BOM before the password is removed. No message contains a word of the command or of
    its output, because either may be the password. Nor does the context of an exception: none is raised while one of
    Python's is handled, because those contain the command (`filename`, `cmd`) or the output.
    """
    process = _started(_words(command), environment)
    deadline = time.monotonic() + time_limit
    output, code = b"", None
    with process:
        try:
            with contextlib.suppress(TimeoutError, subprocess.TimeoutExpired):
                output = _read(cast("IO[bytes]", process.stdout), deadline)
                code = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        finally:
            # Its children are not killed: a gpg-agent that it started should keep running.
            if process.poll() is None:
                process.kill()
    if code is None:
        raise ConfigError(
            f"password_command: not finished after {time_limit:g} s; run it by hand to see what it waits for"
        )
    if code:
        how = f"with exit code {code}" if code > 0 else f"by signal {-code}"
        raise ConfigError(f"password_command: the program ended {how}; its own message, if any, is above")
    return _first_line(output)


def _started(words: list[str], environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
    except FileNotFoundError:
        reason = (
            f"password_command: its program cannot be run: {why_missing(words[0])}; it is run without a shell, so "
            "write the program's name or absolute path, or `sh -c '…'`"
        )
    except OSError as error:
        reason = f"password_command: its program cannot be run: {error.strerror}"
    except ValueError:
        reason = "password_command: its program cannot be run: it contains a NUL byte"
    raise ConfigError(reason)


def _words(command: str | Sequence[str]) -> list[str]:
    words = None
    with contextlib.suppress(ValueError):
        words = shlex.split(command) if isinstance(command, str) else list(command)
    if words is None:
        raise ConfigError("password_command: a quotation mark in it is not closed")
    if not words or not words[0]:
        raise ConfigError("password_command is empty: name a program that prints the password, or leave it out")
    return words


def _read(stdout: IO[bytes], deadline: float) -> bytes:
    """The complete output. Raises `TimeoutError`."""
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stdout.fileno(), _OUTPUT_LIMIT)
            if not chunk:
                return output
            output += chunk
            if len(output) > _OUTPUT_LIMIT:
                raise ConfigError(
                    f"password_command printed more than {_OUTPUT_LIMIT} bytes; it should print a password"
                )
    raise TimeoutError


def _first_line(output: bytes) -> str:
    # Windows programs write a BOM first, which is never typed and is invisible in a terminal.
    line = output.removeprefix(codecs.BOM_UTF8).partition(b"\n")[0].removesuffix(b"\r")
    if not line:
        raise ConfigError("password_command printed no password: its first line is empty")
    if b"\0" in line:
        raise ConfigError("password_command printed a NUL, which no password can contain; is its output UTF-16?")
    password = None
    with contextlib.suppress(UnicodeDecodeError):
        password = line.decode()
    if password is None:
        raise ConfigError("password_command printed no text: its first line is not UTF-8")
    return password
