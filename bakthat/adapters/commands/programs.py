"""Why a program could not be started, where the system says only that a file does not exist."""

from __future__ import annotations

import os


def why_missing(program: str) -> str:
    """The reason, for the program of a `FileNotFoundError`. It does not name the program, which may be a secret."""
    if "/" not in program:
        return "no such program on the PATH"
    # execve(2) has the same error for a script whose `#!` line names a program that does not exist.
    return "its first line names an interpreter that does not exist" if os.path.exists(program) else "no such file"
