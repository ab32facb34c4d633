"""Ends the command line on signals, even when the program cannot react to them.

Python runs a signal's handler in the main thread, when a system call has returned. A call on a file system that does
not answer (a dead NFS mount, a hanging FUSE process) may never return; and because there is a handler, the system does
not end the process by itself as it would otherwise.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable

_PATIENCE = 5.0
"""Seconds. Some calls take long on a slow disk, but ending the process then is no worse than kill -9, which loses
nothing."""

_PATIENCE_AFTERWARDS = 60.0
"""Seconds to abort an upload, or to remove a partial restore."""


class StoppedBySignal(SystemExit):
    """Raised by the command line's own signal handlers. Any other SystemExit comes from code that is not bakthat's."""

    @property
    def signal_name(self) -> str:
        """`SIGTERM`, from the exit code."""
        return signal.Signals(int(str(self.code)) - 128).name


def end_if_signals_are_not_handled(numbers: Iterable[int], *, patience: float = _PATIENCE) -> None:
    """From now on, end the process with the shell's exit code for one of these signals, if it has been pending for
    `patience` seconds."""
    thread = threading.Thread(target=_watch, args=(frozenset(numbers), patience), name="bakthat-signals", daemon=True)
    thread.start()


def end_after(number: int, *, patience: float = _PATIENCE_AFTERWARDS) -> None:
    """End the process `patience` seconds from now, with the shell's exit code for this signal. The signal was handled
    and the program is about to end; a thread blocked by a file system must not prevent that."""

    def end() -> None:
        time.sleep(patience)
        os._exit(128 + number)

    threading.Thread(target=end, name="bakthat-end", daemon=True).start()


def _watch(numbers: frozenset[int], patience: float) -> None:
    # A thread sees only those pending signals of the process that it blocks itself; all others still take them.
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    since: dict[int, float] = {}
    while True:
        time.sleep(patience / 5)
        now = time.monotonic()
        since = {number: since.get(number, now) for number in signal.sigpending() & numbers}
        for number, begun in since.items():
            if now - begun >= patience:
                told = f"bakthat: ended by {signal.Signals(number).name}, while a file system did not respond\n"
                os.write(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2, told.encode())
                os._exit(128 + number)
