"""Retention knows chains: what a kept incremental backup needs is kept, and the plan says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.chain import possible_bases
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import Decision, Plan


def with_needed(plan: Plan, series: Iterable[Backup]) -> Plan:
    """The plan with the backups that a remaining one needs among those that are kept, with the reason.

    Args:
        series: All backups of the series in this store, also those of which the plan says nothing: they remain.
    """
    dropped = {decision.backup.stored_filename: decision for decision in plan.drop}
    if not dropped:
        return plan
    present = sorted((backup for backup in series if not backup.is_deleted), key=newest_first, reverse=True)
    needed: dict[str, Decision] = {}
    for backup in present:
        name = backup.stored_filename
        if name in dropped and name not in needed:
            continue
        # The newest that remains is the reason for its whole chain, which it reaches first.
        user = needed[name].reasons[0] if name in needed else f"needed by {name}"
        for base in possible_bases(backup, present):
            if base in dropped and base not in needed:
                needed[base] = evolve(dropped[base], reasons=(user,))
    if not needed:
        return plan
    keep = sorted([*plan.keep, *needed.values()], key=lambda one: newest_first(one.backup), reverse=True)
    drop = tuple(one for one in plan.drop if one.backup.stored_filename not in needed)
    return Plan(keep=tuple(keep), drop=drop)


def in_order_of_deletion(drop: Iterable[Decision]) -> Iterator[Decision]:
    """The decisions, the oldest first, but each after those that need it: whatever is left of an interrupted deletion
    can be restored."""
    waiting = sorted(drop, key=lambda one: newest_first(one.backup))
    users: dict[str, list[Decision]] = {}
    for decision in waiting:
        increment = decision.backup.metadata.incremental
        if increment is not None:
            users.setdefault(increment.base, []).append(decision)
    entered: set[str] = set()
    for decision in waiting:
        # Depth first without recursion: a chain may be long. What was entered once is not entered again, so that a
        # circle of wrong records ends, too.
        path = [decision] if decision.backup.stored_filename not in entered else []
        while path:
            name = path[-1].backup.stored_filename
            entered.add(name)
            above = users.get(name)
            if above:
                user = above.pop()
                if user.backup.stored_filename not in entered:
                    path.append(user)
            else:
                yield path.pop()
