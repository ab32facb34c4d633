"""Intervals as people type them: `3M2D8h20m5s`."""

from __future__ import annotations

import re
from datetime import timedelta

from bakthat.errors import InvalidInterval

UNITS = {"s": 1, "m": 60, "h": 3600, "D": 86_400, "W": 7 * 86_400, "M": 30 * 86_400, "Y": 365 * 86_400}
"""The seconds of each unit. A month is 30 days and a year 365, as in 2013."""

GRAMMAR = (
    "an interval is numbers with units, such as 3M2D8h20m5s "
    "(s seconds, m minutes, h hours, D days, W weeks, M months of 30 days, Y years of 365 days)"
)

LONGEST = timedelta(days=1000 * 365)
"""A longer interval is refused, so that now minus an interval is always a date."""

_TERM = re.compile(r"(?P<number>[0-9]+)(?P<unit>[smhDWMY])")
_NUMBER = re.compile(r"[0-9]+")
_LONGEST_SECONDS = int(LONGEST.total_seconds())
_SHOWN = 40
"""Characters of an invalid interval that the message quotes."""


def parse_interval(text: str) -> timedelta:
    """The interval in this text: numbers with units, in any order, added up. A unit may be repeated.

    The result is positive and at most `LONGEST`. Raises `InvalidInterval`, which names the error, its position (counted
    from 1) and the grammar.
    """
    try:
        return timedelta(seconds=seconds_in(text))
    except ValueError as error:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise InvalidInterval(f"{shown!r} is not an interval: {error}; {GRAMMAR}") from None


def seconds_in(text: str) -> int:
    """The seconds of the interval in this text. Raises ValueError with what is wrong, which does not quote it."""
    if not text:
        raise ValueError("it is empty")
    seconds = 0
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None:
            raise ValueError(_what_is_wrong(text, place))
        digits = term["number"].lstrip("0")
        if not digits:
            raise ValueError(f"the number at place {place + 1} is zero")
        too_long = len(digits) > len(str(_LONGEST_SECONDS))  # int() of thousands of digits is an error of its own
        seconds += _LONGEST_SECONDS + 1 if too_long else int(digits) * UNITS[term["unit"]]
        place = term.end()
    if seconds > _LONGEST_SECONDS:
        raise ValueError("it is longer than 1000 years")
    return seconds


def interval_of(value: str | timedelta) -> timedelta:
    """The interval in a text, as `parse_interval` reads it, or a `timedelta` with the same limits.

    Raises `InvalidInterval`, and `TypeError` for anything else, such as a number, which has no unit.
    """
    if isinstance(value, str):
        return parse_interval(value)
    if not isinstance(value, timedelta):
        raise TypeError(f"an interval is text such as '7D', or a timedelta, not {value!r}")
    if not timedelta(0) < value <= LONGEST:
        raise InvalidInterval(f"{value} is not an interval: it must be longer than 0 and at most 1000 years")
    return value


def _what_is_wrong(text: str, place: int) -> str:
    """Why the text has no number with a unit at this place."""
    number = _NUMBER.match(text, place)
    at = place if number is None else number.end()
    if at == len(text):
        return f"the number at place {place + 1} has no unit"
    char = text[at]
    if char == " ":
        return f"a space at place {at + 1}; write it without spaces"
    found = f"{char!a} at place {at + 1}"
    if number is None:
        return f"{found} is not a number"
    other_case = char.swapcase()
    hint = f", {other_case!r} is one" if other_case in UNITS else ""
    return f"{found} is not a unit{hint}"
