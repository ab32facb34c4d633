"""Every backup is of exactly one origin, and a limit takes in no other host's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.origin import GroupBy, Scope, origins
from tests.domain.test_origin import record

RECORDS = st.lists(
    st.builds(
        record,
        st.integers(1, 28),
        st.sampled_from([None, "web1", "web2", "web3"]),
        st.sampled_from([None, None, "/etc", "/srv"]),
    ),
    max_size=12,
)


@given(RECORDS, st.sampled_from(GroupBy))
@settings(max_examples=200, deadline=None)
def test_every_backup_is_in_exactly_one_group(records, group_by):
    groups = Scope(group_by=group_by).groups(records)
    grouped = [id(backup) for _, members in groups for backup in members]
    assert sorted(grouped) == sorted(map(id, records))
    assert len({origin for origin, _ in groups}) == len(groups)


@given(RECORDS)
@settings(max_examples=200, deadline=None)
def test_two_sources_are_never_of_one_origin(records):
    for origin, members in origins(records):
        named = {(backup.host, backup.source) for backup in members if backup.source is not None}
        assert len(named) <= 1
        assert named <= {(origin.host, origin.source)}


@given(RECORDS, st.sampled_from(["web1", "web2"]), st.sampled_from(GroupBy))
@settings(max_examples=200, deadline=None)
def test_a_limit_never_takes_in_what_another_host_recorded_with_its_source(records, host, group_by):
    for _, members in Scope(host=host, group_by=group_by).groups(records):
        assert all(backup.host == host for backup in members if backup.source is not None)
