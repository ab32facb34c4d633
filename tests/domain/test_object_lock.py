"""Locks of new archives, and what they mean for retention; unfinished uploads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.leftovers import is_abandoned, is_ours
from bakthat.domain.locked_plan import without_locked
from bakthat.domain.object_lock import ObjectLock, object_lock_from
from bakthat.domain.objects import Leftover, Lock
from bakthat.domain.profile import Profile
from bakthat.domain.rotation import Decision, Plan, RotationPolicy, plan
from bakthat.errors import ConfigInvalid
from tests.domain.series import every, utc


def daily(count: int) -> list[Backup]:
    return every(timedelta(days=1), utc(2026), count)


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


def test_a_key_needs_its_encryption() -> None:
    with pytest.raises(ConfigInvalid, match="kms_key_id: it needs `sse: aws:kms`"):
        Profile(kms_key_id="alias/backups", sse="AES256")


@pytest.mark.parametrize(("value", "rate"), [("5M", 5_000_000), ("64KiB", 65_536), (1000, 1000)], ids=["M", "KiB", "B"])
def test_a_rate_is_bytes_a_second(value: Any, rate: int) -> None:
    assert (Profile(limit_upload=value).limit_upload, Profile(limit_download=value).limit_download) == (rate, rate)


@pytest.mark.parametrize("value", [0, "fast", "5Mbit"])
def test_a_rate_that_cannot_be_meant_is_refused(value: Any) -> None:
    with pytest.raises(ConfigInvalid, match="limit_upload"):
        Profile(limit_upload=value)


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


def test_a_locked_backup_that_a_policy_drops_stays_with_the_reason() -> None:
    backups = daily(5)
    planned = plan(RotationPolicy(days=2), backups, max(backup.when for backup in backups))
    locked = planned.drop[0].backup
    lock = Lock(until=datetime(2026, 12, 24, tzinfo=UTC))
    changed = without_locked(planned, lambda backup: lock if backup is locked else None)
    assert [decision.reasons for decision in changed.keep if decision.backup is locked] == [
        ("locked until 2026-12-24",)
    ]
    assert len(changed.keep) == len(planned.keep) + 1
    assert [decision.backup for decision in changed.drop] == [decision.backup for decision in planned.drop[1:]]


def test_what_is_kept_anyway_keeps_its_reasons() -> None:
    (backup,) = daily(1)
    planned = Plan(keep=(Decision(backup, ("newest",)),))
    assert without_locked(planned, lambda _: Lock(until=None)) == planned


def leftover(key: str, *, latest: datetime | None = NOW, is_of_bakthat: bool = False) -> Leftover:
    return Leftover(key=key, upload_id="1", started=NOW, latest=latest, is_of_bakthat=is_of_bakthat)


@pytest.mark.parametrize(
    ("left", "ours"),
    [
        (leftover("photos.20260102030405.tgz.enc"), True),
        (leftover("photos.20260102030405.inc.tgz"), True),
        (leftover("movie.mp4"), False),
        (leftover("other/photos.20260102030405.tgz"), False),
        (leftover(".bakthat-put-1", is_of_bakthat=True), True),
    ],
    ids=["archive", "increment", "foreign", "another prefix", "by its name"],
)
def test_an_upload_is_ours_by_its_key(left: Leftover, ours: bool) -> None:
    assert is_ours(left) is ours


def test_an_upload_is_abandoned_when_its_newest_part_is_old() -> None:
    week = timedelta(days=7)
    old = leftover("k", latest=NOW - week - timedelta(seconds=1))
    assert [is_abandoned(left, NOW, week) for left in (old, leftover("k"), leftover("k", latest=None))] == [
        True, False, False,
    ]  # fmt: skip
