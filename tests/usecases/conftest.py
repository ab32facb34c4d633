"""A toolbox in memory, and a small tree to back up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakthat.domain.backup import Backup
from bakthat.testing.toolbox import Toolbox
from tests.fixtures.nights import night


@pytest.fixture
def box() -> Toolbox:
    return Toolbox()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "pages").mkdir(parents=True)
    (root / "index.html").write_text("<h1>hello</h1>")
    (root / "pages" / "about.html").write_text("about")
    return root


@pytest.fixture
def chained_tree(tmp_path: Path) -> Path:
    """What `nights` backs up."""
    root = tmp_path / "site"
    root.mkdir()
    (root / "large").write_bytes(os.urandom(20_000))  # a night's change is little of it
    return root


@pytest.fixture
def nights(box: Toolbox, chained_tree: Path) -> list[Backup]:
    """A full backup and three incremental ones in `s3`, a day apart."""
    made = []
    for number in range(4):
        (chained_tree / f"{number}").write_text(str(number))
        made.append(night(box, chained_tree))
    assert [one.is_incremental for one in made] == [False, True, True, True]
    return made
