"""A plan as a calendar for the terminal: one line per month, one mark per day."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable

from attrs import define

from bakthat.domain.rotation import Decision, Plan

KEPT, PARTLY, DROPPED, NONE = "#", "+", "-", "."

_HEADER = "         1   5    10   15   20   25   30"
_LEGEND = f"{KEPT} kept   {PARTLY} some of the day kept   {DROPPED} dropped   {NONE} no backup   (days of UTC)"


@define
class _Day:
    kept: int = 0
    dropped: int = 0

    @property
    def mark(self) -> str:
        if self.kept:
            return PARTLY if self.dropped else KEPT
        return DROPPED if self.dropped else NONE


def calendar_of(plan: Plan) -> str:
    """The plan as lines of ASCII, at most 80 columns wide, without a final newline.

    One line per month, oldest first, with a mark per day and the number of backups kept. Months without a backup are
    only counted.
    """
    months: dict[int, dict[int, _Day]] = defaultdict(lambda: defaultdict(_Day))
    for month, day in _days(plan.keep):
        months[month][day].kept += 1
    for month, day in _days(plan.drop):
        months[month][day].dropped += 1
    if not months:
        return "no backups"
    lines = [_HEADER]
    before = min(months)
    for month, days in sorted(months.items()):
        if empty := month - before - 1 if month != before else 0:
            lines.append(f"         {empty} {'months' if empty > 1 else 'month'} without a backup")
        lines.append(_line(month, days))
        before = month
    kept, made = len(plan.keep), len(plan.keep) + len(plan.drop)
    return "\n".join([*lines, "", _LEGEND, f"{kept} of {made} backups kept"])


def _days(decisions: Iterable[Decision]) -> Iterable[tuple[int, int]]:
    """The month (counted from the year 0) and the day of every backup."""
    for decision in decisions:
        when = decision.backup.when
        yield when.year * 12 + when.month - 1, when.day


def _line(month: int, days: dict[int, _Day]) -> str:
    year, index = divmod(month, 12)
    marks = "".join(
        days[day].mark if day in days else NONE for day in range(1, calendar.monthrange(year, index + 1)[1] + 1)
    )
    kept = sum(day.kept for day in days.values())
    made = kept + sum(day.dropped for day in days.values())
    return f"{year:04}-{index + 1:02}  {marks:31}  {kept:>4} of {made}"
