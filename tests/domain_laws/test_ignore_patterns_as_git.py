"""Random trees and random patterns: what is left of a tree, and which line decides, is what git says."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bakthat.domain.ignore_patterns import IgnoreRules, Level, PatternList

# ASCII only: git counts bytes.
NAMES = ["a", "b", "c", "ab", "aa", "abc", "a.b", ".b", "b.c", "a-b", "A", "0", "_"]
ODD_NAMES = ["*", "[a]", "!a", "#a", " a", "a ", "\\", "-", "]", "^", "a\nb", "a\tb", "?", "**"]

names = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(ODD_NAMES))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
trees = st.lists(paths, min_size=1, max_size=14, unique=True)

CLASSES = (
    "[ab] [!a] [^a] [a-c] []a] [!]a] [a-] [-a] [c-a] [[:alpha:]] [[:digit:]_] []-a] [[:upper:]] [![:alnum:]] "
    "[[:nonsense:]] [[:alpha] [\\]] [a\\-c] [a/b] [ [a [[:] [--0] [[:punct:]] [[:space:]] [[:blank:]] [[:cntrl:]] "
    "[[:graph:]] [[:print:]] [[:xdigit:]] [\\a-\\c] [[:lower:][:digit:]] [a-[:alpha:]] [[a] [[:]a] [[::]] [*] [?!] "
    "[a-c-e] [!-~] [[-^]"
)
pieces = st.one_of(
    st.sampled_from(
        ["*", "?", "**", "/", "/", "*", "**/", "/**", "/**/", "\\", "\\*", "\\a", "\\/", "***", " ", "\\ "]
    ),
    names,
    names,
    st.sampled_from(CLASSES.split()),
)
lines = st.builds(
    lambda start, middle, end: start + "".join(middle) + end,
    st.sampled_from(["", "", "", "", "!", "!", "/", "!/", "**/", "#", "\\#", "\\!", "!!"]),
    st.lists(pieces, min_size=1, max_size=5),
    st.sampled_from(["", "", "", "/", "/", "/**", "/*", " ", "\\ ", "  ", "\\", "\t"]),
).filter(lambda line: "\n" not in line)
idioms = st.sampled_from(
    ["*", "!*/", "*/", "**", "!**/", "/*", "!a/", "a/*", "!*", "a/", "!a", "/a", "a/**", "**/a/**"]
)
lists = st.lists(st.one_of(lines, lines, idioms), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Where git keeps its things, outside of any tree."""
    path = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", path], check=True, stdin=subprocess.DEVNULL)
    return path / ".git"


def git(repository: Path, tree: str, *arguments: str, given: bytes = b"") -> list[str]:
    """What a command of git says, item by item."""
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false", *arguments],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "GIT_DIR": str(repository), "GIT_WORK_TREE": tree, "LC_ALL": "C"},
        input=given,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return os.fsdecode(done.stdout).split("\0")[:-1]


def make(tree: str, wanted: list[str]) -> None:
    for path in wanted:
        full = Path(tree) / path
        try:
            full.parent.mkdir(parents=True, exist_ok=True)
            full.touch()
        except OSError:
            pass  # it is a directory already, or something on the way is a file


def walked(rules: IgnoreRules, tree: str) -> tuple[set[str], dict[str, int]]:
    """The files that stay; and for each entry that is asked for, the line that decides (0 for none)."""
    kept: set[str] = set()
    decided: dict[str, int] = {}

    def enter(directory: str, within: str, level: Level) -> None:
        with os.scandir(directory) as entries:
            for entry in entries:
                is_directory = entry.is_dir(follow_symlinks=False)
                number = level.deciding(entry.name, is_directory)
                decided[within + entry.name] = int(rules.described(number).rpartition(" ")[2]) if number >= 0 else 0
                if level.excluding(entry.name, is_directory) >= 0:
                    continue
                if is_directory:
                    enter(entry.path, f"{within}{entry.name}/", level.below(entry.name))
                else:
                    kept.add(within + entry.name)

    enter(tree, "", rules.start)
    return kept, decided


@settings(max_examples=120, deadline=None)
@given(tree=trees, patterns=lists)
@example(tree=["foobar", "fooz/bar", "fooz/y/bar", "foo/bar", "x/foobar"], patterns=["/foo**/bar"])
@example(tree=["foobar/x", "foo/x", "fo/x", "a/foo/y/z"], patterns=["/foo**", "!x", "a/foo**", "!y/"])
@example(tree=["a/x.xlsx", "a/b/y.xlsm", "top.txt"], patterns=["*", "!*/", "!*.xlsx"])
@example(tree=["src/a", "b/c", "d"], patterns=["*/", "!src/"])
@example(tree=["d/r/.gitkeep", "d/r/big", "d/x/f"], patterns=["d/**", "!d/**/", "!d/**/.gitkeep"])
@example(tree=["foo", "foo/x"], patterns=["/foo**//"])
@example(tree=["a ", "a", "b", "b ", "c\\"], patterns=["a\\ ", "b  ", "c\\\\  "])
@example(tree=["ax", "bx", "cx/ax"], patterns=["[^a]x"])
@example(tree=["x", "d/x", "d/e/x", "a/x", "a/b/x", "a/b/c"], patterns=["**\\/x", "a/**\\/c"])
@example(tree=["ax", "bx", "cx", "b"], patterns=["[c-a]x", "[!c-a]"])
@example(tree=["ac", "bc", "cc"], patterns=["[ab]c", "![a]c", "!c[d]", "[b]?"])
@example(tree=["aba", "abba", "abxba", "ab"], patterns=["*ab*ba"])
def test_what_stays_and_which_line_decides_is_what_git_says(repository, tree, patterns) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make(folder, tree)
        (repository / "info" / "exclude").write_text("".join(f"{line}\n" for line in patterns))
        rules = IgnoreRules([PatternList("exclude", patterns, place="exclude")])
        kept, decided = walked(rules, folder)
        assert kept == set(git(repository, folder, "ls-files", "-z", "--others", "--exclude-standard"))
        asked = "".join(f"{path}\0" for path in decided).encode()
        said = git(repository, folder, "check-ignore", "-v", "-n", "-z", "--no-index", "--stdin", given=asked)
        # source, line, pattern, path; nothing but the path where no pattern decides
        by_git = {said[at + 3]: int(said[at + 1] or 0) for at in range(0, len(said), 4)}
        assert decided == by_git
