"""The command line, as readable transcripts: a command, what it printed, its exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal

DATA = Path(__file__).parent.parent / "data"
NAME = r"site\.\d{14}\.tgz"


@pytest.fixture
def site(bakthat_command: CommandLine) -> Path:
    root = bakthat_command.here / "site"
    root.mkdir()
    (root / "index.html").write_text("<h1>hello</h1>")
    (root / "about.html").write_text("about")
    return root


@pytest.fixture
def stored(bakthat_command: CommandLine, site: Path) -> str:
    """A plain backup of `site` in the local folder; its stored filename."""
    said = bakthat_command("backup", "site", "-d", "local", "--prompt", "no")
    assert said.code == 0, said.err
    return said.out.strip()


# a life without any account


def test_a_first_backup_needs_no_account(bakthat_command: CommandLine, site: Path) -> None:
    said = bakthat_command("backup", "site", "-d", "local", "--prompt", "no")
    assert said.code == 0
    assert re.fullmatch(NAME, said.out.strip())
    assert re.search(r"Backed up 2 files \(19 B\) to local ~/\.bakthat/store: \d+ B, not encrypted\.", said.err)


def test_the_current_directory_is_the_default(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command.here = site
    assert re.fullmatch(NAME, bakthat_command("backup", "-d", "local", "--prompt", "no").out.strip())


def test_quiet_prints_the_result_alone(bakthat_command: CommandLine, site: Path) -> None:
    said = bakthat_command("backup", "site", "-d", "local", "--prompt", "no", "-q")
    assert (len(said.lines), said.err) == (1, "")


def test_show_lists_date_backend_size_name_and_tags(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", "--prompt", "no", "-t", "web daily")
    (line,) = bakthat_command("show").lines
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ\tlocal   \t +\d+ B\t{NAME} \(web daily\)", line)


def test_tags_may_be_given_one_by_one_or_together(bakthat_command: CommandLine, site: Path) -> None:
    made = bakthat_command(
        "backup", "site", "-d", "local", "--prompt", "no", "-t", "nightly", "-t", "web daily", "-t", "web", "--json"
    )
    assert json.loads(made.out)["tags"] == ["nightly", "web", "daily"]


def test_several_tags_are_all_asked_for(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", "--prompt", "no", "-t", "nightly", "-t", "web")
    assert len(bakthat_command("show", "-t", "nightly", "-t", "web").lines) == 1
    assert bakthat_command("show", "-t", "other", "-t", "web").lines == []


def test_show_gives_the_true_moment_of_a_backup_of_2013(bakthat_command: CommandLine) -> None:
    with contextlib.closing(sqlite3.connect(bakthat_command.home / ".bakthat.sqlite")) as database:
        database.executescript((DATA / "bakthat-2013.sql").read_text())
    shown = {
        backup["stored_filename"]: backup for backup in json.loads(bakthat_command("show", "--json").out)["backups"]
    }
    assert shown["mydir.20130305193615.tgz.enc"]["backup_date"] == 1362512175  # 2013-03-05 19:36:15 UTC


def test_show_of_nothing_says_so(bakthat_command: CommandLine) -> None:
    said = bakthat_command("show")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("No backups yet, and no configuration. `bakthat configure` asks where backups go")
    assert bakthat_command.files() == []


def test_show_searches_substrings_and_tags(bakthat_command: CommandLine, stored: str) -> None:
    assert len(bakthat_command("show", "sit").lines) == 1
    assert bakthat_command("show", "other").lines == []
    assert bakthat_command("show", "-t", "web").lines == []
    assert bakthat_command("show", "-d", "s3").lines == []


def test_json_is_the_record(bakthat_command: CommandLine, stored: str) -> None:
    (record,) = json.loads(bakthat_command("show", "--json").out)["backups"]
    assert sorted(record) == [
        "backend",
        "backend_hash",
        "backup_date",
        "backup_date_iso",
        "filename",
        "is_deleted",
        "last_updated",
        "last_updated_iso",
        "metadata",
        "size",
        "stored_filename",
        "tags",
    ]
    assert record["stored_filename"] == stored


def test_restore_brings_the_files_back(bakthat_command: CommandLine, stored: str) -> None:
    said = bakthat_command("restore", "site", "-d", "local", "--target", "out")
    assert (said.code, said.out, said.err) == (0, "out/site\n", f"Restored {stored}: 2 files (19 B).\n")
    assert (bakthat_command.here / "out" / "site" / "about.html").read_text() == "about"


def test_restore_refuses_what_is_there_and_names_the_way_out(bakthat_command: CommandLine, stored: str) -> None:
    said = bakthat_command("restore", "site", "-d", "local")
    assert said.code == 1
    assert re.fullmatch(r"bakthat: .*site already exists; --overwrite replaces it.*\n", said.err)


def test_a_plain_backup_of_an_encrypted_series_is_opened_only_on_request(
    bakthat_command: CommandLine, site: Path
) -> None:
    backup = ("backup", "site", "-d", "local", "--prompt", "no")
    assert bakthat_command(*backup, BAKTHAT_PASSWORD="secret").code == 0
    plain = bakthat_command(*backup).out.strip()
    for command in (("restore", "site", "--target", "out"), ("verify", "site")):
        said = bakthat_command(*command, "-d", "local")
        assert said.code == 5
        assert f"{plain} is not encrypted, but site." in said.err
        assert bakthat_command(*command, "-d", "local", "--allow-plain").code == 0
    assert (bakthat_command.here / "out" / "site").is_dir()


def test_restore_overwrites_on_request(bakthat_command: CommandLine, stored: str, site: Path) -> None:
    (site / "index.html").write_text("broken")
    assert bakthat_command("restore", "site", "-d", "local", "--overwrite").code == 0
    assert (site / "index.html").read_text() == "<h1>hello</h1>"


def test_restore_of_a_part(bakthat_command: CommandLine, stored: str) -> None:
    bakthat_command("restore", "site", "-d", "local", "--target", "out", "--only", "about*")
    assert os.listdir(bakthat_command.here / "out" / "site") == ["about.html"]


def test_restore_from_a_file_alone(bakthat_command: CommandLine, stored: str) -> None:
    archive = bakthat_command.home / ".bakthat" / "store" / stored
    (bakthat_command.home / ".bakthat.sqlite").unlink()
    assert bakthat_command("restore", "--from", str(archive), "--target", "out").code == 0
    assert (bakthat_command.here / "out" / "site" / "about.html").exists()


def test_delete_says_what_it_would_delete_and_then_deletes_it(bakthat_command: CommandLine, stored: str) -> None:
    dry = bakthat_command("delete", "site", "-d", "local", "--dry-run")
    assert (dry.out, dry.err) == (f"{stored}\n", f"Would delete {stored} from local.\n")
    assert len(bakthat_command("show").lines) == 1
    assert bakthat_command("delete", "site", "-d", "local", "--yes").err == f"Deleted {stored} from local.\n"
    assert bakthat_command("show").lines == []
    assert [name for name in bakthat_command.files() if "store/" in name] == [".bakthat/store/.bakthat-store"]


def test_names_may_be_written_with_a_hyphen(bakthat_command: CommandLine, stored: str) -> None:
    for name in ("remove-older-than", "remove_older_than", "delete-older-than", "delete_older_than"):
        assert bakthat_command(name, "site", "1M", "-d", "local").code == 0


def test_verify_says_how_far_it_checked(bakthat_command: CommandLine, stored: str) -> None:
    said = bakthat_command("verify", "--all", "-d", "local")
    assert (said.code, said.out) == (0, f"good\t{stored}\n")


def test_verify_of_a_damaged_backup_is_exit_code_5(bakthat_command: CommandLine, stored: str) -> None:
    archive = bakthat_command.home / ".bakthat" / "store" / stored
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    said = bakthat_command("verify", "site", "-d", "local")
    assert said.code == 5
    assert said.out.startswith(f"BAD\t{stored}\t")


def test_sync_rebuilds_a_lost_database(bakthat_command: CommandLine, stored: str) -> None:
    (before,) = json.loads(bakthat_command("show", "--json").out)["backups"]
    (bakthat_command.home / ".bakthat.sqlite").unlink()
    assert bakthat_command("sync", "-d", "local").out == f"added\t{stored}\n"
    (after,) = json.loads(bakthat_command("show", "--json").out)["backups"]
    del (
        after["metadata"]["stored_at_iso"],
        after["metadata"]["stored_at"],
    )  # the store's own date, which a backup's own row lacks
    assert after == before


def test_rotation_shows_the_same_table_for_a_dry_run_and_a_real_one(bakthat_command: CommandLine, stored: str) -> None:
    bakthat_command.configure({"default": {"rotation": {"last": 2}}})
    bakthat_command("backup", "site", "-d", "local", "--prompt", "no")
    dry = bakthat_command("rotate_backups", "site", "-d", "local", "--dry-run")
    real = bakthat_command("rotate_backups", "site", "-d", "local", "-v")
    assert dry.lines[:2] == real.lines[:2]
    assert [line.split()[0] for line in real.lines[:2]] == ["keep", "keep"]
    assert real.lines[2:] == ["site: kept 2, deleted 0"]


@pytest.mark.parametrize(
    "verb",
    [["rotate_backups", "site"], ["rotate_backups", "--all"], ["remove_older_than", "site", "1D"]],
    ids=["rotate", "all", "older"],
)
def test_retention_prints_a_line_for_each_series_and_with_quiet_nothing(
    bakthat_command: CommandLine, stored: str, verb: list[str]
) -> None:
    bakthat_command.configure({"default": {"rotation": {"days": 1}, "default_destination": "local"}})
    said, quiet = bakthat_command(*verb), bakthat_command(*verb, "-q")
    assert (said.code, said.out, said.err) == (0, "site: kept 1, deleted 0\n", "")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


@pytest.fixture
def old_and_new(bakthat_command: CommandLine, stored: str) -> str:
    """The older one of two backups, of last year."""
    store = bakthat_command.home / ".bakthat" / "store"
    old = "site.20250102030405.tgz"
    (store / old).write_bytes((store / stored).read_bytes())
    bakthat_command.configure({"default": {"default_destination": "local"}})
    assert bakthat_command("sync").code == 0
    return old


@pytest.mark.parametrize(("answer", "code", "left"), [("no", 1, 2), ("", 1, 2), ("yes", 0, 1)])
def test_removing_by_minutes_asks_on_a_terminal(
    bakthat_command: CommandLine, old_and_new: str, answer: str, code: int, left: int
) -> None:
    answers = [("(yes/no) [no]:", answer)]
    seen = on_terminal(bakthat_command, "remove-older-than", "site", "6m", answers=answers)
    assert (seen.code, seen.unasked) == (code, ())
    assert "Delete 1 backup of site, older than 6 minutes?" in " ".join(seen.text.split())
    assert len(bakthat_command("show").lines) == left


@pytest.mark.parametrize("interval", ["6M", "6m"])
def test_removing_by_months_or_without_a_terminal_asks_nothing(
    bakthat_command: CommandLine, old_and_new: str, interval: str
) -> None:
    if interval == "6M":
        seen = on_terminal(bakthat_command, "remove-older-than", "site", interval)
        assert (seen.code, seen.lines[-1]) == (0, "site: kept 1, deleted 1")
    else:
        assert bakthat_command("remove-older-than", "site", interval).out == "site: kept 1, deleted 1\n"


def test_rotation_without_a_policy_names_the_command(bakthat_command: CommandLine, stored: str) -> None:
    said = bakthat_command("rotate_backups", "site", "-d", "local")
    assert said.code == 2
    assert "configure-backups-rotation" in said.err


# passwords and keys


def test_a_password_from_the_environment_encrypts_and_decrypts(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command.environment = {"BAKTHAT_PASSWORD": "secret"}
    said = bakthat_command("backup", "site", "-d", "local")
    assert said.out.strip().endswith(".tgz.enc")
    assert bakthat_command("restore", "site", "-d", "local", "--target", "out").code == 0


def test_a_wrong_password_is_exit_code_5_and_leaves_nothing(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", BAKTHAT_PASSWORD="secret")
    said = bakthat_command("restore", "site", "-d", "local", "--target", "out", BAKTHAT_PASSWORD="wrong")
    assert said.code == 5
    assert "wrong" not in said.err.replace("wrong password", "")
    assert not (bakthat_command.here / "out").exists()


def test_without_a_terminal_and_a_password_nothing_hangs(bakthat_command: CommandLine, site: Path) -> None:
    said = bakthat_command("backup", "site", "-d", "local")
    assert said.code == 2
    assert "BAKTHAT_PASSWORD" in said.err
    assert "--prompt no" in said.err
    assert "store" not in "".join(bakthat_command.files())


def test_restoring_without_a_terminal_and_a_password_nothing_hangs(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", BAKTHAT_PASSWORD="secret")
    said = bakthat_command("restore", "site", "-d", "local", "--target", "out")
    assert said.code == 5
    assert "BAKTHAT_PASSWORD" in said.err


def test_a_key_pair_encrypts_on_one_side_and_decrypts_on_the_other(bakthat_command: CommandLine, site: Path) -> None:
    made = bakthat_command("keygen", "-o", "key")
    recipient = made.out.strip()
    assert (made.code, (bakthat_command.here / "key").stat().st_mode & 0o777) == (0, 0o600)
    assert bakthat_command("backup", "site", "-d", "local", "-r", recipient).code == 0
    without = bakthat_command("restore", "site", "-d", "local", "--target", "out")
    assert (without.code, "-i" in without.err) == (5, True)
    assert bakthat_command("restore", "site", "-d", "local", "--target", "out", "-i", "key").code == 0


def test_a_key_is_never_overwritten(bakthat_command: CommandLine) -> None:
    bakthat_command("keygen", "-o", "key")
    before = (bakthat_command.here / "key").read_text()
    assert bakthat_command("keygen", "-o", "key").code == 1
    assert (bakthat_command.here / "key").read_text() == before


# incomplete


def test_an_incomplete_backup_is_exit_code_3_and_names_the_file(
    bakthat_command: CommandLine, site: Path, unprivileged
) -> None:
    (site / "secret").write_text("x")
    (site / "secret").chmod(0)
    done = unprivileged(
        "-m", "bakthat", "backup", str(site), "-d", "local", "--prompt", "no", env=bakthat_command.env()
    )
    assert done.returncode == 3
    assert "secret" in done.stderr
    assert "incomplete" in done.stderr
    assert "[incomplete]" in bakthat_command("show").out


@pytest.fixture
def incomplete(bakthat_command: CommandLine, site: Path, unprivileged) -> str:
    """The stored filename of a backup of `site` that lacks two files."""
    for name in ("one", "two"):
        (site / name).write_text("x")
        (site / name).chmod(0)
    done = unprivileged(
        "-m", "bakthat", "backup", str(site), "-d", "local", "--prompt", "no", "-q", env=bakthat_command.env()
    )
    assert done.returncode == 3
    return done.stdout.strip()


def test_an_incomplete_backup_is_restored_with_exit_code_3_and_what_it_lacks(
    bakthat_command: CommandLine, incomplete: str
) -> None:
    said = bakthat_command("restore", "site", "-d", "local", "--target", "out")
    assert said.code == 3
    assert (bakthat_command.here / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"
    assert f"{incomplete} is incomplete (2 files)" in said.err
    assert "/site/one: " in said.err
    assert "/site/two: " in said.err


def test_the_json_of_an_incomplete_restore_says_so(bakthat_command: CommandLine, incomplete: str) -> None:
    said = bakthat_command("restore", "site", "-d", "local", "--target", "out", "--json")
    restored = json.loads(said.out)
    assert (said.code, restored["incomplete"], len(restored["problems"])) == (3, True, 2)


def test_the_json_of_a_whole_restore_says_so(bakthat_command: CommandLine, stored: str) -> None:
    restored = json.loads(bakthat_command("restore", "site", "-d", "local", "--target", "out", "--json").out)
    assert (restored["incomplete"], restored["problems"]) == (False, [])


def test_verify_says_good_but_incomplete_with_exit_code_0(bakthat_command: CommandLine, incomplete: str) -> None:
    said = bakthat_command("verify", "site", "-d", "local")
    assert (said.code, said.out) == (0, f"good, but incomplete (2 files)\t{incomplete}\n")
    assert said.err == "1 checked, all good (1 incomplete).\n"
    (verified,) = json.loads(bakthat_command("verify", "site", "-d", "local", "--json").out)["backups"]
    assert (verified["incomplete"], len(verified["problems"])) == (True, 2)


# bad input: one line, the exit code, nothing written


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["backup", "nowhere", "-d", "local", "--prompt", "no"], 1, "nowhere"),
        (["backup", "site", "-d", "locale", "--prompt", "no"], 2, "did you mean local"),
        (["backup", "site", "--prompt", "no"], 2, "bakthat configure"),
        (["backup", "site", "-d", "local", "--prompt", "no", "-p", "absent"], 2, "absent"),
        (["backup", "site", "-d", "local", "--prompt", "no", "--name", "a/b"], 2, "--name"),
        (["backup", "site", "-d", "local", "--prompt", "maybe"], 2, "maybe"),
        (["backup", "site", "-d", "local", "--exclude-from", "absent", "--prompt", "no"], 2, "absent"),
        (["backup", "site", "-d", "local", "-r", "age1wrong"], 2, "--recipient"),
        (["backup", "site", "-d", "local", "--prompt", "no", "-c", "absent.yml"], 2, "absent.yml"),
        (["backup", "site", "-d", "glacier", "--prompt", "no"], 2, "glacier_storage_class"),
        (["restore", "site", "-d", "local"], 1, "site"),
        (["restore"], 2, "--from"),
        (["restore", "site", "--from", "x.tgz"], 2, "--from PLACE names one archive by itself; leave out NAME"),
        (["restore", "site", "index.html"], 2, "(index.html); --only PATTERN restores a part, --target DIR says where"),
        (["--profil", "x", "show"], 2, "Did you mean --profile?"),
        (["restore", "--host", "web1", "--from", "x.tgz"], 2, "leave out --host"),
        (["backup", "site", "-d", "/mnt/usb", "--prompt", "no"], 2, "a folder is the local_path of a profile"),
        (["backup", "site", "-d", "s3://bucket", "--prompt", "no"], 2, "a bucket is the s3_bucket of a profile"),
        (["backup", "site", "-d", "local", "-r", "~/key.pub"], 2, "a file of public keys goes into --recipients-file"),
        (["copy", "--all", "-d", "local", "--to", "s3"], 2, "or use the local folder: --to local"),
        (["run"], 2, "describe them under `jobs`, as `etc: {source: /etc}`"),
        (["restore", "site", "-d", "local", "--tier", "slow"], 2, "slow"),
        (["restore", "--from", "absent.tgz"], 1, "absent.tgz"),
        (["delete", "site", "-d", "local"], 1, "site"),
        (["remove_older_than", "site", "3X", "-d", "local"], 2, "3X"),
        (["remove_older_than", "site", "1M", "-d", "local"], 4, "mounted"),
        (["verify"], 2, "--all"),
        (["sync", "-d", "local"], 4, "mounted"),
        (["backup", "", "-d", "local", "--prompt", "no"], 2, "FILENAME is empty"),
        (["frobnicate"], 2, "frobnicate"),
        (["bakup", "site"], 2, "Did you mean backup?"),
        (["backup", "--frobnicate"], 2, "--frobnicate"),
    ],
)
def test_a_mistake_is_one_clear_line_and_its_exit_code(
    bakthat_command: CommandLine, site: Path, arguments: list[str], code: int, told: str
) -> None:
    before = bakthat_command.files()
    said = bakthat_command(*arguments)
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert "Traceback" not in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("bakthat:")]) == 1
    assert bakthat_command.files() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default: [", "line"),
        ("- a\n- b\n", ".bakthat.yml"),
        ("default:\n  compress: maybe\n", "compress"),
        ("default:\n  s3_bucket: 5\n", "s3_bucket"),
        ("default:\n  max_concurrency: many\n", "max_concurrency"),
        ("default:\n  rotation: 5\n", "rotation"),
    ],
)
def test_a_broken_configuration_names_file_and_key(
    bakthat_command: CommandLine, site: Path, text: str, told: str
) -> None:
    (bakthat_command.home / ".bakthat.yml").write_text(text)
    said = bakthat_command("backup", "site", "-d", "local", "--prompt", "no")
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err


def test_a_file_that_is_not_a_database_is_one_line_that_names_sync(bakthat_command: CommandLine, stored: str) -> None:
    (bakthat_command.home / ".bakthat.sqlite").write_bytes(b"this is no database" * 100)
    for rest in bakthat_command.home.glob(".bakthat.sqlite-*"):
        rest.unlink()
    said = bakthat_command("show")
    assert said.code == 1
    assert "bakthat sync" in said.err
    assert "Traceback" not in said.err


def test_a_file_name_cannot_steer_the_terminal(bakthat_command: CommandLine) -> None:
    (bakthat_command.here / "evil\x1b[2Jname").mkdir()
    said = bakthat_command("backup", "evil\x1b[2Jname", "-d", "local", "--prompt", "no")
    assert said.code == 0
    assert "\x1b" not in said.out + said.err + bakthat_command("show").out


# help


def test_help_names_every_command(bakthat_command: CommandLine) -> None:
    said = bakthat_command("-h")
    for name in ("backup", "restore", "show", "delete", "remove-older-than", "rotate-backups", "sync", "verify"):
        assert f"  {name} " in said.out


def test_version(bakthat_command: CommandLine) -> None:
    assert bakthat_command("--version").out == "bakthat 1.1.0\n"


# interruptions


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_with_its_exit_code_and_leaves_nothing(
    bakthat_command: CommandLine, number: int, code: int
) -> None:
    (bakthat_command.here / "big").write_bytes(os.urandom(10_000_000))  # a hundred seconds at this limit
    running = subprocess.Popen(
        bakthat_command.command("backup", "big", "-d", "local", "--prompt", "no", "--limit-upload", "100K"),
        env=bakthat_command.env(),
        cwd=bakthat_command.here,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    store = bakthat_command.home / ".bakthat" / "store"
    while not store.exists() and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert {path.name for path in store.iterdir()} <= {".bakthat-store"}
    assert bakthat_command("show").out == ""


@pytest.mark.parametrize("arguments", [["show"], ["show", "-h"], ["-h"]])
def test_output_that_nobody_reads_is_not_an_error(
    bakthat_command: CommandLine, stored: str, arguments: list[str]
) -> None:
    piped = " ".join(["set -o pipefail;", *bakthat_command.command(*arguments), "|", "true"])
    done = subprocess.run(["bash", "-c", piped], env=bakthat_command.env(), capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode in (0, 141)) == ("", True)


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["keygen"], ["-h"], ["show", "-h"], ["--version"]])
def test_output_on_a_full_disk_is_one_clear_line(
    bakthat_command: CommandLine, stored: str, arguments: list[str]
) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            bakthat_command.command(*arguments),
            stdout=full,
            stderr=-1,
            env=bakthat_command.env(),
            text=True,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    said = f"bakthat: {json.loads(line)['error']['message']}" if "--json" in arguments else line
    assert said == "bakthat: the result could not be written to standard output: No space left on device"


def test_a_backup_whose_notices_cannot_be_written_is_made(bakthat_command: CommandLine, site: Path) -> None:
    os.mkfifo(site / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(site / "socket"))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            bakthat_command.command("backup", "site", "-d", "local", "--prompt", "no"),
            stdout=subprocess.PIPE, stderr=full, env=bakthat_command.env(), cwd=bakthat_command.here, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert bakthat_command("show").lines[0].endswith(done.stdout.decode().strip())


def test_standard_streams_may_be_closed(bakthat_command: CommandLine, site: Path) -> None:
    backup = " ".join(bakthat_command.command("backup", "site", "-d", "local", "--prompt", "no"))
    for closed in ("2>&-", ">&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            f"{backup} {closed}", shell=True, env=bakthat_command.env(), cwd=bakthat_command.here, check=False
        )
        assert done.returncode == 0
    assert len(bakthat_command("show").lines) == 3


def test_without_a_command_the_help_is_shown_in_lines(bakthat_command: CommandLine) -> None:
    said = bakthat_command()
    assert (said.code, said.out) == (2, "")
    assert said.err == bakthat_command("-h").out


def test_a_list_of_the_commands_cuts_no_sentence_short(bakthat_command: CommandLine) -> None:
    assert "..." not in bakthat_command("-h", COLUMNS="80").out.partition("Commands:")[2]


def test_the_archive_opens_with_tar_alone(bakthat_command: CommandLine, stored: str) -> None:
    with tarfile.open(bakthat_command.home / ".bakthat" / "store" / stored) as archive:
        assert "site/index.html" in archive.getnames()


def test_a_profile_that_cannot_be_read_does_not_hide_the_backups_of_the_others(
    bakthat_command: CommandLine, stored: str
) -> None:
    bakthat_command.configure({"default": {}, "broken": {"max_concurrency": "many"}})
    said = bakthat_command("show")
    assert (said.code, len(said.lines)) == (0, 1)
    assert "max_concurrency" in said.err


def test_a_current_directory_that_is_gone_is_one_line(bakthat_command: CommandLine) -> None:
    script = "mkdir gone && cd gone && rmdir ../gone && " + " ".join(
        bakthat_command.command("backup", "-d", "local", "--prompt", "no")
    )
    done = subprocess.run(
        script,
        shell=True,
        cwd=bakthat_command.here,
        env=bakthat_command.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "current directory" in done.stderr


def test_a_wrong_key_in_verify_is_exit_code_5_but_not_bad(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", BAKTHAT_PASSWORD="secret")
    said = bakthat_command("verify", "site", "-d", "local", BAKTHAT_PASSWORD="other")
    assert said.code == 5
    assert said.out.startswith("not checked\t")
    assert "BAD" not in bakthat_command("show", "-v").out


@pytest.mark.parametrize(
    ("password", "damage", "word"),
    [("other", b"", "not checked"), ("", b"", "intact"), ("secret", b"x", "BAD"), ("", b"x", "BAD")],
    ids=["wrong password", "no password", "damaged", "damaged, no password"],
)
def test_a_line_of_verify_names_the_backup_once(
    bakthat_command: CommandLine, site: Path, password: str, damage: bytes, word: str
) -> None:
    name = bakthat_command("backup", "site", "-d", "local", BAKTHAT_PASSWORD="secret").lines[0]
    with (bakthat_command.home / ".bakthat" / "store" / name).open("ab") as stored:
        stored.write(damage)
    settings = {"BAKTHAT_PASSWORD": password} if password else {}
    said = bakthat_command("verify", "site", "-d", "local", **settings)
    assert said.out.startswith(f"{word}\t{name}\t")
    assert said.out.count(name) == 1


def test_verify_says_that_a_quick_check_is_not_all(bakthat_command: CommandLine, stored: str) -> None:
    said = bakthat_command("verify", "site", "-d", "local", "--quick")
    assert (said.code, said.err) == (0, "1 checked, all good as far as they were checked.\n")
