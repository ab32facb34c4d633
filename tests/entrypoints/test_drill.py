"""The drill: the laptop is lost, and everything comes back on a new one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile


def shown(run: CommandLine) -> list[dict[str, Any]]:
    """What `show` knows, but for the store's own date of an archive, which only other machines' rows have."""
    records = json.loads(run("show", "--json").out)["backups"]
    for record in records:
        record["metadata"].pop("stored_at", None)
        record["metadata"].pop("stored_at_iso", None)
    assert isinstance(records, list)
    return records


@pytest.fixture
def tree(bakthat_command: CommandLine) -> Path:
    """A real tree: what a small project looks like, with links, modes and odd names."""
    root = bakthat_command.here / "project"
    shutil.copytree(Path(__file__).parents[1] / "domain", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "empty").mkdir()
    (root / "odd \n name").write_text("x")
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o755)
    (root / "link").symlink_to("/etc/hostname")
    os.link(root / "script", root / "hard")
    return root


def same(left: Path, right: Path) -> None:
    """Content, modes, times, links: as GNU tar compares them."""
    packed = subprocess.run(["tar", "-C", str(left.parent), "-cf", "-", left.name], capture_output=True, check=True)
    done = subprocess.run(
        ["tar", "-C", str(right.parent), "--compare", "-f", "-"], input=packed.stdout, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize("destination", ["s3", "local"])
def test_a_lost_home_comes_back_by_configure_and_sync(
    bakthat_command: CommandLine, tree: Path, tmp_path: Path, seaweedfs_url: str, destination: str
) -> None:
    run = bakthat_command
    folder = tmp_path / "disk"
    answers = ["", "", "", "", "", str(folder), "local"]
    if destination == "s3":
        made = s3_profile(seaweedfs_url)
        answers = [made.access_key, made.secret_key, made.s3_bucket, "", "", made.endpoint_url, "", str(folder), "s3"]
    piped = "\n".join(map(str, answers)) + "\n"
    assert run("configure", answers=piped).code == 0
    assert run("backup", "project", "-t", "work plain", "--prompt", "no").code == 0
    assert run("backup", "project", "-t", "work", "--name", "sealed", BAKTHAT_PASSWORD="secret").code == 0
    before = shown(run)

    shutil.rmtree(run.home)
    run.home.mkdir()
    assert run("show").out == ""
    assert run("configure", answers=piped).code == 0
    assert run("sync").code == 0
    assert shown(run) == before
    assert run("restore", "project", "--target", "plain").code == 0
    assert run("restore", "sealed", "--target", "opened", BAKTHAT_PASSWORD="secret").code == 0
    same(tree, run.here / "plain" / "project")
    same(tree, run.here / "opened" / "project")


def test_two_homes_and_one_bucket_see_each_other(
    bakthat_command: CommandLine, tree: Path, tmp_path: Path, seaweedfs_url: str
) -> None:
    made = s3_profile(seaweedfs_url)
    settings = {
        name: getattr(made, name) for name in ("access_key", "secret_key", "s3_bucket", "endpoint_url", "region_name")
    }
    here = bakthat_command
    there = CommandLine(tmp_path / "other home", here.here, here.warm)
    there.home.mkdir()
    for machine in (here, there):
        machine.configure({"default": settings})
    assert here("backup", "project", "--prompt", "no", "--name", "one").code == 0
    assert there("backup", "project", "--prompt", "no", "--name", "two").code == 0
    for machine in (here, there):
        machine("sync")
    assert shown(here) == shown(there)
    assert there("delete", "one", "--yes").code == 0
    here("sync")
    assert [line.split("\t")[3].split(".")[0] for line in here("show").lines] == ["two"]


def test_eight_processes_end_in_the_same_state_everywhere(
    bakthat_command: CommandLine, tree: Path, tmp_path: Path, seaweedfs_url: str
) -> None:
    made = s3_profile(seaweedfs_url)
    settings = {
        name: getattr(made, name) for name in ("access_key", "secret_key", "s3_bucket", "endpoint_url", "region_name")
    }
    here = bakthat_command
    there = CommandLine(tmp_path / "other home", here.here, here.warm)
    there.home.mkdir()
    for machine in (here, there):
        machine.configure({"default": settings})
    running = []
    for number in range(4):
        for machine in (here, there):
            commands = (["backup", "project", "--prompt", "no", "--name", f"n{number}"], ["sync"])
            running.append(
                subprocess.Popen(
                    machine.command(*commands[number % 2]),
                    env=machine.env(),
                    cwd=machine.here,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
    said = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 8, said
    for machine in (here, there):
        assert machine("sync").code == 0
    assert shown(here) == shown(there)
    assert len(here("show").lines) == 4
    assert here("verify", "--all").code == 0


def test_a_new_access_key_orphans_nothing(bakthat_command: CommandLine, tree: Path, seaweedfs_url: str) -> None:
    made = s3_profile(seaweedfs_url)
    settings = {
        name: getattr(made, name) for name in ("access_key", "secret_key", "s3_bucket", "endpoint_url", "region_name")
    }
    bakthat_command.configure({"default": {**settings}})
    bakthat_command("backup", "project", "--prompt", "no")
    environment = {"AWS_ACCESS_KEY_ID": settings.pop("access_key"), "AWS_SECRET_ACCESS_KEY": settings.pop("secret_key")}
    bakthat_command.configure({"default": settings})
    bakthat_command.environment = environment
    assert len(bakthat_command("show", "-p", "default").lines) == 1
    assert bakthat_command("restore", "project", "--target", "out").code == 0
    assert bakthat_command("sync").err.splitlines()[-1] == "s3: added 0, updated 0, marked 0 as deleted."


def test_thousands_of_small_files_come_back(bakthat_command: CommandLine) -> None:
    run = bakthat_command
    tree = run.here / "notes"
    for number in range(2000):
        folder = tree / f"{number // 50}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_bytes(b"%d " % number * (number % 500))
        (folder / f"{number}.txt").chmod(0o600 + number % 8 * 8)
    assert run("backup", "notes", "--prompt", "no", "-d", "local").code == 0
    assert run("restore", "notes", "-d", "local", "--target", "back").code == 0
    same(tree, run.here / "back" / "notes")
