"""Lines for a person: whatever a record holds, they can be printed."""

from __future__ import annotations

import pytest

from bakthat.entrypoints.terminal import backup_line
from tests.domain.series import backup_at, utc


@pytest.mark.parametrize(
    "verified", [3, "x", None, {"at": 10**30}, {"at": -(10**18), "error": 1}, {"at": 1, "level": []}]
)
def test_whatever_an_entry_says_of_verifying_can_be_shown(verified):
    assert "verified" in backup_line(backup_at(utc(2026), verified=verified, client=["host"]), verbose=True)
