"""`CommandOutput`: the standard output of a program, and whether the program succeeded."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import BinaryIO, cast

from bakthat.adapters.commands.programs import why_missing
from bakthat.adapters.filesystem.printable import printable
from bakthat.errors import SourceError, UsageError

SILENCE_LIMIT = 60.0
"""How long the output may stay open without data after the program has ended, in seconds. A process that it started
then keeps it open, and whether more output follows is unknown."""

KILL_AFTER = 5.0
"""How long a program may take to end after it was asked to stop, in seconds."""

_POLL = 200
"""Milliseconds between two checks whether the program still runs."""

_PIPE_BYTES = 1024 * 1024
"""Size of the pipe in bytes, if the system allows it. With the default of 64 KiB there is a process switch for every 64
KiB."""


class CommandOutput:
    """A program that runs without a shell for the duration of a context; the context returns its output.

    The reader reports the end of the stream only after the program has succeeded. Otherwise its `read` raises
    `SourceError`, which names the program and its exit status or signal, and never its arguments. The program's stderr
    is this process's; its stdin is empty. It is in the process group of this process, so that Ctrl-C on a terminal
    reaches it, and it can ask for a password on the terminal.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        silence_limit: float = SILENCE_LIMIT,
        kill_after: float = KILL_AFTER,
    ) -> None:
        """Starts nothing yet. The limits are in seconds. Raises `UsageError` for an empty command."""
        if isinstance(command, str) or not command or not command[0]:
            raise UsageError("a command is a list of words, such as ['pg_dump', 'shop']; the first is the program")
        self.name = printable(os.path.basename(command[0])) or printable(command[0])
        """The base name of the program. Its arguments may hold secrets."""
        self._command = tuple(command)
        self._environment = environment
        self._silence_limit = silence_limit
        self._kill_after = kill_after
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> None:
        """Raise `UsageError` if there is no such program, as far as that is known without starting it."""
        program, path = self._command[0], os.pathsep.join(os.get_exec_path(self._environment))
        if "/" not in program and shutil.which(program, path=path) is None:
            raise UsageError(f"{self.name}: {why_missing(program)}; it is run without a shell")

    def __enter__(self) -> BinaryIO:
        """Start the program. Raises `UsageError` if there is no such program, or it cannot be run."""
        reason = ""
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=dict(self._environment)
            )
        except FileNotFoundError:
            reason = f"{self.name}: {why_missing(self._command[0])}; it is run without a shell"
        except OSError as error:
            reason = f"{self.name} cannot be run: {error.strerror}"
        except ValueError:
            reason = f"{self.name} cannot be run: a word of the command contains a NUL byte"
        if self._process is None:
            # Not raised while Python's own error is handled: it contains the words of the command.
            raise UsageError(reason)
        return cast(BinaryIO, _Output(self._process, self.name, self._silence_limit))

    def stop(self) -> None:
        """End the program if it still runs, and wait for it. May be called from another thread than the reader's."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._kill_after)
            return
        process.kill()
        process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


class _Output(io.RawIOBase):
    def __init__(self, process: subprocess.Popen[bytes], name: str, silence_limit: float) -> None:
        self._process = process
        self._name = name
        self._silence_limit = silence_limit
        self._silent_since: float | None = None
        assert process.stdout is not None  # noqa: S101 - a pipe, see above
        self._fd = process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        while size:
            if self._poll.poll(_POLL):
                chunk = os.read(self._fd, size)
                if not chunk:
                    self._check_status(self._process.wait())
                    return b""
                self._silent_since = None
                return chunk
            self._check_still_written()
        return b""

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def _check_still_written(self) -> None:
        """Raises `SourceError` if the program has failed, or has ended without closing its output for too long."""
        status = self._process.poll()
        if status is None:
            return
        self._check_status(status)
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since >= self._silence_limit:
            raise SourceError(
                f"{self._name} has ended, but a process that it started keeps its output open, so the output may not "
                "be complete; nothing was stored; let the command wait for the processes that it starts"
            )

    def _check_status(self, status: int) -> None:
        if status > 0:
            raise SourceError(f"{self._name} failed with exit status {status}; nothing was stored")
        if status < 0:
            raise SourceError(f"{self._name} was ended by {_signal_name(-status)}; nothing was stored")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
