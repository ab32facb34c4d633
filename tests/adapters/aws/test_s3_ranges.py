"""Ranges of an object in S3: the right bytes or an error, whatever the service does with a range, and cheaply."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import ObjectArchived, ObjectNotFound, StoreError, StoreUnavailable
from bakthat.testing.deviations import both, dropping, has, ignoring, ranging, rewriting, setting, where
from bakthat.testing.faulty_proxy import (
    INTERNAL_ERROR,
    Answer,
    Doing,
    Fault,
    answering,
    cut_the_answer,
    drop_the_connection,
    meanwhile,
    reset_in_the_answer,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import RANGE, Rig

LARGE = some_bytes(3 * RANGE + 5)
SMALL = some_bytes(300_000)
MIDDLE = (100_000, 170_001)


def always(rig: Rig, does: Doing, *, skip: int = 0) -> None:
    rig.proxy.inject(Fault("GetObject", does, skip=skip, times=None))


def read(rig: Rig, start: int, stop: int, expected: ObjectInfo | None = None) -> bytes:
    with rig.store().open_range("k", start, stop, expected=expected) as reader:
        return reader.read()


def headers(rig: Rig, name: str) -> list[str | None]:
    """The values of a header in the requests for the object, in order."""
    asked = [request.headers for request in rig.proxy.requests if request.operation == "GetObject"]
    return [next((value for each, value in of.items() if each.lower() == name), None) for of in asked]


# what a range costs


def test_a_range_is_one_request_for_exactly_its_bytes(rig: Rig):
    rig.direct.put("k", io.BytesIO(SMALL))
    expected = rig.direct.stat("k")
    assert read(rig, *MIDDLE, expected) == SMALL[slice(*MIDDLE)]
    assert rig.proxy.operations == ["GetObject"]
    assert headers(rig, "range") == ["bytes=100000-170000"]
    assert headers(rig, "if-match") == [expected.etag]


def test_many_small_ranges_use_one_connection(rig: Rig):
    rig.direct.put("k", io.BytesIO(SMALL))
    expected, store = rig.direct.stat("k"), rig.store()
    for start in range(0, 100_000, 5_000):
        with store.open_range("k", start, start + 1_000, expected=expected) as reader:
            assert reader.read() == SMALL[start : start + 1_000]
    assert rig.proxy.operations == ["GetObject"] * 20
    assert rig.proxy.connections == 1


def test_small_ranges_need_no_thread(rig: Rig):
    rig.direct.put("k", io.BytesIO(SMALL))
    before = threading.active_count()
    store = rig.store()
    with store.open_range("k", *MIDDLE):
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("bakthat-range")] == []
    assert threading.active_count() <= before + 1  # the proxy's own, for the connection


def test_a_large_range_is_fetched_in_several_requests_and_not_beyond_its_end(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    assert read(rig, 1, 2 * RANGE) == LARGE[1 : 2 * RANGE]
    assert sorted(headers(rig, "range"), key=str) == [
        f"bytes=1-{RANGE}",
        f"bytes={RANGE + 1}-{2 * RANGE - 1}",
    ]


# bodies that break off


@pytest.mark.parametrize("doing", [cut_the_answer, reset_in_the_answer, drop_the_connection, INTERNAL_ERROR])
@pytest.mark.parametrize(("start", "stop"), [MIDDLE, (5, RANGE - 5)])
def test_a_range_that_is_cut_short_is_continued(rig: Rig, doing: Doing, start: int, stop: int):
    rig.direct.put("k", io.BytesIO(LARGE))
    expected = rig.direct.stat("k")
    rig.proxy.inject(Fault("GetObject", doing, times=2))
    assert read(rig, start, stop, expected) == LARGE[start:stop]


@pytest.mark.parametrize(("start", "stop"), [MIDDLE, (5, RANGE - 5)])
def test_a_range_that_is_always_cut_short_is_an_error_and_not_an_end(rig: Rig, start: int, stop: int):
    rig.direct.put("k", io.BytesIO(LARGE))
    always(rig, cut_the_answer)
    with pytest.raises(StoreUnavailable):
        read(rig, start, stop)


# services that serve ranges otherwise

IGNORED = ignoring("range")
WRONG = ranging(lambda first, last: (0, last - first))
SHIFTED = ranging(lambda first, last: (first + 1, last + 1))
SHORT = ranging(lambda first, last: (first, (first + last) // 2))
LONG = ranging(lambda first, last: (first, last + 10))
UNEXPLAINED = dropping("content-range")
MISNAMED = setting({"Content-Range": "bytes 7-9/11"})
BOASTFUL = rewriting(lambda body: body[: len(body) // 2])
"""Says that it is the range, and holds half of it, with a length that fits."""

CALLED_WHOLE = rewriting(lambda body: body, status=200)
WRONG_AND_CALLED_WHOLE = both(CALLED_WHOLE, WRONG)

ODD_ANSWERS = [
    IGNORED,
    WRONG,
    SHIFTED,
    SHORT,
    LONG,
    UNEXPLAINED,
    MISNAMED,
    BOASTFUL,
    CALLED_WHOLE,
    WRONG_AND_CALLED_WHOLE,
]
NAMES = [
    "ignored",
    "wrong",
    "shifted",
    "short",
    "long",
    "unexplained",
    "misnamed",
    "boastful",
    "called whole",
    "wrong and called whole",
]


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("odd", ODD_ANSWERS, ids=NAMES)
def test_an_answer_that_is_not_the_range_gives_no_wrong_bytes(moto_rig: Rig, odd: Doing, content: bytes):
    moto_rig.direct.put("k", io.BytesIO(content))
    expected = moto_rig.direct.stat("k")
    always(moto_rig, where(has("range"), odd))
    for start, stop in [MIDDLE, (0, 10), (len(content) - 5, len(content)), (1, len(content))]:
        assert read(moto_rig, start, stop, expected) == content[start:stop]


def all_in_one(request: object, forward: Callable[[object], Answer]) -> Answer:
    """The headers of the range, and the whole object as the body."""
    answer = forward(request)
    answer.body = LARGE
    answer.headers = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
    return answer


@pytest.mark.parametrize(("start", "stop"), [MIDDLE, (5, RANGE - 5), (1, len(LARGE))])
def test_the_whole_object_under_the_headers_of_a_range_gives_no_wrong_bytes(moto_rig: Rig, start: int, stop: int):
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    always(moto_rig, where(has("range"), all_in_one))
    with pytest.raises(StoreError, match="does not serve byte ranges"):
        read(moto_rig, start, stop)


@pytest.mark.parametrize("odd", [IGNORED, WRONG, SHORT, UNEXPLAINED], ids=["ignored", "wrong", "short", "unexplained"])
def test_a_service_that_stops_serving_ranges_on_the_way_is_an_error(moto_rig: Rig, odd: Doing):
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    always(moto_rig, where(has("range"), odd), skip=1)
    with pytest.raises(StoreError, match="does not serve byte ranges"):
        read(moto_rig, 1, len(LARGE))


@pytest.mark.parametrize(("odd", "reads_ranges"), [(IGNORED, False), (lambda request, forward: forward(request), True)])
def test_that_a_service_ignores_ranges_is_remembered(moto_rig: Rig, odd: Doing, reads_ranges: bool):
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    always(moto_rig, odd)
    store = moto_rig.store()
    assert store.reads_ranges
    with store.open_range("k", *MIDDLE) as reader:
        reader.read()
    assert store.reads_ranges is reads_ranges


def test_an_object_that_is_answered_whole_is_read_no_further_than_the_range(moto_rig: Rig):
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    always(moto_rig, both(cut_the_answer, ignoring("range")))
    assert read(moto_rig, *MIDDLE) == LARGE[slice(*MIDDLE)]
    with pytest.raises(StoreUnavailable):
        read(moto_rig, len(LARGE) - 5, len(LARGE))


@pytest.mark.parametrize(
    "refusal", [answering(416, "InvalidRange"), answering(416), answering(400, "InvalidArgument", "Range"), IGNORED]
)
def test_a_range_behind_the_end_is_empty_however_the_service_answers(moto_rig: Rig, refusal: Doing):
    moto_rig.direct.put("k", io.BytesIO(SMALL))
    expected = moto_rig.direct.stat("k")
    always(moto_rig, where(has("range"), refusal))
    assert read(moto_rig, len(SMALL), len(SMALL) + 10, expected) == b""
    assert read(moto_rig, len(SMALL) + 10, len(SMALL) + 20) == b""


def test_a_service_that_refuses_all_ranges_is_read_without(moto_rig: Rig):
    moto_rig.direct.put("k", io.BytesIO(SMALL))
    always(moto_rig, where(has("range"), answering(416, "InvalidRange")))
    assert read(moto_rig, *MIDDLE) == SMALL[slice(*MIDDLE)]


# the object that was looked at before


@pytest.mark.parametrize("ignored", ["", "if-match"])
@pytest.mark.parametrize("content", [some_bytes(len(SMALL), 7), b"short"], ids=["same size", "another size"])
def test_another_object_under_the_key_is_an_error(moto_rig: Rig, ignored: str, content: bytes):
    moto_rig.direct.put("k", io.BytesIO(SMALL))
    expected = moto_rig.direct.stat("k")
    moto_rig.direct.put("k", io.BytesIO(content), replace=True)
    always(moto_rig, ignoring(ignored))
    for start, stop in [MIDDLE, (0, 10), (7, 7), (len(SMALL) + 1, len(SMALL) + 2)]:
        with pytest.raises(StoreError, match="replaced"):
            read(moto_rig, start, stop, expected)


def test_an_object_that_is_replaced_between_two_requests_of_a_range_is_an_error(moto_rig: Rig):
    moto_rig.direct.put("k", io.BytesIO(LARGE))
    another = some_bytes(len(LARGE), 9)
    replace = meanwhile(lambda: moto_rig.direct.put("k", io.BytesIO(another), replace=True))
    moto_rig.proxy.inject(Fault("GetObject", replace, skip=1))
    with pytest.raises(StoreError, match="replaced"):
        read(moto_rig, 1, len(LARGE), moto_rig.direct.stat("k"))


def test_a_deleted_object_is_not_found(rig: Rig):
    rig.direct.put("k", io.BytesIO(SMALL))
    expected = rig.direct.stat("k")
    rig.direct.delete("k")
    with pytest.raises(ObjectNotFound):
        read(rig, *MIDDLE, expected)


@pytest.mark.parametrize(
    "refusal", [answering(412, "PreconditionFailed"), answering(412), answering(501, "NotImplemented")]
)
def test_a_condition_that_the_service_never_fulfils_is_left_out(rig: Rig, refusal: Doing):
    rig.direct.put("k", io.BytesIO(SMALL))
    always(rig, where(has("if-match"), refusal))
    assert read(rig, *MIDDLE, rig.direct.stat("k")) == SMALL[slice(*MIDDLE)]
    assert [value is not None for value in headers(rig, "if-match")] == [True, False]


def test_a_weak_etag_is_compared_and_not_demanded(moto_rig: Rig):
    moto_rig.direct.put("k", io.BytesIO(SMALL))
    moto_rig.proxy.inject(Fault("*", setting({"ETag": lambda etag: f"W/{etag}"}), times=None))
    expected = moto_rig.store().stat("k")
    assert read(moto_rig, *MIDDLE, expected) == SMALL[slice(*MIDDLE)]
    assert headers(moto_rig, "if-match") == [None]
    moto_rig.direct.put("k", io.BytesIO(some_bytes(len(SMALL), 7)), replace=True)
    with pytest.raises(StoreError, match="replaced"):
        read(moto_rig, *MIDDLE, expected)


@pytest.mark.parametrize(
    ("content", "modified"),
    [(SMALL + b"more", lambda moment: moment), (SMALL, lambda _: "Fri, 02 Jan 2026 03:04:05 GMT")],
    ids=["another size", "another time"],
)
def test_without_etags_size_and_time_tell_another_object(moto_rig: Rig, content: bytes, modified: Callable[[str], str]):
    moto_rig.direct.put("k", io.BytesIO(SMALL))
    moto_rig.proxy.inject(Fault("*", dropping("etag"), times=None))
    expected = moto_rig.store().stat("k")
    assert expected.etag is None
    assert read(moto_rig, *MIDDLE, expected) == SMALL[slice(*MIDDLE)]
    moto_rig.direct.put("k", io.BytesIO(content), replace=True)
    moto_rig.proxy.forget()
    always(moto_rig, both(dropping("etag"), setting({"Last-Modified": modified})))
    with pytest.raises(StoreError, match="replaced"):
        read(moto_rig, *MIDDLE, expected)


def test_an_object_in_an_archive_class_has_no_ranges(rig: Rig):
    rig.direct.put("k", io.BytesIO(SMALL))
    always(rig, answering(403, "InvalidObjectState", "The operation is not valid for the object's storage class"))
    with pytest.raises(ObjectArchived), rig.store().open_range("k", *MIDDLE):
        pass


def test_ranges_of_threads_at_once_do_not_mix(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    store, expected = rig.store(), rig.direct.stat("k")

    def read_at(start: int) -> bytes:
        with store.open_range("k", start, start + 1_500_000, expected=expected) as reader:
            return reader.read()

    starts = range(0, len(LARGE) - 1_500_000, 700_000)
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(read_at, starts)) == [LARGE[start : start + 1_500_000] for start in starts]
