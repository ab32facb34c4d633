"""The page of exit codes has every code, and its script runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bakthat.entrypoints.exit_codes import EXIT_CODES
from bakthat.entrypoints.options import INCOMPLETE

PAGE = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text()


def codes() -> set[int]:
    rows = re.findall(r"^\| ([0-9, ]+) \|", PAGE, re.MULTILINE)
    return {int(code) for row in rows for code in row.split(",")}


def test_every_code_is_in_the_table() -> None:
    assert codes() == {0, *(code for _, code in EXIT_CODES), INCOMPLETE, 129, 130, 143, 141}


def test_the_readme_names_the_same_codes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    sentence = readme.split("[Exit codes](docs/exit-codes.md):")[1].split("\n\n")[0]
    assert {int(code) for code in re.findall(r"(?:^|, |\n)(\d+) ", sentence)} == codes()


@pytest.mark.parametrize(
    ("code", "said"), [(0, ""), (3, "some files were not readable\n"), (4, "the backup failed\n")], ids=["0", "3", "4"]
)
def test_the_script_tells_the_codes_apart(tmp_path: Path, code: int, said: str) -> None:
    (script,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["sh", "-c", f"bakthat() {{ return {code}; }}\n{script}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == said
