"""Lengths of time for people."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (
    (timedelta(days=365), 2, "year"),
    (timedelta(days=30), 3, "month"),
    (timedelta(days=1), 2, "day"),
    (timedelta(hours=1), 1, "hour"),
    (timedelta(minutes=1), 1, "minute"),
)
"""Each unit, how many of it there must be for it to be used, and its name. A month is 30 days and a year 365, as in
intervals."""


def in_words(length: timedelta) -> str:
    """`26 hours`, `3 days`, `14 months`: in the largest unit that is not too coarse, rounded down."""
    for unit, least, name in _UNITS:
        number = length // unit
        if number >= least:
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a minute"
