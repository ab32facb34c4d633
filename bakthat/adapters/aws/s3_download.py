"""`S3Reader`: an object, or a range of it, as a stream, fetched ahead by parallel ranged requests.

The first request asks for the first range. Its answer has the size and the ETag, and decides:

    206 with the right Content-Range  -> up to `max_concurrency` ranges ahead, each with If-Match
    200 with everything               -> this one body is read in order; what is before `start` is dropped
    416, or a 206 that makes no sense -> the object is requested without a range
    later, a body is cut short        -> the rest of its range is requested
    later, another ETag or size       -> the object was replaced: an error, never a mixture
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from contextlib import closing
from functools import partial
from typing import Any

from attrs import evolve
from botocore.exceptions import ClientError, FlexibleChecksumError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import code_of, is_bare, status_of, translated
from bakthat.adapters.aws.s3_head import head
from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreError, StoreUnavailable

RANGE = 8 * 1024 * 1024
"""Bytes of one request. Over a local network 8 and 16 MiB were as fast; smaller ones cost more requests."""

_CHUNK = 1024 * 1024
"""Bytes read from a connection at a time: what arrived before it breaks is kept, and a closed reader stops soon. If a
range arrives within `_FAST` seconds, neither matters, and the next is read at once: smaller chunks take a quarter more
CPU time, since glibc returns their memory and allocates it again."""

_FAST = 1.0

_CUTS = 8
"""How often the rest of one range is requested after its body was cut short."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

_WEAK = "W/"


