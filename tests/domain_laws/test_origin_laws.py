"""What holds for the origins of any series: they are planned as if the others did not exist."""

from __future__ import annotations

import random
from functools import partial

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.origin import GroupBy, Scope, origins
from bakthat.domain.origin_plan import plan_origins
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import plan, plan_by_age
from tests.domain.series import backup_at
from tests.domain_laws.random_series import dates_and_now, policies

EXAMPLES = settings(max_examples=80, deadline=None)


@st.composite
def shared_series_and_now(draw):
    """Backups of some hosts and paths under one name, some without a path; and a now."""
    dates, now = draw(dates_and_now())
    chance = random.Random(draw(st.integers(0, 2**32)))
    hosts = draw(st.sampled_from([["web1"], ["web1", "web2"], ["web1", "web2", None]]))
    paths = draw(st.sampled_from([["/etc"], ["/etc", "/srv"], ["/etc", "/srv", None], [None]]))
    return [
        backup_at(when, client=chance.choice(hosts), source=chance.choice(paths), incomplete=chance.random() < 0.2)
        for when in set(dates)
    ], now


@given(shared_series_and_now(), policies(), st.sampled_from(GroupBy))
@EXAMPLES
def test_a_plan_has_every_backup_once_newest_first(series_and_now, policy, group_by):
    series, now = series_and_now
    planned = plan_origins(Scope(group_by=group_by).groups(series), partial(plan, policy, now=now))
    together = [decision.backup for decision in planned.keep + planned.drop]
    assert sorted(together, key=newest_first) == sorted(series, key=newest_first)
    for decisions in (planned.keep, planned.drop):
        assert list(decisions) == sorted(decisions, key=lambda one: newest_first(one.backup), reverse=True)


@given(shared_series_and_now(), policies())
@EXAMPLES
def test_every_known_origin_is_planned_as_if_the_others_did_not_exist(series_and_now, policy):
    series, now = series_and_now
    for plan_one in (partial(plan, policy, now=now), lambda members: plan_by_age(now, members, now)):
        plans = plan_origins(origins(series), plan_one).by_origin()
        for origin, members in origins(series):
            alone = plan_one(members)
            if origin.is_unknown:
                assert plans[origin].drop == ()
            else:
                for made, expected in ((plans[origin].keep, alone.keep), (plans[origin].drop, alone.drop)):
                    assert list(made) == [evolve(decision, origin=origin) for decision in expected]


@given(shared_series_and_now(), policies())
@EXAMPLES
def test_thinning_host_by_host_ends_as_thinning_all_at_once(series_and_now, policy):
    series, now = series_and_now
    one_plan = partial(plan, policy, now=now)
    at_once = {decision.backup.stored_filename for decision in plan_origins(origins(series), one_plan).drop}
    by_host = set()
    for host in ("web1", "web2"):
        dropped = plan_origins(Scope(host=host).groups(series), one_plan).drop
        by_host |= {decision.backup.stored_filename for decision in dropped}
    of_no_host = {backup.stored_filename for backup in series if backup.host is None}
    assert by_host - of_no_host == at_once - of_no_host
