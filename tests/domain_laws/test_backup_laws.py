"""Moments are UTC."""

from __future__ import annotations

from datetime import UTC

from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.backup import from_epoch


@given(st.integers(-62_135_596_800, 253_402_300_799))
@settings(max_examples=50, deadline=None)
def test_epoch_seconds_are_read_as_utc(seconds):
    assert from_epoch(seconds).timestamp() == seconds
    assert from_epoch(seconds).tzinfo is UTC
