"""Which plain backups are refused because their series is encrypted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.plain_backup import encrypted_before

MONDAY = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def made(day: int, *, encrypted: bool, **metadata: Any) -> Backup:
    """A backup that this machine made on a day after Monday."""
    when = MONDAY + timedelta(days=day)
    name = f"photos.{when:%Y%m%d%H%M%S}.tgz" + (".enc" if encrypted else "")
    return Backup(
        backend="s3",
        backup_date=when,
        filename="photos",
        stored_filename=name,
        size=1,
        last_updated=when,
        metadata={"client": "here", "source": "/photos", "is_enc": encrypted, **metadata},
    )


def synced(day: int, *, encrypted: bool, late: int = 0, **metadata: Any) -> Backup:
    """A backup that was found in the store, with the store's own date."""
    stored = MONDAY + timedelta(days=day + late)
    return made(day, encrypted=encrypted, stored_at=int(stored.timestamp()), **metadata)


@pytest.mark.parametrize(
    ("earlier", "backup", "is_refused"),
    [
        ([], made(1, encrypted=False), False),
        ([made(0, encrypted=True)], made(1, encrypted=True), False),
        ([made(0, encrypted=True)], made(1, encrypted=False), True),
        ([made(0, encrypted=True)], synced(1, encrypted=False), True),
        ([made(0, encrypted=True)], synced(1, encrypted=False, client="elsewhere", source="/x"), True),
        ([synced(0, encrypted=True)], synced(1, encrypted=False, from_listing=True), True),
        ([made(0, encrypted=False)], made(1, encrypted=False), False),
        ([made(0, encrypted=False)], synced(1, encrypted=False), False),
        # only what is earlier counts
        ([made(2, encrypted=True)], made(1, encrypted=False), False),
        # a confirmed change of mind counts
        ([made(0, encrypted=True), made(1, encrypted=False)], made(2, encrypted=False), False),
        ([made(0, encrypted=True), made(1, encrypted=False)], synced(2, encrypted=False), False),
        ([made(0, encrypted=False), made(1, encrypted=True)], made(2, encrypted=False), True),
        # a forged plain backup does not vouch for another, in any order
        ([made(0, encrypted=True), synced(1, encrypted=False)], synced(2, encrypted=False), True),
        # an untrusted encrypted backup does not make the series encrypted
        ([synced(0, encrypted=True, late=30)], made(1, encrypted=False), False),
        ([synced(0, encrypted=True, from_listing=True)], made(1, encrypted=False), False),
        # other hosts and other directories do not matter
        ([made(0, encrypted=True, client="elsewhere")], made(1, encrypted=False), False),
        ([made(0, encrypted=True, source="/other")], made(1, encrypted=False), False),
    ],
)
def test_a_plain_backup_is_refused_if_the_one_before_it_that_counts_is_encrypted(
    earlier: list[Backup], backup: Backup, is_refused: bool
) -> None:
    newest_encrypted = next((one for one in reversed(earlier) if one.is_encrypted), None)
    assert encrypted_before(backup, [backup, *earlier]) == (newest_encrypted if is_refused else None)


def test_one_that_was_deleted_since_still_shows_that_the_series_was_encrypted() -> None:
    gone = made(0, encrypted=True).deleted(MONDAY)
    assert encrypted_before(synced(1, encrypted=False), [gone]) == gone


def test_one_of_the_same_second_as_an_encrypted_one_is_refused() -> None:
    both = [made(0, encrypted=True), synced(0, encrypted=False)]
    assert encrypted_before(both[1], both) == both[0]
