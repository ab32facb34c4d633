"""`JobOutput`: what a finished job has made readable, fetched in ranges and checked against the service's tree hashes.

Several threads send GetJobOutput for one range each, compare its tree hash, and ask again if it is damaged or cut
short. The reader takes the ranges in order. Before it returns bytes of the last range, it combines the hashes of all
ranges and compares the result with the hash of the whole archive.
"""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Any, cast

from attrs import field, frozen

from bakthat.adapters.aws.answer import Answer
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import translated
from bakthat.adapters.aws.glacier_tree_hash import joined, tree_hash
from bakthat.adapters.aws.glacier_vault import Vault, short
from bakthat.domain.objects import JobId
from bakthat.errors import PayloadDamaged, RetrievalExpired, StoreUnavailable

RANGE = 8 << 20
"""Bytes of one request; a power of two, so that the service sends the tree hash of the range."""

READS = 6
"""Attempts for one range whose body is cut short or damaged. botocore retries the request itself."""

_CHUNK = 1 << 20


@frozen(kw_only=True)
class JobOutput:
    """The output of one job. `sleep`: waits for so many seconds, between two attempts."""

    vault: Vault
    job_id: JobId
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def size(self) -> int:
        """Bytes of the output, for a service that does not return the archive's size. May have to read and count."""
        answer = self._answer()
        length = answer.header("content-length")
        with closing(answer.body("body")) as body, translated(self.vault.location):
            return int(length) if length.isdecimal() else sum(map(len, iter(lambda: body.read(_CHUNK), b"")))

    def _answer(self, **more: str) -> Answer:
        with self.vault.asking("retrieval", absent=expired(self.vault, self.job_id)):
            return self.vault.ask(self.vault.client.get_job_output, jobId=self.job_id, **more)

    def range(self, start: int, size: int, stopped: threading.Event) -> tuple[bytearray, bytes]:
        """Return the bytes of a range and their tree hash. Repeated if cut short or damaged."""
        for attempt in itertools.count(1):
            answer = self._answer(range=f"bytes={start}-{start + size - 1}")
            try:
                return self._received(answer, start, size, stopped)
            except (StoreUnavailable, PayloadDamaged):
                if attempt == READS or stopped.is_set():
                    raise
            self.sleep(_pause(attempt))
        raise AssertionError  # the loop has no end of its own

    def _received(self, answer: Answer, start: int, size: int, stopped: threading.Event) -> tuple[bytearray, bytes]:
        """Return the bytes of an answer and their tree hash, compared with the one in the answer's header."""
        partial = answer.maybe_number("status") == 206
        # A service that does not support ranges answers with the whole output.
        content = self._read(answer.body("body"), size, skip=0 if partial else start, stopped=stopped)
        hashed, expected = tree_hash(content), answer.maybe_text("checksum") if partial else None
        if expected and expected != hashed.hex():
            raise PayloadDamaged(
                f"{self.vault.location}: bytes {start} to {start + size - 1} arrive damaged; try again later"
            )
        return content, hashed

    def _read(self, body: Any, size: int, *, skip: int, stopped: threading.Event) -> bytearray:
        """Read `size` bytes of the body, after `skip` bytes that are dropped."""
        content = bytearray(size)
        filled = -skip
        try:
            while filled < size:
                with translated(self.vault.location):
                    chunk = body.read(min(_CHUNK, size - filled if filled >= 0 else -filled))
                if not chunk or stopped.is_set():
                    raise StoreUnavailable(f"{self.vault.location}: the connection broke; try again later")
                if filled >= 0:
                    content[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
        finally:
            body.close()
        return content

    def whole(self) -> bytes:
        """Return all of an inventory: some megabytes at most. The service gives no tree hash for it."""
        for attempt in itertools.count(1):
            answer = self._answer()
            try:
                with translated(self.vault.location):
                    return cast(bytes, answer.body("body").read())
            except StoreUnavailable:
                if attempt == READS:
                    raise
            finally:
                answer.body("body").close()
            self.sleep(_pause(attempt))
        raise AssertionError  # the loop has no end of its own


def expired(vault: Vault, job_id: JobId) -> RetrievalExpired:
    """The error for a job whose output is gone, or that the service does not know."""
    return RetrievalExpired(
        f"{vault.location}: the retrieval {short(job_id)} has expired or is unknown; request it again"
    )


class OutputReader(io.RawIOBase):
    """A job's output as a stream.

    Args:
        fetch: Returns the bytes of a range and their tree hash, checked; called with start, size, and an event that is
            set when the reader is closed.
        size: Bytes of the whole output.
        expected: The tree hash of the whole in hexadecimal, if the service gives it.
        ahead: Ranges that are fetched at once.
        name: Begins the message of an error.
    """

    def __init__(
        self,
        fetch: Callable[[int, int, threading.Event], tuple[bytearray, bytes]],
        *,
        size: int,
        expected: str | None,
        ahead: int,
        name: str,
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._expected = expected
        self._name = name
        self._stopped = threading.Event()
        self._starts = iter(range(0, size, RANGE))
        self._hashes: list[bytes] = []
        self._handed = 0
        self._rest = memoryview(b"")
        self._failure: BaseException | None = None
        self._workers = Workers(ahead, "glacier-range")
        self._coming: deque[Future[tuple[bytearray, bytes]]] = deque()
        try:
            for _ in range(ahead):
                self._ask_for_more()
            # An error of the job itself is raised on entry.
            self._rest = self._next()
        except BaseException:
            self.close()
            raise

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._failure is not None:
            raise self._failure
        if not self._rest:
            try:
                self._rest = self._next()
            except BaseException as error:
                self._failure = error
                raise
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self) -> memoryview:
        """Return the bytes of the next range, empty at the end."""
        if not self._coming:
            return memoryview(b"")
        content, hashed = self._coming.popleft().result()
        self._ask_for_more()
        self._hashes.append(hashed)
        self._handed += len(content)
        if self._handed == self._size and self._expected and joined(self._hashes).hex() != self._expected:
            raise PayloadDamaged(f"{self._name}: the archive is not what was uploaded; its tree hash differs")
        return memoryview(content)

    def _ask_for_more(self) -> None:
        start = next(self._starts, None)
        if start is not None:
            size = min(RANGE, self._size - start)
            self._coming.append(self._workers.submit(partial(self._fetch, start, size, self._stopped)))

    def close(self) -> None:
        if not self.closed:
            self._stopped.set()
            self._workers.close(wait=0)
        super().close()


def _pause(attempt: int) -> float:
    """Seconds to wait before the attempt after this one."""
    return min(0.05 * (1 << attempt), 5.0)
