"""`make fast` answers in about two seconds, since no test in its folders runs hundreds of examples."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


def imported(module: Path) -> set[str]:
    """The packages that this module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    absolute = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in absolute + plain}


@pytest.mark.parametrize("folder", ["domain", "usecases"])
def test_tests_over_random_examples_are_in_the_folder_of_laws(folder: str) -> None:
    modules = sorted((TESTS / folder).rglob("*.py"))
    assert modules
    wrong = [module.name for module in modules if "hypothesis" in imported(module)]
    assert not wrong, f"move the tests that use hypothesis from tests/{folder} to tests/{folder}_laws"
