"""The page on security: every promise names a test, and every named test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| bakthat promises |")]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_every_promise_names_its_test(row: str) -> None:
    promise, shown_by = row.strip("| ").rsplit(" | ", 1)
    assert promise.endswith(".")
    assert re.fullmatch(r"`[\w/]+\.py::\w+`(, `[\w/]+\.py::\w+`)*", shown_by)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    module = ast.parse((TESTS / path).read_text())
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name]
    assert len(functions) == 1
    skipped = [decorator for decorator in functions[0].decorator_list if "skip" in ast.unparse(decorator)]
    assert skipped == []


def test_every_kind_of_attacker_has_promises() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    with_promises = [section.splitlines()[0] for section in sections if "| bakthat promises |" in section]
    assert len(with_promises) == 5
    assert len(ROWS) >= 30
