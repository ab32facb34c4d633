"""What a package index shows of bakthat."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.fixtures.command_line import every_command

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_a_version_from_1_on_is_called_stable() -> None:
    is_stable = "Development Status :: 5 - Production/Stable" in PROJECT["classifiers"]
    assert is_stable is (int(PROJECT["version"].split(".")[0]) >= 1)


def test_there_are_links_to_the_project() -> None:
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= set(PROJECT["urls"])
    for link in PROJECT["urls"].values():
        path = link.partition("/blob/master/")[2]
        assert link.startswith("https://")
        assert (ROOT / path).exists()


def test_every_command_takes_what_the_readme_says() -> None:
    sentence = "Every command takes `-h`, `-p/--profile`, `-c/--config`, `-q` and `-v`"
    assert sentence in (ROOT / "README.md").read_text()
    for words, command in every_command():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"-p", "--profile", "-c", "--config", "-q", "-v"} <= options, words
