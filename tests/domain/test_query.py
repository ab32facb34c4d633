"""Which backups `show` lists, and in which order."""

from __future__ import annotations

import random

import pytest

from bakthat.domain.backup import Owner
from bakthat.domain.query import Query, newest_first
from tests.domain.series import backup_at, utc

WHEN = utc(2026, 1, 2)
HERE = Owner(backend="s3", location="s3://bucket")
THERE = Owner(backend="local", location="file:///srv/store")
BACKUP = backup_at(WHEN, filename="Site", tags=("db", "daily"), location="s3://bucket")


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        (Query(), True),
        (Query(filename="Site"), True),
        (Query(filename="Sit"), False),
        (Query(filename="site"), False),
        (Query(filename=""), False),
        (Query(stored_filename="Site.20260102000000.tgz"), True),
        (Query(stored_filename="Site.20260102"), False),
        (Query(text="ite"), True),
        (Query(text="20260102"), True),
        (Query(text="site"), False),
        (Query(text="%"), False),
        (Query(text="S_te"), False),
        (Query(text="*"), False),
        (Query(tags=("db",)), True),
        (Query(tags=("daily", "db")), True),
        (Query(tags=("d",)), False),
        (Query(tags=("db", "weekly")), False),
        (Query(backend="s3"), True),
        (Query(backend="s"), False),
        (Query(owners=(HERE,)), True),
        (Query(owners=(THERE, HERE)), True),
        (Query(owners=(THERE,)), False),
        (Query(owners=()), False),
        (Query(older_than=utc(2026, 1, 2, 0, 0, 1)), True),
        (Query(older_than=WHEN), False),
        (Query(filename="Site", backend="local"), False),
    ],
)
def test_all_conditions_hold_at_once(query, matches):
    assert query.matches(BACKUP) is matches


def test_text_is_looked_for_in_the_series_and_in_the_stored_filename():
    backup = backup_at(WHEN, filename="mysql", stored_filename="tmp_x7f.20260102000000.tgz")
    assert Query(text="sql").matches(backup)
    assert Query(text="x7f").matches(backup)


def test_a_deleted_backup_is_found_only_by_who_asks_for_it():
    deleted = BACKUP.deleted(WHEN)
    assert not Query().matches(deleted)
    assert Query(deleted=True).matches(deleted)
    assert Query(deleted=True).matches(BACKUP)


def test_the_age_is_that_of_the_stored_filename():
    backup = backup_at(WHEN, backup_date=utc(2020))
    assert not Query(older_than=WHEN).matches(backup)


def test_a_listing_is_ordered_by_date_then_name_then_destination():
    ordered = [
        backup_at(utc(2026, 1, 3), filename="a"),
        backup_at(utc(2026, 1, 2), filename="b"),
        backup_at(utc(2026, 1, 2), filename="a", backend="s3"),
        backup_at(utc(2026, 1, 2), filename="a", backend="local"),
        backup_at(utc(2025, 12, 31), filename="z", backup_date=utc(2027)),
    ]
    shuffled = random.Random(7).sample(ordered, len(ordered))
    assert sorted(shuffled, key=newest_first, reverse=True) == ordered
