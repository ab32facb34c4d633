"""Which paths a backup leaves out. The table's results are those of `git ls-files --others --exclude-standard` 2.39."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bakthat.adapters.excludes import Matcher, matcher, pattern_matcher
from bakthat.errors import SourceError, UsageError

TREE = [
    "a.log",
    "build/out.o",
    "docs/build/index.html",
    "docs/guide.md",
    "keep.log",
    "lib/deep/x.o",
    "lib/x.o",
    "logs/a.log",
    "logs/keep.log",
    "#notes",
    "!important",
]


def kept(patterns: list[str], tree: list[str] = TREE) -> set[str]:
    """What is left of the tree, walked as a backup does: nothing below a directory that is left out is asked for."""
    excluded = pattern_matcher(patterns)
    if excluded is None:
        return set(tree)
    left = set()
    for path in tree:
        parts = path.split("/")
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if not any(excluded(folder, True) for folder in folders) and not excluded(path, False):
            left.add(path)
    return left


@pytest.mark.parametrize(
    ("patterns", "gone"),
    [
        (["*.log"], {"a.log", "keep.log", "logs/a.log", "logs/keep.log"}),
        (["*.log", "!keep.log"], {"a.log", "logs/a.log"}),
        (["!keep.log", "*.log"], {"a.log", "keep.log", "logs/a.log", "logs/keep.log"}),
        (["/*.log"], {"a.log", "keep.log"}),
        (["build"], {"build/out.o", "docs/build/index.html"}),
        (["/build"], {"build/out.o"}),
        (["build/"], {"build/out.o", "docs/build/index.html"}),
        (["a.log/"], set()),
        (["docs/build"], {"docs/build/index.html"}),
        (["deep/x.o"], set()),
        (["**/x.o"], {"lib/x.o", "lib/deep/x.o"}),
        (["lib/**/x.o"], {"lib/x.o", "lib/deep/x.o"}),
        (["lib/*"], {"lib/x.o", "lib/deep/x.o"}),
        (["lib/*", "!lib/deep"], {"lib/x.o"}),
        (["logs/", "!logs/keep.log"], {"logs/a.log", "logs/keep.log"}),
        (["logs/*", "!logs/keep.log"], {"logs/a.log"}),
        (["?.log"], {"a.log", "logs/a.log"}),
        (["[ab].log"], {"a.log", "logs/a.log"}),
        (["[!k]*.log"], {"a.log", "logs/a.log"}),
        (["# a comment", "", "   "], set()),
        (["\\#notes"], {"#notes"}),
        (["\\!important"], {"!important"}),
        (["a.log   "], {"a.log", "logs/a.log"}),
    ],
)
def test_patterns_mean_what_they_mean_to_git(patterns: list[str], gone: set[str]) -> None:
    assert set(TREE) - kept(patterns) == gone


def test_a_name_that_ends_with_a_newline_is_another_name() -> None:
    excluded = pattern_matcher(["secret"])
    assert excluded is not None
    assert excluded("secret", False)
    assert not excluded("secret\n", False)


def test_a_newline_in_a_directorys_name_hides_nothing_below_it() -> None:
    excluded = pattern_matcher(["*.log", "with\nnewline"])
    assert excluded is not None
    assert excluded("new\nline/a.log", False)
    assert excluded("a\nb.log", False)
    assert excluded("with\nnewline", False)


def test_a_name_that_is_not_utf8_is_matched_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / ".bakthatexclude").write_bytes(b"\xff\xfe*\n")
    excluded = matcher(tmp_path)
    assert excluded is not None
    assert excluded(os.fsdecode(b"\xff\xfe.txt"), False)
    assert not excluded(os.fsdecode(b"\xfe.txt"), False)


def found(source: Path, *patterns: str) -> Matcher:
    excluded = matcher(source, patterns)
    assert excluded is not None
    return excluded


def test_without_any_pattern_there_is_nothing_to_ask(tmp_path: Path) -> None:
    assert matcher(tmp_path) is None
    (tmp_path / ".gitignore").write_text("# nothing\n\n")
    assert matcher(tmp_path) is None


def test_gitignore_counts_where_there_is_no_bakthatexclude(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.git\n")
    assert found(tmp_path)("x.git", False)


def test_bakthatexclude_takes_the_place_of_gitignore_even_if_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.git\n")
    (tmp_path / ".bakthatexclude").write_text("")
    assert matcher(tmp_path) is None


def test_patterns_given_by_hand_come_last_and_can_take_back(tmp_path: Path) -> None:
    (tmp_path / ".bakthatexclude").write_text("*.log\n")
    excluded = found(tmp_path, "!keep.log", "*.tmp")
    assert [excluded(name, False) for name in ("a.log", "keep.log", "a.tmp")] == [True, False, True]


def test_line_ends_of_windows_and_a_byte_order_mark_are_no_part_of_a_pattern(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf*.log\r\n*.tmp\r\n")
    excluded = found(tmp_path)
    assert excluded("a.log", False)
    assert excluded("a.tmp", False)


def test_a_directory_or_a_fifo_of_that_name_holds_no_patterns(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    os.mkfifo(tmp_path / ".bakthatexclude")
    assert matcher(tmp_path) is None


def test_a_link_to_a_list_of_patterns_is_followed(tmp_path: Path) -> None:
    (tmp_path / "common").write_text("*.log\n")
    (tmp_path / ".bakthatexclude").symlink_to("common")
    assert found(tmp_path)("a.log", False)


def test_a_file_of_patterns_that_cannot_be_read_stops_the_backup(tmp_path: Path) -> None:
    (tmp_path / ".bakthatexclude").symlink_to(".bakthatexclude")
    with pytest.raises(SourceError, match=r"\.bakthatexclude.*cannot be read"):
        matcher(tmp_path)


def test_a_file_far_too_long_to_be_patterns_stops_the_backup(tmp_path: Path) -> None:
    with open(tmp_path / ".gitignore", "wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(SourceError, match="16 MiB"):
        matcher(tmp_path)


def test_what_is_no_pattern_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n\\\n")
    with pytest.raises(UsageError, match=r"\.gitignore, line 2: .* is no pattern"):
        matcher(tmp_path)


def test_what_is_no_pattern_is_named() -> None:
    with pytest.raises(UsageError, match="is no pattern"):
        pattern_matcher(["*.log", "a\\"])


def test_pathspec_is_imported_only_where_there_are_patterns(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from bakthat.adapters.excludes import matcher; "
        "matcher(Path(sys.argv[1])); print('pathspec' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
