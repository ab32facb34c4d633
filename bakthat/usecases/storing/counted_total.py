"""Counts in a thread how many bytes a backup will read, for its progress bar."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from bakthat.errors import BakthatError

DELAY = 1.0
"""Seconds after which counting begins: a backup that is done by then needs no total, and no thread."""


class CountedTotal:
    """Counts while the body runs.

    Args:
        count: Counts the bytes, without reading a file; None if that cannot be known.
        delay: Seconds before it is called.
    """

    def __init__(self, count: Callable[[], int] | None, *, delay: float = DELAY) -> None:
        self._count = count
        self._begin = time.monotonic() + delay
        self._thread: threading.Thread | None = None
        self._value: int | None = None

    def value(self) -> int | None:
        """The number of bytes; None until it is known. A call after the delay begins the counting: call it from one
        thread, with each progress of the body."""
        if self._thread is None and self._count is not None and time.monotonic() >= self._begin:
            self._thread = threading.Thread(target=self._run, name="bakthat-total", daemon=True)
            self._thread.start()
        return self._value

    def __enter__(self) -> CountedTotal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None and error is None:
            self._thread.join()

    def _run(self) -> None:
        assert self._count is not None  # noqa: S101 - it was not started otherwise
        try:
            self._value = self._count()
        except (BakthatError, OSError):  # the packer will say it
            return
