"""`--no-xattrs` and `xattrs`: of the command line, of a profile, and of the library."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import bakthat
from tests.fixtures.command_line import CommandLine
from tests.fixtures.extended import SOMEBODY, set_acl, xattrs


@pytest.fixture
def source(bakthat_command: CommandLine) -> Path:
    folder = bakthat_command.here / "data"
    folder.mkdir()
    (folder / "file").write_bytes(b"content")
    (folder / "file").chmod(0o640)
    os.setxattr(folder / "file", "user.comment", b"important")
    set_acl(folder / "file", f"u:{SOMEBODY}:rw-", "g::r--", "m::rw-")
    return folder


def test_attributes_come_back_by_default(bakthat_command: CommandLine, source: Path) -> None:
    run = bakthat_command
    assert run("backup", "data", "--prompt", "no", "-d", "local").code == 0
    restored = run("restore", "data", "-d", "local", "--target", "back")
    assert restored.code == 0
    assert xattrs(run.here / "back" / "data" / "file") == xattrs(source / "file") != {}
    assert "attribute" not in restored.err


@pytest.mark.parametrize("where", ["backup", "restore", "profile"])
def test_they_are_left_out_and_permissions_are_narrowed(bakthat_command: CommandLine, source: Path, where: str) -> None:
    run = bakthat_command
    if where == "profile":
        run.configure({"default": {"default_destination": "local", "xattrs": False}})
    option = {name: ("--no-xattrs",) if name == where else () for name in ("backup", "restore")}
    assert run("backup", "data", "--prompt", "no", "-d", "local", *option["backup"]).code == 0
    restored = run("restore", "data", "-d", "local", "--target", "back", *option["restore"])
    assert restored.code == 0
    file = run.here / "back" / "data" / "file"
    assert xattrs(file) == {}
    assert file.stat().st_mode & 0o7777 == 0o640
    assert "attribute" not in restored.err


def test_an_archive_restored_from_its_place_has_them_unless_told(bakthat_command: CommandLine, source: Path) -> None:
    run = bakthat_command
    made = json.loads(run("backup", "data", "--prompt", "no", "-d", "local", "--json").out)
    [stored] = run.home.rglob(made["stored_filename"])
    assert run("restore", "--from", str(stored), "--target", "with").code == 0
    assert run("restore", "--from", str(stored), "--target", "without", "--no-xattrs").code == 0
    assert xattrs(run.here / "with" / "data" / "file") == xattrs(source / "file")
    assert xattrs(run.here / "without" / "data" / "file") == {}


def test_a_stream_has_no_attributes_to_leave_out(bakthat_command: CommandLine) -> None:
    refused = bakthat_command("backup", "-", "--name", "x", "--no-xattrs", "--prompt", "no", "-d", "local")
    assert refused.code == 2
    assert "--no-xattrs" in refused.err


def test_the_library_takes_it_for_one_backup_and_one_restore(tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    (source / "file").touch()
    os.setxattr(source / "file", "user.comment", b"important")
    profile = bakthat.Profile(local_path=str(tmp_path / "store"), database=str(tmp_path / "db"))
    opened = bakthat.open_profile(profile)
    for number, (kept, restored) in enumerate([(None, None), (False, None), (None, False), (True, True)]):
        made = opened.backup(source, "local", password="", xattrs=kept)
        opened.restore(made.stored_filename, "local", target=tmp_path / f"{number}", xattrs=restored)
        found = xattrs(tmp_path / f"{number}" / "data" / "file")
        assert bool(found) == (kept is not False and restored is not False)
