"""Intervals as text, such as `1Y6M`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakthat.domain.interval import GRAMMAR, LONGEST, parse_interval
from bakthat.errors import InvalidInterval


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1s", timedelta(seconds=1)),
        ("20m", timedelta(minutes=20)),
        ("8h", timedelta(hours=8)),
        ("2D", timedelta(days=2)),
        ("3W", timedelta(days=21)),
        ("1M", timedelta(days=30)),
        ("1Y", timedelta(days=365)),
        ("3M2D8h20m5s", timedelta(days=92, hours=8, minutes=20, seconds=5)),
        ("5s3M", timedelta(days=90, seconds=5)),
        ("1D1D1D", timedelta(days=3)),
        ("007D", timedelta(days=7)),
        ("86400s", timedelta(days=1)),
        ("1000Y", LONGEST),
    ],
)
def test_numbers_with_units_are_added_up(text, meaning):
    assert parse_interval(text) == meaning


def test_months_and_minutes_differ_by_case():
    assert parse_interval("1M") == 30 * 24 * 60 * parse_interval("1m")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("3", "the number at place 1 has no unit"),
        ("1D30", "the number at place 3 has no unit"),
        ("M3", "'M' at place 1 is not a number"),
        ("3X", "'X' at place 2 is not a unit"),
        ("3d", "'d' at place 2 is not a unit, 'D' is one"),
        ("3S", "'S' at place 2 is not a unit, 's' is one"),
        ("-3D", "'-' at place 1 is not a number"),
        ("+3D", "'+' at place 1 is not a number"),
        ("1.5D", "'.' at place 2 is not a unit"),
        ("3 M", "a space at place 2; write it without spaces"),
        (" 3M", "a space at place 1; write it without spaces"),
        ("3M ", "a space at place 3; write it without spaces"),
        ("3M\n", "'\\n' at place 3 is not a number"),
        ("0D", "the number at place 1 is zero"),
        ("1D0h", "the number at place 3 is zero"),
        ("٣D", "'\\u0663' at place 1 is not a number"),
        ("1000Y1s", "it is longer than 1000 years"),
        ("999999999Y", "it is longer than 1000 years"),
        ("1" * 5000 + "s", "it is longer than 1000 years"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_the_grammar(text, reason):
    with pytest.raises(InvalidInterval) as caught:
        parse_interval(text)
    assert f" is not an interval: {reason}; {GRAMMAR}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_wrong_interval_is_not_repeated_whole():
    with pytest.raises(InvalidInterval) as caught:
        parse_interval("9" * 100_000 + "X")
    assert len(str(caught.value)) < 300
