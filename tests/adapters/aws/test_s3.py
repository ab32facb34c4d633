"""The S3 store where something goes wrong, and what it asks of a service where nothing does. The servers are real ones;
faults come from a proxy before them."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, BinaryIO, cast

import pytest

from bakthat.adapters.aws.errors import translated
from bakthat.adapters.aws.s3 import S3ObjectStore, is_amazon
from bakthat.adapters.aws.s3_bucket import Bucket
from bakthat.adapters.aws.s3_part_body import PartBody
from bakthat.adapters.aws.s3_upload import Uploader
from bakthat.domain.profile import Profile
from bakthat.errors import (
    AccessDenied,
    ConfigInvalid,
    InvalidName,
    ObjectArchived,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.testing.deviations import both, has, ignoring, where
from bakthat.testing.faulty_proxy import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    Doing,
    Fault,
    Forward,
    Request,
    answering,
    cut_the_answer,
    damage_the_answer,
    damage_the_request,
    drop_the_connection,
    lose_the_answer,
    meanwhile,
    reset_in_the_answer,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import PART, THREE_PARTS, Rig
from tests.fixtures.s3_servers import SECRET_KEY, administrator, fresh_store, s3_profile, shared_bucket

MIB = 1024 * 1024
FOREVER = None
LARGE = some_bytes(25 * MIB + 17)


class Body(io.RawIOBase):
    """A body that calls `at` when so many bytes of it have been read."""

    def __init__(self, content: bytes, after: int, at: Callable[[], None]) -> None:
        self._content = io.BytesIO(content)
        self._after = after
        self._at: Callable[[], None] | None = at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._at is not None and self._content.tell() >= self._after:
            call, self._at = self._at, None
            call()
        limit = len(buffer) if self._at is None else max(1, self._after - self._content.tell())
        return self._content.readinto(memoryview(buffer)[:limit])


def raising(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def wait_for_threads(name: str) -> None:
    """Wait until no thread of this name is left."""
    until = time.monotonic() + 20
    while any(thread.name.startswith(name) for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)


# what is asked of the service


def test_a_small_object_is_one_request_at_amazon(rig: Rig):
    rig.put(b"small", amazon=True)
    assert rig.proxy.operations == ["PutObject"]


def test_at_other_services_than_amazons_the_key_is_looked_for_first(rig: Rig):
    rig.put(b"small")
    assert rig.proxy.operations == ["HeadObject", "PutObject"]


def test_after_a_service_has_refused_to_overwrite_keys_are_not_looked_for_first(rig: Rig):
    store = rig.store()
    rig.direct.put("k", io.BytesIO(b"was here"))
    rig.proxy.inject(Fault("HeadObject", answering(404)))
    with pytest.raises(ObjectExists):
        store.put("k", io.BytesIO(b"small"))
    rig.proxy.forget()
    store.put("k2", io.BytesIO(b"small"))
    assert rig.proxy.operations == ["PutObject"]


def test_a_large_object_takes_parts_and_their_completion_and_nothing_else(rig: Rig):
    rig.put(amazon=True)
    assert rig.proxy.operations[0] == "CreateMultipartUpload"
    assert sorted(rig.proxy.operations[1:]) == ["CompleteMultipartUpload", *["UploadPart"] * 3]
    assert rig.holds(THREE_PARTS)


def test_every_part_has_a_crc_and_its_body_is_not_signed(rig: Rig):
    rig.put()
    parts = [request for request in rig.proxy.requests if request.operation == "UploadPart"]
    assert all(has("x-amz-checksum-crc32")(part) and not has("expect")(part) for part in parts)
    assert {part.headers["X-Amz-Content-SHA256"] for part in parts} == {"UNSIGNED-PAYLOAD"}


def test_with_a_large_hint_the_upload_is_created_before_the_body_is_read(rig: Rig):
    def begun() -> None:
        until = time.monotonic() + 20
        while "CreateMultipartUpload" not in rig.proxy.operations:
            assert time.monotonic() < until
            time.sleep(0.005)

    rig.store().put("k", cast(BinaryIO, Body(THREE_PARTS, 0, begun)), size_hint=4 * PART)
    assert rig.holds(THREE_PARTS)


def test_an_upload_created_for_a_wrong_hint_is_aborted(rig: Rig):
    rig.store().put("k", io.BytesIO(b"less"), size_hint=100 * PART)
    assert rig.holds(b"less")
    assert rig.has_no_uploads


def test_reading_and_deleting_send_no_other_request(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    store = rig.store()
    with store.open("k") as reader:
        assert reader.read() == LARGE
    etags = [has("if-match")(request) for request in rig.proxy.requests]
    assert etags == [False, True, True, True], "each range is of the same object"
    store.stat("k")
    list(store.list())
    store.delete("k")
    assert sorted(rig.proxy.operations) == ["DeleteObject", *["GetObject"] * 4, "HeadObject", "ListObjectsV2"]


def test_the_storage_class_is_sent_with_one_request_and_with_parts(rig: Rig):
    rig.put(b"small", "small", storage_class="STANDARD_IA")
    rig.put(THREE_PARTS, "large", storage_class="STANDARD_IA")
    assert [info.storage_class for info in rig.direct.list()] == ["STANDARD_IA", "STANDARD_IA"]


def test_the_prefix_is_of_the_store_and_not_of_its_keys(seaweedfs_url: str):
    profile = s3_profile(seaweedfs_url, s3_prefix="/deep/er/")
    store = S3ObjectStore.from_profile(profile)
    store.put("ü/k", io.BytesIO(b"x"))
    listed = administrator(seaweedfs_url).list_objects_v2(Bucket=profile.s3_bucket)["Contents"]
    assert [found["Key"] for found in listed] == ["deep/er/ü/k"]
    assert [info.key for info in store.list()] == ["ü/k"]
    assert store.location.startswith(f"s3://{profile.s3_bucket}/deep/er?endpoint=127.0.0.1:")


# an upload that fails leaves nothing


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_that_cannot_be_stored_fails_the_whole_and_leaves_nothing(rig: Rig, part: int):
    rig.proxy.inject(Fault("UploadPart", INTERNAL_ERROR, skip=part, times=FOREVER))
    with pytest.raises(StoreUnavailable, match=r"k: the service cannot answer.*InternalError"):
        rig.put(max_concurrency=1)
    assert rig.is_empty


def test_a_completion_that_fails_leaves_nothing(rig: Rig):
    rig.proxy.inject(Fault("CompleteMultipartUpload", INTERNAL_ERROR, times=FOREVER))
    with pytest.raises(StoreUnavailable):
        rig.put()
    assert rig.is_empty


def test_a_creation_that_fails_leaves_nothing(rig: Rig):
    rig.proxy.inject(Fault("CreateMultipartUpload", INTERNAL_ERROR, times=FOREVER))
    with pytest.raises(StoreUnavailable):
        rig.put()
    assert rig.is_empty


@pytest.mark.parametrize("error", [RuntimeError("the source failed"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("after", [10, PART + 10])
def test_what_the_body_raises_comes_out_and_leaves_nothing(rig: Rig, error: BaseException, after: int):
    with pytest.raises(type(error)) as caught:
        rig.store().put("k", cast(BinaryIO, Body(THREE_PARTS, after, raising(error))), size_hint=20 * PART)
    assert caught.value is error
    assert rig.is_empty


def test_parts_in_flight_are_stopped_when_the_body_fails(rig: Rig):
    sending = threading.Event()
    go_on = threading.Event()
    rig.proxy.inject(Fault("CreateMultipartUpload", meanwhile(lambda: go_on.wait(10))))

    def fail() -> None:
        sending.set()
        go_on.set()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        rig.store().put("k", cast(BinaryIO, Body(THREE_PARTS, PART + 10, fail)))
    assert rig.is_empty


def test_an_upload_that_cannot_be_aborted_is_a_notice_and_the_first_error_is_raised(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    rig.proxy.inject(
        Fault("UploadPart", answering(403, "AccessDenied", "not you"), times=FOREVER),
        Fault("AbortMultipartUpload", answering(403, "AccessDenied", "nor this")),
    )
    with pytest.raises(AccessDenied, match="not you"):
        rig.put()
    assert "parts of an unfinished upload stay behind" in caplog.text


def test_an_object_longer_than_its_parts_can_hold_is_refused_and_leaves_nothing(rig: Rig):
    target = Bucket(client=rig.upstream, name=rig.bucket, part_size=PART, most_parts=2, put_id=lambda: "id")
    key = rig.prefix + "k"
    with pytest.raises(StoreError, match="longer than the 10485760 bytes.*set part_size"):
        Uploader(target).upload(key, "k", io.BytesIO(THREE_PARTS), replace=False, size_hint=None)
    assert rig.is_empty
    Uploader(target).upload(key, "k", io.BytesIO(THREE_PARTS[: 2 * PART]), replace=False, size_hint=None)
    assert rig.holds(THREE_PARTS[: 2 * PART])


# what a service or a network does once or twice is survived


@pytest.mark.parametrize("doing", [INTERNAL_ERROR, drop_the_connection, lose_the_answer, reset_in_the_answer])
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_passing_fault_of_a_large_upload_is_survived(rig: Rig, operation: str, doing: Doing):
    rig.proxy.inject(Fault(operation, doing))
    rig.put()
    assert rig.holds(THREE_PARTS)
    assert rig.has_no_uploads


@pytest.mark.parametrize("doing", [INTERNAL_ERROR, SLOW_DOWN, drop_the_connection, lose_the_answer])
@pytest.mark.parametrize("replace", [False, True])
def test_a_passing_fault_of_a_small_upload_is_survived(rig: Rig, doing: Doing, replace: bool):
    rig.proxy.inject(Fault("PutObject", doing))
    rig.store().put("k", io.BytesIO(b"small"), replace=replace)
    assert rig.holds(b"small")


@pytest.mark.parametrize(("operation", "content"), [("PutObject", b"small"), ("CompleteMultipartUpload", THREE_PARTS)])
def test_a_write_whose_every_answer_is_lost_is_a_success(rig: Rig, operation: str, content: bytes):
    rig.proxy.inject(Fault(operation, lose_the_answer, times=FOREVER))
    rig.put(content)
    assert rig.holds(content)
    assert rig.has_no_uploads


def test_a_completion_that_is_carried_out_until_the_upload_is_aborted_is_a_success(moto_rig: Rig):
    def complete_it() -> None:
        found = moto_rig.upstream.list_multipart_uploads(Bucket=moto_rig.bucket, Prefix=moto_rig.prefix)["Uploads"][0]
        named = {"Bucket": moto_rig.bucket, "Key": found["Key"], "UploadId": found["UploadId"]}
        parts = [
            {name: part[name] for name in ("PartNumber", "ETag")}
            for part in moto_rig.upstream.list_parts(**named)["Parts"]
        ]
        moto_rig.upstream.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})

    moto_rig.proxy.inject(
        Fault("CompleteMultipartUpload", INTERNAL_ERROR, times=FOREVER),
        Fault("AbortMultipartUpload", meanwhile(complete_it)),
    )
    moto_rig.put()
    assert moto_rig.holds(THREE_PARTS)


def test_another_writers_equal_bytes_are_not_taken_for_the_own_object(rig: Rig):
    def faster() -> None:
        rig.direct.put("k", io.BytesIO(b"same"))

    rig.proxy.inject(Fault("PutObject", meanwhile(faster, drop_the_connection)))
    with pytest.raises(ObjectExists):
        rig.put(b"same")


def test_a_completion_does_not_replace_another_writers_object(rig: Rig):
    def faster() -> None:
        rig.direct.put("k", io.BytesIO(b"was faster"))

    rig.proxy.inject(Fault("CompleteMultipartUpload", meanwhile(faster, drop_the_connection)))
    with pytest.raises(ObjectExists):
        rig.put()
    assert rig.holds(b"was faster")
    assert rig.has_no_uploads


def test_an_upload_that_the_service_has_ended_is_an_error_and_no_object(rig: Rig):
    def end_it() -> None:
        for upload in rig.upstream.list_multipart_uploads(Bucket=rig.bucket)["Uploads"]:
            rig.upstream.abort_multipart_upload(Bucket=rig.bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    rig.proxy.inject(Fault("CompleteMultipartUpload", meanwhile(end_it)))
    with pytest.raises(StoreError, match="the service has ended this upload"):
        rig.put()
    assert rig.is_empty


def test_a_lost_upload_is_aborted_but_another_writers_stays(rig: Rig):
    key = rig.prefix + "k"
    theirs = rig.upstream.create_multipart_upload(Bucket=rig.bucket, Key=key)["UploadId"]
    rig.upstream.upload_part(Bucket=rig.bucket, Key=key, UploadId=theirs, PartNumber=1, Body=b"theirs")
    rig.proxy.inject(Fault("CreateMultipartUpload", lose_the_answer))
    rig.put()
    uploads = rig.upstream.list_multipart_uploads(Bucket=rig.bucket, Prefix=key)["Uploads"]
    rig.upstream.abort_multipart_upload(Bucket=rig.bucket, Key=key, UploadId=theirs)
    assert [upload["UploadId"] for upload in uploads] == [theirs]


@pytest.mark.parametrize(("operation", "content"), [("PutObject", b"small"), ("CompleteMultipartUpload", THREE_PARTS)])
def test_a_conflict_with_another_write_is_retried(rig: Rig, operation: str, content: bytes):
    rig.proxy.inject(Fault(operation, answering(409, "ConditionalRequestConflict"), times=2))
    rig.put(content)
    assert rig.holds(content)
    assert rig.pauses == [0.2, 0.4]


def test_a_conflict_that_stays_is_store_unavailable(rig: Rig):
    rig.proxy.inject(Fault("PutObject", answering(409, "ConditionalRequestConflict"), times=FOREVER))
    with pytest.raises(StoreUnavailable, match="being written by someone else"):
        rig.put(b"small")


def test_a_conflict_that_another_writer_won_is_object_exists(rig: Rig):
    def faster() -> None:
        rig.direct.put("k", io.BytesIO(b"was faster"))

    rig.proxy.inject(Fault("PutObject", meanwhile(faster, answering(409, "ConditionalRequestConflict"))))
    with pytest.raises(ObjectExists):
        rig.put(b"small")
    assert rig.holds(b"was faster")


def test_a_conflict_with_the_own_first_attempt_is_a_success(rig: Rig):
    def stored_already(request: Request, forward: Forward) -> Answer:
        forward(request)
        return answering(409, "ConditionalRequestConflict")(request, forward)

    rig.proxy.inject(Fault("PutObject", stored_already))
    rig.put(b"small", amazon=True)
    assert rig.holds(b"small")


# checksums


@pytest.mark.parametrize(("operation", "content"), [("PutObject", b"small"), ("UploadPart", THREE_PARTS)])
@pytest.mark.parametrize("amazon", [True, False])
def test_bytes_damaged_on_the_way_are_refused(rig: Rig, operation: str, content: bytes, amazon: bool):
    rig.proxy.inject(Fault(operation, damage_the_request))
    with pytest.raises(StoreUnavailable, match="arrived damaged"):
        rig.put(content, amazon=amazon)
    assert rig.is_empty


@pytest.mark.parametrize("content", [b"small", THREE_PARTS])
def test_a_service_that_refuses_crc_gets_md5_instead(rig: Rig, content: bytes):
    unknown = answering(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    with_crc = where(lambda it: has("x-amz-checksum-crc32")(it) or has("x-amz-checksum-algorithm")(it), unknown)
    rig.proxy.inject(Fault("*", with_crc, times=FOREVER))
    rig.put(content)
    assert rig.holds(content)
    sent = [it for it in rig.proxy.requests if it.operation in {"PutObject", "UploadPart"}]
    assert has("content-md5")(sent[-1])
    rig.proxy.forget()


def test_a_service_that_ignores_crc_gets_md5_unless_its_etag_is_one(rig: Rig):
    def silent(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        if has("content-md5")(request):
            return answer
        kept = [(name, value) for name, value in answer.headers if name.lower() != "x-amz-checksum-crc32"]
        answer.headers = [(name, '"opaque"' if name.lower() == "etag" else value) for name, value in kept]
        return answer

    rig.proxy.inject(Fault("UploadPart", silent, times=FOREVER))
    rig.put(max_concurrency=1)
    assert rig.holds(THREE_PARTS)
    parts = [it for it in rig.proxy.requests if it.operation == "UploadPart"]
    assert [has("content-md5")(part) for part in parts] == [False, True, True, True]


def test_moto_ignores_crc_and_its_etags_are_checked(moto_rig: Rig):
    moto_rig.put()
    parts = [it for it in moto_rig.proxy.requests if it.operation == "UploadPart"]
    assert [has("content-md5")(part) for part in parts] == [False, False, False]


# conditions


NO_CONDITIONS = where(has("if-none-match"), answering(501, "NotImplemented", "Header If-None-Match is not implemented"))


@pytest.mark.parametrize("content", [b"small", THREE_PARTS])
def test_at_a_service_without_conditions_the_key_is_looked_for_first(rig: Rig, content: bytes):
    rig.proxy.inject(Fault("*", NO_CONDITIONS, times=FOREVER))
    store = rig.store()
    store.put("k", io.BytesIO(content))
    with pytest.raises(ObjectExists):
        store.put("k", io.BytesIO(content))
    assert rig.holds(content)
    assert rig.has_no_uploads


def test_that_a_service_has_no_conditions_is_remembered(rig: Rig):
    rig.proxy.inject(Fault("*", NO_CONDITIONS, times=FOREVER))
    store = rig.store()
    store.put("k", io.BytesIO(b"first"))
    store.put("k2", io.BytesIO(b"second"))
    assert [has("if-none-match")(it) for it in rig.proxy.requests if it.operation == "PutObject"] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("content", [b"small", THREE_PARTS])
def test_credentials_that_may_only_write_can_write(rig: Rig, content: bytes):
    rig.proxy.inject(Fault("HeadObject", answering(403), times=FOREVER))
    rig.put(content)
    assert rig.holds(content)


def test_credentials_that_may_only_write_cannot_write_where_there_are_no_conditions(rig: Rig):
    rig.proxy.inject(Fault("HeadObject", answering(403), times=FOREVER), Fault("*", NO_CONDITIONS, times=FOREVER))
    with pytest.raises(AccessDenied, match="cannot refuse to overwrite.*s3:GetObject"):
        rig.put(b"small")
    assert rig.is_empty


def test_with_credentials_that_may_only_write_a_lost_answer_is_an_error(rig: Rig):
    rig.proxy.inject(Fault("HeadObject", answering(403), times=FOREVER), Fault("PutObject", lose_the_answer))
    with pytest.raises(StoreError, match="whether this object was stored cannot be told") as caught:
        rig.put(b"small")
    assert type(caught.value) is StoreError


# reading


@pytest.mark.parametrize("doing", [cut_the_answer, reset_in_the_answer, drop_the_connection, INTERNAL_ERROR])
@pytest.mark.parametrize("request_number", [0, 1, 3])
def test_a_body_that_is_cut_short_is_continued(rig: Rig, doing: Doing, request_number: int):
    rig.direct.put("k", io.BytesIO(LARGE))
    rig.proxy.inject(Fault("GetObject", doing, skip=request_number, times=2))
    assert rig.get() == LARGE


@pytest.mark.parametrize("doing", [cut_the_answer, reset_in_the_answer])
def test_a_small_body_that_is_cut_short_is_continued(rig: Rig, doing: Doing):
    rig.direct.put("k", io.BytesIO(b"a few bytes only"))
    rig.proxy.inject(Fault("GetObject", doing, times=3))
    assert rig.get() == b"a few bytes only"


@pytest.mark.parametrize("content", [b"x", LARGE])
def test_a_body_that_never_comes_whole_is_an_error_and_not_an_end(rig: Rig, content: bytes):
    rig.direct.put("k", io.BytesIO(content))
    rig.proxy.inject(Fault("GetObject", cut_the_answer, times=FOREVER))
    with pytest.raises(StoreUnavailable, match=r"k: (cut short|the connection)"):
        rig.get()


def test_after_an_error_a_reader_raises_it_again(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    rig.proxy.inject(Fault("GetObject", answering(403, "AccessDenied"), skip=2, times=1))
    with rig.store(max_concurrency=1).open("k") as reader:
        reader.read(1)
        for _ in range(2):
            with pytest.raises(AccessDenied):
                reader.read()


def damaged_with_its_checksum(request: Request, forward: Forward) -> Answer:
    answer = forward(request)
    crc = base64.b64encode(zlib.crc32(answer.body).to_bytes(4, "big")).decode()
    answer.headers.append(("x-amz-checksum-crc32", crc))
    return damage_the_answer(request, lambda _: answer)


def test_a_damaged_body_is_fetched_again_where_there_is_a_checksum(rig: Rig):
    rig.direct.put("k", io.BytesIO(b"a few bytes only"))
    rig.proxy.inject(Fault("GetObject", damaged_with_its_checksum))
    assert rig.get(checksums="when_supported") == b"a few bytes only"
    assert rig.proxy.operations == ["GetObject", "GetObject"]


def test_a_body_that_is_always_damaged_is_an_error(rig: Rig):
    rig.direct.put("k", io.BytesIO(b"a few bytes only"))
    rig.proxy.inject(Fault("GetObject", damaged_with_its_checksum, times=FOREVER))
    with pytest.raises(StoreUnavailable, match="does not match the service's checksum"):
        rig.get(checksums="when_supported")


@pytest.mark.parametrize("ignored", ["none", "if-match"])
def test_an_object_that_is_replaced_while_it_is_read_is_an_error_and_never_a_mixture(moto_rig: Rig, ignored: str):
    moto_rig.proxy.inject(Fault("GetObject", ignoring(ignored), times=FOREVER))
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    with moto_rig.store(max_concurrency=1).open("k") as reader:
        assert reader.read(10) == LARGE[:10]
        moto_rig.direct.put("k", io.BytesIO(LARGE[::-1]), replace=True)
        with pytest.raises(StoreError, match="was replaced while it was read"):
            reader.read()


def test_an_object_that_is_deleted_while_it_is_read_is_an_error(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    with rig.store(max_concurrency=1).open("k") as reader:
        reader.read(10)
        rig.direct.delete("k")
        with pytest.raises(ObjectNotFound):
            reader.read()


@pytest.mark.parametrize("content", [LARGE, b"small"], ids=["large", "small"])
def test_a_service_without_byte_ranges_is_read_from_one_answer(moto_rig: Rig, content: bytes):
    moto_rig.proxy.inject(Fault("GetObject", ignoring("range"), times=FOREVER))
    moto_rig.direct.put("k", io.BytesIO(content))
    assert moto_rig.get() == content
    assert moto_rig.proxy.operations == ["GetObject"]


def test_a_single_answer_that_breaks_off_is_an_error_and_not_an_end(moto_rig: Rig):
    moto_rig.proxy.inject(Fault("GetObject", both(cut_the_answer, ignoring("range")), times=FOREVER))
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    with pytest.raises(StoreUnavailable), moto_rig.store().open("k") as reader:
        while reader.read(MIB):
            pass


def test_a_single_answer_may_be_left_early(moto_rig: Rig):
    moto_rig.proxy.inject(Fault("GetObject", ignoring("range"), times=FOREVER))
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    with moto_rig.store().open("k") as reader:
        assert reader.read(10) == LARGE[:10]
    wait_for_threads("bakthat-range")


def test_a_service_that_stops_serving_ranges_is_an_error_and_no_wrong_bytes(moto_rig: Rig):
    moto_rig.proxy.inject(Fault("GetObject", ignoring("range"), skip=1, times=FOREVER))
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    with pytest.raises(StoreError, match="does not serve byte ranges"):
        moto_rig.get()


def test_an_archived_object_is_an_error_on_entry(rig: Rig):
    rig.direct.put("k", io.BytesIO(b"frozen"))
    rig.proxy.inject(Fault("GetObject", answering(403, "InvalidObjectState", "The operation is not valid")))
    with pytest.raises(ObjectArchived, match="must be retrieved"), rig.store().open("k"):
        pass


def test_nothing_is_fetched_far_ahead_of_what_is_read(rig: Rig):
    rig.direct.put("k", io.BytesIO(some_bytes(4 * MIB) * 9))
    with rig.store(max_concurrency=2).open("k") as reader:
        reader.read(1)
        time.sleep(0.3)
        assert rig.proxy.operations.count("GetObject") <= 3


def test_leaving_early_ends_the_threads(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    with rig.store().open("k") as reader:
        reader.read(1)
    wait_for_threads("bakthat-range")


def test_a_closed_reader_sends_no_more_requests(rig: Rig):
    go_on = threading.Event()
    rig.direct.put("k", io.BytesIO(LARGE))
    rig.proxy.inject(Fault("GetObject", meanwhile(lambda: go_on.wait(20), cut_the_answer), skip=1, times=FOREVER))
    with rig.store(max_concurrency=2).open("k") as reader:
        reader.read(1)
    go_on.set()
    wait_for_threads("bakthat-range")
    assert rig.proxy.operations.count("GetObject") <= 3


def test_a_closed_reader_returns_no_bytes(rig: Rig):
    rig.direct.put("k", io.BytesIO(b"x"))
    with rig.store().open("k") as reader:
        pass
    with pytest.raises(ValueError, match="read after close"):
        reader.read()


# listing and deleting


def test_an_error_on_a_later_page_is_raised_by_the_iteration(rig: Rig):
    for number in range(5):
        rig.direct.put(str(number), io.BytesIO(b""))
    rig.proxy.inject(Fault("ListObjectsV2", answering(403, "AccessDenied"), skip=1, times=FOREVER))
    listing = rig.store(page=2, amazon=True).list()
    assert [next(listing).key, next(listing).key] == ["0", "1"]
    with pytest.raises(AccessDenied):
        next(listing)


def test_objects_whose_names_are_not_keys_are_not_listed(moto_rig: Rig):
    for name in ("folder/", "a//b", "../out", "fine"):
        moto_rig.upstream.put_object(Bucket=moto_rig.bucket, Key=moto_rig.prefix + name, Body=b"")
    assert [info.key for info in moto_rig.direct.list()] == ["fine"]


def test_a_refused_deletion_is_an_error(rig: Rig):
    rig.proxy.inject(Fault("DeleteObject", answering(403, "AccessDenied")))
    with pytest.raises(AccessDenied):
        rig.store().delete("k")


def test_a_deletion_whose_answer_is_lost_is_a_success(rig: Rig):
    rig.direct.put("k", io.BytesIO(b"x"))
    rig.proxy.inject(Fault("DeleteObject", lose_the_answer))
    rig.store().delete("k")
    assert rig.is_empty


# what a user gets wrong


USES: dict[str, Callable[[S3ObjectStore], object]] = {
    "put": lambda store: store.put("k", io.BytesIO(b"x")),
    "open": lambda store: store.open("k").__enter__(),
    "list": lambda store: list(store.list()),
    "delete": lambda store: store.delete("k"),
}


@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_named_with_the_way_out(seaweedfs_url: str, use: str):
    profile = s3_profile(seaweedfs_url, bucket=False)
    says = f"'{profile.s3_bucket}' does not exist; correct s3_bucket, or run `bakthat configure`"
    with pytest.raises(StoreError, match=says) as caught:
        USES[use](S3ObjectStore.from_profile(profile))
    assert type(caught.value) is StoreError


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("wrong", [{"secret_key": "another"}, {"access_key": "AKIANOBODY"}])
def test_wrong_access_keys_are_an_error_that_does_not_show_them(seaweedfs_url: str, use: str, wrong: dict[str, str]):
    profile = s3_profile(seaweedfs_url, bucket=False, s3_bucket=shared_bucket(seaweedfs_url), **wrong)
    store = S3ObjectStore.from_profile(profile)
    with pytest.raises(AccessDenied) as caught:
        USES[use](store)
    shown = f"{caught.value} {store!r} {profile!r}"
    assert not [secret for secret in (SECRET_KEY, "another", "AKIANOBODY") if secret in shown]


def test_an_invalid_name_of_a_bucket_is_an_error():
    store = S3ObjectStore.from_profile(
        Profile(access_key="a", secret_key="b", s3_bucket="no bucket", endpoint_url="http://127.0.0.1:1")
    )
    with pytest.raises(ConfigInvalid, match="correct s3_bucket"):
        store.stat("k")


def test_a_profile_without_a_bucket_is_refused_before_anything_is_sent():
    with pytest.raises(ConfigInvalid, match="names no s3_bucket"):
        S3ObjectStore.from_profile(Profile())


@pytest.mark.parametrize("settings", [{"part_size": PART - 1}, {"part_size": 5 * 2**30 + 1}, {"max_concurrency": 0}])
def test_sizes_that_s3_does_not_accept_are_refused_before_anything_is_sent(settings: dict[str, int]):
    with pytest.raises(ConfigInvalid, match=next(iter(settings))):
        S3ObjectStore.from_profile(Profile(s3_bucket="attic", **settings))


def test_a_key_too_long_together_with_its_prefix_is_refused(seaweedfs_url: str):
    with pytest.raises(InvalidName, match="too long"):
        fresh_store(seaweedfs_url, prefix="p" * 100).stat("k" * 1000)


def test_a_web_server_that_is_not_s3_is_an_error(rig: Rig):
    page = answering(404, headers={"Content-Type": "text/html"})

    def html(request: Request, forward: Forward) -> Answer:
        answer = page(request, forward)
        answer.body = b"<html><body>Welcome"
        return answer

    rig.proxy.inject(Fault("*", html, times=FOREVER))
    with pytest.raises(StoreError, match="check endpoint_url"):
        rig.get()


# buckets, URLs, addresses


def test_configure_finds_and_creates_the_bucket(seaweedfs_url: str):
    store = S3ObjectStore.from_profile(s3_profile(seaweedfs_url, bucket=False))
    assert not store.bucket_exists()
    store.create_bucket()
    store.create_bucket()
    assert store.bucket_exists()
    store.put("k", io.BytesIO(b"x"))


def test_a_bucket_of_amazons_is_created_in_its_region(moto_url: str):
    name = s3_profile(moto_url, bucket=False).s3_bucket or ""
    S3ObjectStore(administrator(moto_url), name, region="eu-west-1", amazon=True).create_bucket()
    assert administrator(moto_url).get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"


def test_a_bucket_of_somebody_else_is_an_error(rig: Rig):
    rig.proxy.inject(Fault("CreateBucket", answering(409, "BucketAlreadyExists")))
    with pytest.raises(StoreError, match="taken by somebody else; choose another s3_bucket"):
        rig.store().create_bucket()


def test_a_bucket_that_must_not_be_listed_is_access_denied(rig: Rig):
    rig.proxy.inject(Fault("ListObjectsV2", answering(403, "AccessDenied")))
    with pytest.raises(AccessDenied):
        rig.store().bucket_exists()


def test_a_presigned_url_gives_the_object_to_whoever_has_it(seaweedfs_url: str):
    store = fresh_store(seaweedfs_url)
    store.put("a key/ü", io.BytesIO(b"shared"))
    with urllib.request.urlopen(store.presign("a key/ü", 60)) as answer:
        assert answer.read() == b"shared"
    upload = urllib.request.Request(store.presign("new", 60, "PUT"), data=b"theirs", method="PUT")
    with urllib.request.urlopen(upload):
        assert store.stat("new").size == 6


@pytest.mark.parametrize(("seconds", "method"), [(0, "GET"), (604_801, "GET"), (60, "DELETE")])
def test_an_invalid_presigned_url_is_refused(seaweedfs_url: str, seconds: int, method: str):
    with pytest.raises(UsageError):
        fresh_store(seaweedfs_url).presign("k", seconds, method)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"s3_bucket": "attic"}, "https://attic.s3.amazonaws.com/k?"),
        ({"s3_bucket": "attic", "region_name": "eu-west-1"}, "https://attic.s3.eu-west-1.amazonaws.com/k?"),
        ({"s3_bucket": "my.attic"}, "https://s3.amazonaws.com/my.attic/k?"),
        ({"s3_bucket": "attic", "endpoint_url": "http://10.0.0.1:9000"}, "http://10.0.0.1:9000/attic/k?"),
        ({"s3_bucket": "attic", "endpoint_url": "https://nas.example"}, "https://nas.example/attic/k?"),
    ],
)
def test_the_bucket_is_in_the_path_where_it_cannot_be_in_the_host_name(settings: dict[str, str], url: str):
    store = S3ObjectStore.from_profile(Profile(access_key="AKIA", secret_key="x", **settings))
    assert store.presign("k", 60).startswith(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, True),
        ("", True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://bucket.vpce-1.s3.cn-north-1.vpce.amazonaws.com.cn:443/", True),
        ("http://127.0.0.1:8333", False),
        ("https://amazonaws.com.example.org", False),
    ],
)
def test_amazons_own_endpoints_are_recognised(url: str | None, expected: bool):
    assert is_amazon(url) is expected


# memory and slow lines


def test_a_gibibyte_needs_no_more_memory_than_its_parts_in_flight():
    program = """
        import io, resource, time
        from bakthat.adapters.aws.s3 import S3ObjectStore

        class Client:
            def create_multipart_upload(self, **_): return {"UploadId": "id"}
            def upload_part(self, Body, ChecksumCRC32, **_):
                while Body.read(65536):
                    pass
                time.sleep(0.02)  # slower than the body
                return {"ETag": "etag", "ChecksumCRC32": ChecksumCRC32}
            def complete_multipart_upload(self, **_): return {"ETag": "etag"}

        class Endless(io.RawIOBase):
            left = 1 << 30
            def readable(self): return True
            def readinto(self, buffer):
                count = min(len(buffer), self.left, 1_000_003)
                buffer[:count] = bytes(count)
                self.left -= count
                return count

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        info = S3ObjectStore(Client(), "attic", amazon=True).put("k", Endless())
        assert info.size == 1 << 30
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 5 * 8 + 16, "MiB: four parts in flight, one being filled, and a little"


def test_a_part_is_sent_in_chunks_that_shrink_on_a_slow_line():
    body = PartBody(memoryview(bytes(40 * MIB)))
    fast = [len(body.read(131_072)) for _ in range(8)]
    assert fast == sorted(fast)
    assert fast[-1] == 512 * 1024
    time.sleep(1.05)
    assert len(body.read(131_072)) == 256 * 1024


def test_a_cancelled_part_stops_its_request():
    cancelled = threading.Event()
    body = PartBody(memoryview(bytes(MIB)), cancelled)
    body.read()
    cancelled.set()
    for use in (body.read, lambda: body.seek(0)):
        with pytest.raises(CancelledError):
            use()


def test_a_part_can_be_read_again_and_knows_its_length():
    content = some_bytes(300_000)
    body = PartBody(memoryview(content))
    for _ in range(2):
        body.seek(0)
        assert b"".join(iter(lambda: bytes(body.read(1000)), b"")) == content
    assert (len(body), body.tell(), bytes(body.read())) == (300_000, 300_000, b"")


def test_errors_of_an_iteration_are_translated():
    def pages() -> Any:
        yield 1
        raise ConnectionResetError

    with pytest.raises(StoreUnavailable, match="^it: "), translated("it"):
        list(pages())
