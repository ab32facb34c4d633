"""The calendar of a rotation's plan, with plans that a person has reviewed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakthat.domain.calendar_view import calendar_of
from bakthat.domain.rotation import Plan, RotationPolicy, plan
from tests.domain.golden_plans import FOLDER, GOLDEN, report
from tests.domain.series import backup_at, every, utc


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_the_plans_that_a_person_reviewed_are_made(name):
    assert report(GOLDEN[name]) == (FOLDER / f"{name}.txt").read_text()


def test_every_reviewed_plan_is_made():
    assert {path.stem for path in FOLDER.iterdir()} == set(GOLDEN)


def test_a_plan_without_backups_has_no_calendar():
    assert calendar_of(Plan()) == "no backups"


def test_a_month_is_a_line_and_a_day_a_mark():
    days = [1, 5, 10, 15, 20, 25, 28]
    series = [backup_at(utc(2026, 2, day)) for day in days] + [backup_at(utc(2026, 2, 28, 12))]
    assert calendar_of(plan(RotationPolicy(last=3), series, utc(2026, 3))).splitlines() == [
        "         1   5    10   15   20   25   30",
        "2026-02  -...-....-....-....-....#..#        3 of 8",
        "",
        "# kept   + some of the day kept   - dropped   . no backup   (days of UTC)",
        "3 of 8 backups kept",
    ]


def test_a_day_of_which_some_are_kept_has_its_own_mark():
    series = every(timedelta(hours=6), utc(2026, 1, 31), 4)
    assert "..............................+     2 of 4" in calendar_of(
        plan(RotationPolicy(last=2), series, utc(2026, 2))
    )


@pytest.mark.parametrize(
    ("later", "line"),
    [
        (utc(2026, 2), None),
        (utc(2026, 3), "         1 month without a backup"),
        (utc(2027, 1), "         11 months without a backup"),
        (utc(9999, 12), "         95686 months without a backup"),
    ],
)
def test_months_without_a_backup_are_counted_and_not_drawn(later, line):
    lines = calendar_of(
        plan(RotationPolicy(last=2), [backup_at(utc(2026, 1)), backup_at(later)], utc(2030))
    ).splitlines()
    assert lines[2:-4] == ([line] if line else [])
    assert lines[-4].startswith(f"{later:%Y-%m}  #")


def test_the_first_and_the_last_month_of_all_can_be_drawn():
    text = calendar_of(plan(RotationPolicy(last=2), [backup_at(utc(1)), backup_at(utc(9999, 12, 31))], utc(2026)))
    assert "\n0001-01  #....." in text
    assert "\n9999-12  ..............................#     1 of 1\n" in text
