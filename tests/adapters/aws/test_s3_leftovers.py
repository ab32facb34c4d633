"""Uploads that nobody finished: found with the age of their newest part, and aborted."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.aws.s3_part_sizes import MIB
from bakthat.domain.objects import Leftover
from bakthat.errors import Unsupported
from tests.fixtures.s3_servers import fresh_store

NAME = "site.20260102030405.tgz"


@pytest.fixture(params=["moto_url", "seaweedfs_url"])
def store(request: pytest.FixtureRequest) -> S3ObjectStore:
    return fresh_store(request.getfixturevalue(request.param), claims=False)


def begin(store: S3ObjectStore, key: str = NAME, *, parts: int = 1) -> str:
    where = {"Bucket": store._bucket, "Key": store._prefix + key}
    upload_id = str(store._client.create_multipart_upload(**where)["UploadId"])
    for number in range(1, parts + 1):
        body = bytes(5 * MIB) if number < parts else b"x"
        store._client.upload_part(**where, UploadId=upload_id, PartNumber=number, Body=body)
    return upload_id


@pytest.fixture
def failing(store: S3ObjectStore) -> Iterator[Any]:
    """Makes an operation of the store's client fail with a code."""
    registered: list[tuple[str, Any]] = []

    def fail(operation: str, code: str, status: int) -> None:
        def refuse(model: Any, **_: Any) -> None:
            answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, model.name)  # type: ignore[arg-type]

        registered.append((f"before-call.s3.{operation}", refuse))
        store._client.meta.events.register(*registered[-1])

    yield fail
    for event, handler in registered:
        store._client.meta.events.unregister(event, handler)


def only(store: S3ObjectStore, **options: bool) -> Leftover:
    (found,) = store.leftovers(**options)
    return found


def test_an_upload_is_found_with_its_bytes_and_its_newest_part(store: S3ObjectStore) -> None:
    begin(store, parts=2)
    found = only(store)
    assert (found.key, found.size, found.is_of_bakthat) == (NAME, 5 * MIB + 1, False)
    assert found.latest is not None
    assert found.latest >= found.started


def test_an_upload_without_parts_is_as_old_as_its_start(store: S3ObjectStore) -> None:
    begin(store, parts=0)
    found = only(store)
    assert (found.latest, found.size) == (found.started, 0)


def test_a_removed_upload_can_no_longer_become_an_object(store: S3ObjectStore) -> None:
    upload_id = begin(store)
    assert store.remove_leftover(only(store))
    assert list(store.leftovers()) == []
    with pytest.raises(ClientError, match="NoSuchUpload"):
        store._client.list_parts(Bucket=store._bucket, Key=store._prefix + NAME, UploadId=upload_id)


def test_removing_what_is_gone_does_nothing(store: S3ObjectStore) -> None:
    begin(store)
    found = only(store)
    assert store.remove_leftover(found)
    assert store.remove_leftover(found)


def test_what_is_below_another_prefix_is_not_listed(store: S3ObjectStore) -> None:
    store._client.create_multipart_upload(Bucket=store._bucket, Key="elsewhere/" + NAME)
    assert list(store.leftovers()) == []


def test_without_details_no_parts_are_listed(store: S3ObjectStore, failing: Any) -> None:
    begin(store)
    failing("ListParts", "AccessDenied", 403)
    assert only(store, details=False).latest is None


def test_an_upload_whose_parts_cannot_be_listed_has_no_age(store: S3ObjectStore, failing: Any) -> None:
    begin(store)
    failing("ListParts", "AccessDenied", 403)
    assert (only(store).latest, only(store).size) == (None, None)


def test_an_upload_that_ends_meanwhile_is_left_out(store: S3ObjectStore, failing: Any) -> None:
    begin(store)
    failing("ListParts", "NoSuchUpload", 404)
    assert list(store.leftovers()) == []


@pytest.mark.parametrize(
    ("code", "status"), [("NotImplemented", 501), ("MethodNotAllowed", 405), ("404", 404)], ids=["501", "405", "404"]
)
def test_a_service_without_the_listing_says_so(store: S3ObjectStore, failing: Any, code: str, status: int) -> None:
    failing("ListMultipartUploads", code, status)
    with pytest.raises(Unsupported, match="cannot list unfinished uploads"):
        list(store.leftovers())


def test_many_uploads_come_page_by_page(moto_url: str) -> None:
    """SeaweedFS 4.48 continues no listing of uploads; its pages hold 10,000."""
    store = fresh_store(moto_url, claims=False)
    for number in range(3):
        begin(store, f"db{number}.20260102030405.tgz", parts=0)

    def one_at_a_time(params: dict[str, Any], **_: Any) -> None:
        params["MaxUploads"] = 1

    store._client.meta.events.register("provide-client-params.s3.ListMultipartUploads", one_at_a_time)
    try:
        keys = [found.key for found in store.leftovers(details=False)]
    finally:
        store._client.meta.events.unregister("provide-client-params.s3.ListMultipartUploads", one_at_a_time)
    assert sorted(set(keys)) == [f"db{number}.20260102030405.tgz" for number in range(3)]


def test_the_claim_of_a_killed_writer_is_a_leftover(moto_url: str) -> None:
    store = fresh_store(moto_url)
    claim = f"{store._prefix}bakthat_writing/{NAME}/0123"
    store._client.put_object(Bucket=store._bucket, Key=claim, Body=b"x")
    found = only(store)
    assert (found.key, found.is_of_bakthat) == (NAME, True)
    assert store.remove_leftover(found)
    assert list(store.leftovers()) == []


def test_a_finished_upload_leaves_nothing_over(store: S3ObjectStore) -> None:
    store.put("k", io.BytesIO(bytes(9 * MIB)))
    assert list(store.leftovers()) == []
