"""Reading the answers of services: values, or one clear error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.errors import StoreError

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)


def answer(**fields: Any) -> Answer:
    return Answer(fields, what="s3://attic: k", operation="HeadObject")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda told: told.text("ETag"), "x"),
        (lambda told: told.number("ContentLength"), 0),
        (lambda told: told.moment("LastModified"), NOON),
        (lambda told: told.flag("IsTruncated"), True),
        (lambda told: [item.text("Key") for item in told.items("Contents")], ["a", "b"]),
        (lambda told: told.texts("Metadata"), {"put-id": "1"}),
        (lambda told: told.header("date"), "today"),
        (lambda told: told.resent, True),
    ],
)
def test_a_field_of_an_answer_is_returned(read: Callable[[Answer], object], value: object):
    told = answer(
        ETag="x",
        ContentLength=0,
        LastModified=NOON.astimezone(timezone(timedelta(hours=5))),
        IsTruncated=True,
        Contents=[{"Key": "a"}, {"Key": "b"}],
        Metadata={"put-id": "1"},
        ResponseMetadata={"HTTPHeaders": {"date": "today"}, "RetryAttempts": 2},
    )
    assert read(told) == value


READS: Mapping[str, Callable[[Answer], object]] = {
    "ETag": lambda told: told.text("ETag"),
    "ContentLength": lambda told: told.number("ContentLength"),
    "LastModified": lambda told: told.moment("LastModified"),
    "JobList": lambda told: told.listed("JobList"),
    "Body": lambda told: told.body("Body"),
}


@pytest.mark.parametrize("name", READS)
def test_a_missing_field_is_an_error_that_names_it_and_the_operation(name: str):
    with pytest.raises(StoreError, match=rf"^s3://attic: k: .*answer to HeadObject lacks {name}; check endpoint_url"):
        READS[name](answer())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ETag", ""),
        ("ETag", 5),
        ("ContentLength", "12"),
        ("ContentLength", -1),
        ("ContentLength", True),
        ("LastModified", "2026-01-07"),
        ("LastModified", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
        ("JobList", "none"),
        ("JobList", ["not a mapping"]),
    ],
)
def test_a_field_of_the_wrong_type_is_an_error(name: str, value: object):
    with pytest.raises(StoreError):
        READS[name](answer(**{name: value}))


def test_a_missing_list_is_empty():
    assert answer().items("Contents") == []


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), TypeError("x"), AttributeError("x"), OverflowError("x")]
)
def test_an_error_of_the_parser_is_a_store_error(error: Exception):
    def head_object(**_: Any) -> None:
        raise error

    with pytest.raises(StoreError, match="s3://attic: k: .*answer to HeadObject cannot be read") as caught:
        ask("s3://attic: k", head_object)
    assert caught.value.__cause__ is error


def test_an_answer_that_is_not_a_mapping_is_a_store_error():
    with pytest.raises(StoreError, match="cannot be read"):
        ask("it", lambda **_: None)
