"""A run of the tests neither finds nor changes what the person who runs it has at home."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

LOOKS = """
import os
from pathlib import Path

def test_looks():
    home = Path.home()
    assert list(home.iterdir()) == []
    (home / "left behind").touch()
    assert not [name for name in os.environ if name.startswith(("AWS_", "BAKTHAT_", "XDG_"))]
"""


def test_what_is_at_home_is_not_found_and_not_changed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".bakthat.yml").touch()
    (tmp_path / "test_it.py").write_text(LOOKS)
    settings = {"BAKTHAT_PROFILE": "mine", "AWS_PROFILE": "mine", "XDG_STATE_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest", "test_it.py"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "HOME": str(home), **settings}, check=True,
    )  # fmt: skip
    assert [path.name for path in home.iterdir()] == [".bakthat.yml"]
