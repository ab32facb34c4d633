"""The rule of rotation against the package GrandFatherSon 1.3, over thousands of series."""

from __future__ import annotations

import grandfatherson
from hypothesis import given, settings

from bakthat.domain.rotation import plan
from tests.domain.series import backup_at
from tests.domain_laws.random_series import dates_and_now, policies


def kept_by_the_law(policy, dates, now):
    """The package's own answer, with windows counted back from the newest backup if that lies before now; the newest;
    the `last` newest."""
    kept = grandfatherson.to_keep(
        dates,
        years=policy.years,
        months=policy.months,
        weeks=policy.weeks,
        days=policy.days,
        hours=policy.hours,
        firstweekday=policy.first_week_day,
        now=min(now, max(dates)),
    )
    return kept | {max(dates)} | set(sorted(dates)[len(dates) - policy.last :] if policy.last < len(dates) else dates)


@given(dates_and_now(), policies())
@settings(max_examples=2000, deadline=None)
def test_kept_is_what_the_package_keeps_and_the_newest(dates_and_now, policy):
    dates, now = set(dates_and_now[0]), dates_and_now[1]
    planned = plan(policy, map(backup_at, dates), now)
    assert {decision.backup.when for decision in planned.keep} == kept_by_the_law(policy, dates, now)
