"""`ignore`: the default of every optional callback."""

from __future__ import annotations


def ignore(_: object) -> None:
    """Do nothing."""
