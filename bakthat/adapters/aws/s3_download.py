"""`S3Reader`: an object as a stream, fetched ahead by parallel ranged requests."""

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

from botocore.exceptions import ClientError, FlexibleChecksumError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import code_of, status_of, translated
from bakthat.adapters.aws.s3_head import head
from bakthat.errors import ObjectExists, StoreError, StoreUnavailable

RANGE = 8 * 1024 * 1024
"""Bytes of one request. Over a local network 8 and 16 MiB were as fast; smaller ones cost more requests."""

_PIECE = 1024 * 1024
"""Bytes read from a connection at a time: what arrived before it breaks is kept, and a reader that is closed stops
soon. On a line that brings a range within `_FAST` seconds neither matters, and a range is read at once: smaller pieces
cost a quarter more CPU, since glibc gives their memory back and fetches it again."""

_FAST = 1.0

_CUTS = 8
"""How often the rest of one range is asked for after its body was cut short."""

_CONTENT_RANGE = re.compile(r"bytes 0-(\d+)/(\d+)")

_WEAK = "W/"


class S3Reader(io.RawIOBase):
    """The object from its start to its end; `max_concurrency` ranges of it are under way or waiting to be read.

    The first answer tells size and ETag. Every later request demands the same ETag, so that an object that is replaced
    meanwhile gives an error and never a mixture. Where the first answer is the whole object, since the service ignores
    ranges, it is read from that answer alone; what breaks off then cannot be continued, and is an error.
    """

    def __init__(self, client: Any, where: dict[str, str], what: str, *, max_concurrency: int) -> None:
        """Raises `ObjectNotFound`, `ObjectArchived` and what else the service says. `what` names the object."""
        self._client = client
        self._where = where
        self._what = what
        self._window = max_concurrency
        self.etag: str | None = None
        self._demands_etag = False
        self._stopped = threading.Event()
        self._workers = Workers(max_concurrency, "bakthat-range")
        self._ahead: deque[Future[list[bytes]]] = deque()
        self._pieces: deque[bytes] = deque()
        self._piece = memoryview(b"")
        self._failure: BaseException | None = None
        self._step = _PIECE
        self._whole: Any = None
        self._size, body, is_range = self._begin()
        self._asked = min(RANGE, self._size)
        if self._size <= _PIECE:
            self._pieces.extend(self._fetch(0, self._size, body))
        elif self._size > RANGE and not is_range:
            self._whole, self._window = body, 1
            self._ahead.append(self._workers.submit(partial(self._read_on, 0, self._asked)))
        else:
            self._ahead.append(self._workers.submit(partial(self._fetch, 0, self._asked, body)))
            self._ask()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer; less only at the end."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._arrived():
            count = min(len(view) - filled, len(self._piece))
            view[filled : filled + count] = self._piece[:count]
            self._piece = self._piece[count:]
            filled += count
        return filled

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, fewer only at the end; all that is left for None or a negative one."""
        wanted = self._size if size is None or size < 0 else size
        found: list[memoryview] = []
        while wanted and self._arrived():
            found.append(self._piece[:wanted])
            wanted -= len(found[-1])
            self._piece = self._piece[len(found[-1]) :]
        return b"".join(found)

    def readall(self) -> bytes:
        return self.read()

    def close(self) -> None:
        """Stop fetching. What is on its way ends by itself, at the latest when its connection times out."""
        if not self.closed:
            self._stopped.set()
            self._workers.close(wait=0)
            self._ahead.clear()
            self._pieces.clear()
            if self._whole is not None:
                self._whole.close()
        super().close()

    def _arrived(self) -> bool:
        """Whether there are bytes in `_piece`; False at the end of the object."""
        if self.closed:
            raise ValueError(f"{self._what}: read after close")
        while not self._piece:
            if self._pieces:
                self._piece = memoryview(self._pieces.popleft())
                continue
            if self._failure is not None:
                raise self._failure
            if not self._ahead:
                return False
            try:
                self._pieces.extend(self._ahead.popleft().result())
            except BaseException as error:
                self._failure = error  # what follows is no longer what comes next
                raise
            self._ask()
        return True

    def _ask(self) -> None:
        """Ask for the ranges that follow, as many as may be ahead."""
        while self._asked < self._size and len(self._ahead) < self._window:
            start, self._asked = self._asked, min(self._asked + RANGE, self._size)
            job = self._fetch if self._whole is None else self._read_on
            self._ahead.append(self._workers.submit(partial(job, start, self._asked)))

    def _begin(self) -> tuple[int, Any, bool]:
        """The first request: the object's size in bytes, the body of its first range or the whole body, and whether it
        is a range."""
        with translated(self._what):
            answer = self._first_range() or self._get_object()
        self.etag = answer.maybe_text("ETag")
        # A weak ETag (a proxy that compresses makes one) never fulfils If-Match: RFC 9110, 13.1.1.
        self._demands_etag = self.etag is not None and not self.etag.startswith(_WEAK)
        body = answer.body("Body")
        try:
            return self._size_by(answer), body, answer.has("ContentRange")
        except BaseException:
            body.close()
            raise

    def _first_range(self) -> Answer | None:
        """The answer to the first range; None where the service refuses it, as all do for an empty object and some do
        for a small one, or calls it a range and says nothing sensible about it."""
        try:
            answer = self._get_object(Range=f"bytes=0-{RANGE - 1}")
        except ClientError as error:
            if code_of(error) not in {"InvalidRange", "InvalidArgument"} and status_of(error) not in {416, 501}:
                raise
            return None
        told = _CONTENT_RANGE.fullmatch(answer.maybe_text("ContentRange") or "")
        if answer.status != 206 or (told and int(told[1]) == min(RANGE, int(told[2])) - 1 and int(told[2])):
            return answer
        answer.body("Body").close()
        return None

    def _size_by(self, answer: Answer) -> int:
        """The bytes of the whole object, as the answer to its first range tells them."""
        told = _CONTENT_RANGE.fullmatch(answer.maybe_text("ContentRange") or "")
        if told:
            return int(told[2])
        size = answer.maybe_number("ContentLength")
        # An answer in chunks has no length.
        return size if size is not None else head(self._client, self._where, self._what).number("ContentLength")

    def _get_object(self, **more: str) -> Answer:
        return ask(self._what, self._client.get_object, **self._where, **more)

    def _fetch(self, start: int, end: int, body: Any = None) -> list[bytes]:
        """The bytes of one range, in pieces. A body that is cut short is continued where it broke off."""
        pieces: list[bytes] = []
        step, cuts, begun = self._step, 0, time.monotonic()
        while True:
            at = start + sum(map(len, pieces))
            self._stop_if_closed()
            if body is None and at == end:
                return pieces  # the connection broke after the last byte
            if body is None:
                body = self._get(at, end)
            failure = StoreUnavailable(f"{self._what}: cut short, its body ended before byte {end} of {self._size}")
            try:
                with translated(self._what), closing(body):
                    if self._read(body, end - at, step, pieces):
                        self._step = RANGE if time.monotonic() - begun < _FAST else _PIECE
                        return pieces
            except StoreUnavailable as error:
                failure = error
                if isinstance(error.__cause__, FlexibleChecksumError):
                    pieces.clear()
            body = None
            step = _PIECE
            cuts += 1
            if cuts > _CUTS:
                raise failure

    def _read_on(self, start: int, end: int) -> list[bytes]:
        """The next bytes of the whole body, in pieces. Only one call of it runs at a time."""
        pieces: list[bytes] = []
        with translated(self._what):
            is_there = self._read(self._whole, end - start, _PIECE, pieces, is_end=end == self._size)
        if not is_there:
            raise StoreUnavailable(
                f"{self._what}: cut short, its body ended before byte {end} of {self._size}, and this service cannot "
                "be asked for the rest"
            )
        return pieces

    def _read(self, body: Any, wanted: int, step: int, pieces: list[bytes], *, is_end: bool = True) -> bool:
        """Read so many bytes, at most `step` at a time; False if the body ends before."""
        while wanted:
            self._stop_if_closed()
            piece = body.read(min(wanted, step))
            if not piece:
                return False
            pieces.append(piece)
            wanted -= len(piece)
        # botocore compares length and checksum when a body is read to its end, and not before.
        if is_end:
            body.read(1)
        return True

    def _stop_if_closed(self) -> None:
        if self._stopped.is_set():
            raise CancelledError

    def _get(self, start: int, end: int) -> Any:
        """The body of one range of the very object that was opened."""
        request = {"Range": f"bytes={start}-{end - 1}"}
        answer = self._get_matching(request) if self._demands_etag else None
        if answer is None:
            with translated(self._what):
                answer = self._get_object(**request)
        body, is_same = answer.body("Body"), _opaque(answer.maybe_text("ETag")) == _opaque(self.etag)
        # Not every service honours If-Match, or a range.
        if is_same and answer.maybe_text("ContentRange") == f"bytes {start}-{end - 1}/{self._size}":
            return body
        body.close()
        if not is_same:
            raise self._replaced()
        raise StoreError(f"{self._what}: this service does not serve byte ranges as S3 does")

    def _get_matching(self, request: dict[str, str]) -> Answer | None:
        """The answer to a range that has to be of the object with this ETag; None where the condition is not fulfilled,
        and the ETag of the next answer tells whether the object was replaced or the condition does not work."""
        try:
            with translated(self._what):
                return self._get_object(**request, IfMatch=self.etag or "")
        except ObjectExists:  # what 412 means elsewhere
            self._demands_etag = False
            return None

    def _replaced(self) -> StoreError:
        return StoreError(f"{self._what}: was replaced while it was read; start again")


def _opaque(etag: str | None) -> str | None:
    """An ETag as it is compared weakly (RFC 9110, 8.8.3.2): a proxy may make one answer's weak, and not another's."""
    return etag.removeprefix(_WEAK) if etag is not None else None
