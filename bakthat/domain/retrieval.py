"""Retrievals: how long the services usually take, what the messages say, and when a job is over."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from attrs import frozen

from bakthat.domain.objects import Tier
from bakthat.errors import RetrievalPending

KEPT = timedelta(hours=24)
"""How long, at least, a vault keeps a retrieved archive readable (Glacier API, Describe Job)."""

SPEED = MappingProxyType({Tier.BULK: 0, Tier.STANDARD: 1, Tier.EXPEDITED: 2})
"""The tiers in order; a greater number is faster."""


@frozen
class Wait:
    """How long a retrieval usually takes, at least and at most. `str()` continues the text `usually ready`."""

    least: timedelta
    most: timedelta

    def __str__(self) -> str:
        minutes = self.most < timedelta(hours=1)
        unit, name = (timedelta(minutes=1), "minute") if minutes else (timedelta(hours=1), "hour")
        least, most = round(self.least / unit), round(self.most / unit)
        plural = "" if most == 1 else "s"
        return f"after {least} to {most} {name}{plural}" if 0 < least < most else f"within {most} {name}{plural}"


_FLEXIBLE = MappingProxyType(
    {
        Tier.EXPEDITED: Wait(timedelta(minutes=1), timedelta(minutes=5)),
        Tier.STANDARD: Wait(timedelta(hours=3), timedelta(hours=5)),
        Tier.BULK: Wait(timedelta(hours=5), timedelta(hours=12)),
    }
)

WAITS: Mapping[str, Mapping[Tier, Wait]] = MappingProxyType(
    {
        "VAULT": _FLEXIBLE,
        "GLACIER": _FLEXIBLE,
        "DEEP_ARCHIVE": MappingProxyType(
            {
                Tier.STANDARD: Wait(timedelta(0), timedelta(hours=12)),
                Tier.BULK: Wait(timedelta(0), timedelta(hours=48)),
            }
        ),
    }
)
"""By service: `VAULT`, or the storage class of an S3 object. Source: Glacier API, Initiate Job, and the S3 user guide,
"Archive retrieval options". A service does not support the tiers that it lacks here."""


class JobState(enum.Enum):
    """The state of a retrieval."""

    PENDING = "pending"
    READY = "ready"
    EXPIRED = "expired"


def state_at(now: datetime, *, ready: datetime, kept: timedelta = KEPT) -> JobState:
    """The state of a retrieval that is ready at `ready` and then kept for `kept`."""
    if now < ready:
        return JobState.PENDING
    return JobState.READY if now < ready + kept else JobState.EXPIRED


def pending(
    name: str,
    *,
    requested: datetime | None,
    tier: Tier | None,
    waits: Mapping[Tier, Wait],
    now: datetime | None = None,
) -> RetrievalPending:
    """The error that says what was requested, when, when it is usually ready, and what to do then.

    `requested`: None if the time is unknown. `tier`: None counts as standard. `now`: a time on the same day is shown
        without its date.
    """
    wait = waits.get(tier if tier is not None else Tier.STANDARD)
    text = f"retrieval requested {_moment(requested, now)}" if requested is not None else "retrieval requested earlier"
    words = f", {tier} tier" if tier is not None and tier is not Tier.STANDARD else ""
    usually = f", usually ready {wait}" if wait is not None else ""
    return RetrievalPending(f"{name}: {text}{words}{usually}; run restore again")


def _moment(moment: datetime, now: datetime | None) -> str:
    moment = moment.astimezone(UTC)
    day = "" if now is not None and now.astimezone(UTC).date() == moment.date() else f"on {moment:%Y-%m-%d} "
    return f"{day}at {moment:%H:%M} UTC"


def pauses(wait: Wait | None) -> Iterator[timedelta]:
    """An endless series of pauses between checks of a running retrieval. They grow by half each time, from 1/200 of the
    usual time to 1/10, within 5 seconds and 15 minutes."""
    most = wait.most if wait is not None else timedelta(hours=5)
    longest = min(max(most / 10, timedelta(seconds=5)), timedelta(minutes=15))
    pause = min(max(most / 200, timedelta(seconds=5)), longest)
    while True:
        yield pause
        pause = min(pause * 1.5, longest)
