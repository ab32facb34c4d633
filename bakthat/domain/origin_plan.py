"""The plan of a series: each of its origins is planned separately."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.origin import Group, Origin
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import Decision, Plan

_NAMELESS = ("known from a listing alone; kept until `bakthat sync` has recorded it",)
_UNKNOWN = ("of unknown origin in a series with several known ones; grouping by none includes it",)


def plan_origins(
    groups: Iterable[Group], plan_one: Callable[[Origin, Sequence[Backup]], Plan], *, nameless: Sequence[Backup] = ()
) -> Plan:
    """One plan for all groups of a series. `plan_one`: plans the backups of one origin.

    The unknown origin is kept. So are the `nameless` backups, which are known only from the store's listing; they are
    not part of any plan.
    """
    apart = {id(backup) for backup in nameless}
    keep: list[Decision] = []
    drop: list[Decision] = []
    for origin, members in groups:
        known = [backup for backup in members if id(backup) not in apart]
        if origin.is_unknown:
            keep += [Decision(backup, _UNKNOWN, origin) for backup in known]
        else:
            one = plan_one(origin, known)
            keep += [evolve(decision, origin=origin) for decision in one.keep]
            drop += [evolve(decision, origin=origin) for decision in one.drop]
        keep += [Decision(backup, _NAMELESS, origin) for backup in members if id(backup) in apart]
    return Plan(keep=_newest_first(keep), drop=_newest_first(drop))


def _newest_first(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    return tuple(sorted(decisions, key=lambda decision: newest_first(decision.backup), reverse=True))
