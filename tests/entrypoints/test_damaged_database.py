"""A database that cannot be used stops no backup: it is stored, said, and found again by `sync`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine, Said


def with_junk(database: Path) -> None:
    database.write_bytes(os.urandom(20_000))


def cut_short(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(5_000)


def with_a_flipped_page(database: Path) -> None:
    """The file opens, and a table in it does not."""
    data = bytearray(database.read_bytes())
    data[4096:] = bytes(byte ^ 0xFF for byte in data[4096:])
    database.write_bytes(data)


def a_directory(database: Path) -> None:
    database.unlink()
    database.mkdir()


@pytest.fixture
def backup(bakthat_command: CommandLine) -> Callable[[], Said]:
    source = bakthat_command.here / "photos"
    source.mkdir()
    (source / "cat").write_text("cat")
    return lambda: bakthat_command("backup", "photos", "-d", "local", "--prompt", "no")


@pytest.mark.parametrize("damage", [with_junk, cut_short, with_a_flipped_page, a_directory])
def test_a_backup_goes_on_without_a_damaged_database(
    bakthat_command: CommandLine, backup: Callable[[], Said], damage: Callable[[Path], None]
) -> None:
    first = backup().out.strip()
    database = bakthat_command.home / ".bakthat.sqlite"
    damage(database)
    said = backup()
    assert (said.code, said.out) == (1, "")
    going_on, not_recorded = said.err.splitlines()
    assert going_on.endswith("the backup continues without the database")
    assert "is stored, but not in the database" in not_recorded
    assert not_recorded.count("bakthat sync") == 1

    database.rename(database.with_suffix(".damaged"))
    assert bakthat_command("sync", "-d", "local").code == 0
    shown = bakthat_command("show", "-d", "local").out
    second = not_recorded.removeprefix("bakthat: ").partition(" ")[0]
    assert first in shown
    assert second in shown
    assert bakthat_command("verify", "--all", "-d", "local").code == 0
