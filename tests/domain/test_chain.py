"""Which backups a restore of an incremental one needs, and which need a backup."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.backup_metadata import Increment
from bakthat.domain.chain import Chains, next_increment
from bakthat.errors import ChainBroken
from tests.domain.series import backup_at, utc

START = utc(2026, 1, 1)


def full(day: int = 0, **fields: Any) -> Backup:
    return backup_at(START + timedelta(days=day), **{"client": "web1", "source": "/srv/site", **fields})


def increment_of(base: Backup, day: int, **fields: Any) -> Backup:
    """The backup of that day which continues the base."""
    when = START + timedelta(days=day)
    metadata = {"client": "web1", "source": "/srv/site", "incremental": next_increment(base).as_metadata()}
    return backup_at(when, stored_filename=f"site.{when:%Y%m%d%H%M%S}.inc.tgz", **{**metadata, **fields})


FULL = full()
FIRST = increment_of(FULL, 1)
SECOND = increment_of(FIRST, 2)
THIRD = increment_of(SECOND, 3)
BRANCH = increment_of(FIRST, 4)
OTHER = full(5)
ALL = [THIRD, FULL, OTHER, SECOND, BRANCH, FIRST]


def test_a_chain_begins_with_the_full_backup():
    assert Chains(ALL).chain(THIRD) == (FULL, FIRST, SECOND, THIRD)
    assert Chains(ALL).chain(BRANCH) == (FULL, FIRST, BRANCH)


def test_a_full_backup_is_a_chain_of_its_own():
    assert Chains(ALL).chain(FULL) == (FULL,)
    assert Chains([]).chain(FULL) == (FULL,)


def test_the_record_of_the_next_one_counts_on():
    assert next_increment(FULL) == Increment(base=FULL.stored_filename, full=FULL.stored_filename, depth=1)
    assert next_increment(SECOND) == Increment(base=SECOND.stored_filename, full=FULL.stored_filename, depth=3)


def test_dependents_are_all_that_cannot_be_restored_without_it():
    assert Chains(ALL).dependents(FULL) == (FIRST, SECOND, THIRD, BRANCH)
    assert Chains(ALL).dependents(SECOND) == (THIRD,)
    assert Chains(ALL).dependents(THIRD) == ()
    assert Chains(ALL).dependents(OTHER) == ()


def test_a_deleted_dependent_does_not_count():
    assert Chains([FULL, FIRST, SECOND, evolve(THIRD, is_deleted=True)]).dependents(SECOND) == ()


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (
            [FULL, SECOND],
            "site.20260104000000.inc.tgz is incremental and needs site.20260102000000.inc.tgz, as the base of "
            "site.20260103000000.inc.tgz, which is not in the database "
            r"\(`bakthat sync` finds it if it is in the store\)",
        ),
        ([FIRST, evolve(FULL, is_deleted=True), SECOND], "needs site.20260101000000.tgz, .* which was deleted"),
        ([FULL, FIRST], "site.20260104000000.inc.tgz is incremental and needs site.20260103000000.inc.tgz, which "),
        ([], "is not in the database"),
    ],
    ids=["in between", "deleted", "its own", "all"],
)
def test_a_missing_base_is_named(rest, why):
    with pytest.raises(ChainBroken, match=why):
        Chains(rest).chain(THIRD)


def changed(backup: Backup, **facts: Any) -> Backup:
    return evolve(backup, metadata={**backup.metadata, **facts})


@pytest.mark.parametrize(
    ("base", "why"),
    [
        (changed(FIRST, client="web2"), "which is a backup of web2:/srv/site"),
        (changed(FIRST, source="/srv/other"), "which is a backup of web1:/srv/other"),
        (evolve(FIRST, filename="other"), "which is of another name"),
        (evolve(FIRST, backend="local"), "which lies in another store"),
        (changed(FIRST, location="s3://other"), "which lies in another store"),
        (changed(FIRST, KeyValue=True), "which is of another name"),
        (changed(FIRST, incremental={**FIRST.metadata["incremental"], "depth": 5}), "has depth 6"),
        (changed(FIRST, incremental={**FIRST.metadata["incremental"], "full": "site.x.tgz"}), "depth 2 on site.x.tgz"),
    ],
    ids=["host", "source", "name", "backend", "location", "value", "depth", "full"],
)
def test_a_wrong_base_is_refused(base, why):
    with pytest.raises(
        ChainBroken, match=f"{SECOND.stored_filename}: its record names {FIRST.stored_filename} .*{why}"
    ):
        Chains([FULL, base, SECOND]).chain(THIRD)


def test_a_base_that_is_not_older_is_refused():
    late = evolve(FULL, stored_filename="site.20260109000000.tgz")
    record = Increment(base=late.stored_filename, full=late.stored_filename, depth=1).as_metadata()
    with pytest.raises(ChainBroken, match="which is not older"):
        Chains([late]).chain(changed(FIRST, incremental=record))


def test_a_record_that_was_cut_to_size_may_lack_its_origin():
    cut = evolve(FULL, metadata=FULL.metadata.without("client", "source"))
    assert Chains([cut]).chain(FIRST) == (cut, FIRST)


def test_a_circle_is_refused():
    """Dates cannot be trusted to break it: an object whose name is not a stored filename has the date of its record."""
    one = evolve(FIRST, stored_filename="a", metadata={"incremental": {"base": "b", "full": "c", "depth": 1}})
    two = evolve(FULL, stored_filename="b", metadata={"incremental": {"base": "a", "full": "c", "depth": 1}})
    with pytest.raises(ChainBroken):
        Chains([one, two]).chain(one)
    with pytest.raises(ChainBroken):
        Chains([one, two]).chain(two)
    own = evolve(FIRST, stored_filename="a", metadata={"incremental": {"base": "a", "full": "c", "depth": 1}})
    with pytest.raises(ChainBroken, match="is a circle"):
        Chains([own]).chain(own)


def test_dependents_in_a_circle_end():
    one = changed(FIRST, incremental={"base": SECOND.stored_filename, "full": "c", "depth": 1})
    assert Chains([one, SECOND]).dependents(one) == (SECOND,)


def test_an_incremental_backup_whose_record_does_not_say_its_base_is_refused():
    listed = backup_at(utc(2026, 1, 2), stored_filename="site.20260102000000.inc.tgz", from_listing=True)
    assert listed.is_incremental
    with pytest.raises(ChainBroken, match="its record does not say which backup it continues"):
        Chains([FULL, listed]).chain(listed)


def test_a_value_of_the_key_value_store_is_never_incremental():
    value = backup_at(utc(2026), stored_filename="site.20260102000000.inc.tgz", KeyValue=True)
    assert not value.is_incremental
