"""What gitignore patterns match. The tables' results are those of git 2.39 (`git ls-files --others`)."""

from __future__ import annotations

import pytest

from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.errors import UsageError

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


def rules(*patterns: str) -> IgnoreRules:
    return IgnoreRules([PatternList("--exclude", patterns)])


def kept(patterns: list[str], tree: list[str] = TREE) -> set[str]:
    """What is left of the tree, walked as a backup does: nothing below a directory that is left out is asked for."""
    left = set()
    for path in tree:
        level = rules(*patterns).start
        *folders, name = path.split("/")
        for folder in folders:
            if level.excluding(folder, True) >= 0:
                break
            level = level.below(folder)
        else:
            if level.excluding(name, False) < 0:
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


@pytest.mark.parametrize(
    ("patterns", "tree", "left"),
    [
        (["*", "!*/", "!*.xlsx"], ["top.txt", "top.xlsx", "a/b/c/keep.xlsx"], {"top.xlsx", "a/b/c/keep.xlsx"}),
        (["**", "!**/", "!**/*.py"], ["a.py", "b/c.py", "b/c.pyc"], {"a.py", "b/c.py"}),
        (["*/", "!src/"], ["README", "src/a", "src/pkg/b", "docs/c"], {"README", "src/a"}),
        (["/*", "!/src/"], ["README", "src/a", "src/pkg/b"], {"src/a", "src/pkg/b"}),
        (["d/**", "!d/**/", "!d/**/.gitkeep"], ["d/r/.gitkeep", "d/r/big", "e/f"], {"d/r/.gitkeep", "e/f"}),
        (["/foo**/bar"], ["foobar", "fooz/y/bar", "fooz/y/b"], {"fooz/y/b"}),
        (["a\\ ", "b  ", "c\\\\  "], ["a ", "a", "b", "b ", "c\\"], {"a", "b "}),
        (["[^a]x"], ["ax", "bx"], {"ax"}),
        (["**\\/x"], ["x", "d/x", "d/e/x"], {"x"}),
        (["[ab]c", "![a]c", "[b]?"], ["ac", "bc", "cc"], {"ac", "cc"}),
        (["*ab*ba"], ["aba", "abba", "abxba", "ab"], {"aba", "ab"}),
    ],
)
def test_lists_keep_what_git_keeps(patterns: list[str], tree: list[str], left: set[str]) -> None:
    assert kept(patterns, tree) == left


@pytest.mark.parametrize("pattern", ["!", "a\\", "/", "//", "[a", "[[:nonsense:]]", "a//b", " ", "", "# x"])
def test_what_git_never_matches_matches_nothing(pattern: str) -> None:
    assert not rules(pattern)
    assert kept([pattern], ["a", "a/b", "x", "["]) == {"a", "a/b", "x", "["}


def test_a_class_and_a_question_mark_count_characters() -> None:
    assert kept(["?", "[ä]x", "[!a]y"], ["ä", "äx", "öy", "ab"]) == {"ab"}


def test_a_newline_in_a_name_is_a_character_like_any_other() -> None:
    tree = ["secret", "secret\n", "new\nline/a.log", "a\nb.log", "with\nnewline/x", "n\ne"]
    assert kept(["secret", "*.log", "with\nnewline", "n?e"], tree) == {"secret\n"}


def test_a_name_that_is_not_utf8_can_be_matched() -> None:
    assert kept(["\udcff?x"], ["\udcff\udcfex", "\udcfe\udcfex"]) == {"\udcfe\udcfex"}


def test_the_last_pattern_decides_across_lists_and_says_where_it_stands() -> None:
    both = IgnoreRules(
        [PatternList(".gitignore", ["# logs", "*.log"], place="proj/.gitignore"), PatternList("--exclude", ["!k.log"])]
    )
    number = both.start.excluding("a.log", False)
    assert (both.list_of(number).label, both.described(number)) == (".gitignore", "proj/.gitignore, line 2")
    assert both.start.excluding("k.log", False) < 0
    assert both.described(both.start.deciding("k.log", False)) == "--exclude"


@pytest.mark.parametrize(
    "pattern",
    [
        "*a*a*a*a*a*a*a*a*a*a*a*b",
        "*" * 100_000,
        "*?" * 10_000,
        "[" + "[:" * 10_000 + "]",
        "**/a/" * 10_000 + "b",
        "x**/" + "**/" * 10_000 + "b",
        "/" * 100_000,
        "*" + "?" * 120 + "b*c",
    ],
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Each of these took minutes or for ever in a regular expression that goes back, or in work that squares."""
    level = rules(pattern).start
    assert (level.excluding("a" * 200, False) >= 0) == (set(pattern) == {"*"})


def test_the_number_of_patterns_is_bounded() -> None:
    lists = [PatternList("--exclude-from", ["# a", "b", "!"]), PatternList(".gitignore", ["c", "d"], "proj/.gitignore")]
    assert IgnoreRules(lists, max_patterns=3)
    with pytest.raises(UsageError, match=r"proj/.gitignore: more than 2 patterns"):
        IgnoreRules(lists, max_patterns=2)


@pytest.mark.parametrize(
    ("path", "is_directory", "chosen"),
    [
        ("conf", True, True),
        ("conf/nginx.conf", False, True),
        ("conf/sites/a", False, True),
        ("conf/secret", False, False),
        ("other/conf", True, False),
        ("index.html", False, False),
        ("b/logs/x", False, True),
    ],
)
def test_patterns_that_choose_take_what_is_below_what_they_match(path: str, is_directory: bool, chosen: bool) -> None:
    assert rules("/conf", "!secret", "logs/").selects(path, is_directory) is chosen


def test_choices_do_not_depend_on_the_order_of_the_questions() -> None:
    paths = [f"d{number % 7}/e{number % 5}/f{number}" for number in range(3000)]
    asked_in_order, asked_backwards = rules("/d1", "!e2", "/d2/*/f2?", "f77"), rules("/d1", "!e2", "/d2/*/f2?", "f77")
    first = {path: asked_in_order.selects(path, False) for path in paths}
    assert {path: asked_backwards.selects(path, False) for path in reversed(paths)} == first
    assert sum(first.values()) > 300


@pytest.mark.parametrize(
    ("patterns", "path", "is_directory", "itself"),
    [
        (["docs"], "docs", True, True),
        (["docs"], "docs/guide.md", False, False),
        (["docs"], "lib/docs", False, True),
        (["docs/"], "docs", False, False),
        (["*.md"], "docs/guide.md", False, True),
        (["docs/*"], "docs/guide.md", False, True),
        (["docs/*"], "docs/build/index.html", False, False),
        (["docs/**"], "docs/build/index.html", False, True),
        (["*.md", "!guide.md"], "docs/guide.md", False, False),
    ],
)
def test_a_path_is_selected_by_itself_or_by_a_directory_above_it(
    patterns: list[str], path: str, is_directory: bool, itself: bool
) -> None:
    assert rules(*patterns).selects_itself(path, is_directory) is itself
