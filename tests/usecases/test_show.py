"""`show`: conditions that a query of the database does not have."""

from __future__ import annotations

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.query import Query
from bakthat.usecases.show import show
from tests.domain.series import backup_at, utc

OLDER = backup_at(utc(2026, 1, 1), client="web1")
NEWER = backup_at(utc(2026, 1, 2), client="web2")
REPO = MemoryRepo([OLDER, NEWER])


def test_what_is_older_is_left_out() -> None:
    assert show(Query(), REPO, since=utc(2026, 1, 2)) == [NEWER]


def test_other_hosts_are_left_out() -> None:
    assert show(Query(), REPO, host="web1") == [OLDER]


def test_without_a_condition_everything_is_shown_the_newest_first() -> None:
    assert show(Query(), REPO) == [NEWER, OLDER]
