"""Locales whose encoding is not UTF-8: names are the same in each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bakthat.entrypoints.utf8_mode import in_utf8_mode
from tests.fixtures.command_line import CommandLine

ARGUMENTS = ("backup", "f", "-q", "--name", "é", "-d", "local", "--prompt", "no")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8"])
def test_a_program_whose_names_are_utf_8_is_not_started_again(encoding: str) -> None:
    assert in_utf8_mode(encoding, {}, ["python", "-m", "bakthat"]) is None


def test_another_encoding_starts_it_again_with_its_arguments() -> None:
    again = in_utf8_mode("iso8859-1", {}, ["/usr/bin/python3", "/usr/bin/bakthat", "show"])
    assert again == [sys.executable, "-X", "utf8", "/usr/bin/bakthat", "show"]


def test_the_mode_that_was_chosen_is_kept() -> None:
    assert in_utf8_mode("iso8859-1", {"utf8": "0"}, ["python", "-X", "utf8=0", "-m", "bakthat"]) is None


def test_a_backup_has_the_same_name_whatever_the_locale(bakthat_command: CommandLine) -> None:
    """Python's mode for it is off, so that the encoding is the locale's, ASCII."""
    (bakthat_command.here / "f").write_text("1")
    environment = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        bakthat_command.command(*ARGUMENTS),
        env={**bakthat_command.env(), **environment},
        cwd=bakthat_command.here,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    stored = done.stdout.decode().strip()
    assert stored.startswith("é.")
    assert (bakthat_command.home / ".bakthat" / "store" / stored).exists()
    assert bakthat_command("verify", "é", "-d", "local").code == 0
