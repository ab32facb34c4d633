"""What hypothesis tries does not depend on luck, and may take as long as a busy machine needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAW = """
from hypothesis import given, strategies as st
@given(st.integers())
def test_law(number):
    with open("tried", "a") as tried:
        print(number, file=tried)
"""


@pytest.mark.parametrize(
    ("seeds", "alike"), [((None, None), True), (("1", "1"), True), (("1", "2"), False)], ids=["none", "one", "two"]
)
def test_other_examples_are_tried_with_another_seed_only(
    tmp_path: Path, seeds: tuple[str | None, str | None], alike: bool
) -> None:
    (tmp_path / "test_law.py").write_text(LAW)
    tried = []
    for seed in seeds:
        options = [] if seed is None else [f"--hypothesis-seed={seed}"]
        command = [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path]
        subprocess.run(
            [*command, "-p", "no:cacheprovider", "-p", "tests.conftest", *options, tmp_path / "test_law.py"],
            cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True,
        )  # fmt: skip
        tried.append((tmp_path / "tried").read_text())
        (tmp_path / "tried").unlink()
    assert (tried[0] == tried[1]) is alike
