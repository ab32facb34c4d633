"""`ask`: send one request by a botocore client, and read its answer.

Services that are compatible with Amazon's leave out headers and fields that Amazon always sends. Every answer is read
through `Answer`, so that a missing or invalid field is a `StoreError` and never a `KeyError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from bakthat.errors import StoreError

_PARSER_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What botocore's parsers raise for an unexpected date, number or nesting."""


class Answer:
    """A service's answer to one request.

    Each method returns the value of one field. It raises `StoreError` if the field is missing or has another type; the
    methods called `maybe_…` return None instead.
    """

    def __init__(self, fields: object, *, what: str, operation: str) -> None:
        """Wrap an answer.

        Args:
            fields: The answer as botocore parsed it.
            what: Begins the message of an error.
            operation: The API's name for the request.
        """
        if not isinstance(fields, Mapping):
            raise _not_understood(what, operation)
        self._fields = fields
        self._what = what
        self._operation = operation

    def __repr__(self) -> str:
        return f"Answer({self._operation})"

    def has(self, name: str) -> bool:
        """Whether the answer has this field."""
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self.maybe_text(name)
        return value if value else self._fail(name)

    def maybe_text(self, name: str) -> str | None:
        value = self._fields.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int:
        """Return a whole number, 0 or more."""
        value = self.maybe_number(name)
        return value if value is not None else self._fail(name)

    def maybe_number(self, name: str) -> int | None:
        value = self._fields.get(name)
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return value if is_number else None

    def moment(self, name: str) -> datetime:
        """Return a date in UTC."""
        value = self.maybe_moment(name)
        return value if value is not None else self._fail(name)

    def maybe_moment(self, name: str) -> datetime | None:
        value = self._fields.get(name)
        try:
            return value.astimezone(UTC) if isinstance(value, datetime) else None
        except (OverflowError, ValueError):
            return None

    def flag(self, name: str) -> bool:
        """Return whether the field is there and true."""
        return self._fields.get(name) is True

    def items(self, name: str) -> list[Answer]:
        """Return the entries of a list. S3 leaves out an empty one, so a missing list is empty."""
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._fail(name)
        return [Answer(item, what=self._what, operation=self._operation) for item in value]

    def inner(self, name: str) -> Answer:
        """Return a field that has fields of its own."""
        return Answer(self._fields.get(name), what=self._what, operation=self._operation)

    def listed(self, name: str) -> list[Answer]:
        """Return the entries of a list that must be there, even if it is empty."""
        return self.items(name) if self.has(name) else self._fail(name)

    def texts(self, name: str) -> dict[str, str]:
        """Return a map of texts, such as an object's metadata; empty if it is missing."""
        value = self._fields.get(name)
        found = value if isinstance(value, Mapping) else {}
        return {str(key): str(text) for key, text in found.items()}

    def body(self, name: str) -> Any:
        """Return a body, a stream that the caller closes."""
        return self._fields[name] if self.has(name) else self._fail(name)

    def header(self, name: str) -> str:
        """Return an HTTP header by its name in lower case, empty if it is missing."""
        return str(self._metadata("HTTPHeaders", {}).get(name, ""))

    @property
    def status(self) -> int:
        """The HTTP status, 0 if it is unknown."""
        return int(self._metadata("HTTPStatusCode", 0))

    @property
    def resent(self) -> bool:
        """Whether botocore sent the request more than once before it got this answer."""
        return bool(self._metadata("RetryAttempts", 0))

    def _metadata(self, name: str, default: Any) -> Any:
        return self._fields.get("ResponseMetadata", {}).get(name, default)

    def _fail(self, name: str) -> Any:
        raise _not_understood(self._what, self._operation, f" lacks {name}")


def ask(what: str, call: Callable[..., Any], /, **request: Any) -> Answer:
    """Send one request by a method of a client, and return its answer.

    Errors of botocore, urllib3 and sockets come out as they are: the caller wraps the call in `errors.translated`.

    Args:
        what: Names the object or the store in messages.
        call: A method of the client, such as `client.get_object`.
        request: Its arguments.

    Raises:
        StoreError: The answer cannot be parsed.
    """
    operation = _operation(call.__name__)
    try:
        fields = call(**request)
    except (BotoCoreError, ClientError, ResponseParserError, urllib3.exceptions.HTTPError, OSError):
        raise  # some of them are ValueErrors as well
    except _PARSER_ERRORS as error:
        raise _not_understood(what, operation) from error
    return Answer(fields, what=what, operation=operation)


def ask_pages(what: str, client: Any, method: str, /, **request: Any) -> Iterator[Answer]:
    """Yield the answers to a request that a service answers page by page. Errors as of `ask`."""
    operation = _operation(method)
    pages = iter(client.get_paginator(method).paginate(**request))
    while True:
        try:
            fields = next(pages, None)
        except (BotoCoreError, ClientError, ResponseParserError, urllib3.exceptions.HTTPError, OSError):
            raise
        except _PARSER_ERRORS as error:
            raise _not_understood(what, operation) from error
        if fields is None:
            return
        yield Answer(fields, what=what, operation=operation)


def _operation(method: str) -> str:
    """Return the API's name for a method of a client."""
    return "".join(word.capitalize() for word in method.split("_"))


def _not_understood(what: str, operation: str, how: str = " cannot be read") -> StoreError:
    return StoreError(
        f"{what}: the service's answer to {operation}{how}; check endpoint_url, and docs/services.md for this service"
    )
