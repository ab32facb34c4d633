"""The calendar of a series: a picture of each month, with a sentence for those who do not see it."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from bakthat.domain.backup import Backup
from bakthat.entrypoints.status_page.text import escaped

MOST_MONTHS = 12
"""How many months are shown, the last ones."""

_CELL, _GAP = 10, 2
_MOST_NAMED = 5
"""Days without a backup that the sentence of a month names."""

_KEY = (
    '<figcaption><span class="key yes"></span>backup<span class="key part"></span>only incomplete ones'
    '<span class="key no"></span>no backup. Days of UTC.</figcaption>'
)


def calendar_figure(backups: Iterable[Backup], now: datetime) -> str:
    """The figure with the last months from the first backup until now; "" without backups."""
    days = _days(backups)
    if not days:
        return ""
    span = (min(days), max(now.astimezone(UTC).date(), max(days)))
    months = _months(*span)[-MOST_MONTHS:]
    pictures = "".join(_month(year, month, days, span) for year, month in months)
    return f'<figure><div class="months">{pictures}</div>{_KEY}</figure>'


def _days(backups: Iterable[Backup]) -> dict[date, bool]:
    """The days with a backup; False for those that have only incomplete ones."""
    days: dict[date, bool] = {}
    for backup in backups:
        day = backup.when.date()
        days[day] = days.get(day, False) or not backup.is_incomplete
    return days


def _months(first: date, last: date) -> list[tuple[int, int]]:
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [(number // 12, number % 12 + 1) for number in numbers]


def _month(year: int, month: int, days: Mapping[date, bool], span: tuple[date, date]) -> str:
    weekday, length = calendar.monthrange(year, month)
    all_days = [date(year, month, number) for number in range(1, length + 1)]
    cells = []
    for position, one in enumerate(all_days, start=weekday):
        x, y = (position % 7) * (_CELL + _GAP), (position // 7) * (_CELL + _GAP)
        kind = "yes" if days.get(one) else "part" if one in days else "no" if span[0] <= one <= span[1] else "off"
        cells.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="2">'
            + (f"<title>{one:%Y-%m-%d}: {_WORDS[kind]}</title>" if kind in _WORDS else "")
            + "</rect>"
        )
        if kind == "part":  # a stroke, so that the colour is not all that tells
            cells.append(f'<path class="missing" d="M{x + 1} {y + _CELL - 1}L{x + _CELL - 1} {y + 1}"/>')
    wide, high = 7 * (_CELL + _GAP) - _GAP, 6 * (_CELL + _GAP) - _GAP
    sentence = escaped(_sentence([one for one in all_days if span[0] <= one <= span[1]], days))
    return (
        f'<div class="month"><span aria-hidden="true">{all_days[0]:%b %Y}</span>'
        f'<svg role="img" aria-label="{sentence}" viewBox="0 0 {wide} {high}">{"".join(cells)}</svg></div>'
    )


_WORDS = {"yes": "backup", "part": "only incomplete backups", "no": "no backup"}
"""Of a day; one before the first backup, or after today, has none."""


def _sentence(past: list[date], days: Mapping[date, bool]) -> str:
    without = [str(one.day) for one in past if one not in days]
    incomplete = [str(one.day) for one in past if days.get(one) is False]
    text = f"{past[0]:%B %Y}: backups on {len(past) - len(without)} of {len(past)} days"
    if 0 < len(without) <= _MOST_NAMED:
        text += f"; none on the {', '.join(without)}"
    if incomplete:
        text += f"; only incomplete ones on the {', '.join(incomplete)}"
    return text
