"""A toolbox in memory, and a small tree to back up."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakthat.testing.toolbox import Toolbox


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
