"""`restore --salvage` as a person runs it on a damaged archive."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine


@pytest.fixture
def archive(bakthat_command: CommandLine) -> Path:
    """A plain backup of four files of 1 MB in the local folder."""
    root = bakthat_command.here / "site"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.bin").write_bytes(os.urandom(1_000_000))
    name = bakthat_command("backup", "site", "-d", "local", "--prompt", "no").out.strip()
    return bakthat_command.home / ".bakthat" / "store" / name


def damage(archive: Path) -> None:
    with archive.open("r+b") as file:
        file.seek(archive.stat().st_size // 2)
        file.write(b"damage")


def test_of_a_damaged_archive_the_whole_files_come_back_and_the_rest_is_named(
    bakthat_command: CommandLine, archive: Path
) -> None:
    damage(archive)
    assert bakthat_command("restore", "site", "-d", "local", "--target", "none").code == 5
    said = bakthat_command("restore", "site", "-d", "local", "--salvage", "--target", "out")
    assert (said.code, said.out) == (5, "out/site.salvaged\n")
    assert "unverified: site/" in said.err
    assert f"Salvaged {archive.name}: " in said.err
    came = {path.name for path in (bakthat_command.here / "out" / "site.salvaged" / "site").iterdir()}
    assert len([name for name in came if name.endswith(".bin")]) >= 2
    for path in (bakthat_command.here / "out" / "site.salvaged" / "site").glob("*.bin"):
        assert path.read_bytes() == (bakthat_command.here / "site" / path.name).read_bytes()


def test_a_restore_of_a_damaged_archive_names_the_way_out(bakthat_command: CommandLine, archive: Path) -> None:
    damage(archive)
    for name in (("site", "-d", "local"), ("--from", str(archive))):
        said = bakthat_command("restore", *name, "--target", "none")
        assert said.code == 5
        assert said.err.endswith("if there is no other backup, --salvage brings back what is left\n")


def test_a_long_report_is_cut_and_fits_eighty_columns(bakthat_command: CommandLine) -> None:
    root = bakthat_command.here / "many"
    root.mkdir()
    for number in range(60):
        (root / f"{number} and a rather long name, with blanks").write_bytes(os.urandom(1000))
    name = bakthat_command("backup", "many", "-d", "local", "--prompt", "no").out.strip()
    damage(bakthat_command.home / ".bakthat" / "store" / name)
    said = bakthat_command("restore", "many", "-d", "local", "--salvage")
    assert said.code == 5
    lines = said.err.splitlines()
    assert len([line for line in lines if line.startswith("unverified: many/")]) == 20
    assert [line for line in lines if line.startswith("unverified: ") and line.endswith(" more")]
    assert max(map(len, lines[:-1])) <= 80


def test_the_report_is_had_as_json(bakthat_command: CommandLine, archive: Path) -> None:
    damage(archive)
    said = bakthat_command("restore", "site", "-d", "local", "--salvage", "--json")
    report = json.loads(said.out)["salvaged"]
    assert (said.code, report["is_complete"], report["directory"]) == (5, False, "site.salvaged")
    assert report["unverified"]["listed"][0]["path"].startswith("site/")


def test_of_a_good_archive_everything_comes_back(bakthat_command: CommandLine, archive: Path) -> None:
    said = bakthat_command("restore", "site", "-d", "local", "--salvage")
    assert (said.code, said.out) == (0, "./site.salvaged\n")
    assert said.err.endswith(": 4 files whole (4.0 MB), 0 partial, 0 unverified, 0 missing.\n")


def test_an_archive_without_a_database_is_salvaged(bakthat_command: CommandLine, archive: Path) -> None:
    damage(archive)
    said = bakthat_command("restore", "--from", str(archive), "--salvage")
    assert (said.code, said.out) == (5, "./site.salvaged\n")


def test_nothing_is_replaced(bakthat_command: CommandLine, archive: Path) -> None:
    (bakthat_command.here / "site.salvaged").mkdir()
    said = bakthat_command("restore", "site", "-d", "local", "--salvage")
    assert said.code == 1
    assert "site.salvaged already exists" in said.err


@pytest.mark.parametrize("option", ["--overwrite", "--full-check"])
def test_what_makes_no_sense_with_it_is_refused(bakthat_command: CommandLine, archive: Path, option: str) -> None:
    said = bakthat_command("restore", "site", "-d", "local", "--salvage", option)
    assert said.code == 2
    assert "cannot be combined with it" in said.err
