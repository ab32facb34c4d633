"""Starts the command line again in Python's UTF-8 mode where the locale has another encoding.

Python encodes the names of files as the locale says. A backup that is made under `de_DE.ISO-8859-1` would have another
name in a folder than the one that its record has, and cron, whose locale is C, would not find it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence


def in_utf8_mode(encoding: str, options: Mapping[str, object], command: Sequence[str]) -> list[str] | None:
    """Return the command that starts this program again; None if it need not be.

    Args:
        encoding: Of the names of files.
        options: Those of `python -X`. Who has set the mode by one of them has chosen, and there is no loop.
        command: The words that have started this program (`sys.orig_argv`).
    """
    if encoding.lower().replace("-", "") == "utf8" or "utf8" in options:
        return None
    return [sys.executable, "-X", "utf8", *command[1:]]


def ensure_utf8_mode() -> None:
    """Replace this process by one in UTF-8 mode, if that is necessary. Call this before anything else."""
    again = in_utf8_mode(sys.getfilesystemencoding(), sys._xoptions, sys.orig_argv)
    if again is not None:
        os.execv(again[0], again)  # noqa: S606 - this program, without a shell
