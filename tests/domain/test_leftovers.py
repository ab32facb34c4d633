"""Which unfinished uploads are bakthat's, and which of them nobody will finish."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bakthat.domain.leftovers import is_abandoned, is_ours
from bakthat.domain.objects import Leftover

NOW = datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)


def leftover(key: str, *, latest: datetime | None = NOW, is_of_bakthat: bool = False) -> Leftover:
    return Leftover(key=key, upload_id="1", started=NOW, latest=latest, is_of_bakthat=is_of_bakthat)


@pytest.mark.parametrize(
    ("left", "ours"),
    [
        (leftover("photos.20260102030405.tgz.enc"), True),
        (leftover("photos.20260102030405.inc.tgz"), True),
        (leftover("movie.mp4"), False),
        (leftover("other/photos.20260102030405.tgz"), False),
        (leftover(".bakthat-put-1", is_of_bakthat=True), True),
    ],
    ids=["archive", "increment", "foreign", "another prefix", "by its name"],
)
def test_an_upload_is_ours_by_its_key(left: Leftover, ours: bool) -> None:
    assert is_ours(left) is ours


def test_an_upload_is_abandoned_when_its_newest_part_is_old() -> None:
    week = timedelta(days=7)
    old = leftover("k", latest=NOW - week - timedelta(seconds=1))
    assert [is_abandoned(left, NOW, week) for left in (old, leftover("k"), leftover("k", latest=None))] == [
        True, False, False,
    ]  # fmt: skip
