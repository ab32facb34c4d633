"""Scripts are tested with in-process moto, as boto3 code is: every verb works, and nothing goes to the network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import io, os, sys
from pathlib import Path

def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") and "unix" not in repr(arguments):
        raise AssertionError(f"a test with mock_aws went to the network: {event} {arguments[1:]}")

sys.addaudithook(no_network)

import boto3
from moto import mock_aws

import bakthat
from bakthat import KeyValue, Profile, open_profile
from bakthat.errors import BackupNotFound, ObjectNotFound, RetrievalPending

s3 = {"s3_bucket": "my-backups", "database": "bakthat.sqlite"}

def make_bucket():
    boto3.client("s3").create_bucket(Bucket="my-backups")

def keys():
    return [found["Key"] for found in boto3.client("s3").list_objects_v2(Bucket="my-backups").get("Contents", [])]
"""


@pytest.fixture
def run(tmp_path: Path):
    """Runs a user's test in a new process, with a folder `photos` in the current one."""

    def run(program: str) -> None:
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "one.jpg").write_bytes(os.urandom(1000))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BAKTHAT_"))}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PRELUDE + program],
            env={**environment, "HOME": str(tmp_path), "AWS_DEFAULT_REGION": "us-east-1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.stdout + done.stderr == ""
        assert done.returncode == 0

    return run


def test_the_functions_work_inside_mock_aws(run) -> None:
    run("""
with mock_aws():
    make_bucket()
    made = bakthat.backup("photos", conf=s3, password="", tags=["nightly"])
    assert keys() == [f"bakthat_catalog/{made.stored_filename}.json", made.stored_filename]
    assert bakthat.show(conf=s3) == [made]
    assert [(found.backup, found.error) for found in bakthat.verify("photos", conf=s3)] == [(made, None)]
    bakthat.restore("photos", conf=s3, target="restored")
    assert Path("restored/photos/one.jpg").read_bytes() == Path("photos/one.jpg").read_bytes()
    os.unlink("bakthat.sqlite")
    assert [row.stored_filename for row in bakthat.sync(conf=s3).added] == [made.stored_filename]
    assert bakthat.rotate_backups("photos", conf={**s3, "rotation": {"days": 1}}) == []
    assert bakthat.remove_older_than("photos", "1D", conf=s3) == []
    bakthat.delete("photos", conf=s3)
    assert keys() == []
""")


def test_a_profile_opened_before_the_mock_begins_works_inside_it(run) -> None:
    run("""
bk = open_profile(Profile(**s3))

@mock_aws
def test_my_script():
    make_bucket()
    made = bk.backup("photos", password="secret")
    bk.restore("photos", target="restored", password="secret")
    assert Path("restored/photos/one.jpg").read_bytes() == Path("photos/one.jpg").read_bytes()
    assert [(found.backup, found.error) for found in bk.verify(password="secret")] == [(made, None)]
    assert bk.rotate_backups("photos", policy=bakthat.RotationPolicy(days=1)) == []
    bk.sync()
    bk.delete("photos")
    assert bk.show() == keys() == []

test_my_script()
""")


def test_each_mock_begins_with_nothing_also_for_a_profile_that_stays_open(run) -> None:
    run("""
bk = open_profile(Profile(**s3))
for _ in range(2):
    with mock_aws():
        make_bucket()
        assert keys() == []
        bk.backup("photos", password="", name=f"photos{_}")
""")


def test_many_parts_are_put_together_inside_mock_aws(run) -> None:
    run("""
content = os.urandom(60_000_000)
Path("photos/large.jpg").write_bytes(content)
with mock_aws():
    make_bucket()
    made = bakthat.backup("photos", conf=s3, password="")
    assert boto3.client("s3").head_object(Bucket="my-backups", Key=made.stored_filename)["ETag"].endswith('-8"')
    bakthat.restore("photos", conf=s3, target="restored")
    assert Path("restored/photos/large.jpg").read_bytes() == content
""")


def test_a_value_has_a_url_that_works_inside_mock_aws(run) -> None:
    run("""
import requests  # what moto answers beside boto3

with mock_aws():
    make_bucket()
    values = KeyValue(conf=s3)
    values.set_key("last-run", {"ok": True}, compress=False)
    assert values.get_key("last-run") == {"ok": True}
    assert requests.get(values.get_key_url("last-run", 60)).json() == {"ok": True}
    assert values.delete_key("last-run")
    assert values.get_key("last-run") is None
""")


def test_a_vault_takes_archives_and_asks_for_patience_inside_mock_aws(run) -> None:
    run("""
vault = {"glacier_vault": "attic", "database": "bakthat.sqlite"}
with mock_aws():
    boto3.client("glacier").create_vault(vaultName="attic")
    bk = open_profile(Profile(**vault), notice=lambda text: None)
    made = bk.backup("photos", "glacier", password="")
    try:
        bk.restore("photos", "glacier", target="restored")
    except RetrievalPending:
        pass
    else:
        raise AssertionError("a vault gives nothing at once")
    bk.delete("photos", "glacier")
    assert bk.show() == []
""")


def test_an_archive_class_of_s3_is_retrieved_inside_mock_aws(run) -> None:
    run("""
cold = {**s3, "glacier_storage_class": "DEEP_ARCHIVE"}
with mock_aws():
    make_bucket()
    bk = open_profile(Profile(**cold), notice=lambda text: None)
    made = bk.backup("photos", "glacier", password="")
    stored = boto3.client("s3").head_object(Bucket="my-backups", Key=made.stored_filename)
    assert stored["StorageClass"] == "DEEP_ARCHIVE"
    bk.restore("photos", "glacier", target="restored", wait=True)  # moto makes it readable at once
    assert Path("restored/photos/one.jpg").read_bytes() == Path("photos/one.jpg").read_bytes()
""")


def test_an_absent_backup_is_the_error_that_it_is_elsewhere(run) -> None:
    run("""
with mock_aws():
    make_bucket()
    for absent in (lambda: bakthat.restore("photos", conf=s3), lambda: bakthat.delete("photos", conf=s3)):
        try:
            absent()
        except BackupNotFound:
            continue
        raise AssertionError("nothing is there")
""")
