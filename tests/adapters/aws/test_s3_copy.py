"""Copies within the service: whole, compared with the source before anybody sees them, and in the place of nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.aws.s3_archive_class import S3ColdStore
from bakthat.adapters.aws.s3_copy import sizes_between
from bakthat.adapters.aws.s3_part_sizes import MIB, plan_parts
from bakthat.errors import ObjectExists
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_servers import administrator, fresh_store, shared_bucket

PART = 5 * MIB
TWO_PARTS = some_bytes(PART + 1000)


class Calls:
    """The operations that a client is asked for, and faults: what is called before one is sent."""

    def __init__(self, client: Any) -> None:
        self.names: list[str] = []
        self._client = client
        client.meta.events.register_first("before-call.s3", self._called)

    def _called(self, model: Any, **_: Any) -> None:
        self.names.append(model.name)

    def end(self) -> None:
        self._client.meta.events.unregister("before-call.s3", self._called)


@pytest.fixture(params=["moto_url", "seaweedfs_url"])
def url(request: pytest.FixtureRequest) -> str:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, str)
    return found


@pytest.fixture
def stores(url: str) -> tuple[S3ObjectStore, S3ObjectStore]:
    return fresh_store(url, account="one", part_size=PART), fresh_store(url, account="one")


@pytest.fixture
def calls(stores: tuple[S3ObjectStore, S3ObjectStore]) -> Iterator[Calls]:
    watching = Calls(stores[1]._client)
    yield watching
    watching.end()


def read(store: S3ObjectStore, key: str = "k") -> bytes:
    with store.open(key) as reader:
        return reader.read()


def copied(source: S3ObjectStore, target: S3ObjectStore, key: str = "k") -> bool:
    return target.copy_from(key, source, expected=source.stat(key)) is not None


def uploads(store: S3ObjectStore) -> list[Any]:
    found = store._client.list_multipart_uploads(Bucket=store._bucket, Prefix=store._prefix)
    return list(found.get("Uploads", []))


@pytest.mark.parametrize("content", [b"small", TWO_PARTS], ids=["of one request", "in parts"])
def test_a_copy_has_the_bytes_of_its_source(stores: tuple[S3ObjectStore, S3ObjectStore], content: bytes) -> None:
    """Where the service's answers do not show that, there is no copy, and nothing is left."""
    source, target = stores
    source.put("k", io.BytesIO(content))
    if copied(source, target):
        assert read(target) == content
    else:
        assert list(target.list()) == []
    assert uploads(target) == []


@pytest.mark.parametrize("content", [b"small", TWO_PARTS], ids=["of one request", "in parts"])
def test_moto_copies_and_no_byte_is_read(moto_url: str, content: bytes) -> None:
    source, target = fresh_store(moto_url, account="one", part_size=PART), fresh_store(moto_url, account="one")
    source.put("k", io.BytesIO(content))
    calls = Calls(target._client)
    assert copied(source, target)
    calls.end()
    assert "GetObject" not in calls.names
    assert "UploadPart" not in calls.names
    assert read(target) == content


def test_a_copy_has_the_parts_of_its_source(moto_url: str) -> None:
    """So it has the same ETag, by which anybody can compare the two."""
    source, target = fresh_store(moto_url, account="one", part_size=PART), fresh_store(moto_url, account="one")
    source.put("k", io.BytesIO(TWO_PARTS))
    copied(source, target)
    assert target.stat("k").etag == source.stat("k").etag


def test_a_taken_key_is_refused_and_its_object_untouched(stores: tuple[S3ObjectStore, S3ObjectStore]) -> None:
    source, target = stores
    source.put("k", io.BytesIO(b"mine"))
    target.put("k", io.BytesIO(b"yours"))
    try:
        made = copied(source, target)
    except ObjectExists:
        made = False
    assert not made
    assert (read(target), uploads(target)) == (b"yours", [])


def test_an_object_that_replaced_the_expected_one_is_not_copied(moto_url: str) -> None:
    source, target = fresh_store(moto_url, account="one"), fresh_store(moto_url, account="one")
    source.put("k", io.BytesIO(b"first"))
    expected = source.stat("k")
    source.put("k", io.BytesIO(b"other"), replace=True)
    assert target.copy_from("k", source, expected=expected) is None
    assert list(target.list()) == []


@pytest.mark.parametrize("accounts", [("one", "two"), (None, None)], ids=["others", "unknown"])
def test_other_credentials_copy_nothing(moto_url: str, accounts: tuple[str | None, str | None]) -> None:
    source, target = fresh_store(moto_url, account=accounts[0]), fresh_store(moto_url, account=accounts[1])
    source.put("k", io.BytesIO(b"x"))
    calls = Calls(target._client)
    assert target.copy_from("k", source, expected=source.stat("k")) is None
    calls.end()
    assert "UploadPartCopy" not in calls.names


def test_a_service_without_copies_leaves_it_to_the_caller(rclone_url: str) -> None:
    source, target = fresh_store(rclone_url, account="one"), fresh_store(rclone_url, account="one")
    source.put("k", io.BytesIO(b"x"))
    assert not copied(source, target)
    assert list(target.list()) == []


def test_a_copy_with_other_bytes_is_dropped_before_anybody_sees_it(moto_url: str) -> None:
    """The service says that a part has other bytes than the source."""
    source, target = fresh_store(moto_url, account="one"), fresh_store(moto_url, account="one")
    source.put("k", io.BytesIO(b"right"))

    def other(parsed: dict[str, Any], **_: Any) -> None:
        parsed["CopyPartResult"]["ETag"] = '"' + "0" * 32 + '"'

    target._client.meta.events.register("after-call.s3.UploadPartCopy", other)
    try:
        assert not copied(source, target)
    finally:
        target._client.meta.events.unregister("after-call.s3.UploadPartCopy", other)
    assert (list(target.list()), uploads(target)) == ([], [])


def test_a_part_that_is_refused_leaves_nothing(moto_url: str) -> None:
    source, target = fresh_store(moto_url, account="one", part_size=PART), fresh_store(moto_url, account="one")
    source.put("k", io.BytesIO(TWO_PARTS))

    def refuse(model: Any, params: dict[str, Any], **_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, model.name)

    target._client.meta.events.register("before-call.s3.UploadPartCopy", refuse)
    try:
        assert not copied(source, target)
    finally:
        target._client.meta.events.unregister("before-call.s3.UploadPartCopy", refuse)
    assert (list(target.list()), uploads(target)) == ([], [])


def test_the_sizes_of_ten_thousand_parts_take_few_requests() -> None:
    """Above 5 GB, and with parts that grow: 10,000 parts hold terabytes."""
    plan = plan_parts(max_concurrency=4)
    asked: list[int] = []

    def size_of(number: int) -> int:
        asked.append(number)
        return plan.size(number)

    assert sizes_between(size_of, 1, 9_999) == [plan.size(number) for number in range(1, 10_000)]
    assert len(set(asked)) < 250


def test_an_archive_class_takes_a_copy_within_the_service(moto_url: str) -> None:
    source = fresh_store(moto_url, account="one")
    source.put("site.20260102030405.tgz", io.BytesIO(b"x"))
    cold = S3ColdStore(
        administrator(moto_url), shared_bucket(moto_url), prefix="cold", storage_class="GLACIER", account="one"
    )
    key = "site.20260102030405.tgz"
    made = cold.copy_from(key, source, description=key, expected=source.stat(key))
    assert made == key
    assert [(found.archive_id, found.size) for found in cold.inventory(cold.request_inventory())] == [(key, 1)]
