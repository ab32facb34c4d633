"""The first ten minutes: every command of the page, in order, in an empty home, prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.fixtures.command_line import CommandLine

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "start.md").read_text()
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOME_ON_THE_PAGE = "/home/me"


def test_the_page_installs_as_the_readme_does() -> None:
    """Whose command is run in a fresh copy: test_readme.py."""
    (install,) = re.findall(r"^```sh\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    assert install + " &&" in (ROOT / "README.md").read_text()


def test_every_command_prints_what_the_page_says(bakthat_command: CommandLine) -> None:
    programs = bakthat_command.here / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "bakthat").write_text(f'#!/bin/sh\nexec {sys.executable} -m bakthat "$@"\n')
    (programs / "bakthat").chmod(0o755)
    bakthat_command.environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    settings = bakthat_command.home / ".bakthat.yml"
    for kind, block in BLOCK.findall(PAGE):
        if kind == "yaml":
            if "s3_bucket" not in block:
                settings.write_text(block)
            assert yaml.safe_load(block)["default"]
            continue
        for command, expected in exchanges(block):
            if command.startswith("cd "):
                bakthat_command.here = bakthat_command.home / command.removeprefix("cd ~/")
                continue
            said = run(command, bakthat_command)
            assert re.fullmatch(pattern(expected), said.replace(str(bakthat_command.home), HOME_ON_THE_PAGE)), said
            if command.startswith("bakthat backup"):
                time.sleep(1.1)  # the next backup has a name of its own


def exchanges(block: str) -> list[tuple[str, str]]:
    """Each command of a block, and what it prints."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def pattern(expected: str) -> str:
    """The expected output: dates and sizes of archives differ, and `…` stands for any lines."""
    text = re.escape(expected)
    text = re.sub(r"\d{14}", r"\\d{14}", text)
    text = re.sub(r"\d{4}\\-\d\d\\-\d\d\\ \d\d:\d\d:\d\dZ", r"\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ", text)
    text = re.sub(r"\d{3}\\ B", r"\\d{3} B", text)
    return text.replace("…\\\n", "(?:.*\n)*")


def run(command: str, here: CommandLine) -> str:
    done = subprocess.run(
        ["sh", "-c", command], env=here.env(), cwd=here.here, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
