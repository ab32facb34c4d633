"""Any text is an interval or one clear error."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.interval import LONGEST, UNITS, parse_interval
from bakthat.errors import InvalidInterval

TERMS = st.lists(st.tuples(st.integers(1, 40), st.sampled_from(sorted(UNITS))), min_size=1, max_size=8)


@given(TERMS)
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_terms_does_not_matter(terms):
    written = [f"{number}{unit}" for number, unit in terms]
    meaning = timedelta(seconds=sum(number * UNITS[unit] for number, unit in terms))
    assert parse_interval("".join(written)) == parse_interval("".join(reversed(written))) == meaning


@given(st.text("0123456789smhDWMYdx -+.\n\0é٣²", max_size=12))
@settings(max_examples=80, deadline=None)
def test_any_text_is_a_positive_interval_or_one_clear_error(text):
    try:
        interval = parse_interval(text)
    except InvalidInterval:
        return
    assert timedelta() < interval <= LONGEST
