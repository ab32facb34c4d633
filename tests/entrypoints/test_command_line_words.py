"""A message names the parameter to a caller of the library, and the option to a person at a terminal."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bakthat import Bakthat
from bakthat.domain.parameter import parameter
from bakthat.entrypoints.cli import cli
from bakthat.entrypoints.command_line_words import MENTION, ON_ITS_OWN, OPTIONS, in_command_line_words
from bakthat.entrypoints.command_names import COMMANDS
from bakthat.errors import TargetExists

PACKAGE = Path(__file__).parent.parent.parent / "bakthat"
OF_THE_LIBRARY = ("library/", "api", "built_in_destinations", "destinations", "functions", "helper", "hooks", "keys")
OF_THE_LIBRARY += ("key_value", "own_places", "plugins", "wiring")
"""What the library uses in `entrypoints`. The rest belongs to the command line."""
LABELS = {"--exclude", "--exclude-from", "--exclude-caches", "--exclude-if-present", "--exclude-larger-than"}
LABELS |= {"--one-file-system"}
"""What a record's `excluded` counts by: data, not messages."""
OPTION = re.compile(r"(?<![\w-])--[a-z]|(?<![\w-])-[dprict](?![\w-])")
OF_OTHER_PROGRAMS = re.compile(r"\b(age|sh|zstd|run `bakthat configure) -")


def texts() -> Iterator[tuple[str, str]]:
    """Every string of the package that may be a part of a message, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = str(path.relative_to(PACKAGE))
        if place.startswith("testing/"):
            continue
        if place.startswith("entrypoints/") and not place.removeprefix("entrypoints/").startswith(OF_THE_LIBRARY):
            continue
        tree = ast.parse(path.read_text())
        not_shown = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in not_shown:
                yield f"{place}:{node.lineno}", node.value


def test_no_message_of_the_library_names_an_option() -> None:
    named = [(place, text) for place, text in texts() if OPTION.search(text) and text not in LABELS]
    assert [each for each in named if not OF_OTHER_PROGRAMS.search(each[1])] == []


def test_every_parameter_that_a_message_names_has_its_option() -> None:
    mentions = [(place, found[0]) for place, text in texts() for found in MENTION.finditer(text)]
    assert len(mentions) > 20
    assert [each for each in mentions if in_command_line_words(each[1]) == each[1]] == []


def test_the_options_exist() -> None:
    known: set[str] = set()
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known |= {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    said = {
        word for text in (*OPTIONS.values(), *ON_ITS_OWN.values()) for word in re.findall(r"(?<!\w)--?\w[\w-]*", text)
    }
    assert said - known == {"--gitignore"}  # only `gitignore=False` is ever an advice


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("`overwrite=True` replaces it", "--overwrite replaces it"),
        ("`target=DIR` restores elsewhere", "--target DIR restores elsewhere"),
        ("select one with `host=`", "select one with --host"),
        ("use `gitignore=False`", "use --no-gitignore"),
        ("try `destination='local'`", "try -d local"),
        ("then run `sync('glacier')`", "then run `bakthat sync -d glacier`"),
        ("`overwrite` and `os.environ()` stay", "`overwrite` and `os.environ()` stay"),
        ("`unknown=True` stays", "`unknown=True` stays"),
    ],
    ids=["flag", "placeholder", "name", "no", "value", "method", "other-code", "unknown"],
)
def test_a_parameter_is_said_as_its_option(said: str, shown: str) -> None:
    assert in_command_line_words(said) == shown


def test_a_value_is_quoted_as_a_shell_takes_it() -> None:
    assert in_command_line_words(parameter("only", ["a song \\[live].mp3"])) == "--only 'a song \\[live].mp3'"


def test_a_backquote_in_a_value_does_not_end_the_mention() -> None:
    assert in_command_line_words(parameter("only", ["a`b"])) == "--only 'a`b'"


def test_the_library_names_the_parameter(bakthat: Bakthat, tree: Path) -> None:
    bakthat.backup(tree)
    with pytest.raises(TargetExists, match="; `overwrite=True` replaces it, `target=DIR` restores elsewhere$"):
        bakthat.restore("site", target=tree.parent)
