"""The manual page is that of the commands, and the programs that show manual pages read it without a warning."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from bakthat.domain.environment_settings import OTHER_VARIABLES, VARIABLES
from bakthat.entrypoints.command_names import COMMANDS
from bakthat.entrypoints.exit_codes import EXIT_CODES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_man_page", DOCS / "build_man_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as a person reads it, on a wide terminal."""
    command = ["man", "-l", str(DOCS / "bakthat.1")]
    environment = {"PATH": "/usr/bin:/bin", "MANWIDTH": "200", "LANG": "C.UTF-8", "MANPAGER": "cat"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_it_is_that_of_the_commands(builder: ModuleType) -> None:
    assert (DOCS / "bakthat.1").read_text() == builder.page(), "run: make man"


@pytest.mark.parametrize(
    "command",
    [["mandoc", "-T", "lint", "-W", "style"], ["groff", "-man", "-ww", "-z", "-T", "utf8"]],
    ids=["mandoc", "groff"],
)
def test_it_is_read_without_a_warning(command: list[str]) -> None:
    done = subprocess.run([*command, str(DOCS / "bakthat.1")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_command_and_variable_is_in_it(shown: str) -> None:
    lines = [line.strip() for line in shown.splitlines()]
    assert [name for name in COMMANDS if not any(line.startswith(f"{name} [OPTIONS]") for line in lines)] == []
    assert [name for name in VARIABLES if name not in lines] == []


def test_variables_that_set_no_key_are_explained(builder: ModuleType) -> None:
    assert builder.ENVIRONMENT.keys() == set(OTHER_VARIABLES)


def test_every_exit_code_is_in_it(builder: ModuleType) -> None:
    assert {code for _, code in EXIT_CODES} <= builder.EXIT_STATUS.keys()


def test_what_roff_takes_for_itself_is_shown_as_it_is(shown: str) -> None:
    assert """bash: eval "$(bakthat completion bash)" in ~/.bashrc""" in shown
    assert "bakthat restore photos.20260102 --only '2025/*.jpg'" in shown
