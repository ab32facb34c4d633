"""Uploads to services that deviate from Amazon's: each ends with a whole object, or with one clear error and none."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from botocore.exceptions import ClientError

from bakthat import open_profile
from bakthat.adapters.aws.s3_bucket import Bucket
from bakthat.adapters.aws.s3_part_body import PartBody
from bakthat.adapters.aws.s3_upload import Uploader
from bakthat.errors import AccessDenied, BakthatError, ObjectExists, StoreError
from bakthat.testing.deviations import both, dropping, has, ignoring, lacks, rewriting, setting, where
from bakthat.testing.faulty_proxy import (
    Answer,
    Doing,
    Fault,
    FaultyProxy,
    Forward,
    Request,
    answering,
    damage_the_request,
    meanwhile,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import RANGE, THREE_PARTS, TWO_PARTS, Rig
from tests.fixtures.s3_servers import s3_profile

MIB = 1024 * 1024
COMPLETION = "CompleteMultipartUpload"
DOES_NOT_KNOW = answering(501, "NotImplemented", "A header you provided implies functionality that is not implemented")


def always(rig: Rig, on: str, does: Doing) -> None:
    rig.proxy.inject(Fault(on, does, times=None))


def sent(rig: Rig, operation: str, header: str) -> list[bool]:
    """Whether the requests of one operation had a header, in order."""
    return [has(header)(request) for request in rig.proxy.requests if request.operation == operation]


# what is learnt of one operation holds for that operation


def test_a_condition_that_put_honours_and_completion_ignores_replaces_nothing(moto_rig: Rig):
    always(moto_rig, COMPLETION, ignoring("if-none-match"))
    store = moto_rig.store()
    moto_rig.direct.put("taken", io.BytesIO(b"was here"))
    moto_rig.proxy.inject(Fault("HeadObject", answering(404)))
    with pytest.raises(ObjectExists):
        store.put("taken", io.BytesIO(b"small"))
    with pytest.raises(ObjectExists):
        store.put("taken", io.BytesIO(THREE_PARTS))
    assert moto_rig.holds(b"was here", "taken")


def test_a_condition_that_completion_honours_and_put_ignores_replaces_nothing(moto_rig: Rig):
    always(moto_rig, "PutObject", ignoring("if-none-match"))
    store = moto_rig.store()
    moto_rig.direct.put("taken", io.BytesIO(b"was here"))
    moto_rig.proxy.inject(Fault("HeadObject", answering(404)))
    for content in (THREE_PARTS, b"small"):
        with pytest.raises(ObjectExists):
            store.put("taken", io.BytesIO(content))
    assert moto_rig.holds(b"was here", "taken")


def test_a_condition_that_only_completion_refuses_is_still_sent_with_put(rig: Rig):
    always(rig, COMPLETION, where(has("if-none-match"), DOES_NOT_KNOW))
    store = rig.store()
    store.put("large", io.BytesIO(THREE_PARTS))
    store.put("small", io.BytesIO(b"small"))
    assert sent(rig, "PutObject", "if-none-match") == [True]
    assert rig.holds(THREE_PARTS, "large")


def test_a_checksum_that_only_put_refuses_is_still_sent_with_parts(rig: Rig):
    always(rig, "PutObject", where(has("x-amz-checksum-crc32"), DOES_NOT_KNOW))
    store = rig.store()
    store.put("small", io.BytesIO(b"small"))
    store.put("large", io.BytesIO(THREE_PARTS))
    assert sent(rig, "UploadPart", "x-amz-checksum-crc32") == [True, True, True]
    assert rig.holds(b"small", "small")


# equal parts


def demanding_equal_parts(proxy: FaultyProxy) -> Doing:
    """As Cloudflare R2, which finds out at the end."""

    def complete(request: Request, forward: Forward) -> Answer:
        sizes: dict[int, int] = {}
        for part in proxy.requests:
            if part.operation == "UploadPart":
                number = re.search(r"partNumber=(\d+)", part.target)
                assert number is not None
                sizes[int(number[1])] = len(part.body)
        whole = [sizes[number] for number in sorted(sizes)][:-1]
        if len(set(whole)) > 1:
            refuse = answering(400, "InvalidPart", "All non-trailing parts must have the same length.")
            return refuse(request, forward)
        return forward(request)

    return complete


def upload(rig: Rig, content: bytes, **settings: Any) -> None:
    """Upload an object in parts of 8 MiB, which is what 17 buffers leave of the memory."""
    client = rig.store()._client
    bucket = Bucket(client=client, name=rig.bucket, put_id=lambda: "an id", max_concurrency=16, **settings)
    key = rig.prefix + "k"
    Uploader(bucket).upload(key, "the thing", io.BytesIO(content), replace=False, size_hint=None)


LONGER = bytes(33 * MIB)
"""Four parts of 8 MiB and a rest; if the third one may be larger, it is."""


class Zeros(io.RawIOBase):
    """So many bytes, which cost next to nothing to read."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._left)
        self._left -= count
        return count


