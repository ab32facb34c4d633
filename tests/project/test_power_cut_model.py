"""The model of a disk that loses what was not synced, which the tests of power cuts rest on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.fixtures.power_cut import Tree, moments, read_tree
from tests.fixtures.system_calls import recorded

WRITE = "fd = os.open('new', os.O_WRONLY | os.O_CREAT, 0o644); os.write(fd, b'content')"
SYNC = "os.fsync(fd)"
RENAME = "os.rename('new', 'name')"
SYNC_NAMES = "os.fsync(os.open('.', os.O_RDONLY))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.mkdir()
    (path / "name").write_bytes(b"old")
    (path / "name").chmod(0o644)
    return path


def left(folder: Path, *steps: str) -> list[Tree]:
    """What a cut may leave, at any moment, of a folder in which these steps of Python run."""
    before = read_tree(folder)
    script = "\n".join(["import os", *steps, "os.write(1, b'done')"])
    calls, done = recorded([sys.executable, "-c", script], folder.parent / "log", env=dict(os.environ), cwd=folder)
    assert done.stdout == "done", done.stderr
    return [state for moment in moments(folder, before, calls, told=b"done") for state in moment.states]


OLD, EMPTY, NEW = (b"old", 0o644), (b"", 0o644), (b"content", 0o644)


def test_a_file_that_is_renamed_before_it_is_synced_may_be_empty(folder: Path) -> None:
    assert {state["name"] for state in left(folder, WRITE, RENAME)} == {OLD, EMPTY, NEW}


def test_a_file_that_is_synced_before_it_is_renamed_is_old_or_new(folder: Path) -> None:
    assert {state["name"] for state in left(folder, WRITE, SYNC, RENAME)} == {OLD, NEW}


def test_a_name_may_be_lost_until_its_folder_is_synced(folder: Path) -> None:
    assert left(folder, WRITE, SYNC, RENAME)[-2:] != [{"name": NEW}] * 2
    assert left(folder, WRITE, SYNC, RENAME, SYNC_NAMES)[-1] == {"name": NEW}


def test_a_later_change_may_be_there_without_an_earlier_one(folder: Path) -> None:
    states = left(folder, "os.mkdir('a')", "os.mkdir('b')")
    assert {"name": OLD, "b": {}} in states


def test_a_file_that_had_no_name_until_it_was_whole_is_whole(folder: Path) -> None:
    steps = [
        "fd = os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o644); os.write(fd, b'content')",
        SYNC,
        "os.link(f'/proc/self/fd/{fd}', 'other', dst_dir_fd=os.open('.', os.O_RDONLY), follow_symlinks=True)",
    ]
    assert {state["other"] for state in left(folder, *steps) if "other" in state} == {NEW}
