"""`StatusReport`: whether the backups that should be there are there, by series and origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from bakthat.domain.backup import Backup, Owner
from bakthat.domain.duration import in_words
from bakthat.domain.origin import Origin, origins, shown
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import is_later, rank
from bakthat.domain.verification import Verification, last_verification


@frozen(kw_only=True)
class Expected:
    """The backups that a job should have made. `owner`: the store. `max_age`: None means that they are never late."""

    job: str
    series: str
    owner: Owner
    origin: Origin
    max_age: timedelta | None = None


@frozen(kw_only=True)
class SeriesStatus:
    """The backups of one origin of a series in one store.

    destination, location: of the store. job: that makes them, if it is one of this profile on this host.
    backups: newest first. newest: the newest one that counts; None if there is none. Backups dated after now do not
        count, and neither do untrusted ones (`Backup.distrust`) beside trusted ones.
    age: of the newest. max_age: that it may have; None means that it is never late.
    verification: the last one of any of the backups.
    """

    series: str
    origin: Origin
    destination: str
    location: str
    job: str | None = None
    backups: tuple[Backup, ...] = ()
    newest: Backup | None = None
    age: timedelta | None = None
    max_age: timedelta | None = None
    verification: Verification | None = None

    @property
    def number(self) -> int:
        """How many backups there are."""
        return len(self.backups)

    @property
    def total_size(self) -> int:
        """Their stored bytes."""
        return sum(backup.size for backup in self.backups)

    @property
    def is_late(self) -> bool:
        """Whether the newest backup is older than it may be, or there is none although there should be."""
        if self.age is None:
            return self.job is not None or self.max_age is not None
        return self.max_age is not None and self.age > self.max_age

    @property
    def is_incomplete(self) -> bool:
        """Whether the newest backup is incomplete."""
        return self.newest is not None and self.newest.is_incomplete

    @property
    def is_bad(self) -> bool:
        """Whether the last verification found a bad backup."""
        return self.verification is not None and self.verification.is_bad

    @property
    def is_good(self) -> bool:
        """Whether there is no problem."""
        return not (self.is_late or self.is_incomplete or self.is_bad)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        if self.is_late and self.age is None:
            found.append(f"late: {'all backups are dated after now' if self.backups else 'there is no backup yet'}")
        elif self.is_late and self.age is not None and self.max_age is not None:
            age, most = in_words(self.age), in_words(self.max_age)
            how_late = f"{age} old, and may be {most} old" if age != most else f"older than {most}, which it may be"
            found.append(f"late: the newest backup is {how_late}")
        if self.is_incomplete and self.newest is not None:
            found.append(f"the newest backup is {self.newest.completeness}")
        if self.is_bad and self.verification is not None:
            found.append(f"the last verification found a bad backup: {self.verification.error}")
        return tuple(found)

    @property
    def title(self) -> str:
        """`etc of web1:/etc`, with the job where its name says more."""
        job = f", job {self.job}" if self.job not in (None, self.series) else ""
        return f"{shown(self.series)} of {self.origin}{job}"


@frozen(kw_only=True)
class StatusReport:
    """The state of all backups of a profile, at a moment. `series`: the worst first. `max_age`: that was asked for."""

    at: datetime
    series: tuple[SeriesStatus, ...] = ()
    max_age: timedelta | None = None

    @property
    def number(self) -> int:
        """How many backups there are."""
        return sum(one.number for one in self.series)

    @property
    def total_size(self) -> int:
        """Their stored bytes."""
        return sum(one.total_size for one in self.series)

    @property
    def is_good(self) -> bool:
        """Whether no backup is late, incomplete at its newest, or found bad by its last verification. Without any
        backup this is so only if nobody has asked how old they are."""
        return all(one.is_good for one in self.series) and (bool(self.series) or self.max_age is None)


def report_of(
    rows: Mapping[Owner, Iterable[Backup]],
    expected: Iterable[Expected],
    now: datetime,
    *,
    max_age: timedelta | None = None,
) -> StatusReport:
    """The state of backups.

    rows: the records in each store, deleted ones too, whose verifications count. expected: what the jobs of this
    profile should have made. max_age: of what has no job with an age of its own.
    """
    wanted = {(one.owner.backend, one.owner.location, one.series, one.origin): one for one in expected}
    found: list[SeriesStatus] = []
    for owner, of_store in rows.items():
        by_series: dict[str, list[Backup]] = {}
        for backup in of_store:
            if not backup.is_value:
                by_series.setdefault(backup.filename, []).append(backup)
        for series, members in by_series.items():
            for origin, live in origins(backup for backup in members if not backup.is_deleted):
                job = wanted.pop((owner.backend, owner.location, series, origin), None)
                gone = [
                    one for one in members if one.is_deleted and (one.host, one.source) == (origin.host, origin.source)
                ]
                status = _status(series, origin, owner, live, now)
                status = evolve(status, verification=last_verification([*live, *gone], now))
                found.append(_as_expected(status, job, max_age))
    found += [
        _as_expected(_status(job.series, job.origin, job.owner, (), now), job, max_age) for job in wanted.values()
    ]
    return StatusReport(at=now, series=tuple(sorted(found, key=_order)), max_age=max_age)


def _status(series: str, origin: Origin, owner: Owner, live: Sequence[Backup], now: datetime) -> SeriesStatus:
    ordered = sorted(live, key=newest_first, reverse=True)
    counting = [backup for backup in ordered if not is_later(backup, now)]
    trusted = [backup for backup in counting if rank(backup) < 2]
    newest = next(iter(trusted or counting), None)
    return SeriesStatus(
        series=series,
        origin=origin,
        destination=owner.backend,
        location=owner.location,
        backups=tuple(ordered),
        newest=newest,
        age=None if newest is None else max(now - newest.when, timedelta()),
    )


def _as_expected(status: SeriesStatus, job: Expected | None, max_age: timedelta | None) -> SeriesStatus:
    if job is None:
        return evolve(status, max_age=max_age)
    return evolve(status, job=job.job, max_age=job.max_age if job.max_age is not None else max_age)


def _order(status: SeriesStatus) -> tuple[int, str, bool, str, str, str]:
    origin = status.origin
    place = f"{status.destination} {status.location}"
    goodness = 0 if status.is_late or status.is_bad else 1 if status.is_incomplete else 2
    return goodness, status.series, origin.is_unknown, origin.host or "", origin.source or "", place
