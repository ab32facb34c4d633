"""Every Python block of the documentation runs, page by page, in an empty home with a folder `photos`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import run_page

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
FOLLOWED_ELSEWHERE = {"restore-without-bakthat.md"}  # a program for a shell: test_restore_without_bakthat.py
PAGES = sorted(page.name for page in DOCS.glob("*.md") if run_page.BLOCK.search(page.read_text()))


def test_the_pages_with_code_are_known() -> None:
    assert set(PAGES) >= {"adapters.md", "library.md", "testing-your-scripts.md"} | FOLLOWED_ELSEWHERE


@pytest.mark.parametrize("page", [page for page in PAGES if page not in FOLLOWED_ELSEWHERE])
def test_the_blocks_of_a_page_run_without_a_warning(page: str, tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    (here / "photos").mkdir(parents=True)
    (here / "photos" / "one.jpg").write_bytes(os.urandom(1000))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BAKTHAT_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", run_page.__file__, str(DOCS / page)],
        cwd=here,
        env={**kept, "HOME": str(home), "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "examples/bakthat-sqlite")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
