"""Locks of new archives: what a profile says of them, and until when they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bakthat.domain.object_lock import ObjectLock, object_lock_from
from bakthat.domain.objects import Lock
from bakthat.domain.profile import Profile
from bakthat.errors import ConfigInvalid

NOW = datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "section",
    [{"mode": "governance", "days": 30}, {"mode": "GOVERNANCE", "days": "30"}],
    ids=["as YAML has it", "as text"],
)
def test_a_section_is_read(section: dict[str, Any]) -> None:
    assert object_lock_from(section) == ObjectLock(mode="governance", days=30)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"mode": "strict", "days": 30}, "mode: governance"),
        ({"mode": "compliance"}, "days"),
        ({"mode": "compliance", "days": 0}, "1 to 36500"),
        ({"mode": "compliance", "days": True}, "1 to 36500"),
        ({"mode": "compliance", "days": 1, "years": 2}, "years"),
        ("compliance", "expected settings"),
    ],
    ids=["mode", "no days", "zero", "true", "unknown", "no mapping"],
)
def test_a_section_that_cannot_be_meant_is_refused_with_the_key(section: Any, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"object_lock: .*{words}"):
        Profile(object_lock=section)


def test_a_lock_ends_in_a_whole_second() -> None:
    assert ObjectLock(mode="compliance", days=30).until(NOW) == datetime(2026, 12, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "holds", "text"),
    [
        (NOW + timedelta(days=30), True, "locked until 2026-12-24"),
        (NOW, False, "locked until 2026-11-24"),
        (None, True, "on legal hold"),
    ],
    ids=["later", "over", "hold"],
)
def test_a_lock_holds_until_its_end(until: datetime | None, holds: bool, text: str) -> None:
    lock = Lock(until=until)
    assert (lock.holds(NOW), str(lock)) == (holds, text)
