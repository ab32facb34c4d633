"""How files of patterns are found and read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bakthat.adapters.packing.writing.pattern_files import named_patterns, source_patterns
from bakthat.errors import SourceError, UsageError


def own_lines(source: Path) -> tuple[str, ...] | None:
    found = source_patterns(source)
    return found.lines if found is not None else None


def test_a_source_without_a_list_has_none(tmp_path: Path) -> None:
    assert source_patterns(tmp_path) is None


def test_gitignore_applies_where_there_is_no_bakthatexclude(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.git\n")
    found = source_patterns(tmp_path)
    assert found is not None
    assert (found.label, found.place, found.lines[0]) == (".gitignore", str(tmp_path / ".gitignore"), "*.git")


def test_gitignore_is_ignored_on_request(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.git\n")
    assert source_patterns(tmp_path, gitignore=False) is None


def test_bakthatexclude_takes_the_place_of_gitignore_even_if_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.git\n")
    (tmp_path / ".bakthatexclude").write_text("")
    assert own_lines(tmp_path) == ("",)


CONTENT = [
    (b"*.log\n*.tmp\n", ("*.log", "*.tmp", "")),
    (b"*.log\r\n*.tmp\r\n", ("*.log", "*.tmp", "")),
    (b"\xef\xbb\xbf*.log", ("*.log",)),
    (b"a\rb\n", ("a\rb", "")),
    ("a\x0b\x0cb\u2028c\u0085d\x1ce\n".encode(), ("a\x0b\x0cb\u2028c\u0085d\x1ce", "")),
]


@pytest.mark.parametrize(("content", "lines"), CONTENT)
def test_a_line_ends_at_a_line_feed_or_as_windows_has_it(
    tmp_path: Path, content: bytes, lines: tuple[str, ...]
) -> None:
    (tmp_path / ".gitignore").write_bytes(content)
    assert own_lines(tmp_path) == lines


@pytest.mark.parametrize(("content", "lines"), CONTENT)
def test_a_named_file_is_read_in_the_same_way(tmp_path: Path, content: bytes, lines: tuple[str, ...]) -> None:
    (tmp_path / "patterns").write_bytes(content)
    found = named_patterns(tmp_path / "patterns")
    assert (found.label, found.place, found.lines) == ("--exclude-from", str(tmp_path / "patterns"), lines)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"*.log\nsecret\xff\n", r"not UTF-8 text \(line 2\)"),
        (b"a\n\nsecret\0b\n", r"not UTF-8 text \(line 3\)"),
        (b"s\0e\0c\0r\0e\0t\0", "not UTF-8 text"),
        (b"secret\n" * 2_500_000, "larger than 16 MiB"),
    ],
)
def test_a_file_that_is_not_text_is_an_error_that_does_not_show_it(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / ".bakthatexclude"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=reason) as own:
        source_patterns(tmp_path)
    with pytest.raises(UsageError, match=reason) as named:
        named_patterns(path)
    for error in (own, named):
        assert str(path) in str(error.value)
        assert "secret" not in str(error.value)


def test_a_directory_or_a_fifo_of_that_name_holds_no_patterns(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    os.mkfifo(tmp_path / ".bakthatexclude")
    assert source_patterns(tmp_path) is None


@pytest.mark.parametrize("leads_to", ["secret", "absent", ".bakthatexclude"])
def test_a_bakthatexclude_that_is_a_link_stops_the_backup(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "secret").write_text("root:x")
    (tmp_path / ".bakthatexclude").symlink_to(leads_to)
    with pytest.raises(
        SourceError, match=r"\.bakthatexclude is a symbolic link, which is not followed; .*`exclude_from=`"
    ):
        source_patterns(tmp_path)


@pytest.mark.parametrize("leads_to", ["secret", "absent", ".gitignore"])
def test_a_gitignore_that_is_a_link_does_not_count_as_in_git(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "secret").write_text("root:x")
    (tmp_path / ".gitignore").symlink_to(leads_to)
    notices: list[str] = []
    assert source_patterns(tmp_path, notice=notices.append) is None
    assert [".gitignore is a symbolic link, which is not followed, as in git" in notice for notice in notices] == [True]
    assert source_patterns(tmp_path, gitignore=False, notice=notices.append) is None
    assert len(notices) == 1


def test_a_link_that_the_user_names_is_followed(tmp_path: Path) -> None:
    (tmp_path / "common").write_text("*.log")
    (tmp_path / "link").symlink_to("common")
    assert named_patterns(tmp_path / "link").lines == ("*.log",)


def test_a_pipe_that_the_user_names_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("*.log\n*.tmp",))
    writer.start()
    assert named_patterns(tmp_path / "pipe").lines == ("*.log", "*.tmp")
    writer.join()


def test_a_named_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`exclude_from=`: .*/absent: no such file or directory"):
        named_patterns(tmp_path / "absent")
    with pytest.raises(UsageError, match="is a directory"):
        named_patterns(tmp_path)
