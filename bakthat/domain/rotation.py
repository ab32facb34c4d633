"""Grandfather-father-son rotation: which backups of an origin a policy keeps, which it drops, and why.

The rule for complete and trusted backups: the earliest backup of every hour, day, week, month and year (calendar
periods in UTC) within the policy's windows is kept, as in the package GrandFatherSon 1.3. The newest backup and the
`last` newest are also kept. A window of n periods ends with the period of the newest backup, so a pause in backups
never empties a series. Backups dated after now are kept, and otherwise ignored.

Backups of the same second are kept or dropped together. A backup has one of three ranks: trusted and complete; trusted
and incomplete; untrusted (`Backup.distrust`). It never displaces one of a better rank: the backups of a rank and the
better ones that are kept are exactly those that would be kept if the worse ones did not exist.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import groupby

from attrs import asdict, define, fields_dict, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.origin import ANY_ORIGIN, Origin
from bakthat.domain.query import newest_first
from bakthat.errors import ConfigInvalid, InvalidPolicy

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""The days, indexed by their numbers in a policy."""

SATURDAY = 5

_PERIODS = {"hours": "hourly", "days": "daily", "weeks": "weekly", "months": "monthly", "years": "yearly"}
_LENGTHS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}
_MAX_QUOTED = 80
"""Characters of a setting in a message."""

_RANKS = range(3)

