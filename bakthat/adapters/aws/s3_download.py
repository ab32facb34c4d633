"""`S3Reader`: an object, or a range of it, as a stream, fetched ahead by parallel ranged requests (`s3_ranges`).

The rest of a range is requested again if its body is cut short. If the service answers with the whole object, that one
body is read in order, and what is before the range is dropped.
"""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from contextlib import closing
from functools import partial
from typing import Any

from botocore.exceptions import FlexibleChecksumError

from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import translated
from bakthat.adapters.aws.s3_ranges import FirstAnswer, RangeRequests
from bakthat.adapters.rate_limit import RateLimit
from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreUnavailable

RANGE = 8 * 1024 * 1024
"""Bytes of one request. Over a local network 8 and 16 MiB were as fast; smaller ones cost more requests."""

_CHUNK = 1024 * 1024
"""Bytes read from a connection at a time: what arrived before it breaks is kept, and a closed reader stops soon. If a
range arrives within `_FAST` seconds, neither matters, and the next is read at once: smaller chunks take a quarter more
CPU time, since glibc returns their memory and allocates it again."""

_FAST = 1.0

_CUTS = 8
"""How often the rest of one range is requested after its body was cut short."""


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
        range_size: int = RANGE,
        limit: RateLimit | None = None,
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
            range_size: Bytes of one request.
            limit: Of the bytes that arrive.

        Raises:
            ObjectNotFound, ObjectArchived, and what else the service says.
        """
        self._what = what
        self._range = range_size
        self._limit = limit
        self._window = max_concurrency
        self._requests = RangeRequests(client, where, what, expected)
        self._stopped = threading.Event()
        self._workers = Workers(max_concurrency, "bakthat-range")
        self._ahead: deque[Future[list[bytes]]] = deque()
        self._chunks: deque[bytes] = deque()
        self._chunk = memoryview(b"")
        self._failure: BaseException | None = None
        self._step = _CHUNK
        self._whole: Any = None
        first = self._requests.first(start, start + self._range if stop is None else min(start + self._range, stop))
        self._size = first.size
        self._stop = self._size if stop is None else min(stop, self._size)
        self._asked = min(start + self._range, self._stop)
        self._start_reading(first, start)

    @property
    def is_whole(self) -> bool:
        """Whether the service answered the request for a range with the whole object."""
        return self._whole is not None

    @property
    def etag(self) -> str | None:
        """The object's ETag, None if the service sent none."""
        return self._requests.etag

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

    def _start_reading(self, first: FirstAnswer, start: int) -> None:
        """Use the body of the first answer in the way that fits."""
        if first.body is None:
            return
        if self._asked <= start and self._size:
            first.body.close()
        elif not first.is_range and (start or self._stop < self._size or self._size > self._range):
            self._whole, self._window = first.body, 1
            self._ahead.append(self._workers.submit(partial(self._read_on, start, self._asked, skip=start)))
        elif self._stop - start <= _CHUNK:
            self._chunks.extend(self._fetch(start, self._stop, first.body))
        else:
            self._ahead.append(self._workers.submit(partial(self._fetch, start, self._asked, first.body)))
            self._ask()

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
            start, self._asked = self._asked, min(self._asked + self._range, self._stop)
            job = self._fetch if self._whole is None else self._read_on
            self._ahead.append(self._workers.submit(partial(job, start, self._asked)))

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
                body = self._requests.body(at, end)
            failure = StoreUnavailable(f"{self._what}: cut short, its body ended before byte {end} of {self._size}")
            try:
                with translated(self._what), closing(body):
                    if self._read(body, end - at, step, chunks):
                        self._step = self._range if time.monotonic() - begun < _FAST else _CHUNK
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
        if self._limit is not None:
            step = min(step, self._limit.step)
        while wanted:
            chunk = self._next_of(body, min(wanted, step))
            if not chunk:
                return False
            chunks.append(chunk)
            wanted -= len(chunk)
        # botocore compares length and checksum when a body is read to its end, and not before.
        if is_end and body.read(1):
            raise self._requests.serves_no_ranges()
        return True

    def _next_of(self, body: Any, size: int) -> bytes:
        if self._stopped.is_set():
            raise CancelledError
        chunk: bytes = body.read(size)
        if self._limit is not None:
            self._limit.pass_on(len(chunk))
        return chunk
