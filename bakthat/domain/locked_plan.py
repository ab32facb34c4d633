"""Retention knows locks: what cannot be deleted is kept, and the plan says so."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.objects import Lock
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import Decision, Plan


def without_locked(plan: Plan, lock_of: Callable[[Backup], Lock | None]) -> Plan:
    """The plan with backups that a lock keeps among those that are kept, with the reason. `lock_of`: asked for each
    backup that the plan drops."""
    keep, drop = list(plan.keep), list[Decision]()
    for decision in plan.drop:
        lock = lock_of(decision.backup)
        if lock is None:
            drop.append(decision)
        else:
            keep.append(evolve(decision, reasons=(str(lock),)))
    keep.sort(key=lambda decision: newest_first(decision.backup), reverse=True)
    return Plan(keep=tuple(keep), drop=tuple(drop))
