"""Object Lock on the command line: what a person reads, and that nothing is gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import administrator, s3_profile

KEYS = ("access_key", "secret_key", "s3_bucket", "endpoint_url")


@pytest.fixture
def run(bakthat_command: CommandLine, moto_url: str) -> CommandLine:
    """Two backups of a directory in a bucket with Object Lock."""
    made = s3_profile(moto_url, bucket=False)
    administrator(moto_url).create_bucket(Bucket=made.s3_bucket, ObjectLockEnabledForBucket=True)
    lock = {"mode": "governance", "days": 30}
    settings = {name: getattr(made, name) for name in KEYS}
    bakthat_command.configure({"default": {**settings, "object_lock": lock, "rotation": {"last": 1}}})
    (bakthat_command.here / "site").mkdir()
    (bakthat_command.here / "site" / "a").write_text("a")
    for _ in range(2):
        assert bakthat_command("backup", "site", "--prompt", "no").code == 0
    return bakthat_command


def test_delete_says_until_when_and_nothing_is_gone(run: CommandLine) -> None:
    said = run("delete", "site", "--yes")
    (record, _) = json.loads(run("show", "--json").out)["backups"]
    until = record["metadata"]["locked_until_iso"][:10]
    name = record["stored_filename"]
    line = f"bakthat: {name} is locked until {until}; nothing was deleted; it can be deleted after that\n"
    assert (said.code, said.out, said.err) == (4, "", line)
    assert run("verify", "--all").code == 0


def test_a_rotation_keeps_them_and_says_why(run: CommandLine) -> None:
    assert run("rotate-backups", "site").code == 0
    said = run("rotate-backups", "site", "--dry-run")
    assert said.code == 0
    kept = [line for line in said.lines if line.startswith("keep")]
    assert ["newest" in kept[0], "locked until 20" in kept[1]] == [True, True]


def test_remove_older_than_keeps_them_and_says_why(run: CommandLine) -> None:
    said = run("remove-older-than", "site", "1s", "--json")
    plan = json.loads(said.out)
    assert (said.code, plan["delete"], plan["deleted"], len(plan["keep"])) == (0, [], [], 2)


def test_a_bucket_without_object_lock_is_refused_before_anything_is_stored(
    bakthat_command: CommandLine, moto_url: str
) -> None:
    made = s3_profile(moto_url)
    settings = {name: getattr(made, name) for name in KEYS}
    bakthat_command.configure({"default": {**settings, "object_lock": {"mode": "compliance", "days": 1}}})
    (bakthat_command.here / "site").mkdir()
    said = bakthat_command("backup", "site", "--prompt", "no")
    assert (said.code, said.out) == (2, "")
    assert "Object Lock must be enabled when a bucket is made" in said.err
    assert bakthat_command("show").out == ""
    assert administrator(moto_url).list_objects_v2(Bucket=made.s3_bucket)["KeyCount"] == 0


def test_what_an_incremental_backup_continues_is_locked_for_as_long(run: CommandLine, moto_url: str) -> None:
    profile = yaml.safe_load((run.home / ".bakthat.yml").read_text())["default"]
    client, bucket = administrator(moto_url), profile["s3_bucket"]
    for days in (30, 60):
        run.configure({"default": {**profile, "object_lock": {"mode": "governance", "days": days}}})
        said = run("backup", "site", "--prompt", "no", "--incremental")
        assert said.code == 0, said.err
    newest, full, *_ = json.loads(run("show", "--json").out)["backups"]
    assert newest["metadata"]["incremental"]["base"] == full["stored_filename"]
    ends = [
        client.head_object(Bucket=bucket, Key=one["stored_filename"])["ObjectLockRetainUntilDate"]
        for one in (newest, full)
    ]
    assert ends[1] >= ends[0] > datetime.now(UTC) + timedelta(days=50)


def test_a_backup_into_a_folder_says_that_it_is_not_locked(run: CommandLine) -> None:
    assert "not locked" not in run("backup", "site", "--prompt", "no").err
    said = run("backup", "site", "-d", "local", "--prompt", "no", "-q")
    assert said.code == 0
    assert said.err == (
        f"bakthat: {said.lines[0]} is not locked: object_lock is for buckets, and has no effect in local\n"
    )
