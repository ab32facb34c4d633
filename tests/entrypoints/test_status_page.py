"""The page of `status --html`, in a real browser: what is seen, on which screen, and what a screen reader says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bakthat.entrypoints.status_page.calendar import calendar_figure
from bakthat.entrypoints.status_page.chart import MOST_POINTS, size_chart
from bakthat.entrypoints.status_page.page import page
from tests.fixtures.chromium import Page
from tests.fixtures.status_reports import NOW, expected, made, report


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about a series of 300 nights, one that is late, and one with a long and nasty name."""
    photos = [made(24 * night + 2, series="photos", source="/home/ann", size=10**9 + night) for night in range(300)]
    shop = [made(90, series="shop.sql", source="-")]
    nasty = [made(1, series="<b>" + "long" * 40, source="/" + "x" * 300, incomplete=True, problem_count=1)]
    jobs = [expected("shop", series="shop.sql", source="-"), expected("photos", source="/home/ann")]
    path = tmp_path_factory.mktemp("status") / "status.html"
    path.write_text(page(report(*photos, *shop, *nasty, jobs=jobs), "default"))
    return path


def luminance(colour: str) -> float:
    """Of `rgb(…)`, as WCAG defines it."""
    channels = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


COLOURS = """
JSON.stringify([...document.querySelectorAll("body *")].filter(one => one.checkVisibility() && [...one.childNodes].some(
  child => child.nodeType == 3 && child.textContent.trim())).map(one => {
    let back = one;
    while (getComputedStyle(back).backgroundColor == "rgba(0, 0, 0, 0)") back = back.parentElement;
    return [one.tagName, getComputedStyle(one).color, getComputedStyle(back).backgroundColor];
}))
"""


def test_the_page_in_a_browser(browser_page: Page, file: Path) -> None:
    """One test, since each opening takes a part of a second: light and dark, wide and narrow."""
    backgrounds = []
    for dark in (False, True):
        for width in (1100, 360):
            browser_page.open(file, width=width, dark=dark)
            assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
        backgrounds.append(luminance(browser_page.evaluate("getComputedStyle(document.body).backgroundColor")))
        for tag, ink, back in json.loads(browser_page.evaluate(COLOURS)):
            light, shade = sorted((luminance(ink), luminance(back)), reverse=True)
            assert (light + 0.05) / (shade + 0.05) >= 4.5, (tag, ink, back, dark)  # WCAG 2, level AA
    assert backgrounds[0] > 0.8 > 0.1 > backgrounds[1]

    heard = browser_page.read_out()
    by_role = {role: [name for one, name in heard if one == role] for role, _ in heard}
    assert [name for name in by_role["heading"] if name.startswith(("Backups of", "shop", "photos"))] == [
        "Backups of default",
        "shop.sql of web1, a stream",
        "photos of web1:/home/ann",
    ]
    assert by_role["table"][0] == "All series"
    assert all(by_role["table"] + by_role["image"] + by_role["link"] + by_role["region"])
    assert "October 2026: backups on 31 of 31 days" in by_role["image"]
    assert any(name.startswith("Size over time: 1.0 GB on ") for name in by_role["image"])
    text = browser_page.evaluate("document.body.innerText")
    assert "✗ 2 of 3 series are not as it should be:" in text
    assert "shop.sql of web1:-, job shop: late: the newest backup is 3 days old, and may be 26 hours old" in text
    assert browser_page.evaluate("document.querySelectorAll('b').length") == 0


def test_a_page_that_has_become_old_says_so(browser_page: Page, file: Path, tmp_path: Path) -> None:
    recent, old = tmp_path / "recent.html", tmp_path / "old.html"
    text = file.read_text()
    stamp = f'<p class="when" id="as-of">As of <time datetime="{NOW:%Y-%m-%dT%H:%M:%SZ}">'
    assert stamp in text
    recent.write_text(text.replace(stamp, stamp.replace("2026-11-26", "2999-01-01")))
    old.write_text(text.replace(stamp, stamp.replace("2026-11-26", "2000-01-01")))
    browser_page.open(recent)
    assert browser_page.evaluate("document.getElementById('old').checkVisibility()") is False
    browser_page.open(old)
    assert re.match(r"This page is \d+ days old\.", browser_page.evaluate("document.getElementById('old').innerText"))


def test_nothing_comes_from_elsewhere(file: Path) -> None:
    text = file.read_text()
    assert re.findall(r"(?:src|href)\s*=\s*[\"'](?!#)", text) == []
    assert re.findall(r"url\(|@import|https?://", text) == []


def test_a_name_cannot_become_markup() -> None:
    nasty = '"><script>alert(1)</script>&\u202e'
    text = page(report(made(1, series=nasty, source=nasty, host=nasty), jobs=[expected(source=nasty)]), nasty)
    assert text.count("<script>") == 1
    assert "\u202e" not in text


def test_a_backup_that_a_wrong_clock_has_dated_ahead_is_in_no_picture() -> None:
    text = page(report(made(1), made(25, size=2000), made(-24 * 900, size=10**9)), "default")
    assert 'aria-label="November 2026: backups on 2 of 2 days"' in text
    assert "the largest is 2.0 kB" in text
    assert "2029" in text  # it is in the list


def test_a_page_without_backups_says_so() -> None:
    assert "There are no backups, and no jobs." in page(report(), "default")


@pytest.mark.parametrize(
    ("nights", "sentence"),
    [
        ([0, 1, 2, 3], "November 2026: backups on 4 of 4 days"),
        ([0, 3], "November 2026: backups on 2 of 4 days; none on the 24, 25"),
        ([4], "November 2026: backups on 1 of 5 days; none on the 23, 24, 25, 26"),
    ],
    ids=["all", "gaps", "late"],
)
def test_the_calendar_has_a_sentence(nights: list[int], sentence: str) -> None:
    assert f'aria-label="{sentence}"' in calendar_figure([made(24 * night + 2) for night in nights], NOW)


def test_the_calendar_tells_incomplete_days() -> None:
    figure = calendar_figure([made(2, incomplete=True), made(26)], NOW)
    assert "; only incomplete ones on the 26" in figure
    assert "2026-11-26: only incomplete backups" in figure


def test_the_calendar_has_the_last_twelve_months() -> None:
    figure = calendar_figure([made(24 * 800), made(1)], NOW)
    assert figure.count('class="month"') == 12


def test_a_chart_of_many_backups_keeps_the_largest() -> None:
    backups = [made(hour, size=9_000_000 if hour == 1234 else 1000) for hour in range(3000)]
    figure = size_chart(backups)
    assert "the largest is 9.0 MB" in figure
    curve = figure.split('class="curve"')[1]
    assert curve.count(" 0L") == 1  # it touches the top once
    assert curve.count("L") <= MOST_POINTS


def test_one_backup_has_no_chart() -> None:
    assert size_chart([made(1)]) == ""
    assert size_chart([made(1), made(1)]) == ""
