"""The table of `bakthat status`, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakthat.domain.duration import in_words
from bakthat.domain.status import SeriesStatus, StatusReport
from bakthat.domain.verification import Verification
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.backup_table import age
from bakthat.entrypoints.screen import cells, cut_inside, padded

_TITLES = ("", "SERIES", "OF", "DEST", "AGE", "SIZE", "NUMBER", "TOTAL", "VERIFIED")
_RIGHT = frozenset({"AGE", "SIZE", "NUMBER", "TOTAL"})
_CUT = (("OF", 12), ("SERIES", 12), ("OF", 6))
"""The columns that are cut on a narrow terminal, one after the other, and to what width."""


def table(report: StatusReport, *, width: int | None, header: bool) -> list[str]:
    """Return a line for each series. `width`: of the screen; None cuts nothing. On a screen, the destination has a
    column only if there are several."""
    rows = [dict(zip(_TITLES, _row(one, report), strict=True)) for one in report.series]
    titles = [title for title in _TITLES if title != "DEST" or width is None or len({row[title] for row in rows}) > 1]
    if header and rows:
        rows.insert(0, {title: title for title in _TITLES})
    widths = {title: max((cells(row[title]) for row in rows), default=0) for title in titles}
    if width is not None:
        for title, least in _CUT:
            too_wide = sum(widths.values()) + 2 * (len(widths) - 1) - width
            if too_wide > 0:
                widths[title] = min(widths[title], max(widths[title] - too_wide, least))
    return [_line(row, widths) for row in rows]


def _cell(text: str, width: int, *, right: bool) -> str:
    return padded(cut_inside(text, width, width * 2 // 3), width, right=right)


def _line(row: dict[str, str], widths: dict[str, int]) -> str:
    return "  ".join(_cell(row[title], width, right=title in _RIGHT) for title, width in widths.items()).rstrip()


def _row(one: SeriesStatus, report: StatusReport) -> Sequence[str]:
    return (
        state_word(one),
        terminal.printable(one.series),
        str(one.origin),
        one.destination,
        "never" if one.newest is None else age(one.newest.when, report.at),
        "-" if one.newest is None else terminal.human_size(one.newest.size),
        str(one.number),
        terminal.human_size(one.total_size),
        _verified(one, report),
    )


def _verified(one: SeriesStatus, report: StatusReport) -> str:
    """`3D: opens`."""
    return "never" if one.verification is None else f"{age(one.verification.at, report.at)}: {_how(one.verification)}"


def state_word(one: SeriesStatus) -> str:
    """Return the worst that can be said of a series: `LATE`, `BAD`, `INCOMPLETE` or `ok`."""
    if one.is_bad:
        return "BAD"
    if one.is_late:
        return "LATE"
    return "INCOMPLETE" if one.is_incomplete else "ok"


def verified_words(one: SeriesStatus, report: StatusReport) -> str:
    """Return when a backup was last verified, and how: `3 days ago: opens`."""
    if one.verification is None:
        return "never"
    return f"{in_words(report.at - one.verification.at)} ago: {_how(one.verification)}"


def _how(verification: Verification) -> str:
    return "BAD" if verification.is_bad else str(verification.level)


def total_words(report: StatusReport, profile: str) -> str:
    """Return the last line. `profile`: whose stores and jobs they are; `show` lists those of all by default."""
    if not report.series:
        return f"No backups in the stores of profile {profile}, and no jobs. `bakthat show` lists all profiles."
    wrong = sum(not one.is_good for one in report.series)
    state = f"{wrong} of {len(report.series)} not good" if wrong else "all good"
    number, size = terminal.counted(report.number, "backup"), terminal.human_size(report.total_size)
    return f"{len(report.series)} series, {number}, {size}: {state} (profile {profile})."


def as_json(report: StatusReport) -> dict[str, Any]:
    """Return the report for `--json`."""
    return {
        "at": int(report.at.timestamp()),
        "at_iso": json_output.iso(report.at),
        "good": report.is_good,
        "number": report.number,
        "total_size": report.total_size,
        "series": [_series_json(one) for one in report.series],
    }


def _series_json(one: SeriesStatus) -> dict[str, Any]:
    verification = one.verification
    return {
        "series": one.series,
        "origin": {"host": one.origin.host, "source": one.origin.source, "unknown": one.origin.is_unknown},
        "destination": one.destination,
        "location": one.location,
        "job": one.job,
        "good": one.is_good,
        "late": one.is_late,
        "incomplete": one.is_incomplete,
        "bad": one.is_bad,
        "problems": list(one.problems),
        "newest": None if one.newest is None else json_output.record_json(one.newest),
        "age_seconds": None if one.age is None else int(one.age.total_seconds()),
        "max_age_seconds": None if one.max_age is None else int(one.max_age.total_seconds()),
        "number": one.number,
        "total_size": one.total_size,
        "verified": None
        if verification is None
        else {
            "stored_filename": verification.backup.stored_filename,
            "at": int(verification.at.timestamp()),
            "at_iso": json_output.iso(verification.at),
            "level": str(verification.level),
            "error": verification.error or None,
        },
    }
