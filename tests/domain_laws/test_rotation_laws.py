"""What holds for every series, whether complete or not, and for every policy."""

from __future__ import annotations

import random

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.calendar_view import calendar_of
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import plan
from tests.domain.series import backup_at
from tests.domain_laws.random_series import dates_and_now, policies

EXAMPLES = settings(max_examples=80, deadline=None)
NUMBERS = ["hours", "days", "weeks", "months", "years", "last"]


@st.composite
def series_and_now(draw):
    """Backups, some of them incomplete, some of one second; and a now."""
    dates, now = draw(dates_and_now())
    chance = random.Random(draw(st.integers(0, 2**32)))
    incomplete = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    twins = draw(st.sampled_from([0.0, 0.2]))
    series = []
    for when in set(dates):
        for suffix in (".tgz", ".tgz.enc") if chance.random() < twins else (".tgz",):
            name = f"site.{when:%Y%m%d%H%M%S}{suffix}"
            series.append(backup_at(when, stored_filename=name, incomplete=chance.random() < incomplete))
    return series, now


def kept(planned):
    return [decision.backup for decision in planned.keep]


def dropped(planned):
    return [decision.backup for decision in planned.drop]


def is_complete_moment(series):
    """The seconds that hold a complete backup."""
    return {backup.when for backup in series if not backup.is_incomplete}


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


@given(series_and_now(), policies())
@EXAMPLES
def test_the_newest_and_the_newest_complete_are_kept(series_and_now, policy):
    series, now = series_and_now
    backups = kept(plan(policy, series, now))
    assert max(series, key=newest_first) in backups
    complete = [backup for backup in series if not backup.is_incomplete]
    if complete:
        assert max(complete, key=newest_first) in backups


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


@given(series_and_now(), policies())
@EXAMPLES
def test_the_complete_backups_are_kept_as_if_there_were_no_incomplete_ones(series_and_now, policy):
    series, now = series_and_now
    complete = [backup for backup in series if not backup.is_incomplete]
    together = [backup for backup in kept(plan(policy, series, now)) if not backup.is_incomplete]
    assert together == kept(plan(policy, complete, now))


@given(series_and_now(), policies())
@EXAMPLES
def test_a_series_of_incomplete_backups_alone_is_kept_as_one_of_complete_ones(series_and_now, policy):
    series, now = series_and_now
    incomplete = [backup.with_metadata(backup.last_updated, incomplete=True) for backup in series]
    complete = [backup.with_metadata(backup.last_updated, incomplete=None) for backup in series]
    assert [backup.stored_filename for backup in kept(plan(policy, incomplete, now))] == [
        backup.stored_filename for backup in kept(plan(policy, complete, now))
    ]


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