class S3Reader(io.RawIOBase):
    """The object from its start to its end, or a range of it."""

    def __init__(
        self,
        client: Any,
        where: dict[str, str],
        what: str,
        *,
        max_concurrency: int,
        start: int = 0,
        stop: int | None = None,
        expected: ObjectInfo | None = None,
    ) -> None:
        """Send the first request. A stream of at most `_CHUNK` bytes needs no thread.

        Args:
            client: A client of S3.
            where: Bucket and key.
            what: Names the object in messages.
            max_concurrency: Ranges that are under way, or waiting to be read, at once.
            start: Position of the first byte.
            stop: Position behind the last byte; None for the object's end.
            expected: What `stat` returned earlier; another object is an error.

        Raises:
            ObjectNotFound, ObjectArchived, and what else the service says.
        """
        self._client = client
        self._where = where
        self._what = what
        self._window = max_concurrency
        self._start = start
        self._wanted_stop = stop
        self.etag = expected.etag if expected is not None else None
        self._demands_etag = _is_strong(self.etag)
        self._stopped = threading.Event()
        self._workers = Workers(max_concurrency, "bakthat-range")
        self._ahead: deque[Future[list[bytes]]] = deque()
        self._chunks: deque[bytes] = deque()
        self._chunk = memoryview(b"")
        self._failure: BaseException | None = None
        self._step = _CHUNK
        self._whole: Any = None
        self._size, body, is_range = self._begin(expected)
        self._stop = self._size if stop is None else min(stop, self._size)
        self._asked = min(start + RANGE, self._stop)
        if body is None:
            pass
        elif self._asked <= start and self._size:
            body.close()
        elif not is_range and (start or self._stop < self._size or self._size > RANGE):
            self._whole, self._window = body, 1
            self._ahead.append(self._workers.submit(partial(self._read_on, start, self._asked, skip=start)))
        elif self._stop - start <= _CHUNK:
            self._chunks.extend(self._fetch(start, self._stop, body))
        else:
            self._ahead.append(self._workers.submit(partial(self._fetch, start, self._asked, body)))
            self._ask()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, less only at the end."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._arrived():
            count = min(len(view) - filled, len(self._chunk))
            view[filled : filled + count] = self._chunk[:count]
            self._chunk = self._chunk[count:]
            filled += count
        return filled

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the end; all that is left for None or a negative size."""
        wanted = self._size if size is None or size < 0 else size
        found: list[memoryview] = []
        while wanted and self._arrived():
            found.append(self._chunk[:wanted])
            wanted -= len(found[-1])
            self._chunk = self._chunk[len(found[-1]) :]
        return b"".join(found)

    def readall(self) -> bytes:
        return self.read()

    def close(self) -> None:
        """Stop fetching. Requests in flight end by themselves, at the latest when their connection times out."""
        if not self.closed:
            self._stopped.set()
            self._workers.close(wait=0)
            self._ahead.clear()
            self._chunks.clear()
            if self._whole is not None:
                self._whole.close()
        super().close()

    def _arrived(self) -> bool:
        """Whether there are bytes in `_chunk`; False at the end of the object."""
        if self.closed:
            raise ValueError(f"{self._what}: read after close")
        while not self._chunk:
            if self._chunks:
                self._chunk = memoryview(self._chunks.popleft())
                continue
            if self._failure is not None:
                raise self._failure
            if not self._ahead:
                return False
            try:
                self._chunks.extend(self._ahead.popleft().result())
            except BaseException as error:
                self._failure = error  # what follows is not the next part of the object
                raise
            self._ask()
        return True

    def _ask(self) -> None:
        """Request the next ranges, as many as may be ahead."""
        while self._asked < self._stop and len(self._ahead) < self._window:
            start, self._asked = self._asked, min(self._asked + RANGE, self._stop)
            job = self._fetch if self._whole is None else self._read_on
            self._ahead.append(self._workers.submit(partial(job, start, self._asked)))

    def _begin(self, expected: ObjectInfo | None) -> tuple[int, Any, bool]:
        """Send the first request. Return the object's size in bytes, the body of its first range or of the whole
        object (None if the range begins behind the object's end), and whether it is a range."""
        with translated(self._what):
            answer = self._first_range()
        if answer is None and self._start:
            found = head(self._client, self._where, self._what)
            if found.number("ContentLength") <= self._start:
                self._check_version(found, found.number("ContentLength"), expected)
                return found.number("ContentLength"), None, False
        if answer is None:
            with translated(self._what):
                answer = self._get_object()
        body = answer.body("Body")
        try:
            size = self._size_by(answer)
            self._check_version(answer, size, expected)
            return size, body, answer.has("ContentRange")
        except BaseException:
            body.close()
            raise

    def _check_version(self, answer: Answer, size: int, expected: ObjectInfo | None) -> None:
        """Keep the ETag. Raise `StoreError` if the answer is not about the expected object."""
        etag = answer.maybe_text("ETag")
        if expected is not None:
            found = evolve(
                expected,
                size=size,
                etag=_opaque(etag),
                modified=answer.maybe_moment("LastModified") or expected.modified,
            )
            if not found.is_version(evolve(expected, etag=_opaque(expected.etag))):
                raise self._replaced()
        if expected is None or self._demands_etag:
            self._demands_etag = _is_strong(etag)
        self.etag = etag

    def _first_range(self) -> Answer | None:
        """Return the answer to the first range. None where the service refuses it, as all do for an empty object and
        some do for a small one, or calls it a range and says nothing sensible about it."""
        start, stop = self._start, self._start + RANGE
        if self._wanted_stop is not None:
            stop = min(stop, self._wanted_stop)
        try:
            answer = self._get_range(start, stop)
        except ClientError as error:
            if code_of(error) not in {"InvalidRange", "InvalidArgument"} and status_of(error) not in {416, 501}:
                raise
            return None
        if answer.status != 206:
            return answer
        match = _CONTENT_RANGE.fullmatch(answer.maybe_text("ContentRange") or "")
        if match and self._is_range(answer, start, min(stop, int(match[3])), int(match[3])):
            return answer
        answer.body("Body").close()
        return None

    def _is_range(self, answer: Answer, start: int, end: int, size: int) -> bool:
        """Whether the answer is the range from `start` to before `end` of an object of this size.

        A body that is longer shows when it has been read.
        """
        length = answer.maybe_number("ContentLength")
        if length is not None and length < end - start:
            return False
        return start < end and answer.maybe_text("ContentRange") == f"bytes {start}-{end - 1}/{size}"

    def _size_by(self, answer: Answer) -> int:
        """Return the bytes of the whole object, from the answer to the first request."""
        match = _CONTENT_RANGE.fullmatch(answer.maybe_text("ContentRange") or "")
        if match:
            return int(match[3])
        size = answer.maybe_number("ContentLength")
        # An answer in chunks has no length.
        return size if size is not None else head(self._client, self._where, self._what).number("ContentLength")

    def _get_range(self, start: int, end: int) -> Answer:
        """Ask for a range of the object with the known ETag. Errors of botocore come out as they are."""
        request = {"Range": f"bytes={start}-{end - 1}"}
        if self._demands_etag:
            try:
                return self._get_object(**request, IfMatch=self.etag or "")
            except ClientError as error:
                if code_of(error) != "PreconditionFailed" and not (status_of(error) == 412 and is_bare(error)):
                    raise
                # The ETag of the next answer shows whether the object was replaced or the condition does not work.
                self._demands_etag = False
        return self._get_object(**request)

    def _get_object(self, **more: str) -> Answer:
        return ask(self._what, self._client.get_object, **self._where, **more)

    def _fetch(self, start: int, end: int, body: Any = None) -> list[bytes]:
        """Return the bytes of one range, in chunks. A body that is cut short is continued where it broke off."""
        chunks: list[bytes] = []
        step, cuts, begun = self._step, 0, time.monotonic()
        while True:
            at = start + sum(map(len, chunks))
            if self._stopped.is_set():
                raise CancelledError
            if body is None and at == end:
                return chunks  # the connection broke after the last byte
            if body is None:
                body = self._get(at, end)
            failure = StoreUnavailable(f"{self._what}: cut short, its body ended before byte {end} of {self._size}")
            try:
                with translated(self._what), closing(body):
                    if self._read(body, end - at, step, chunks):
                        self._step = RANGE if time.monotonic() - begun < _FAST else _CHUNK
                        return chunks
            except StoreUnavailable as error:
                failure = error
                if isinstance(error.__cause__, FlexibleChecksumError):
                    chunks.clear()
            body = None
            step = _CHUNK
            cuts += 1
            if cuts > _CUTS:
                raise failure

    def _read_on(self, start: int, end: int, *, skip: int = 0) -> list[bytes]:
        """Return the next bytes of the whole body, in chunks, after `skip` bytes that are dropped. Only one call of it
        runs at a time."""
        chunks: list[bytes] = []
        with translated(self._what):
            while skip and (dropped := self._next_of(self._whole, min(skip, _CHUNK))):
                skip -= len(dropped)
            is_there = not skip and self._read(self._whole, end - start, _CHUNK, chunks, is_end=end == self._size)
        if not is_there:
            raise StoreUnavailable(
                f"{self._what}: cut short, its body ended before byte {end} of {self._size}, and this service cannot "
                "be asked for the rest"
            )
        return chunks

    def _read(self, body: Any, wanted: int, step: int, chunks: list[bytes], *, is_end: bool = True) -> bool:
        """Read so many bytes, at most `step` at a time. Return False if the body ends before."""
        while wanted:
            chunk = self._next_of(body, min(wanted, step))
            if not chunk:
                return False
            chunks.append(chunk)
            wanted -= len(chunk)
        # botocore compares length and checksum when a body is read to its end, and not before.
        if is_end and body.read(1):
            raise self._serves_no_ranges()
        return True

    def _next_of(self, body: Any, size: int) -> bytes:
        if self._stopped.is_set():
            raise CancelledError
        chunk: bytes = body.read(size)
        return chunk

    def _get(self, start: int, end: int) -> Any:
        """Return the body of one range of the very object that was opened."""
        with translated(self._what):
            answer = self._get_range(start, end)
        body, is_same = answer.body("Body"), _opaque(answer.maybe_text("ETag")) == _opaque(self.etag)
        # Not every service honours If-Match, or a range.
        if is_same and self._is_range(answer, start, end, self._size):
            return body
        body.close()
        raise self._serves_no_ranges() if is_same else self._replaced()

    def _replaced(self) -> StoreError:
        return StoreError(f"{self._what}: was replaced while it was read; start again")

    def _serves_no_ranges(self) -> StoreError:
        return StoreError(f"{self._what}: this service does not serve byte ranges as S3 does")


def _is_strong(etag: str | None) -> bool:
    """Whether If-Match can match: a weak ETag, as a proxy that compresses makes it, never does (RFC 9110, 13.1.1)."""
    return etag is not None and not etag.startswith(_WEAK)


def _opaque(etag: str | None) -> str | None:
    """Return an ETag as it is compared weakly (RFC 9110, 8.8.3.2): a proxy may make one answer's weak, and not
    another's."""
    return etag.removeprefix(_WEAK) if etag is not None else None
