"""`docs/rotation.md` shows what the code prints and reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bakthat.domain.calendar_view import calendar_of
from bakthat.domain.interval import UNITS, parse_interval
from bakthat.domain.rotation import RotationPolicy, policy_from
from tests.domain.golden_plans import GOLDEN

PAGE = (Path(__file__).parents[2] / "docs" / "rotation.md").read_text()


@pytest.mark.parametrize("name", ["year-of-daily", "month-of-hourly"])
def test_the_page_shows_the_calendar_that_the_code_prints(name):
    assert f"<!-- calendar: {name} -->\n```\n{calendar_of(GOLDEN[name].plan())}\n```\n" in PAGE


def test_the_sections_of_the_page_are_policies():
    sections = [yaml.safe_load(block)["default"]["rotation"] for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
    assert [policy_from(section, where="docs/rotation.md") for section in sections] == [
        RotationPolicy(days=7, weeks=4, months=12),
        RotationPolicy(hours=24, days=7, weeks=4, months=12, years=5, last=3, first_week_day=0),
    ]


def test_the_page_quotes_reasons_that_the_code_gives():
    planned = GOLDEN["year-of-daily"].plan()
    given = {"; ".join(decision.reasons) for decision in planned.keep + planned.drop}
    quoted = re.findall(r"`((?:weekly|older)[^`]*)`", " ".join(PAGE.split()))
    assert len(quoted) == 2
    assert all(any(quote in reasons for reasons in given) for quote in quoted)


def test_the_page_explains_every_unit_of_an_interval():
    header = "| " + " | ".join(f"`{unit}`" for unit in UNITS) + " |"
    assert header in PAGE
    assert "`3M2D8h20m5s`" in PAGE
    assert parse_interval("3M2D8h20m5s")
