"""The rule of rotation against the package GrandFatherSon 1.3, over thousands of series."""

from __future__ import annotations

from datetime import timedelta

import grandfatherson
from hypothesis import given, settings

from bakthat.domain.rotation import plan
from tests.domain.series import backup_at
from tests.domain_laws.random_series import dates_and_now, policies


def kept_by_the_law(policy, dates, now):
    """What is dated more than a minute after now; and of the rest the package's own answer, with windows counted back
    from the newest; the newest; the `last` newest."""
    later = {date for date in dates if date - now > timedelta(minutes=1)}
    present = dates - later
    if not present:
        return later
    kept = grandfatherson.to_keep(
        present,
        years=policy.years,
        months=policy.months,
        weeks=policy.weeks,
        days=policy.days,
        hours=policy.hours,
        firstweekday=policy.first_week_day,
        now=max(present),
    )
    ranked = sorted(present, reverse=True)
    return later | kept | set(ranked[: max(policy.last, 1)])


@given(dates_and_now(), policies())
@settings(max_examples=2000, deadline=None)
def test_kept_is_what_the_package_keeps_and_the_newest(dates_and_now, policy):
    dates, now = set(dates_and_now[0]), dates_and_now[1]
    planned = plan(policy, map(backup_at, dates), now)
    assert {decision.backup.when for decision in planned.keep} == kept_by_the_law(policy, dates, now)
