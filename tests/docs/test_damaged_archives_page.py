"""The page for the day when an archive is damaged: its command for the endings does what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "damaged-archives.md").read_text()


def test_the_command_takes_the_endings_away_and_replaces_nothing(tmp_path: Path) -> None:
    (command,) = re.findall(r"^find rescued .*$", PAGE, re.MULTILINE)
    folder = tmp_path / "rescued" / "photos.salvaged" / "photos"
    folder.mkdir(parents=True)
    names = ["a b.jpg.unverified", "c.jpg.partial", "d.jpg", "d.jpg.unverified", "-e $x.jpg.unverified"]
    for name in names:
        (folder / name).write_text(name)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == {
        "a b.jpg": "a b.jpg.unverified",
        "c.jpg.partial": "c.jpg.partial",
        "d.jpg": "d.jpg",
        "d.jpg.unverified": "d.jpg.unverified",
        "-e $x.jpg": "-e $x.jpg.unverified",
    }
