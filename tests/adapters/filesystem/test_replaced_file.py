"""Files that other programs read: all or nothing, readable by all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakthat.adapters.filesystem.replaced_file import replace_file


def test_a_file_is_written_with_mode_0644_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "a.prom", "one\n")
        replace_file(tmp_path / "a.prom", "two\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a.prom").read_text() == "two\n"
    assert (tmp_path / "a.prom").stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["a.prom"]


def test_a_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with (tmp_path / "a").open() as reader:
        replace_file(tmp_path / "a", "new")
        assert reader.read() == "old"


def test_a_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    replace_file(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "x"


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    replace_file(tmp_path / "pipe", "x")
    assert os.read(reading, 9) == b"x"
    os.close(reading)
    assert (tmp_path / "pipe").is_fifo()


def test_a_pipe_that_has_no_path_is_written_to() -> None:
    """What `/dev/stdout` and `>(…)` of a shell lead to."""
    reading, writing = os.pipe()
    replace_file(f"/dev/fd/{writing}", "x")
    assert os.read(reading, 9) == b"x"
    os.close(reading)
    os.close(writing)


def test_a_file_that_was_deleted_while_it_is_open_gets_no_other_name(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w+") as file:
        (tmp_path / "a").unlink()
        replace_file(f"/dev/fd/{file.fileno()}", "x")
        assert file.read() == "x"
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(tmp_path / "a", "\udcff")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "nowhere" / "a", "x")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"
