"""States of origins in files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bakthat.adapters.cache.state_files import StateFiles
from bakthat.adapters.memory.file_states import MemoryFileStates
from bakthat.ports.file_states import FileStates

ONE, TWO, THREE = bytes(16), b"2" * 16, b"3" * 16


@pytest.fixture(params=["files", "memory"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> FileStates:
    return StateFiles(tmp_path / "states") if request.param == "files" else MemoryFileStates()


def kept(states: FileStates, origin: str = "web1:/etc", backup: str = "first") -> FileStates:
    with states.draft(origin) as draft:
        draft.add(b"etc/", {b"passwd": ONE, b"group": TWO})
        draft.add(b"etc/ssh/", {b"config": THREE})
        draft.add(b"etc/empty/", {})
        draft.keep(backup)
    return states


def test_what_is_the_same_is_unchanged(states: FileStates) -> None:
    known = kept(states).known("web1:/etc", "first")
    assert known is not None
    assert known.unchanged(b"etc/", {b"passwd": ONE, b"group": TWO}) == {b"passwd", b"group"}
    assert known.unchanged(b"etc/ssh/", {b"config": THREE}) == {b"config"}


def test_what_is_new_or_another_or_elsewhere_is_not(states: FileStates) -> None:
    known = kept(states).known("web1:/etc", "first")
    assert known is not None
    assert known.unchanged(b"etc/", {b"new": ONE, b"group": THREE, b"passwd": ONE}) == {b"passwd"}
    assert known.unchanged(b"etc/", {b"group": ONE, b"passwd": TWO}) == set()
    assert known.unchanged(b"etc/", {}) == set()
    assert known.unchanged(b"etc/ssh/", {b"passwd": ONE}) == set()
    assert known.unchanged(b"etc/empty/", {b"a": ONE}) == set()
    assert known.unchanged(b"other/", {b"passwd": ONE}) == set()


def test_a_state_belongs_to_one_backup_of_one_origin(states: FileStates) -> None:
    kept(states)
    assert states.known("web1:/etc", "second") is None
    assert states.known("web2:/etc", "first") is None


def test_a_draft_that_is_not_kept_changes_nothing(states: FileStates) -> None:
    kept(states)
    with states.draft("web1:/etc") as draft:
        draft.add(b"etc/", {b"passwd": TWO})
    known = states.known("web1:/etc", "first")
    assert known is not None
    assert known.unchanged(b"etc/", {b"passwd": ONE, b"x": TWO}) == {b"passwd"}


def test_a_new_state_replaces_the_old_one(states: FileStates) -> None:
    kept(states)
    kept(states, backup="second")
    assert states.known("web1:/etc", "first") is None
    assert states.known("web1:/etc", "second") is not None


def test_two_drafts_at_once_do_not_mix(states: FileStates) -> None:
    with states.draft("o") as one, states.draft("o") as other:
        one.add(b"a/", {b"x": ONE})
        other.add(b"a/", {b"x": TWO})
        one.keep("one")
        other.keep("other")
    assert states.known("o", "one") is None
    known = states.known("o", "other")
    assert known is not None
    assert known.unchanged(b"a/", {b"x": TWO}) == {b"x"}


def test_a_known_state_stays_readable_when_it_is_replaced(states: FileStates) -> None:
    known = kept(states).known("web1:/etc", "first")
    kept(states, backup="second")
    assert known is not None
    assert known.unchanged(b"etc/ssh/", {b"config": THREE}) == {b"config"}


# Only of the files


def test_only_the_owner_can_read_it_and_no_name_is_in_it(tmp_path: Path) -> None:
    kept(StateFiles(tmp_path / "states"))
    (path,) = (tmp_path / "states").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    content = path.read_bytes()
    assert not any(name in content + os.fsencode(path.name) for name in (b"passwd", b"etc", b"web1", b"first"))
    assert len(content) == 48 + 2 * 20 + 3 * 32 + 64


def test_two_states_of_the_same_files_have_nothing_in_common(tmp_path: Path) -> None:
    """Each has a key of its own."""
    for name in ("a", "b"):
        kept(StateFiles(tmp_path / name))
    one, other = (next((tmp_path / name).iterdir()).read_bytes() for name in ("a", "b"))
    assert one[48:64] != other[48:64]


def test_a_file_that_was_altered_or_truncated_counts_as_absent(tmp_path: Path) -> None:
    states = kept(StateFiles(tmp_path / "states"))
    (path,) = (tmp_path / "states").iterdir()
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert states.known("web1:/etc", "first") is None
    for length in (0, 1, 16, 48, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert states.known("web1:/etc", "first") is None
    path.write_bytes(whole)
    assert states.known("web1:/etc", "first") is not None


def test_something_other_than_a_file_counts_as_absent(tmp_path: Path) -> None:
    states = kept(StateFiles(tmp_path / "states"))
    (path,) = (tmp_path / "states").iterdir()
    path.unlink()
    os.mkfifo(path)
    assert states.known("web1:/etc", "first") is None
    path.unlink()
    path.symlink_to("/dev/zero")
    assert states.known("web1:/etc", "first") is None


def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    states = kept(StateFiles(tmp_path / "states"))
    (tmp_path / "states").chmod(0o755)
    assert states.known("web1:/etc", "first") is None
    with states.draft("o") as draft:
        draft.add(b"a/", {b"x": ONE})
        with pytest.raises(OSError, match="not for its owner alone"):
            draft.keep("backup")


def test_an_error_of_the_disk_is_raised_only_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "states").write_text("a file where the folder should be")
    with StateFiles(tmp_path / "states").draft("o") as draft:
        for number in range(40_000):  # more than is buffered
            draft.add(b"%d/" % number, {b"x": ONE})
        with pytest.raises(OSError, match=f"{tmp_path}/states: .*; XDG_CACHE_HOME names another place"):
            draft.keep("backup")


def test_leftovers_of_killed_backups_and_unused_states_are_removed(tmp_path: Path) -> None:
    states = kept(StateFiles(tmp_path / "states"))
    kept(states, origin="gone")
    (path,) = set((tmp_path / "states").iterdir()) - {states._path("web1:/etc")}
    leftover, running = tmp_path / "states" / ".new-abc", tmp_path / "states" / ".new-def"
    leftover.touch()
    running.touch()
    for old in (path, leftover):
        os.utime(old, (0, 0))
    kept(states)
    assert set((tmp_path / "states").iterdir()) == {states._path("web1:/etc"), running}


def test_a_draft_leaves_no_file_behind(tmp_path: Path) -> None:
    states = StateFiles(tmp_path / "states")
    with states.draft("o") as draft:
        for number in range(40_000):
            draft.add(b"%d/" % number, {b"x": ONE})
        assert len(list((tmp_path / "states").iterdir())) == 1
    assert list((tmp_path / "states").iterdir()) == []
