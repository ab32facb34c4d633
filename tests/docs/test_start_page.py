"""The first ten minutes: every command of the page, in order, in an empty home, prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from bakthat.adapters.encryption.key_files import keygen
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
    put_on_path(bakthat_command, bakthat_command.here / ".venv" / "bin")
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


def test_the_line_of_the_crontab_makes_a_backup_and_prints_nothing(bakthat_command: CommandLine) -> None:
    (line,) = re.findall(r"^```text\n15 3 \* \* \* \S*/(bakthat .*)\n```$", PAGE, re.MULTILINE)
    (settings,) = [block for kind, block in BLOCK.findall(PAGE) if kind == "yaml" and "jobs:" in block]
    follow(bakthat_command, yaml.safe_load(settings)["default"])
    trial = bakthat_command.home / "trial" / "notes"
    trial.mkdir(parents=True)
    (trial / "list.txt").write_text("buy bread\n")
    assert run(line, bakthat_command) == ""
    assert run("bakthat status -q", bakthat_command) == ""


def test_the_commands_of_the_first_page_work(bakthat_command: CommandLine) -> None:
    follow(bakthat_command, {"default_destination": "local"})
    (bakthat_command.here / "photos").mkdir()
    (bakthat_command.here / "photos" / "one.jpg").write_bytes(b"a picture")
    (block,) = [block for kind, block in BLOCK.findall((ROOT / "docs" / "index.md").read_text()) if kind == "console"]
    for command, _ in exchanges(block):
        run(command, bakthat_command)
    assert (bakthat_command.here / "restored" / "photos" / "one.jpg").read_bytes() == b"a picture"


def follow(here: CommandLine, settings: dict[str, Any]) -> None:
    """`bakthat` is on the PATH, the profile has these settings, and there is a key pair as the page makes it."""
    put_on_path(here, here.home / "bin")
    pair = keygen(clock=lambda: datetime.now(UTC))
    (here.home / "bakthat-key.txt").write_text(pair.as_text())
    (here.home / "bakthat-key.txt").chmod(0o600)
    (here.home / "bakthat-key.pub").write_text(f"{pair.recipient}\n")
    keys = {"recipients_file": "~/bakthat-key.pub", "identity": "~/bakthat-key.txt"}
    here.configure({"default": {**settings, **keys}})


def put_on_path(here: CommandLine, programs: Path) -> None:
    programs.mkdir(parents=True)
    (programs / "bakthat").write_text(f'#!/bin/sh\nexec {sys.executable} -m bakthat "$@"\n')
    (programs / "bakthat").chmod(0o755)
    here.environment = {"PATH": f"{programs}:{os.environ['PATH']}"}


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
        ["sh", "-c", command], env=here.env(), cwd=here.here, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
