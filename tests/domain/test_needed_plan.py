"""What a remaining incremental backup needs is kept; and deleting begins with what nothing needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.chain import next_increment
from bakthat.domain.needed_plan import in_order_of_deletion, with_needed
from bakthat.domain.rotation import Decision, Plan
from tests.domain.series import backup_at, utc

START = utc(2026, 1, 1)


def full(day: int) -> Backup:
    return backup_at(START + timedelta(days=day))


def increment_of(base: Backup, day: int, **fields: Any) -> Backup:
    when = START + timedelta(days=day)
    metadata = {"incremental": next_increment(base).as_metadata()}
    return backup_at(when, stored_filename=f"site.{when:%Y%m%d%H%M%S}.inc.tgz", **{**metadata, **fields})


FULL = full(0)
FIRST = increment_of(FULL, 1)
SECOND = increment_of(FIRST, 2)
THIRD = increment_of(SECOND, 3)
NEXT = full(4)
SERIES = (NEXT, THIRD, SECOND, FIRST, FULL)


def planned(*drop: Backup) -> Plan:
    return Plan(
        keep=tuple(Decision(backup, ("newest",)) for backup in SERIES if backup not in drop),
        drop=tuple(Decision(backup, ("older than 7 days",)) for backup in SERIES if backup in drop),
    )


def kept(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {decision.backup.stored_filename: decision.reasons for decision in plan.keep}


def test_the_whole_chain_of_a_kept_backup_is_kept_with_the_reason():
    plan = with_needed(planned(FULL, FIRST, SECOND), SERIES)
    assert plan.drop == ()
    reason = (f"needed by {THIRD.stored_filename}",)
    assert [kept(plan)[one.stored_filename] for one in (FULL, FIRST, SECOND)] == [reason] * 3


def test_the_decisions_stay_in_their_order():
    plan = with_needed(planned(FULL, FIRST, SECOND), SERIES)
    assert [decision.backup for decision in plan.keep] == list(SERIES)


def test_what_comes_after_a_kept_backup_of_the_chain_is_dropped():
    plan = with_needed(planned(FULL, SECOND, THIRD), SERIES)
    assert [decision.backup for decision in plan.drop] == [THIRD, SECOND]
    assert kept(plan)[FULL.stored_filename] == (f"needed by {FIRST.stored_filename}",)


def test_a_chain_that_nothing_kept_needs_is_dropped_whole():
    plan = planned(FULL, FIRST, SECOND, THIRD)
    assert with_needed(plan, SERIES) == plan


def test_a_backup_that_was_not_planned_remains_and_needs_its_base():
    plan = Plan(drop=(Decision(FULL, ("older",)),))
    assert kept(with_needed(plan, (FIRST, FULL))) == {FULL.stored_filename: (f"needed by {FIRST.stored_filename}",)}


def test_a_deleted_backup_needs_nothing():
    plan = Plan(drop=(Decision(FULL, ("older",)),))
    assert with_needed(plan, (FIRST.deleted(START), FULL)) == plan


def test_an_incremental_backup_without_a_record_keeps_all_that_it_may_need():
    unknown = evolve(SECOND, metadata=full(2).metadata)
    assert unknown.is_incremental
    plan = Plan(drop=tuple(Decision(one, ("older",)) for one in (FIRST, FULL)))
    assert set(kept(with_needed(plan, (unknown, FIRST, FULL)))) == {FIRST.stored_filename, FULL.stored_filename}


def test_without_a_record_nothing_before_the_full_backup_is_kept():
    older = backup_at(START - timedelta(days=1))
    unknown = evolve(FIRST, metadata=full(2).metadata)
    plan = Plan(drop=tuple(Decision(one, ("older",)) for one in (FULL, older)))
    assert set(kept(with_needed(plan, (unknown, FULL, older)))) == {FULL.stored_filename}


def test_a_backup_is_deleted_after_those_that_need_it():
    drop = [Decision(one, ("older",)) for one in SERIES]
    order = [decision.backup for decision in in_order_of_deletion(drop)]
    assert order == [THIRD, SECOND, FIRST, FULL, NEXT]


def test_a_long_chain_is_put_in_order():
    chain = [full(0)]
    for day in range(1, 3000):
        chain.append(increment_of(chain[-1], day))
    order = [decision.backup for decision in in_order_of_deletion([Decision(one, ("older",)) for one in chain])]
    assert order == chain[::-1]


def test_records_that_name_each_other_in_a_circle_are_all_deleted():
    circle = increment_of(FULL, 1, incremental=next_increment(SECOND).as_metadata())
    order = list(in_order_of_deletion([Decision(one, ("older",)) for one in (SECOND, circle)]))
    assert {decision.backup for decision in order} == {SECOND, circle}
    assert len(order) == 2
