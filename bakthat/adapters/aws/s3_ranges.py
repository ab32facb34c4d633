"""`RangeRequests`: GET requests for ranges of one object, all of the same version of it.

The answer to the first request has the size and the ETag, and decides:

    a range that is the requested one -> every later request has If-Match, and its answer must be the requested range
    200 with everything               -> that is the only answer
    416, or a range that is not it    -> HEAD shows whether the range begins behind the end; else GET without a range
    412 or 501                        -> again without If-Match: the ETag shows a replaced object
    another ETag or size              -> the object was replaced: an error
"""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve, frozen
from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.errors import code_of, is_bare, status_of, translated
from bakthat.adapters.aws.s3_head import head
from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreError

_CONTENT_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")

_WEAK = "W/"


@frozen
class FirstAnswer:
    """The answer to the first request of an object.

    Args:
        size: Bytes of the whole object.
        body: The body, which the caller closes; None if the range begins behind the object's end.
        is_range: Whether the body is that of the range, else that of the whole object.
    """

    size: int
    body: Any
    is_range: bool


class RangeRequests:
    """The requests for one object, from any number of threads after the first one.

    Args:
        client: A client of S3.
        where: Bucket and key.
        what: Names the object in messages.
        expected: What `stat` returned earlier; another object is an error.
    """

    def __init__(self, client: Any, where: dict[str, str], what: str, expected: ObjectInfo | None) -> None:
        self._client = client
        self._where = where
        self._what = what
        self._expected = expected
        self._size = 0
        self.etag = expected.etag if expected is not None else None
        self._demands_etag = _is_strong(self.etag)

    def first(self, start: int, stop: int) -> FirstAnswer:
        """Send the first request, for the range from `start` to before `stop`.

        Raises:
            ObjectNotFound, ObjectArchived, and what else the service says.
            StoreError: The object is not the expected one.
        """
        with translated(self._what):
            answer = self._first_range(start, stop)
        if answer is None and start:
            found = head(self._client, self._where, self._what)
            size = found.number("ContentLength")
            if size <= start:
                self._check_version(found, size)
                return FirstAnswer(size, None, False)
        if answer is None:
            with translated(self._what):
                answer = self._get()
        body = answer.body("Body")
        try:
            self._size = self._size_by(answer)
            self._check_version(answer, self._size)
        except BaseException:
            body.close()
            raise
        return FirstAnswer(self._size, body, answer.has("ContentRange"))

    def body(self, start: int, stop: int) -> Any:
        """Return the body of another range of the same object.

        Raises:
            StoreError: The object was replaced, or the service answers with something else than the range.
        """
        with translated(self._what):
            answer = self._get_range(start, stop)
        body, is_same = answer.body("Body"), _opaque(answer.maybe_text("ETag")) == _opaque(self.etag)
        # Not every service honours If-Match, or a range.
        if is_same and self._is_range(answer, start, stop, self._size):
            return body
        body.close()
        raise self.serves_no_ranges() if is_same else self._replaced()

    def serves_no_ranges(self) -> StoreError:
        """Return the error for an answer that is not the requested range."""
        return StoreError(f"{self._what}: this service does not serve byte ranges as S3 does")

    def _replaced(self) -> StoreError:
        return StoreError(f"{self._what}: was replaced while it was read; start again")

    def _first_range(self, start: int, stop: int) -> Answer | None:
        """Return the answer to the first range, or one with everything.

        None where the service refuses the range, as all do for an empty object and some do for a small one, or answers
        with something that is neither.
        """
        try:
            answer = self._get_range(start, stop)
        except ClientError as error:
            if code_of(error) not in {"InvalidRange", "InvalidArgument"} and status_of(error) not in {416, 501}:
                raise
            return None
        match = _CONTENT_RANGE.fullmatch(answer.maybe_text("ContentRange") or "")
        is_whole = answer.status != 206 and not answer.has("ContentRange")
        if is_whole or (match and self._is_range(answer, start, min(stop, int(match[1])), int(match[1]))):
            return answer
        answer.body("Body").close()
        return None

    def _is_range(self, answer: Answer, start: int, stop: int, size: int) -> bool:
        """Whether the answer is the range from `start` to before `stop` of an object of this size.

        A body that is longer shows when it has been read.
        """
        length = answer.maybe_number("ContentLength")
        if length is not None and length < stop - start:
            return False
        return start < stop and answer.maybe_text("ContentRange") == f"bytes {start}-{stop - 1}/{size}"

    def _size_by(self, answer: Answer) -> int:
        """Return the bytes of the whole object, from the answer to the first request."""
        match = _CONTENT_RANGE.fullmatch(answer.maybe_text("ContentRange") or "")
        if match:
            return int(match[1])
        size = answer.maybe_number("ContentLength")
        # An answer in chunks has no length.
        return size if size is not None else head(self._client, self._where, self._what).number("ContentLength")

    def _check_version(self, answer: Answer, size: int) -> None:
        """Keep the ETag. Raise `StoreError` if the answer is not about the expected object."""
        etag, expected = answer.maybe_text("ETag"), self._expected
        if expected is not None:
            modified = answer.maybe_moment("LastModified") or expected.modified
            found = evolve(expected, size=size, etag=_opaque(etag), modified=modified)
            if not found.is_version(evolve(expected, etag=_opaque(expected.etag))):
                raise self._replaced()
        if expected is None or self._demands_etag:
            self._demands_etag = _is_strong(etag)
        self.etag = etag

    def _get_range(self, start: int, stop: int) -> Answer:
        """Request a range of the object with the known ETag. Errors of botocore come out as they are."""
        request = {"Range": f"bytes={start}-{stop - 1}"}
        if self._demands_etag:
            try:
                return self._get(**request, IfMatch=self.etag or "")
            except ClientError as error:
                is_unmet = code_of(error) == "PreconditionFailed" or (status_of(error) == 412 and is_bare(error))
                if not is_unmet and status_of(error) != 501:
                    raise
                # The ETag of the next answer shows whether the object was replaced or the condition does not work.
                self._demands_etag = False
        return self._get(**request)

    def _get(self, **more: str) -> Answer:
        return ask(self._what, self._client.get_object, **self._where, **more)


def _is_strong(etag: str | None) -> bool:
    """Whether If-Match can match: a weak ETag, as a proxy that compresses makes it, never does (RFC 9110, 13.1.1)."""
    return etag is not None and not etag.startswith(_WEAK)


def _opaque(etag: str | None) -> str | None:
    """Return an ETag as it is compared weakly (RFC 9110, 8.8.3.2): a proxy may make one answer's weak, and not
    another's."""
    return etag.removeprefix(_WEAK) if etag is not None else None
