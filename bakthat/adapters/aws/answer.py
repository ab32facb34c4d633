"""`ask`: one request of a botocore client, and its answer as values.

Services that are compatible with Amazon's leave out headers and fields that Amazon always sends. Every answer is read
through `Answer`, so that a field that is not there, or is not what it should be, is a `StoreError` and never a
`KeyError`.
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
"""What botocore's parsers raise, unwrapped, for a date, a number or a nesting that they do not expect."""


class Answer:
    """What a service answered to one request.

    Each method returns the value of one field, or raises `StoreError` if it is absent or of another type. The methods
    called `maybe_…` return None where it is absent.
    """

    def __init__(self, fields: object, *, what: str, operation: str) -> None:
        """`fields`: as botocore parsed them. `what`: begins the message of an error. `operation`: the API's name."""
        if not isinstance(fields, Mapping):
            raise _not_understood(what, operation)
        self._fields = fields
        self._what = what
        self._operation = operation

    def __repr__(self) -> str:
        return f"Answer({self._operation})"

    def has(self, name: str) -> bool:
        """Whether the answer has a value for this field."""
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self.maybe_text(name)
        return value if value else self._fail(name)

    def maybe_text(self, name: str) -> str | None:
        value = self._fields.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int:
        """A whole number from 0."""
        value = self.maybe_number(name)
        return value if value is not None else self._fail(name)

    def maybe_number(self, name: str) -> int | None:
        value = self._fields.get(name)
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return value if is_number else None

    def moment(self, name: str) -> datetime:
        """A date in UTC."""
        value = self.maybe_moment(name)
        return value if value is not None else self._fail(name)

    def maybe_moment(self, name: str) -> datetime | None:
        value = self._fields.get(name)
        try:
            return value.astimezone(UTC) if isinstance(value, datetime) else None
        except (OverflowError, ValueError):
            return None

    def flag(self, name: str) -> bool:
        """True only if the answer says so."""
        return self._fields.get(name) is True

    def items(self, name: str) -> list[Answer]:
        """The entries of a list; none if the answer has no such list, as S3 leaves out an empty one."""
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._fail(name)
        return [Answer(item, what=self._what, operation=self._operation) for item in value]

    def listed(self, name: str) -> list[Answer]:
        """The entries of a list that has to be there, even if it is empty."""
        return self.items(name) if self.has(name) else self._fail(name)

    def texts(self, name: str) -> dict[str, str]:
        """Names and texts, such as an object's metadata; empty where the answer has none."""
        value = self._fields.get(name)
        found = value if isinstance(value, Mapping) else {}
        return {str(key): str(text) for key, text in found.items()}

    def body(self, name: str) -> Any:
        """A body that is read as a stream, and is to be closed."""
        return self._fields[name] if self.has(name) else self._fail(name)

    def header(self, name: str) -> str:
        """An HTTP header by its name in lower case, empty if there is none."""
        return str(self._metadata("HTTPHeaders", {}).get(name, ""))

    @property
    def status(self) -> int:
        """The HTTP status, 0 if the answer does not tell it."""
        return int(self._metadata("HTTPStatusCode", 0))

    @property
    def resent(self) -> bool:
        """Whether the request was sent more than once before this answer came."""
        return bool(self._metadata("RetryAttempts", 0))

    def _metadata(self, name: str, default: Any) -> Any:
        return self._fields.get("ResponseMetadata", {}).get(name, default)

    def _fail(self, name: str) -> Any:
        raise _not_understood(self._what, self._operation, f" lacks {name}")


def ask(what: str, call: Callable[..., Any], /, **request: Any) -> Answer:
    """Send one request by a method of a client, and return its answer.

    The errors of botocore, urllib3 and sockets come out as they are, for `client.translated` around this call. Raises
    `StoreError` for an answer that cannot be parsed. `what` names the thing in messages.
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
    """The answers to a request that a service answers page by page. Errors as of `ask`."""
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
    """The API's name for a method of a client."""
    return "".join(word.capitalize() for word in method.split("_"))


def _not_understood(what: str, operation: str, how: str = " cannot be read") -> StoreError:
    return StoreError(
        f"{what}: the service's answer to {operation}{how}; check endpoint_url, and docs/services.md for this service"
    )
