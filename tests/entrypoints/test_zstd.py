"""Backups that are compressed with zstd, from the command line and from the library, at all that can be done to one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import bakthat
from bakthat.errors import ConfigInvalid, UsageError
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile

SETTINGS = {"default_destination": "local", "compression": "zstd"}
NOISE = os.urandom(5_000_000)


@pytest.fixture
def photos(bakthat_command: CommandLine) -> Path:
    bakthat_command.configure({"default": SETTINGS})
    root = bakthat_command.here / "photos"
    (root / "2025").mkdir(parents=True)
    (root / "2025" / "summer.jpg").write_bytes(NOISE)
    (root / "notes.txt").write_text("hello\n" * 1000)
    return root


def back_up(command: CommandLine, *arguments: str, **environment: str) -> str:
    said = command("backup", "photos", "--prompt", "no", *arguments, **environment)
    assert said.code == 0, said.err
    return said.out.strip()


def stored_bytes(command: CommandLine, name: str) -> bytes:
    (path,) = command.home.rglob(name)
    return path.read_bytes()


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_backup_is_restored_listed_searched_compared_and_verified(
    bakthat_command: CommandLine, photos: Path, is_encrypted: bool
) -> None:
    if is_encrypted:
        bakthat_command.configure({"default": {**SETTINGS, **bakthat_command.key_pair()}})
    stored = back_up(bakthat_command)
    assert stored.endswith(".tar.zst.enc" if is_encrypted else ".tar.zst")
    for asked in ("photos", stored, stored.split(".tar")[0]):
        listed = bakthat_command("ls", asked)
        assert sorted(listed.lines) == ["2025/", "2025/summer.jpg", "notes.txt"], (asked, listed.err)
    assert bakthat_command("cat", "photos", "notes.txt").out == "hello\n" * 1000
    assert "notes.txt" in bakthat_command("find", "notes.txt").out
    (photos / "notes.txt").write_text("changed")
    back_up(bakthat_command)
    changed = bakthat_command("diff", stored, "photos")
    assert (changed.code, "notes.txt" in changed.out) == (1, True), changed
    assert bakthat_command("verify", stored).code == 0
    target = bakthat_command.home / "target"
    said = bakthat_command("restore", stored, "--target", str(target))
    assert said.code == 0, said.err
    assert (target / "photos" / "2025" / "summer.jpg").read_bytes() == NOISE
    assert (target / "photos" / "notes.txt").read_text() == "hello\n" * 1000
    part = bakthat_command.home / "part"
    said = bakthat_command("restore", stored, "--only", "notes.txt", "--target", str(part))
    assert said.code == 0, said.err
    assert [path.name for path in part.rglob("*") if path.is_file()] == ["notes.txt"]
    (found,) = json.loads(bakthat_command("show", "--json", stored).out)["backups"]
    assert (found["metadata"]["compression"], found["metadata"]["container"]) == ("zstd", "tar")


def test_a_plain_archive_is_opened_by_tar_and_its_index_is_not_seen(
    bakthat_command: CommandLine, photos: Path, tmp_path: Path
) -> None:
    content = stored_bytes(bakthat_command, back_up(bakthat_command))
    subprocess.run(["tar", "--zstd", "-x"], input=content, cwd=tmp_path, check=True)
    assert (tmp_path / "photos" / "2025" / "summer.jpg").read_bytes() == NOISE


def test_sync_finds_zstd_backups_without_their_records(bakthat_command: CommandLine, photos: Path) -> None:
    stored = back_up(bakthat_command)
    (bakthat_command.home / ".bakthat.sqlite").unlink()
    assert bakthat_command("sync").code == 0
    assert stored in bakthat_command("show").out
    target = bakthat_command.home / "target"
    assert bakthat_command("restore", "photos", "--target", str(target)).code == 0
    assert (target / "photos" / "notes.txt").exists()


@pytest.mark.parametrize(
    ("chosen", "suffix"), [("gzip", ".tgz"), ("zstd", ".tar.zst"), ("zstd:1", ".tar.zst"), ("none", ".tar")]
)
def test_the_option_is_before_the_profile(bakthat_command: CommandLine, photos: Path, chosen: str, suffix: str) -> None:
    assert back_up(bakthat_command, "--compression", chosen).endswith(suffix)


def test_a_level_changes_the_size(bakthat_command: CommandLine, photos: Path) -> None:
    (photos / "2025" / "summer.jpg").write_text("".join(f"{number * 7919 % 100_003} " for number in range(500_000)))
    sizes = [
        len(stored_bytes(bakthat_command, back_up(bakthat_command, "--compression", level)))
        for level in ("zstd:1", "zstd:19")
    ]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("chosen", ["zip", "", "zstd:0", "zstd:20", "zstd:", "gzip:5", "ZSTD"])
def test_another_compression_is_refused_with_the_choices(
    bakthat_command: CommandLine, photos: Path, chosen: str
) -> None:
    said = bakthat_command("backup", "photos", "--prompt", "no", "--compression", chosen)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "expected gzip, zstd or none" in said.err
    bakthat_command.configure({"default": {"compression": chosen or "x"}})
    said = bakthat_command("show")
    assert said.code == 2, said
    assert "compression" in said.err


@pytest.mark.parametrize(("compress", "compression"), [(False, "zstd"), (False, "gzip"), (True, "none")])
def test_two_settings_that_contradict_each_other_are_an_error(
    bakthat_command: CommandLine, compress: bool, compression: str
) -> None:
    bakthat_command.configure({"default": {"compress": compress, "compression": compression}})
    said = bakthat_command("show")
    assert said.code != 0
    assert len(said.err.splitlines()) == 1
    assert "contradicts `compress:" in said.err
    with pytest.raises(ConfigInvalid, match="contradicts"):
        bakthat.backup("x", conf={"compress": compress, "compression": compression})


def test_a_stream_is_a_zst_and_comes_back(bakthat_command: CommandLine, photos: Path) -> None:
    made = bakthat_command(
        "backup", "--name", "shop.sql", "--prompt", "no", "--stdin-from-command", "--", "printf", "create table"
    )
    assert made.code == 0, made.err
    stored = made.out.strip()
    assert stored.endswith(".zst")
    assert not stored.endswith(".tar.zst")
    unpacked = subprocess.run(
        ["zstd", "-dc"], input=stored_bytes(bakthat_command, stored), capture_output=True, check=True
    )
    assert unpacked.stdout == b"create table"
    target = bakthat_command.home / "target"
    assert bakthat_command("restore", "shop.sql", "--target", str(target)).code == 0
    assert (target / "shop.sql").read_text() == "create table"


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_archive_is_exit_5_and_one_line_and_salvage_gives_the_rest(
    bakthat_command: CommandLine, photos: Path, at: float
) -> None:
    stored = back_up(bakthat_command)
    (path,) = bakthat_command.home.rglob(stored)
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    target = bakthat_command.home / "target"
    said = bakthat_command("restore", stored, "--target", str(target))
    assert (said.code, len(said.err.splitlines())) == (5, 1), said
    assert stored in said.err
    assert not list(target.rglob("*.jpg"))
    said = bakthat_command("restore", stored, "--salvage", "--target", str(target))
    assert said.code == 5, said
    assert [path.name for path in target.rglob("*") if path.is_file()], said


def test_an_archive_at_s3_is_read_in_parts(bakthat_command: CommandLine, photos: Path, seaweedfs_url: str) -> None:
    made = s3_profile(seaweedfs_url)
    settings = ("access_key", "secret_key", "s3_bucket", "endpoint_url")
    bakthat_command.configure(
        {
            "default": {
                "compression": "zstd:1",
                **{name: getattr(made, name) for name in settings},
                **bakthat_command.key_pair(),
            }
        }
    )
    stored = back_up(bakthat_command)
    assert stored.endswith(".tar.zst.enc")
    assert bakthat_command("cat", stored, "notes.txt").out == "hello\n" * 1000
    target = bakthat_command.home / "target"
    said = bakthat_command("restore", stored, "--target", str(target))
    assert said.code == 0, said.err
    assert (target / "photos" / "2025" / "summer.jpg").read_bytes() == NOISE


def test_the_library_takes_the_compression_of_files_streams_and_commands(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("content")
    conf = {
        "default_destination": "local",
        "local_path": str(tmp_path / "store"),
        "database": str(tmp_path / "database"),
    }
    chosen = {"conf": conf, "password": "", "compression": "zstd:5"}
    assert bakthat.backup(tmp_path / "tree", **chosen).stored_filename.endswith(".tar.zst")
    assert bakthat.backup(tmp_path / "tree", dry_run=True, **chosen).metadata["compression"] == "zstd"
    with (tmp_path / "tree" / "a").open("rb") as file:
        assert bakthat.backup_stream(file, name="a", **chosen).stored_filename.endswith(".zst")
    assert bakthat.backup_command(["echo"], name="b", **chosen).stored_filename.endswith(".zst")
    with pytest.raises(UsageError, match="expected gzip"):
        bakthat.backup(tmp_path / "tree", conf=conf, password="", compression="lzma")
