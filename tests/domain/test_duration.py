"""Lengths of time for people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakthat.domain.duration import in_words


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.01, "less than a minute"), (0.02, "1 minute"), (1, "1 hour"), (26, "26 hours"), (48, "2 days"),
     (24 * 89, "89 days"), (24 * 90, "3 months"), (24 * 729, "24 months"), (24 * 730, "2 years")],
    ids=["seconds", "minute", "hour", "hours", "days", "many days", "months", "many months", "years"],
)  # fmt: skip
def test_a_length_of_time_is_in_a_unit_that_is_not_too_coarse(hours: float, words: str) -> None:
    assert in_words(timedelta(hours=hours)) == words
