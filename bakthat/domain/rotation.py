"""Grandfather-father-son rotation: which backups of a series a policy keeps, which it drops, and why.

The rule, for a series without incomplete backups: of every hour, day, week, month and year (calendar periods of UTC)
within the policy's windows the earliest backup is kept, as the package GrandFatherSon 1.3 does it, and beside them the
newest backup and the `last` newest. A window of n periods ends with the period that holds min(now, newest backup), so
that a pause in backups never empties a series. What is dated after now is kept.

Backups of one second share their fate. An incomplete backup never counts against a complete one: the complete backups
that are kept are exactly those that would be kept if the incomplete ones did not exist; an incomplete one is kept for a
period of which there is no complete one, as one of the `last` newest, or as the newest.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import groupby

from attrs import asdict, define, fields_dict, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.query import newest_first
from bakthat.errors import ConfigInvalid, InvalidPolicy

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""The days by their numbers in a policy, 0 to 6."""

SATURDAY = 5

_PERIODS = {"hours": "hourly", "days": "daily", "weeks": "weekly", "months": "monthly", "years": "yearly"}
_LENGTHS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}
_MOST_NAMED = 4  # hosts or paths in one line
_MOST_SHOWN = 80  # characters of a value in a message
_NEXT_FREE_SECOND = timedelta(minutes=1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@frozen(kw_only=True)
class RotationPolicy:
    """How many periods of each kind keep their earliest backup. `last`: how many of the newest are kept besides.
    `first_week_day`: 0 = Monday … 6 = Sunday.

    Raises `InvalidPolicy` for a negative number, for a policy that keeps nothing, and for a day that is none.
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
        """The policy as the configuration file holds it: what 2013 wrote always, the rest where it is not 0."""
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

    Numbers may be written as text (`'7'`), as 2013 read them; `first_week_day` also as a day's name. Raises
    `ConfigInvalid` for a wrong type and for an unknown key, since to overlook one (`yaers: 5`) would delete what it was
    to keep; `InvalidPolicy` for a missing or an empty section and for numbers that make no policy.
    """
    if section is None:
        raise InvalidPolicy(f"{where}: no rotation is set; run `bakthat configure_backups_rotation`")
    if not isinstance(section, Mapping):
        raise ConfigInvalid(f"{where}: rotation is {_quoted(section)}; it must hold keys such as `days: 7`")
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
    """The number of a day: 0 to 6, as a number or as text, or its English name, whole or from three letters on, in
    any case. Raises `ValueError` (with the way out) if it is none."""
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
        return "; shorter periods than hours are not kept, `last: N` keeps the N newest"
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; it may hold {', '.join(known)}"


@frozen
class Decision:
    """What becomes of a backup, and why, in words: at least one reason."""

    backup: Backup
    reasons: tuple[str, ...]


@frozen
class Plan:
    """Every backup of a series in one of two lists, each newest first."""

    keep: tuple[Decision, ...] = ()
    drop: tuple[Decision, ...] = ()


def plan(policy: RotationPolicy, backups: Iterable[Backup], now: datetime) -> Plan:
    """Keep or drop, with the reasons, for every backup of one series in one store; those that are marked as deleted
    take no part. `now`: aware. The order of the backups does not matter.

    Raises `ValueError` for backups of several series or destinations, which have to be planned one by one.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    live = [backup for backup in backups if not backup.is_deleted]
    if len({(backup.filename, backup.backend) for backup in live}) > 1:
        raise ValueError("the backups are of several series or destinations; plan one at a time")
    moments = _moments(live)
    if not moments:
        return Plan()
    _keep_newest(moments, policy.last, now)
    for unit in _PERIODS:
        if getattr(policy, unit):
            _keep_periods(moments, unit, policy, now.astimezone(UTC))
    older_than = cache(partial(_older_than, policy))
    keep: list[Decision] = []
    drop: list[Decision] = []
    for moment in reversed(moments):
        reasons = moment.kept or older_than(moment.too_old_for) + moment.dropped or ("older than the newest",)
        (keep if moment.kept else drop).extend(Decision(backup, reasons) for backup in moment.backups)
    return Plan(keep=tuple(keep), drop=tuple(drop))


@define
class _Moment:
    """The backups of one second, which share their fate. `complete`: how many of them are; the moment is complete if
    one is. `kept`: why it is kept; `dropped`: why the rules that reach it do not keep it; `too_old_for`: the kinds of
    periods whose window it lies before."""

    when: datetime
    backups: list[Backup]
    complete: int
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    too_old_for: tuple[str, ...] = ()


def _moments(backups: Iterable[Backup]) -> list[_Moment]:
    """The backups by their seconds, oldest first; those of one second in the order of every listing."""
    by_second: dict[datetime, list[Backup]] = {}
    for backup in backups:
        by_second.setdefault(backup.when.astimezone(UTC), []).append(backup)
    moments = []
    for when, together in sorted(by_second.items()):
        if len(together) > 1:
            together.sort(key=newest_first, reverse=True)
        moments.append(
            _Moment(when, together, complete=len([backup for backup in together if not backup.is_incomplete]))
        )
    return moments


def _keep_newest(moments: Sequence[_Moment], last: int, now: datetime) -> None:
    """The guards: the newest, the newest complete one, the `last` newest of each, and what is dated after now."""
    newest = moments[-1]
    newest.kept += ("newest",)
    counted = counted_complete = 0
    for moment in reversed(moments):
        if moment.complete and not counted_complete and moment is not newest:
            moment.kept += ("newest complete",)
        if last > 1 and counted < last:
            moment.kept += (f"one of the {last} newest",)
        elif last > 1 and moment.complete and counted_complete < last:
            moment.kept += (f"one of the {last} newest complete",)
        counted += len(moment.backups)
        counted_complete += moment.complete
        if moment.when > now:
            moment.kept += (f"dated after now ({now.astimezone(UTC):%Y-%m-%d %H:%M:%S})",)


def _keep_periods(moments: Sequence[_Moment], unit: str, policy: RotationPolicy, now: datetime) -> None:
    """The earliest complete backup of each period in the window; the earliest of all where none is complete.

    The window for the complete ones is counted back from the newest of them, so that a run of incomplete backups
    pushes none of them out.
    """
    number, first_day = getattr(policy, unit), policy.first_week_day
    newest_complete = next((moment.when for moment in reversed(moments) if moment.complete), moments[-1].when)
    start = _window_start(unit, first_day, min(now, moments[-1].when), number)
    start_of_complete = _window_start(unit, first_day, min(now, newest_complete), number)

    before = bisect_left(moments, start_of_complete, key=lambda moment: moment.when)
    past = bisect_right(moments, now, key=lambda moment: moment.when)
    for moment in moments[:before]:
        moment.too_old_for += (unit,)
    for period, together in groupby(moments[before:past], lambda moment: _period_start(unit, first_day, moment.when)):
        members = list(together)
        first_complete = next((moment for moment in members if moment.complete), None)
        if first_complete is None and period < start:
            for moment in members:
                moment.too_old_for += (unit,)
            continue
        keeper = first_complete or members[0]
        name = _period_name(unit, period)
        first = "first" if keeper is members[0] else "first complete"
        keeper.kept += (f"{_PERIODS[unit]}: {first} of {name}",)
        reason = f"{name} is kept by {keeper.backups[0].stored_filename}"
        for moment in members:
            if moment is not keeper:
                moment.dropped += (reason,)


def _older_than(policy: RotationPolicy, units: tuple[str, ...]) -> tuple[str, ...]:
    """Why neither `last` nor the windows of these kinds of periods keep a backup."""
    reasons = [f"older than the {policy.last} newest"] if policy.last > 1 else []
    if units:
        windows = [_counted(getattr(policy, unit), unit) for unit in units]
        reasons.append(f"older than the last {_listed(windows)}")
    return tuple(reasons)


def _period_start(unit: str, first_day: int, moment: datetime) -> datetime:
    """When the calendar period that holds the moment begins (UTC)."""
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
    """When the window of so many periods begins, of which the last holds `end`; at most as far back as dates go."""
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


def mixed_sources(backups: Iterable[Backup]) -> tuple[str, ...]:
    """One line for each thing that a series should have one of and has several of: hosts (`client` in the metadata),
    and source paths. What a record does not know (2013 kept no path) does not count. Those marked as deleted take no
    part. Empty for a series of one origin."""
    live = [backup for backup in backups if not backup.is_deleted]
    lines = (_mixture(live, "client", "hosts"), _mixture(live, "source", "source paths"))
    return tuple(line for line in lines if line)


def future_dates(backups: Iterable[Backup], now: datetime) -> tuple[str, ...]:
    """One line if backups of a series are dated after now, as a wrong clock leaves them: they are kept, and since they
    are the newest, a pause in the backups is not seen, and the windows are counted back from now. A minute is no wrong
    clock: a backup whose second is taken gets one of the next."""
    live = [backup for backup in backups if not backup.is_deleted and backup.when > now + _NEXT_FREE_SECOND]
    if not live:
        return ()
    latest = max(live, key=newest_first)
    number = "1 backup is" if len(live) == 1 else f"{len(live)} backups are"
    return (
        f"{_shown(latest.filename)}: {number} dated after now (the last one {latest.when:%Y-%m-%d %H:%M:%S}), so the "
        "windows are counted back from now; check the clock of the machine that made it",
    )


def _mixture(backups: Sequence[Backup], key: str, things: str) -> str:
    known = Counter(value for backup in backups if isinstance(value := backup.metadata.get(key), str) and value)
    if len(known) < 2:
        return ""
    ranked = sorted(known.items(), key=lambda pair: (-pair[1], pair[0]))
    named = [f"{_shown(value)} ({number})" for value, number in ranked[:_MOST_NAMED]]
    if len(ranked) > _MOST_NAMED:
        named.append(f"{len(ranked) - _MOST_NAMED} more")
    return f"{_shown(backups[0].filename)} mixes backups of {len(known)} {things}: {_listed(named)}"


def _shown(value: str) -> str:
    """A name or a path in a line of text: as it is where it is printable, else escaped; cut where it is long."""
    return _cut(value) if value.isprintable() else _quoted(value)


def _quoted(value: object) -> str:
    return _cut(ascii(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
