"""Reading an object from S3: whole, or an error; never a mixture, and never a false end."""

from __future__ import annotations

import base64
import io
import threading
import time
import zlib

import pytest

from bakthat.errors import (
    AccessDenied,
    ObjectArchived,
    ObjectNotFound,
    StoreError,
    StoreUnavailable,
)
from bakthat.testing.deviations import both, ignoring
from bakthat.testing.faulty_proxy import (
    INTERNAL_ERROR,
    Answer,
    Doing,
    Fault,
    Forward,
    Request,
    answering,
    cut_the_answer,
    damage_the_answer,
    drop_the_connection,
    meanwhile,
    reset_in_the_answer,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import RANGE, Rig

MIB = 1024 * 1024
FOREVER = None
LARGE = some_bytes(3 * RANGE + MIB + 17)


def wait_for_threads(name: str) -> None:
    """Wait until no thread of this name is left."""
    until = time.monotonic() + 60
    while any(thread.name.startswith(name) for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)


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
    rig.direct.put("k", io.BytesIO(some_bytes(MIB) * 9))
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
    rig.proxy.inject(Fault("GetObject", meanwhile(lambda: go_on.wait(60), cut_the_answer), skip=1, times=FOREVER))
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
