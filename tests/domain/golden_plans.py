"""The plans in `tests/data/rotation`, as a person reviews them. After a change of the rule or of its words, write them
anew with `python -m tests.domain.golden_plans` and read the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.calendar_view import calendar_of
from bakthat.domain.rotation import Decision, Plan, RotationPolicy, plan
from tests.domain.series import backup_at, every, utc

FOLDER = Path(__file__).parents[1] / "data" / "rotation"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@frozen
class Golden:
    """A series, a policy and a moment; `about` heads the file."""

    about: str
    policy: RotationPolicy
    series: Callable[[], list[Backup]]
    now: datetime

    def plan(self) -> Plan:
        return plan(self.policy, self.series(), self.now)


def _accidents() -> list[Backup]:
    return [
        *every(DAY, utc(2025, 11, 20, 2), 20),  # until 2025-12-09
        *every(DAY, utc(2025, 12, 16, 2), 4),  # after a gap
        backup_at(utc(2025, 12, 20, 2), incomplete=True),
        backup_at(utc(2025, 12, 20, 14)),
        backup_at(utc(2025, 12, 21, 2), incomplete=True),
        *every(HOUR, utc(2025, 12, 22, 1), 4),
        backup_at(utc(2025, 12, 23, 2), stored_filename="site.20251223020000.tgz"),
        backup_at(utc(2025, 12, 23, 2), stored_filename="site.20251223020000.tgz.enc"),
        *every(DAY, utc(2025, 12, 24, 2), 3, incomplete=True),
        backup_at(utc(2026, 3, 1, 2)),
    ]


GOLDEN = {
    "year-of-daily": Golden(
        "a year of daily backups at 02:00, rotated on New Year's Eve",
        RotationPolicy(days=7, weeks=4, months=12),
        lambda: every(DAY, utc(2025, 1, 1, 2), 365),
        utc(2025, 12, 31, 3),
    ),
    "month-of-hourly": Golden(
        "a month of hourly backups at five past, rotated in its last hour; weeks begin on Monday",
        RotationPolicy(hours=24, days=7, weeks=4, months=1, last=3, first_week_day=0),
        lambda: every(HOUR, utc(2026, 3, 1, 0, 5), 31 * 24),
        utc(2026, 3, 31, 23, 30),
    ),
    "accidents": Golden(
        "a gap, incomplete backups (!), two of one second, one dated in the future",
        RotationPolicy(days=7, weeks=3, months=2),
        _accidents,
        utc(2025, 12, 26, 3),
    ),
}


def report(golden: Golden) -> str:
    """The plan as text: the calendar, what is kept and why, what goes and why."""
    planned = golden.plan()
    return "\n".join(
        [
            golden.about,
            f"policy: {golden.policy}",
            f"now: {golden.now:%Y-%m-%d %H:%M:%S}",
            "",
            calendar_of(planned),
            "",
            "keep",
            *(f"  {_line(decision)}" for decision in planned.keep),
            "",
            "drop (a run of backups with the same reasons is one line)",
            *(f"  {line}" for line in _runs(planned.drop)),
            "",
        ]
    )


def _name(decision: Decision) -> str:
    suffix = decision.backup.stored_filename.split(".", 2)[2]
    mark = "!" if decision.backup.is_incomplete else ""
    return f"{decision.backup.when:%Y-%m-%d %H:%M} .{suffix}{mark}"


def _line(decision: Decision) -> str:
    return f"{_name(decision)}  {'; '.join(decision.reasons)}"


def _runs(decisions: Iterable[Decision]) -> Iterator[str]:
    for reasons, run in groupby(decisions, key=lambda decision: decision.reasons):
        members = list(run)
        if len(members) == 1:
            yield _line(members[0])
        else:
            yield f"{_name(members[0])} back to {_name(members[-1])} ({len(members)})  {'; '.join(reasons)}"


if __name__ == "__main__":
    for name, golden in GOLDEN.items():
        (FOLDER / f"{name}.txt").write_text(report(golden))
