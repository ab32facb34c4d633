"""When an incremental backup continues a chain, and how the setting is written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakthat.domain.increment_policy import IncrementPolicy, checked_setting, policy_of_setting, setting_of_text
from tests.domain.series import backup_at, utc

DAY = timedelta(days=1)


def chain_of_sizes(*sizes: int):
    return [backup_at(utc(2026) + number * DAY, size=size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "after", "why"),
    [
        ((1000,), DAY, ""),
        ((1000, 10, 10), 29 * DAY, ""),
        ((1000, 10), 30 * DAY, "the last full one is of 2026-01-01, and `full_every` is 30 days"),
        ((1000, *[1] * 29), 29 * DAY, ""),
        ((1000, *[1] * 30), 29 * DAY, "is continued by 30 incremental ones, and `most` is 30"),
        ((10**7, 3 * 10**6, 2 * 10**6), DAY, ""),
        ((10**7, 3 * 10**6, 2 * 10**6 + 1), DAY, "has grown to more than half of it"),
        ((300, 400, 999_600), DAY, ""),
        ((300, 400, 999_601), DAY, "has grown to more than half of it"),
    ],
    ids=["a full one", "young", "old", "nearly too many", "too many", "half", "more than half", "small", "not small"],
)
def test_a_chain_is_continued_until_it_is_too_old_too_long_or_too_large(sizes, after, why):
    found = IncrementPolicy().why_full(chain_of_sizes(*sizes), utc(2026) + after)
    assert found.endswith(why)
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("setting", "policy"),
    [
        (True, IncrementPolicy()),
        (False, None),
        ({}, IncrementPolicy()),
        ({"full_every": "1W"}, IncrementPolicy(full_every=timedelta(days=7))),
        ({"full_every": timedelta(days=2), "most": "5"}, IncrementPolicy(full_every=timedelta(days=2), most=5)),
    ],
    ids=["true", "false", "empty", "one", "both"],
)
def test_a_setting_is_a_policy(setting, policy):
    assert policy_of_setting(setting) == policy
    assert checked_setting(setting) is setting


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("yes", "expected true, false, or settings"),
        ({"every": "30D"}, "'every' is not one of full_every, most"),
        ({"full_every": 30}, "full_every: expected text such as 26h or 30D, found a number"),
        ({"full_every": "30"}, "full_every: the number at place 1 has no unit"),
        ({"most": 0}, "most: expected a whole number from 1"),
        ({"most": True}, "most: expected a whole number from 1"),
        ({"most": "many"}, "most: expected a whole number from 1"),
    ],
    ids=["text", "unknown", "number", "no unit", "none", "true", "word"],
)
def test_a_wrong_setting_is_refused(setting, why):
    with pytest.raises(ValueError, match=why):
        policy_of_setting(setting)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("true", True),
        (" Off ", False),
        ("full_every=30D most=30", {"full_every": "30D", "most": "30"}),
        ("most=7,", {"most": "7"}),
    ],
)
def test_a_variable_of_the_environment_has_the_setting_as_text(text, setting):
    assert setting_of_text(text) == setting


@pytest.mark.parametrize("text", ["30D", "most=1 most=2", " "])
def test_text_that_cannot_be_meant_is_refused(text):
    with pytest.raises(ValueError, match="expected true, false, or full_every=30D most=30"):
        setting_of_text(text)