class Swallowing:
    """A client of a service that stores nothing, and remembers the sizes of the parts that it was sent."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}

    def head_object(self, **_: Any) -> dict[str, Any]:
        error: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
        raise ClientError(error, "HeadObject")

    def create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        return {"UploadId": "id"}

    def upload_part(self, *, PartNumber: int, Body: PartBody, ChecksumCRC32: str, **_: Any) -> dict[str, Any]:
        self.sizes[PartNumber] = len(Body)
        return {"ETag": "etag", "ChecksumCRC32": ChecksumCRC32}

    def complete_multipart_upload(self, **_: Any) -> dict[str, Any]:
        return {"ETag": "etag"}


@pytest.mark.parametrize("amazon", [True, False])
def test_more_than_a_thousand_parts_are_equal_where_the_service_may_demand_it(amazon: bool):
    client = Swallowing()
    bucket = Bucket(client=client, name="b", put_id=lambda: "an id", max_concurrency=16, trusted=amazon, claims=False)
    body: Any = Zeros(1003 * 8 * MIB)
    Uploader(bucket).upload("k", "the thing", body, replace=False, size_hint=None)
    whole = {client.sizes[number] // MIB for number in range(1, max(client.sizes))}
    assert whole == ({8, 16} if amazon else {8})


def test_parts_that_have_to_grow_after_all_are_a_notice_with_the_way_out(rig: Rig):
    notices: list[str] = []
    upload(rig, LONGER, equal_parts=2, notice=notices.append)
    assert rig.holds(LONGER)
    assert notices == [
        "the thing: 2 parts of 8 MiB are sent and it goes on, so the parts grow from here; a service that demands "
        "equal parts will refuse them at the end: set part_size (bytes) to a 9,000th of the archive's size or more"
    ]


def test_a_refusal_of_unequal_parts_names_the_setting_and_leaves_nothing(rig: Rig):
    always(rig, COMPLETION, demanding_equal_parts(rig.proxy))
    with pytest.raises(StoreError, match=r"^the thing: the service refused the parts \(InvalidPart\).*set part_size"):
        upload(rig, LONGER, equal_parts=2)
    assert rig.is_empty


@pytest.mark.parametrize("code", ["EntityTooLarge", "EntityTooSmall"])
@pytest.mark.parametrize(("operation", "content"), [("PutObject", b"small"), ("UploadPart", THREE_PARTS)])
def test_a_size_that_the_service_refuses_names_the_setting(rig: Rig, operation: str, content: bytes, code: str):
    if code == "EntityTooSmall":
        operation, content = COMPLETION, THREE_PARTS
    always(rig, operation, answering(400, code, "Your proposed upload has the wrong size"))
    with pytest.raises(StoreError, match=f"{code}.*; set a (smaller|larger) part_size"):
        rig.put(content)
    assert rig.is_empty


# checksums


MD5_WANTED = answering(400, "InvalidRequest", "Missing required header for this request: Content-MD5")


def test_a_service_that_demands_md5_of_parts_gets_it_beside_the_crc(rig: Rig):
    always(rig, "UploadPart", where(lacks("content-md5"), MD5_WANTED))
    rig.put(max_concurrency=1, amazon=True)
    assert rig.holds(THREE_PARTS)
    assert sent(rig, "UploadPart", "content-md5") == [False, True, True, True]
    assert all(sent(rig, "UploadPart", "x-amz-checksum-crc32"))


def test_a_service_that_demands_md5_of_an_object_gets_it(rig: Rig):
    always(rig, "PutObject", where(lacks("content-md5"), MD5_WANTED))
    rig.put(b"small", amazon=True)
    assert rig.holds(b"small")


def test_a_part_whose_arrival_nothing_proves_is_sent_with_both_checksums(rig: Rig):
    hidden = both(dropping("x-amz-checksum-crc32"), setting({"ETag": '"opaque"'}))
    always(rig, "UploadPart", where(lacks("content-md5"), hidden))
    rig.put(max_concurrency=1)
    assert rig.holds(THREE_PARTS)
    assert sent(rig, "UploadPart", "content-md5") == [False, True, True, True]
    assert all(sent(rig, "UploadPart", "x-amz-checksum-crc32")), "the upload was created with a CRC"


@pytest.mark.parametrize(
    "refusal",
    [
        answering(400, "InvalidDigest", "The x-amz-checksum-crc32 you specified is not valid."),
        answering(400, "InvalidDigest", "The digest you specified is not valid."),
        answering(400, "InvalidHeader", "Unsupported header: x-amz-checksum-crc32"),
        answering(400, "MalformedRequest", "Header x-amz-sdk-checksum-algorithm is not supported"),
        answering(501),
    ],
)
@pytest.mark.parametrize("content", [b"small", THREE_PARTS])
def test_a_service_that_refuses_the_crc_with_any_code_gets_md5(rig: Rig, refusal: Doing, content: bytes):
    always(rig, "PutObject", where(has("x-amz-checksum-crc32"), refusal))
    always(rig, "UploadPart", where(has("x-amz-checksum-crc32"), refusal))
    rig.put(content)
    assert rig.holds(content)


@pytest.mark.parametrize(("operation", "content"), [("PutObject", b"small"), ("UploadPart", THREE_PARTS)])
@pytest.mark.parametrize("times", [1, None])
def test_bytes_that_are_damaged_on_the_way_are_never_stored_whatever_the_code(
    rig: Rig, operation: str, content: bytes, times: int | None
):
    called_otherwise = rewriting(lambda body: re.sub(rb"<Code>\w+</Code>", b"<Code>InvalidDigest</Code>", body))
    rig.proxy.inject(Fault(operation, both(called_otherwise, damage_the_request), times=times))
    if times is not None:
        rig.put(content, max_concurrency=1)
        assert rig.holds(content)
        return
    with pytest.raises(StoreError, match="arrived damaged"):
        rig.put(content, max_concurrency=1)
    assert rig.is_empty


# an answer to the completion that cannot be read


INTERNAL = b"<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>"
UNREADABLE = {
    "no body": b"",
    "a page": b"<html><body>OK</body></html>",
    "half an answer": b'<?xml version="1.0"?><CompleteMultipartUploadResult><Bucket>b',
    "an error": INTERNAL,
    "an error that is not one of S3's": b"<Error><Code>Whatever</Code></Error>",
}


def saying(body: bytes) -> Doing:
    """The service answers 200 and this, whatever it was asked, and does nothing."""
    return lambda request, forward: Answer(status=200, headers=[], body=body)


def test_white_space_before_an_answer_is_ignored(rig: Rig):
    always(rig, COMPLETION, rewriting(lambda body: b"\n \r\n\n" + body))
    rig.put(amazon=True)
    assert rig.holds(THREE_PARTS)
    assert rig.proxy.operations[-1] == COMPLETION
    assert rig.proxy.operations.count(COMPLETION) == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("amazon", [True, False])
def test_an_object_whose_completion_has_an_unreadable_answer_is_found(rig: Rig, answer: bytes, amazon: bool):
    always(rig, COMPLETION, rewriting(lambda _: answer))
    rig.put(amazon=amazon)
    assert rig.holds(THREE_PARTS)
    assert rig.has_no_uploads


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("amazon", [True, False])
def test_a_completion_with_an_unreadable_answer_that_was_not_carried_out_is_an_error(
    rig: Rig, answer: bytes, amazon: bool
):
    always(rig, COMPLETION, saying(answer))
    with pytest.raises(StoreError):
        rig.put(amazon=amazon)
    assert rig.is_empty


def test_an_error_in_an_answer_with_status_200_is_retried(rig: Rig):
    rig.proxy.inject(Fault(COMPLETION, saying(INTERNAL)))
    rig.put()
    assert rig.holds(THREE_PARTS)


def test_after_an_unreadable_answer_another_writers_object_is_not_taken_for_the_own(rig: Rig):
    def faster() -> None:
        rig.direct.put("k", io.BytesIO(b"was faster"))

    always(rig, COMPLETION, meanwhile(faster, saying(b"")))
    with pytest.raises(StoreError):
        rig.put()
    assert rig.holds(b"was faster")


# reading


LARGE = some_bytes(3 * RANGE + MIB + 17)


def weak(old: str) -> str:
    return f"W/{old}"


def failing_if_match() -> Doing:
    return where(has("if-match"), answering(412, "PreconditionFailed", "At least one of the pre-conditions failed"))


def test_an_object_with_a_weak_etag_is_read_without_a_condition(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    always(rig, "GetObject", both(setting({"ETag": weak}), failing_if_match()))
    assert rig.get() == LARGE
    assert sent(rig, "GetObject", "if-match") == [False] * 4


def test_an_object_with_a_weak_etag_that_is_replaced_while_it_is_read_is_an_error(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    always(rig, "GetObject", setting({"ETag": weak}))
    with rig.store(max_concurrency=1).open("k") as reader:
        reader.read(1000)
        rig.direct.put("k", io.BytesIO(LARGE[::-1]), replace=True)
        with pytest.raises(StoreError, match="was replaced while it was read"):
            reader.read()


def test_an_etag_that_is_weak_in_some_answers_is_the_same_one(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    rig.proxy.inject(*(Fault("GetObject", setting({"ETag": weak}), skip=skip) for skip in (1, 1)))
    assert rig.get(max_concurrency=1) == LARGE


def test_a_condition_that_fails_although_the_object_is_the_same_is_left_out(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    always(rig, "GetObject", failing_if_match())
    assert rig.get(max_concurrency=1) == LARGE
    assert sent(rig, "GetObject", "if-match") == [False, True, False, False, False]


@pytest.mark.parametrize("told", ["bytes 0--1/0", "bytes */0", "bytes 0-0/0", "bytes 0-8388607/0", "nonsense", None])
def test_an_empty_object_whose_range_makes_no_sense_is_read_without_one(rig: Rig, told: str | None):
    rig.direct.put("k", io.BytesIO(b""))
    headers = [("ETag", '"d41d8"')] if told is None else [("ETag", '"d41d8"'), ("Content-Range", told)]
    always(rig, "GetObject", where(has("range"), lambda *_: Answer(status=206, headers=headers, body=b"")))
    assert rig.get() == b""
    assert sent(rig, "GetObject", "range") == [True, False]


@pytest.mark.parametrize(
    "refusal",
    [answering(416, "InvalidRange"), answering(416), answering(400, "InvalidArgument", "Range"), answering(501)],
)
def test_a_small_object_whose_ranges_are_refused_is_read_as_a_whole(rig: Rig, refusal: Doing):
    rig.direct.put("k", io.BytesIO(b"small"))
    always(rig, "GetObject", where(has("range"), refusal))
    assert rig.get() == b"small"


@pytest.mark.parametrize("told", ["bytes 0-8388607/5", "bytes 0-4/*", "bytes 1-4/5", "nonsense"])
def test_a_range_with_a_senseless_content_range_is_not_used(rig: Rig, told: str):
    rig.direct.put("k", io.BytesIO(b"small"))
    always(rig, "GetObject", where(has("range"), setting({"Content-Range": told})))
    assert rig.get() == b"small"


def test_a_connection_that_breaks_after_the_last_byte_costs_no_request(rig: Rig):
    def broken(request: Request, forward: Forward) -> Answer:
        answer = setting({"Content-Length": lambda old: str(int(old) + 1)})(request, forward)
        answer.cut = len(answer.body)
        return answer

    rig.direct.put("k", io.BytesIO(LARGE))
    always(rig, "GetObject", broken)
    assert rig.get(max_concurrency=1) == LARGE
    assert rig.proxy.operations == ["GetObject"] * 4


# what is left


def test_parts_that_stay_behind_are_a_notice(moto_rig: Rig, moto_url: str, tmp_path: Path):
    (tmp_path / "large").write_bytes(os.urandom(7_000_000))
    profile = evolve(
        s3_profile(moto_url, part_size=5_242_880, database=str(tmp_path / "database.sqlite")),
        endpoint_url=moto_rig.proxy.url,
    )
    refused = answering(403, "AccessDenied", "No.")
    moto_rig.proxy.inject(Fault("UploadPart", refused, times=None), Fault("AbortMultipartUpload", refused, times=None))
    notices: list[str] = []
    with pytest.raises(AccessDenied):
        open_profile(profile, environment={}, notice=notices.append).backup(tmp_path / "large", password="")
    assert [text for text in notices if "parts of an unfinished upload stay behind" in text] == notices[-1:]


# whatever is answered


@pytest.mark.parametrize("is_carried_out", [True, False])
@pytest.mark.parametrize("body", [b"", b"<html><body>Bad gateway</body></html>"])
@pytest.mark.parametrize("status", [302, 403, 502])
@pytest.mark.parametrize(
    ("operation", "content"),
    [("PutObject", b"small"), ("CreateMultipartUpload", TWO_PARTS), (COMPLETION, TWO_PARTS)],
)
def test_after_an_answer_of_a_proxy_the_object_is_whole_or_there_is_an_error_and_none(
    moto_rig: Rig, operation: str, content: bytes, status: int, body: bytes, is_carried_out: bool
):
    def answered_by_a_proxy(request: Request, forward: Forward) -> Answer:
        if is_carried_out:
            forward(request)
        return Answer(status=status, headers=[], body=body)

    always(moto_rig, operation, answered_by_a_proxy)
    try:
        moto_rig.put(content, attempts=2)
    except BakthatError:
        assert moto_rig.is_empty
    else:
        assert moto_rig.holds(content)
        assert moto_rig.has_no_uploads
