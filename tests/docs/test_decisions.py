"""The index of the decisions has each of them once, under its own title."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
FILES = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")


@frozen
class Row:
    number: str
    title: str
    link: str
    date: str
    status: str
    decided: str


def index() -> list[Row]:
    lines = (DECISIONS / "README.md").read_text().splitlines()
    rows = [re.split(r" \| ", line.strip("| ")) for line in lines if re.match(r"\| \d{4} ", line)]
    found = []
    for number, linked, *rest in rows:
        title, link = re.fullmatch(r"\[(.*)\]\((.*)\)", linked).groups()
        found.append(Row(number, title, link, *rest))
    return found


def heading(path: Path) -> tuple[str, str, str]:
    """The number, the title, and by what the decision is replaced; empty if by nothing."""
    pattern = r"# (\d{4}) (.*?)(?: \((replaced by .*)\))?"
    number, title, replaced = re.fullmatch(pattern, path.read_text().splitlines()[0]).groups()
    return number, title, replaced or ""


def test_every_decision_is_in_the_index_once_and_in_order() -> None:
    assert [row.link for row in index()] == [path.name for path in FILES]


def test_a_decision_has_the_number_and_the_title_of_its_page() -> None:
    assert [(row.number, row.title) for row in index()] == [heading(path)[:2] for path in FILES]
    assert [row.number for row in index()] == [path.name[:4] for path in FILES]


def test_a_decision_that_is_replaced_is_said_to_be() -> None:
    replaced = {row.number: row.status for row in index() if row.status.startswith("replaced")}
    assert replaced == {path.name[:4]: heading(path)[2] for path in FILES if heading(path)[2]}


def test_a_status_names_decisions_that_are_there() -> None:
    numbers = {row.number for row in index()}
    assert all(re.match(r"holds(; \d{4} |$)|replaced by \d{4}", row.status) for row in index())
    assert {number for row in index() for number in re.findall(r"\d{4}", row.status)} <= numbers


def test_every_row_has_a_date_and_says_what_was_decided() -> None:
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row.date) for row in index())
    assert all(re.fullmatch(r".{20,125}\.", row.decided) for row in index())
