"""How the command line ends when it is told to by a signal."""

from __future__ import annotations


class StoppedBySignal(SystemExit):
    """Raised by the command line's own signal handlers. Any other SystemExit comes from code that is not bakthat's."""
