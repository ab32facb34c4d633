"""`bakthat cleanup`: what a person types and reads."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest

from bakthat import Bakthat, CleanupReport
from bakthat.errors import InvalidInterval
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import administrator, s3_profile

KEYS = ("access_key", "secret_key", "s3_bucket", "endpoint_url")


@pytest.fixture
def run(bakthat_command: CommandLine) -> CommandLine:
    """A folder with what a killed backup left in it a month ago, and what a running one writes."""
    store = bakthat_command.home / "store"
    store.mkdir()
    for name, age in ((".bakthat-put-old", 30 * 86400), (".bakthat-put-new", 60)):
        (store / name).write_bytes(b"half")
        now = (store / name).stat().st_mtime
        os.utime(store / name, (now - age, now - age))
    bakthat_command.configure({"default": {"default_destination": "local", "local_path": str(store)}})
    return bakthat_command


def left(run: CommandLine) -> list[str]:
    return sorted(path.name for path in (run.home / "store").iterdir())


def test_what_a_killed_backup_left_is_removed_and_shown(run: CommandLine) -> None:
    said = run("cleanup")
    assert (said.code, said.err) == (0, "local: removed 1, left 1 younger.\n")
    assert said.out.startswith("removed\t.bakthat-put-old\t")
    assert left(run) == [".bakthat-put-new"]


def test_a_dry_run_removes_nothing(run: CommandLine) -> None:
    said = run("cleanup", "--dry-run")
    assert (said.out.split("\t")[0], said.err) == ("would remove", "local: would remove 1, left 1 younger.\n")
    assert len(left(run)) == 2


def test_json_has_each_leftover_with_its_dates(run: CommandLine) -> None:
    found = json.loads(run("cleanup", "--json", "--older-than", "5s").out)
    assert (found["version"], found["dry_run"], found["destinations"]["local"]["younger"]) == (1, False, [])
    keys = {one["key"]: one["size"] for one in found["destinations"]["local"]["removed"]}
    assert keys == {".bakthat-put-old": 4, ".bakthat-put-new": 4}
    assert left(run) == []


@pytest.mark.parametrize("interval", ["7", "soon"])
def test_an_interval_that_cannot_be_meant_removes_nothing(run: CommandLine, interval: str) -> None:
    assert run("cleanup", "--older-than", interval).code == 2
    assert len(left(run)) == 2


def test_an_unfinished_upload_of_a_bucket_is_aborted_and_a_foreign_one_stays(run: CommandLine, moto_url: str) -> None:
    made = s3_profile(moto_url)
    run.configure({"default": {name: getattr(made, name) for name in KEYS}})
    client = administrator(moto_url)
    for key in ("site.20260102030405.tgz", "movie.mp4"):
        client.create_multipart_upload(Bucket=made.s3_bucket, Key=key)
    synced = run("sync")
    assert "1 unfinished upload, the oldest of 2010-11-10; `bakthat cleanup` removes" in synced.err
    said = run("cleanup")
    assert (said.out.split("\t")[1], said.err) == (
        "site.20260102030405.tgz", "s3: removed 1, left 1 of other programs.\n",
    )  # fmt: skip
    uploads = client.list_multipart_uploads(Bucket=made.s3_bucket)["Uploads"]
    assert [upload["Key"] for upload in uploads] == ["movie.mp4"]


def test_the_library_returns_what_is_gone(bakthat: Bakthat) -> None:
    assert bakthat.cleanup("s3") == CleanupReport()
    for wrong in ("soon", timedelta()):
        with pytest.raises(InvalidInterval):
            bakthat.cleanup(older_than=wrong)


def test_listeners_and_hooks_hear_of_a_cleanup(bakthat: Bakthat) -> None:
    seen: list[object] = []
    bakthat.events.before_cleanup += lambda session: seen.append("before")
    bakthat.events.on_cleanup += lambda session, done: seen.append(list(done.reports))
    bakthat.cleanup("s3", dry_run=True)
    bakthat.cleanup("s3")
    assert seen == ["before", ["s3"]]
