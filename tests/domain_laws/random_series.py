"""Strategies: series of dates as people make them and as accidents make them, moments to plan at, and policies."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from bakthat.domain.rotation import RotationPolicy

CADENCES = {
    "minutes": timedelta(minutes=20),
    "hourly": timedelta(hours=1),
    "several a day": timedelta(hours=5),
    "daily": timedelta(days=1),
    "every other day": timedelta(hours=43),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30, hours=10),
    "yearly": timedelta(days=365, hours=6),
}

EDGES = [
    datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2024, 3, 1, tzinfo=UTC),
    datetime(2026, 1, 3, tzinfo=UTC),  # a Saturday
    datetime(2000, 2, 29, 23, 0, 0, tzinfo=UTC),
    datetime(1999, 12, 25, tzinfo=UTC),
    datetime(2021, 1, 1, tzinfo=UTC),  # in the week of 2020
]


@st.composite
def regular_dates(draw: st.DrawFn) -> list[datetime]:
    """A cadence with jitter, gaps and repetitions, that ends near an edge of the calendar."""
    step = CADENCES[draw(st.sampled_from(sorted(CADENCES)))]
    chance = random.Random(draw(st.integers(0, 2**32)))
    jitter = draw(st.sampled_from([0.0, 0.0, 0.1, 0.9]))
    lost = draw(st.sampled_from([0.0, 0.0, 0.2, 0.7]))
    doubled = draw(st.sampled_from([0.0, 0.0, 0.3]))
    at = draw(st.sampled_from(EDGES)) + draw(st.integers(-3, 3)) * step
    found: list[datetime] = []
    for _ in range(draw(st.integers(1, 90))):
        at -= step * (1 + jitter * chance.uniform(-1, 1))
        if chance.random() < lost:
            at -= step * chance.randrange(1, 9)
        found.append(at.replace(microsecond=0))
        if chance.random() < doubled:
            found.append((at + step * chance.random() / 3).replace(microsecond=0))
    chance.shuffle(found)
    return found


@st.composite
def scattered_dates(draw: st.DrawFn) -> list[datetime]:
    """Few dates around one edge, at distances of all sizes, so that a counterexample shrinks to something small."""
    edge = draw(st.sampled_from(EDGES))
    unit = st.sampled_from([1, 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400])
    offsets = draw(st.lists(st.tuples(st.integers(-12, 12), unit), min_size=1, max_size=9))
    return [edge + timedelta(seconds=number * seconds) for number, seconds in offsets]


def some_dates() -> st.SearchStrategy[list[datetime]]:
    return st.one_of(regular_dates(), scattered_dates())


@st.composite
def dates_and_now(draw: st.DrawFn) -> tuple[list[datetime], datetime]:
    """Dates, and a now: at one of them, a little beside it, long after all, or before all."""
    dates = draw(some_dates())
    near = draw(st.sampled_from(sorted(dates)))
    beside = draw(st.sampled_from([0, 0, 1, -1, 3600, 5 * 86_400, 1500 * 86_400, -1500 * 86_400]))
    return dates, near + timedelta(seconds=beside)


def numbers(most: int) -> st.SearchStrategy[int]:
    return st.one_of(st.just(0), st.integers(1, 4), st.integers(1, most))


def policies() -> st.SearchStrategy[RotationPolicy]:
    return st.tuples(
        numbers(60), numbers(60), numbers(30), numbers(200), numbers(12), numbers(20), st.integers(0, 6)
    ).filter(lambda drawn: any(drawn[:6])).map(
        lambda drawn: RotationPolicy(
            days=drawn[0],
            weeks=drawn[1],
            months=drawn[2],
            hours=drawn[3],
            years=drawn[4],
            last=drawn[5],
            first_week_day=drawn[6],
        )
    )  # fmt: skip
