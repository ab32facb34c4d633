"""docs/adapters.md shows the example package as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "adapters.md").read_text()
EXAMPLE = ROOT / "examples" / "bakthat-sqlite"


@pytest.mark.parametrize("file", ["bakthat_sqlite.py", "tests/test_bakthat_sqlite.py", "pyproject.toml"])
def test_the_page_holds_the_whole_file(file: str) -> None:
    language = "toml" if file.endswith(".toml") else "python"
    assert f"```{language}\n{(EXAMPLE / file).read_text()}```\n" in PAGE


def test_the_page_forgets_no_file() -> None:
    files = [path for path in EXAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) == 3


def test_the_settings_on_the_page_are_those_that_the_package_reads() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert yaml.safe_load(block)["default"]["stores"]["sqlite"]["path"]


def test_the_store_is_small() -> None:
    code = (EXAMPLE / "bakthat_sqlite.py").read_text().split("class SqliteStore", 1)[1].split("\ndef _info", 1)[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 60
