"""What records say about the last verification."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bakthat.domain.backup import Backup, from_epoch
from bakthat.domain.verification import Level, last_good_reading, last_verification, verification_of

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def backup(verified: Any = None, *, is_deleted: bool = False) -> Backup:
    return Backup(
        backend="s3",
        backup_date=MADE,
        filename="etc",
        stored_filename="etc.20260102030405.tgz",
        size=1,
        last_updated=MADE,
        is_deleted=is_deleted,
        metadata={} if verified is None else {"verified": verified},
    )


@pytest.mark.parametrize(
    "verified",
    [None, "yes", {"at": "1"}, {"at": True, "level": "opens"}, {"at": 1}, {"at": 1, "level": "x"},
     {"at": 10**30, "level": "opens"}],
    ids=["none", "text", "text date", "true", "no level", "level", "no date"],
)  # fmt: skip
def test_what_is_not_understood_does_not_count_as_a_verification(verified: Any) -> None:
    assert verification_of(backup(verified)) is None


def test_the_last_verification_is_that_of_any_backup() -> None:
    found = last_verification([backup({"at": 5, "level": "opens"}), backup({"at": 9, "level": "stored bytes"})], MADE)
    assert found is not None
    assert (found.at, found.level, found.is_bad) == (from_epoch(9), Level.STORED, False)


def test_a_bad_backup_that_is_deleted_no_longer_counts() -> None:
    bad = {"at": 9, "level": "none", "error": "damaged"}
    found = last_verification([backup({"at": 5, "level": "opens"}), backup(bad, is_deleted=True)], MADE)
    assert found is not None
    assert not found.is_bad
    assert last_verification([backup(bad)], MADE).error == "damaged"  # type: ignore[union-attr]


def test_a_reading_of_a_deleted_backup_counts() -> None:
    assert last_good_reading([backup({"at": 5, "level": "opens"}, is_deleted=True)], MADE) == from_epoch(5)


@pytest.mark.parametrize(
    "verified",
    [{"at": 5, "level": "present"}, {"at": 5, "level": "opens", "error": "damaged"}],
    ids=["only looked at", "bad"],
)
def test_only_what_was_read_and_good_is_a_reading(verified: dict[str, Any]) -> None:
    assert last_good_reading([backup(verified)], MADE) is None


FUTURE = int(MADE.timestamp()) + 3600


def test_a_good_verification_dated_after_now_does_not_count_beside_another() -> None:
    later, known = backup({"at": FUTURE, "level": "opens"}), backup({"at": 5, "level": "stored bytes"})
    assert last_verification([later, known], MADE) == verification_of(known)
    assert last_verification([later], MADE) == verification_of(later)
    assert last_good_reading([later, known], MADE) == from_epoch(5)
    assert last_good_reading([later], MADE) is None


def test_a_bad_verification_counts_whatever_its_date() -> None:
    bad, good = backup({"at": FUTURE, "level": "none", "error": "damaged"}), backup({"at": 5, "level": "opens"})
    assert last_verification([bad, good], MADE) == verification_of(bad)


def test_a_minute_after_now_is_now() -> None:
    assert last_good_reading([backup({"at": FUTURE - 3600 + 60, "level": "opens"})], MADE) is not None
