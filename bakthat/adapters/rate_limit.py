"""`RateLimit`: how many bytes a second may pass, for all threads and requests of a process together."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, BinaryIO, cast

from attrs import frozen

from bakthat.ports.streams import fill

_STEPS = 8
"""How often a second bytes pass. Larger amounts at once would take the line for longer."""

_SMALLEST, _LARGEST = 1024, 64 * 1024
"""Bytes that pass at once, at least and at most."""


class RateLimit:
    """A token bucket. What passes is counted when it begins to pass: after a pause, one step passes at once."""

    def __init__(
        self,
        rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """rate: bytes a second, at least 1. clock: seconds that only go forward. sleep: waits for so many seconds."""
        if rate < 1:
            raise ValueError(f"{rate} bytes a second is not a limit")
        self.rate = rate
        self.step = max(_SMALLEST, min(rate // _STEPS, _LARGEST))
        """Bytes to pass at once."""
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        """When the bytes that were let through so far have passed, at this rate."""

    def pass_on(self, count: int) -> None:
        """Return when so many more bytes may pass."""
        with self._lock:
            now = self._clock()
            begin = max(self._next, now)
            self._next = begin + count / self.rate
        if begin > now:
            self._sleep(begin - now)


@frozen(kw_only=True)
class Limits:
    """The limits of one profile, for all its stores together."""

    upload: RateLimit | None = None
    download: RateLimit | None = None


NO_LIMITS = Limits()


class LimitedReader(io.RawIOBase):
    """Reads `inner` no faster than the limit lets it. `read(n)` returns fewer than n bytes only at the end."""

    def __init__(self, inner: BinaryIO, limit: RateLimit) -> None:
        self._inner = inner
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            filled = 0
            while filled < len(view):
                step = min(self._limit.step, len(view) - filled)
                count = fill(self._inner, view[filled : filled + step])
                self._limit.pass_on(count)
                filled += count
                if count < step:
                    break
        return filled

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        content = bytearray(size)
        del content[self.readinto(content) :]
        return bytes(content)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(1 << 20), b""))


class LimitedContext(AbstractContextManager[BinaryIO]):
    """A reader that is opened, and limited."""

    def __init__(self, opened: AbstractContextManager[BinaryIO], limit: RateLimit) -> None:
        self._opened = opened
        self._limit = limit

    def __enter__(self) -> BinaryIO:
        return cast(BinaryIO, LimitedReader(self._opened.__enter__(), self._limit))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._opened.__exit__(kind, error, trace)