NEXT_FREE_SECOND = timedelta(minutes=1)
"""How far after now a backup may be dated with a correct clock: if its second is taken, it gets one of the next."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)


@frozen(kw_only=True)
class RotationPolicy:
    """How many periods of each kind keep their earliest backup. `last`: how many of the newest are also kept.
    `first_week_day`: 0 = Monday … 6 = Sunday.

    Raises `InvalidPolicy` for a negative number, a policy that keeps nothing, and an invalid day.
    """

    days: int = 0
    weeks: int = 0
    months: int = 0
    hours: int = 0
    years: int = 0
    last: int = 0
    first_week_day: int = SATURDAY

    def __attrs_post_init__(self) -> None:
        for name in _NUMBERS:
            if getattr(self, name) < 0:
                raise InvalidPolicy(f"rotation.{name} is {getattr(self, name)}; it must be 0 or more")
        if not any(getattr(self, name) for name in _NUMBERS):
            raise InvalidPolicy(f"the rotation policy keeps nothing; set one of {', '.join(_NUMBERS)} to 1 or more")
        if self.first_week_day not in range(7):
            raise InvalidPolicy(
                f"rotation.first_week_day is {self.first_week_day}; it must be 0 (Monday) to 6 (Sunday)"
            )

    def as_section(self) -> dict[str, int]:
        """The policy in the form of the configuration file: always the keys of 2013, the others unless they are 0."""
        always = {"days", "weeks", "months", "first_week_day"}
        return {name: value for name, value in asdict(self).items() if value or name in always}

    def __str__(self) -> str:
        """In words: `7 days, 4 weeks, 12 months; weeks begin on Saturday`."""
        kept = [_counted(getattr(self, name), name) for name in _PERIODS if getattr(self, name)]
        if self.last:
            kept.append(f"the {self.last} newest")
        week = f"; weeks begin on {WEEKDAYS[self.first_week_day]}" if self.weeks else ""
        return ", ".join(kept) + week


_NUMBERS = tuple(name for name in fields_dict(RotationPolicy) if name != "first_week_day")


def policy_from(section: object, *, where: str) -> RotationPolicy:
    """The policy in a profile's `rotation` section. `where` begins every message (`~/.bakthat.yml, profile 'default'`).

    Numbers may be text (`'7'`), as in 2013; `first_week_day` may be a day's name. Raises `ConfigInvalid` for a wrong
    type and for an unknown key, because ignoring one (`yaers: 5`) would delete what it should keep. Raises
    `InvalidPolicy` for a missing or empty section and for invalid numbers.
    """
    if section is None:
        raise InvalidPolicy(f"{where}: no rotation is set; run `bakthat configure-backups-rotation`")
    if not isinstance(section, Mapping):
        raise ConfigInvalid(f"{where}: rotation is {_quoted(section)}; it must contain keys such as `days: 7`")
    known = fields_dict(RotationPolicy)
    numbers: dict[str, int] = {}
    for name, value in section.items():
        if name not in known:
            raise ConfigInvalid(f"{where}: rotation has an unknown key {_quoted(name)}{_nearest(name, known)}")
        try:
            numbers[name] = first_week_day(value) if name == "first_week_day" else _number(value)
        except ValueError as error:
            raise ConfigInvalid(f"{where}: rotation.{name} is {_quoted(value)}; {error}") from None
    try:
        return RotationPolicy(**numbers)
    except InvalidPolicy as error:
        raise InvalidPolicy(f"{where}: {error}") from None


def first_week_day(value: object) -> int:
    """The number of a day, from 0 to 6 as a number or text, or from its English name or at least its first three
    letters, in any case. Raises `ValueError` with the valid values."""
    if isinstance(value, str) and len(value.strip()) >= 3:
        for number, name in enumerate(WEEKDAYS):
            if name.lower().startswith(value.strip().lower()):
                return number
    try:
        number = _number(value)
    except ValueError:
        number = -1
    if number not in range(7):
        raise ValueError("it must be 0 (Monday) to 6 (Sunday), or a day's name")
    return number


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return int(value)
    raise ValueError("it must be a whole number")


def _nearest(name: object, known: Iterable[str]) -> str:
    if name in {"minutes", "seconds"}:
        return "; periods shorter than hours are not supported; `last: N` keeps the N newest"
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; it may contain {', '.join(known)}"


@frozen
class Decision:
    """A backup that is kept or dropped, with at least one reason in words. `origin`: with which it was planned."""

    backup: Backup
    reasons: tuple[str, ...]
    origin: Origin = ANY_ORIGIN


@frozen
class Plan:
    """The backups of a series to keep and to drop, each newest first."""

    keep: tuple[Decision, ...] = ()
    drop: tuple[Decision, ...] = ()

    def by_origin(self) -> dict[Origin, Plan]:
        """The same decisions as one plan per origin, ordered by name; the unknown origin comes last."""
        found = {decision.origin for decision in self.keep + self.drop}
        return {
            origin: Plan(
                keep=tuple(decision for decision in self.keep if decision.origin == origin),
                drop=tuple(decision for decision in self.drop if decision.origin == origin),
            )
            for origin in sorted(found, key=lambda one: (one.is_unknown, one.host or "", one.source or ""))
        }


def plan(policy: RotationPolicy, backups: Iterable[Backup], now: datetime) -> Plan:
    """Decides for every backup of one origin in one store whether to keep or drop it, with reasons. Backups marked as
    deleted are ignored. `now`: aware. The order of the backups does not matter.

    Raises `ValueError` for backups of several series or destinations, which must be planned separately.
    """
    present, later = _present_and_later(backups, now)
    moments = _moments(present)
    if moments:
        _keep_newest(moments, policy.last)
        for unit in _PERIODS:
            if getattr(policy, unit):
                _keep_periods(moments, unit, policy)
    older_than = cache(partial(_older_than, policy))
    keep = _kept_as_later(later, now)
    drop: list[Decision] = []
    for moment in reversed(moments):
        reasons = moment.kept or older_than(moment.too_old_for) + moment.dropped or ("older than the newest",)
        (keep if moment.kept else drop).extend(_decision(backup, reasons) for backup in moment.backups)
    return Plan(keep=tuple(keep), drop=tuple(drop))


def plan_by_age(limit: datetime, backups: Iterable[Backup], now: datetime) -> Plan:
    """Drops backups older than `limit`, but never the newest, the newest trusted one, or the newest trusted and
    complete one. Otherwise as `plan`."""
    present, later = _present_and_later(backups, now)
    moments = _moments(present)
    _keep_newest(moments, last=1)
    keep = _kept_as_later(later, now)
    drop: list[Decision] = []
    for moment in reversed(moments):
        is_older = moment.when < limit
        age = f"{'' if is_older else 'not '}older than {limit:%Y-%m-%d %H:%M:%S} UTC"
        dropped = is_older and not moment.kept
        (drop if dropped else keep).extend(_decision(backup, moment.kept or (age,)) for backup in moment.backups)
    return Plan(keep=tuple(keep), drop=tuple(drop))


def _present_and_later(backups: Iterable[Backup], now: datetime) -> tuple[list[Backup], list[Backup]]:
    """The backups that are not deleted, in two lists: those not dated after now, and those dated after now."""
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    live = [backup for backup in backups if not backup.is_deleted]
    if len({(backup.filename, backup.backend) for backup in live}) > 1:
        raise ValueError("the backups are from several series or destinations; plan them separately")
    later = [backup for backup in live if is_later(backup, now)]
    return [backup for backup in live if not is_later(backup, now)], later


def is_later(backup: Backup, now: datetime) -> bool:
    """Whether a backup is dated after now, because of a wrong clock."""
    return backup.when - now > NEXT_FREE_SECOND


def _kept_as_later(later: Iterable[Backup], now: datetime) -> list[Decision]:
    reasons = (f"dated after now ({now.astimezone(UTC):%Y-%m-%d %H:%M:%S})",)
    return [_decision(backup, reasons) for backup in sorted(later, key=newest_first, reverse=True)]


def _decision(backup: Backup, reasons: tuple[str, ...]) -> Decision:
    distrust = backup.distrust
    return Decision(backup, (*reasons, f"untrusted: {distrust}") if distrust else reasons)


def rank(backup: Backup) -> int:
    """0: trusted and complete; 1: trusted, but incomplete; 2: untrusted."""
    if backup.distrust:
        return 2
    return 1 if backup.is_incomplete else 0


@define
class _Moment:
    """The backups of one second, which are kept or dropped together. `rank`: their best. `counts`: by rank, how many of
    them have this rank or a better one. `kept`: why it is kept. `dropped`: why the rules that apply to it do not keep
    it. `too_old_for`: the kinds of periods whose window begins later."""

    when: datetime
    backups: list[Backup]
    rank: int
    counts: tuple[int, ...]
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    too_old_for: tuple[str, ...] = ()


def _moments(backups: Iterable[Backup]) -> list[_Moment]:
    """The backups by second, oldest first; those of one second in the order of listings."""
    by_second: dict[datetime, list[Backup]] = {}
    for backup in backups:
        by_second.setdefault(backup.when.astimezone(UTC), []).append(backup)
    moments = []
    for when, together in sorted(by_second.items()):
        if len(together) > 1:
            together.sort(key=newest_first, reverse=True)
        ranks = sorted(rank(backup) for backup in together)
        counts = tuple(bisect_right(ranks, limit) for limit in _RANKS)
        moments.append(_Moment(when, together, rank=ranks[0], counts=counts))
    return moments


def _keep_newest(moments: Sequence[_Moment], last: int) -> None:
    """The guards: for each rank, together with the better ones, the newest and the `last` newest."""
    counted = [0 for _ in _RANKS]
    passed: set[int] = set()  # the ranks of all newer backups
    for moment in reversed(moments):
        better = _better(passed)
        widest_first = [limit for limit in reversed(_RANKS) if moment.counts[limit]]
        if any(not counted[limit] for limit in widest_first):
            moment.kept += (f"newest{better}",)
        if last > 1 and any(counted[limit] < last for limit in widest_first):
            is_of_all = counted[_RANKS[-1]] < last
            moment.kept += (f"one of the {last} newest{'' if is_of_all else better}",)
        for limit in widest_first:
            counted[limit] += moment.counts[limit]
        passed.add(moment.rank)


def _better(passed: Iterable[int]) -> str:
    """The words for how a backup is better than those of these ranks: trusted, complete, or both."""
    words = {1: "complete", 2: "trusted"}
    return "".join(f" {words[one]}" for one in sorted(passed, reverse=True) if one in words)


def _keep_periods(moments: Sequence[_Moment], unit: str, policy: RotationPolicy) -> None:
    """Keeps, for each period in the window, the earliest backup of the best rank in the period.

    The window of a rank is counted from the newest backup of that rank or a better one, so a run of worse ones
    displaces none of them.
    """
    number, first_day = getattr(policy, unit), policy.first_week_day
    starts: dict[int, datetime] = {}
    for limit in _RANKS:
        newest = next((moment.when for moment in reversed(moments) if moment.counts[limit]), None)
        if newest is not None:
            starts[limit] = _window_start(unit, first_day, newest, number)

    before = bisect_left(moments, min(starts.values()), key=lambda moment: moment.when)
    for moment in moments[:before]:
        moment.too_old_for += (unit,)
    for period, together in groupby(moments[before:], lambda moment: _period_start(unit, first_day, moment.when)):
        members = list(together)
        best = min(moment.rank for moment in members)
        if period < starts[best]:
            for moment in members:
                moment.too_old_for += (unit,)
            continue
        at = next(at for at, moment in enumerate(members) if moment.rank == best)
        keeper = members[at]
        name = _period_name(unit, period)
        better = _better({moment.rank for moment in members[:at]})
        keeper.kept += (f"{_PERIODS[unit]}: first{better} of {name}",)
        reason = f"{name} is kept by {keeper.backups[0].stored_filename}"
        for moment in members:
            if moment is not keeper:
                moment.dropped += (reason,)


def _older_than(policy: RotationPolicy, units: tuple[str, ...]) -> tuple[str, ...]:
    """The reasons why neither `last` nor the windows of these kinds of periods keep a backup."""
    reasons = [f"older than the {policy.last} newest"] if policy.last > 1 else []
    if units:
        windows = [_counted(getattr(policy, unit), unit) for unit in units]
        reasons.append(f"older than the last {_listed(windows)}")
    return tuple(reasons)


def _period_start(unit: str, first_day: int, moment: datetime) -> datetime:
    """The start of the calendar period that contains the moment (UTC)."""
    if unit == "hours":
        return datetime(moment.year, moment.month, moment.day, moment.hour, tzinfo=UTC)
    if unit == "months":
        return datetime(moment.year, moment.month, 1, tzinfo=UTC)
    if unit == "years":
        return datetime(moment.year, 1, 1, tzinfo=UTC)
    midnight = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if unit == "days":
        return midnight
    try:
        return midnight - timedelta(days=(moment.weekday() - first_day) % 7)
    except OverflowError:
        return _BEGINNING


def _window_start(unit: str, first_day: int, end: datetime, number: int) -> datetime:
    """The start of a window of `number` periods, the last of which contains `end`; at the earliest the first date."""
    last = _period_start(unit, first_day, end)
    try:
        if unit == "years":
            return last.replace(year=last.year - (number - 1))
        if unit == "months":
            months = last.year * 12 + last.month - 1 - (number - 1)
            return last.replace(year=months // 12, month=months % 12 + 1)
        return last - (number - 1) * _LENGTHS[unit]
    except (OverflowError, ValueError):
        return _BEGINNING


def _period_name(unit: str, start: datetime) -> str:
    text = start.isoformat(" ")
    return {
        "hours": f"{text[:13]}:00",
        "days": text[:10],
        "weeks": f"the week of {text[:10]}",
        "months": text[:7],
        "years": text[:4],
    }[unit]


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number != 1 else f"1 {unit.removesuffix('s')}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _quoted(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
