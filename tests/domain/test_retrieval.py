"""The message about a retrieval, and when it expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from bakthat.domain.objects import Tier
from bakthat.domain.retrieval import KEPT, SPEED, WAITS, JobState, Wait, pauses, pending, state_at

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("service", "tier", "words"),
    [
        ("VAULT", Tier.EXPEDITED, "after 1 to 5 minutes"),
        ("VAULT", Tier.STANDARD, "after 3 to 5 hours"),
        ("VAULT", Tier.BULK, "after 5 to 12 hours"),
        ("GLACIER", Tier.STANDARD, "after 3 to 5 hours"),
        ("DEEP_ARCHIVE", Tier.STANDARD, "within 12 hours"),
        ("DEEP_ARCHIVE", Tier.BULK, "within 48 hours"),
    ],
)
def test_the_usual_wait_is_shown_in_words(service: str, tier: Tier, words: str) -> None:
    assert str(WAITS[service][tier]) == words


def test_a_wait_of_one_hour_is_in_the_singular() -> None:
    assert str(Wait(timedelta(0), timedelta(hours=1))) == "within 1 hour"


def test_deep_archive_has_no_expedited_tier() -> None:
    assert Tier.EXPEDITED not in WAITS["DEEP_ARCHIVE"]


def test_every_tier_has_its_place_in_the_order_of_speed() -> None:
    assert sorted(SPEED, key=SPEED.__getitem__) == [Tier.BULK, Tier.STANDARD, Tier.EXPEDITED]
    assert set(SPEED) == set(Tier)


def test_a_pending_retrieval_says_what_when_how_long_and_what_next() -> None:
    asked = datetime(2026, 1, 2, 14, 2, 59, tzinfo=UTC)
    error = pending("site.20260102000000.tgz", requested=asked, tier=Tier.STANDARD, waits=WAITS["VAULT"], now=asked)
    assert str(error) == (
        "site.20260102000000.tgz: retrieval requested at 14:02 UTC, usually ready after 3 to 5 hours; run restore again"
    )


def test_a_retrieval_of_another_day_is_shown_with_its_date() -> None:
    error = pending("x", requested=NOON, tier=Tier.BULK, waits=WAITS["VAULT"], now=NOON + timedelta(days=1))
    assert str(error) == (
        "x: retrieval requested on 2026-01-02 at 12:00 UTC, bulk tier, usually ready after 5 to 12 hours; "
        "run restore again"
    )


def test_a_time_of_another_zone_is_shown_in_utc() -> None:
    zone = datetime.fromisoformat("2026-01-02T01:30:00+02:00")
    assert "on 2026-01-01 at 23:30 UTC" in str(pending("x", requested=zone, tier=None, waits={}))


def test_what_nobody_remembers_is_left_out() -> None:
    assert str(pending("x", requested=None, tier=None, waits={})) == "x: retrieval requested earlier; run restore again"


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (timedelta(seconds=-1), JobState.PENDING),
        (timedelta(0), JobState.READY),
        (KEPT - timedelta(seconds=1), JobState.READY),
        (KEPT, JobState.EXPIRED),
    ],
)
def test_a_retrieval_is_pending_then_ready_then_expired(after: timedelta, state: JobState) -> None:
    assert state_at(NOON + after, ready=NOON) is state


@pytest.mark.parametrize("wait", [None, *WAITS["VAULT"].values(), *WAITS["DEEP_ARCHIVE"].values()])
def test_pauses_grow_and_stay_between_5_seconds_and_15_minutes(wait: Wait | None) -> None:
    first = list(islice(pauses(wait), 50))
    assert first == sorted(first)
    assert timedelta(seconds=5) <= first[0] < first[-1] <= timedelta(minutes=15)
