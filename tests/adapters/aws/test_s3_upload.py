"""Uploads to S3: which requests they send, and that a fault ends with a whole object, or with an error and none.

The servers are real ones; faults come from a proxy before them.
"""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, BinaryIO, cast

import pytest

from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.aws.s3_bucket import Bucket
from bakthat.adapters.aws.s3_part_body import PartBody
from bakthat.adapters.aws.s3_upload import Uploader
from bakthat.errors import (
    AccessDenied,
    ObjectExists,
    StoreError,
    StoreUnavailable,
)
from bakthat.testing.deviations import has, where
from bakthat.testing.faulty_proxy import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    Doing,
    Fault,
    Forward,
    Request,
    answering,
    damage_the_request,
    drop_the_connection,
    lose_the_answer,
    meanwhile,
    reset_in_the_answer,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import PART, THREE_PARTS, Rig
from tests.fixtures.s3_servers import administrator, s3_profile

MIB = 1024 * 1024
FOREVER = None


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
        until = time.monotonic() + 60
        while "CreateMultipartUpload" not in rig.proxy.operations:
            assert time.monotonic() < until
            time.sleep(0.005)

    rig.store().put("k", cast(BinaryIO, Body(THREE_PARTS, 0, begun)), size_hint=4 * PART)
    assert rig.holds(THREE_PARTS)


def test_an_upload_created_for_a_wrong_hint_is_aborted(rig: Rig):
    rig.store().put("k", io.BytesIO(b"less"), size_hint=100 * PART)
    assert rig.holds(b"less")
    assert rig.has_no_uploads


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
    rig.proxy.inject(Fault("CreateMultipartUpload", meanwhile(lambda: go_on.wait(60))))

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
    with pytest.raises(StoreError, match="it is unknown whether this object was stored") as caught:
        rig.put(b"small")
    assert type(caught.value) is StoreError


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
    now = 0.0
    body = PartBody(memoryview(bytes(40 * MIB)), monotonic=lambda: now)
    fast = [len(body.read(131_072)) for _ in range(8)]
    assert fast == sorted(fast)
    assert fast[-1] == 512 * 1024
    now = 1.05
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
