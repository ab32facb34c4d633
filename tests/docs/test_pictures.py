"""The pictures of terminals are what bakthat shows now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_pictures_are_what_bakthat_shows_now(tmp_path: Path) -> None:
    """If this fails, and what bakthat shows now is meant: `make pictures`."""
    script = ROOT / "docs" / "site" / "pictures.py"
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_text() for path in (ROOT / "docs" / "pictures").iterdir()}
