"""What holds for every series, whether complete or not, and for every policy."""

from __future__ import annotations

import random
from datetime import timedelta

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.calendar_view import calendar_of
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import plan, plan_by_age, rank
from tests.domain.series import backup_at
from tests.domain_laws.random_series import dates_and_now, policies

EXAMPLES = settings(max_examples=80, deadline=None)
NUMBERS = ["hours", "days", "weeks", "months", "years", "last"]


@st.composite
def series_and_now(draw):
    """Backups, some of them incomplete, some untrusted, some of one second; and a now."""
    dates, now = draw(dates_and_now())
    chance = random.Random(draw(st.integers(0, 2**32)))
    incomplete = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    untrusted = draw(st.sampled_from([0.0, 0.0, 0.4, 1.0]))
    twins = draw(st.sampled_from([0.0, 0.2]))
    series = []
    for when in set(dates):
        for suffix in (".tgz", ".tgz.enc") if chance.random() < twins else (".tgz",):
            name = f"site.{when:%Y%m%d%H%M%S}{suffix}"
            flags = {"incomplete": chance.random() < incomplete, "from_listing": chance.random() < untrusted}
            series.append(backup_at(when, stored_filename=name, **flags))
    return series, now


def kept(planned):
    return [decision.backup for decision in planned.keep]


def dropped(planned):
    return [decision.backup for decision in planned.drop]


@given(series_and_now(), policies())
@EXAMPLES
def test_every_backup_is_kept_or_dropped_newest_first_and_with_a_reason(series_and_now, policy):
    series, now = series_and_now
    planned = plan(policy, series, now)
    together = kept(planned) + dropped(planned)
    assert sorted(together, key=newest_first) == sorted(series, key=newest_first)
    for decisions in (planned.keep, planned.drop):
        backups = [decision.backup for decision in decisions]
        assert backups == sorted(backups, key=newest_first, reverse=True)
        assert all(decision.reasons and all(decision.reasons) for decision in decisions)


@given(series_and_now(), policies())
@EXAMPLES
def test_planning_what_a_plan_kept_drops_nothing_more(series_and_now, policy):
    series, now = series_and_now
    planned = plan(policy, series, now)
    assert plan(policy, kept(planned), now).drop == ()


@given(series_and_now(), policies(), st.sampled_from(NUMBERS), st.integers(1, 50))
@EXAMPLES
def test_a_larger_number_never_drops_more(series_and_now, policy, name, more):
    series, now = series_and_now
    larger = evolve(policy, **{name: getattr(policy, name) + more})
    assert set(dropped(plan(larger, series, now))) <= set(dropped(plan(policy, series, now)))


@given(series_and_now(), policies(), st.sampled_from([0, 1, 2]))
@EXAMPLES
def test_the_newest_of_every_rank_that_is_not_dated_after_now_is_kept(series_and_now, policy, worst):
    series, now = series_and_now
    ranked = [backup for backup in series if rank(backup) <= worst and backup.when <= now]
    if ranked:
        assert max(ranked, key=newest_first) in kept(plan(policy, series, now)) + [
            # unless a backup of the next minute, which does not count as future, is the newest
            backup
            for backup in ranked
            if any(now < other.when <= now + timedelta(minutes=1) and rank(other) <= worst for other in series)
        ]


@given(series_and_now(), policies())
@EXAMPLES
def test_what_is_dated_after_now_is_kept_and_changes_nothing_else(series_and_now, policy):
    series, now = series_and_now
    present = [backup for backup in series if backup.when <= now + timedelta(minutes=1)]
    planned, alone = plan(policy, series, now), plan(policy, present, now)
    assert planned.drop == alone.drop
    assert [decision for decision in planned.keep if decision.backup in present] == list(alone.keep)


@given(series_and_now(), policies(), st.randoms(use_true_random=False))
@EXAMPLES
def test_the_order_of_the_series_does_not_matter(series_and_now, policy, chance):
    series, now = series_and_now
    shuffled = chance.sample(series, len(series))
    assert plan(policy, shuffled, now) == plan(policy, series, now)


@given(series_and_now(), policies())
@EXAMPLES
def test_backups_of_one_second_share_their_fate(series_and_now, policy):
    series, now = series_and_now
    planned = plan(policy, series, now)
    assert not {backup.when for backup in kept(planned)} & {backup.when for backup in dropped(planned)}


@given(series_and_now(), policies(), st.sampled_from([0, 1]))
@EXAMPLES
def test_backups_are_kept_as_if_there_were_none_of_a_worse_rank(series_and_now, policy, worst):
    series, now = series_and_now
    better = [backup for backup in series if rank(backup) <= worst]
    together = [backup for backup in kept(plan(policy, series, now)) if rank(backup) <= worst]
    assert together == kept(plan(policy, better, now))


@given(series_and_now(), policies(), st.sampled_from([{"incomplete": True}, {"from_listing": True}]))
@EXAMPLES
def test_a_series_of_one_rank_alone_is_kept_as_one_of_the_best(series_and_now, policy, flags):
    series, now = series_and_now
    best = [backup.with_metadata(backup.last_updated, incomplete=None, from_listing=None) for backup in series]
    worse = [backup.with_metadata(backup.last_updated, **flags) for backup in best]
    assert [backup.stored_filename for backup in kept(plan(policy, worse, now))] == [
        backup.stored_filename for backup in kept(plan(policy, best, now))
    ]


@given(series_and_now(), policies(), st.integers(-400, 400))
@EXAMPLES
def test_removing_by_age_keeps_the_newest_of_every_rank_and_nothing_older(series_and_now, policy, days):
    series, now = series_and_now
    limit = now - timedelta(days=days)
    planned = plan_by_age(limit, series, now)
    assert {backup.when for backup in kept(planned)} | {backup.when for backup in dropped(planned)} == {
        backup.when for backup in series
    }
    assert all(backup.when < limit for backup in dropped(planned))
    old = [decision for decision in planned.keep if decision.backup.when < min(limit, now)]
    assert len({decision.backup.when for decision in old}) <= 3
    assert all(decision.reasons[0].startswith("newest") for decision in old)


@given(series_and_now(), policies())
@EXAMPLES
def test_rotating_after_every_backup_ends_as_rotating_once(series_and_now, policy):
    series = sorted(series_and_now[0], key=newest_first)
    standing: list = []
    for when in sorted({backup.when for backup in series}):
        standing = kept(plan(policy, standing + [backup for backup in series if backup.when == when], when))
    assert standing == kept(plan(policy, series, series[-1].when))


@given(series_and_now(), policies())
@EXAMPLES
def test_the_calendar_fits_a_terminal_and_counts_every_backup(series_and_now, policy):
    series, now = series_and_now
    planned = plan(policy, series, now)
    text = calendar_of(planned)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    assert text.endswith(f"\n{len(planned.keep)} of {len(series)} backups kept")
    months = [line.split() for line in text.splitlines() if line[4:5] == "-"]
    assert sum(int(words[-3]) for words in months) == len(planned.keep)
    assert sum(int(words[-1]) for words in months) == len(series)
