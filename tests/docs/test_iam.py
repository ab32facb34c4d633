"""The policies in docs/iam.md are valid, and allow exactly what they say: moto enforces them."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from bakthat.adapters.aws import client as aws
from bakthat.adapters.aws.s3 import S3ObjectStore, s3_client
from bakthat.domain.profile import Profile
from bakthat.errors import AccessDenied
from tests.fixtures.s3_servers import s3_profile

PAGE = (Path(__file__).parents[2] / "docs" / "iam.md").read_text()
PART = 5 * 1024 * 1024


def policies() -> dict[str, dict[str, Any]]:
    """Each policy of the page under its heading; a second one under the same heading under its statement's name."""
    found: dict[str, dict[str, Any]] = {}
    for section in PAGE.split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        for block in re.findall(r"```json\n(.*?)```", section, re.S):
            policy = json.loads(block)
            found[policy["Statement"][0]["Sid"] if heading in found else heading] = policy
    return found


POLICIES = policies()


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_there_are_policies_for_every_kind_of_machine():
    assert list(POLICIES) == [
        "A machine that does everything",
        "A machine that can only add",
        "ArchivesAreNeverOverwritten",
        "A machine that can only restore",
        "Creating the bucket with configure",
        "A Glacier vault",
    ]


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_has_the_grammar_of_iam(name: str):
    policy = POLICIES[name]
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] in {"Allow", "Deny"}
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        for resource in listed(statement.get("Resource") or statement["NotResource"]):
            assert resource.startswith(("arn:aws:s3:::my-backups", "arn:aws:glacier:us-east-1:123456789012:vaults/"))


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_names_no_action_that_there_is_not_and_none_by_a_star(name: str):
    session = botocore.session.get_session()
    # An operation is also its action's name, but for these.
    s3 = {"ListBucket", "ListBucketMultipartUploads", "ListMultipartUploadParts"}
    known = {
        *(f"glacier:{operation}" for operation in session.get_service_model("glacier").operation_names),
        *(f"s3:{operation}" for operation in session.get_service_model("s3").operation_names),
        *(f"s3:{action}" for action in s3),
    }
    actions = [action for statement in POLICIES[name]["Statement"] for action in listed(statement["Action"])]
    assert set(actions) <= known
    assert len(actions) == len(set(actions))


# what bakthat does to a bucket


def back_up(store: S3ObjectStore) -> None:
    store.put("small.tgz", io.BytesIO(b"archive"))
    store.put("large.tgz", io.BytesIO(bytes(PART + 1)))
    store.put("bakthat_catalog/small.tgz.json", io.BytesIO(b"{}"), replace=True)


def back_up_and_fail(store: S3ObjectStore) -> None:
    class Failing(io.RawIOBase):
        left = PART + 1

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            count = min(len(buffer), self.left)
            self.left -= count
            if not count:
                raise RuntimeError
            return count

    with pytest.raises(RuntimeError):
        store.put("failing.tgz", Failing())  # type: ignore[arg-type]


def restore(store: S3ObjectStore) -> None:
    with store.open("there.tgz") as reader:
        assert reader.read() == b"there"


def look_inside(store: S3ObjectStore) -> None:
    with store.open_range("there.tgz", 1, 3, expected=store.stat("there.tgz")) as reader:
        assert reader.read() == b"he"


def delete(store: S3ObjectStore) -> None:
    store.delete("there.tgz")
    store.delete("bakthat_catalog/there.tgz.json")


def sync(store: S3ObjectStore) -> None:
    assert "there.tgz" in [info.key for info in store.list()]


ACTS: list[Callable[[S3ObjectStore], None]] = [back_up, restore, look_inside, delete, sync]
ALLOWED = {
    "A machine that does everything": ACTS,
    "A machine that can only add": [back_up],
    "A machine that can only restore": [restore, look_inside, sync],
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ALLOWED)
def test_a_machine_can_do_what_its_policy_is_for_and_nothing_else(
    moto_url: str, enforced: Callable[[dict[str, Any]], S3ObjectStore], name: str, act: Callable[[S3ObjectStore], None]
):
    store = enforced(POLICIES[name])
    if act in ALLOWED[name]:
        act(store)
    else:
        with pytest.raises(AccessDenied):
            act(store)


@pytest.mark.parametrize("name", ["A machine that does everything", "A machine that can only add"])
def test_nothing_stays_behind_of_a_backup_that_fails(
    moto_url: str, enforced: Callable[[dict[str, Any]], S3ObjectStore], name: str
):
    store = enforced(POLICIES[name])
    back_up_and_fail(store)
    enforce(moto_url, False)
    bucket = store.location.removeprefix("s3://")
    assert not _administrator(moto_url, "s3").list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_the_policy_for_configure_lets_the_bucket_be_created(
    enforced: Callable[[dict[str, Any]], S3ObjectStore],
):
    store = enforced(POLICIES["Creating the bucket with configure"])
    store.create_bucket()
    with pytest.raises(AccessDenied):
        back_up(store)


@pytest.fixture
def enforced(moto_url: str) -> Iterator[Callable[[dict[str, Any]], S3ObjectStore]]:
    """A store whose user has this policy only, in a bucket that holds one backup."""

    def store_with(policy: dict[str, Any]) -> S3ObjectStore:
        profile = s3_profile(moto_url)
        bucket = profile.s3_bucket or ""
        s3, iam = _administrator(moto_url, "s3"), _administrator(moto_url, "iam")
        s3.put_object(Bucket=bucket, Key="there.tgz", Body=b"there")
        iam.create_user(UserName=bucket)
        document = json.dumps(policy).replace("my-backups", bucket)
        iam.put_user_policy(UserName=bucket, PolicyName="only", PolicyDocument=document)
        key = iam.create_access_key(UserName=bucket)["AccessKey"]
        user = Profile(access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"], endpoint_url=moto_url)
        enforce(moto_url, True)
        return S3ObjectStore(s3_client(user), bucket, part_size=PART, amazon=True)

    yield store_with
    enforce(moto_url, False)


def enforce(moto_url: str, enforced: bool) -> None:
    """Tell moto to check permissions, or to let everybody do everything."""
    unchecked = b"0" if enforced else b"inf"
    headers = {"Content-Type": "text/plain"}
    with urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/reset-auth", unchecked, headers)):
        pass


def _administrator(moto_url: str, service: str) -> Any:
    return aws.client(service, Profile(access_key="anybody", secret_key="anything", endpoint_url=moto_url))
