"""Every command in the README, run as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bakthat.adapters.aws.s3 import S3ObjectStore
from tests.fixtures.age_program import run_with_terminal
from tests.fixtures.command_line import CommandLine
from tests.fixtures.packages import unpacked
from tests.fixtures.s3_servers import s3_profile

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    """The lines that begin with a prompt, without it and without their remark."""
    return [re.sub(r"\s+# .*", "", line[2:]) for line in block.splitlines() if line.startswith("$ ")]


def test_the_first_command_installs_and_backs_up(bakthat_command: CommandLine, sdist: Path) -> None:
    """In a fresh copy, an empty home, and without the network: what is to be installed is at hand."""
    copy = unpacked(sdist, bakthat_command.here / "bakthat")
    subprocess.run(["python3", "-m", "venv", ".venv"], cwd=copy, check=True)
    (packages,) = copy.glob(".venv/lib/python3*/site-packages")
    # The dependencies of this very environment, instead of the package index's.
    (packages / "at_hand.pth").write_text("".join(f"{path}\n" for path in sys.path if path.endswith("site-packages")))
    done = subprocess.run(
        blocks("sh")[0],
        shell=True,
        cwd=copy,
        env={**bakthat_command.env(), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"README\.md\.\d{14}\.tgz\n", done.stdout)
    assert list((bakthat_command.home / ".bakthat" / "store").glob("README.md.*.tgz"))
    assert (packages / "bakthat" / "py.typed").exists()


def test_the_second_command_is_what_ci_runs() -> None:
    (second,) = blocks("sh")[1].splitlines()
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', f"exec {second}"]
    assert re.search(rf"^{second.removeprefix('make ')}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.fixture
def photos(bakthat_command: CommandLine) -> Path:
    root = bakthat_command.home / "photos"
    root.mkdir()
    (root / "cat.jpg").write_bytes(os.urandom(100_000))
    return root


def test_the_first_backup_to_s3(bakthat_command: CommandLine, photos: Path, seaweedfs_url: str, tmp_path: Path) -> None:
    made = s3_profile(seaweedfs_url)
    answers = [made.access_key, made.secret_key, made.s3_bucket, "", "", made.endpoint_url, "", "", "s3"]
    bakthat_command.environment = {"BAKTHAT_PASSWORD": "secret"}
    block = next(block for block in blocks("console") if "bakthat configure" in block)
    assert len(commands(block)) == 5
    for line in commands(block):
        line = line.replace("/tmp", str(tmp_path / "target")).replace("~", str(bakthat_command.home))
        program, *arguments = shlex.split(line)
        assert program == "bakthat"
        said = bakthat_command(*arguments, answers="\n".join(map(str, answers)) + "\n")
        assert said.code == 0, (line, said.err)
    assert (tmp_path / "target" / "photos" / "cat.jpg").read_bytes() == (photos / "cat.jpg").read_bytes()


def test_getting_the_data_back_without_bakthat(bakthat_command: CommandLine, photos: Path, seaweedfs_url: str) -> None:
    made = s3_profile(seaweedfs_url)
    settings = ("access_key", "secret_key", "s3_bucket", "endpoint_url")
    bakthat_command.configure({"default": {name: getattr(made, name) for name in settings}})
    stored = bakthat_command("backup", str(photos), BAKTHAT_PASSWORD="secret").out.strip()
    block = next(block for block in blocks("console") if "age -d" in block)
    download, open_it = commands(block)
    # The download is Amazon's program, which is not part of this project: its step is taken with our own store.
    assert download == "aws s3 cp s3://my-bucket/photos.20260102030405.tgz.enc ."
    with S3ObjectStore.from_profile(made).open(stored) as reader:
        (bakthat_command.here / "photos.20260102030405.tgz.enc").write_bytes(reader.read())
    run_with_terminal(["sh", "-c", open_it], typed=["secret"], cwd=bakthat_command.here)
    assert (bakthat_command.here / "photos" / "cat.jpg").read_bytes() == (photos / "cat.jpg").read_bytes()


def test_the_table_names_every_command() -> None:
    from bakthat.entrypoints.command_names import COMMANDS

    table = README[README.index("| command |") :]
    assert [name for name in COMMANDS if f"`{name}" not in table] == []


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
