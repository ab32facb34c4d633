"""A plan of retention keeps what a lock keeps, and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bakthat.domain.backup import Backup
from bakthat.domain.locked_plan import without_locked
from bakthat.domain.objects import Lock
from bakthat.domain.rotation import Decision, Plan, RotationPolicy, plan
from tests.domain.series import every, utc


def daily(count: int) -> list[Backup]:
    return every(timedelta(days=1), utc(2026), count)


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
