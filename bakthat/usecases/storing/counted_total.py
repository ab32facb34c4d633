"""Counts in a thread how many bytes a backup will read, for its progress bar."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from bakthat.errors import BakthatError

DELAY = 1.0
"""Seconds after which counting begins: a backup that is done by then needs no total."""


class CountedTotal:
    """Counts while the body runs. `value`: the number of bytes; None until it is known.

    Args:
        count: Counts them, without reading a file; None if that cannot be known.
        delay: Seconds before it is called.
    """

    def __init__(self, count: Callable[[], int] | None, *, delay: float = DELAY) -> None:
        self.value: int | None = None
        self._count = count
        self._delay = delay
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bakthat-total", daemon=True)

    def __enter__(self) -> CountedTotal:
        if self._count is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._count is not None and error is None:
            self._thread.join()

    def _run(self) -> None:
        assert self._count is not None  # noqa: S101 - it was not started otherwise
        if self._is_over.wait(self._delay):
            return
        try:
            self.value = self._count()
        except (BakthatError, OSError):  # the packer will say it
            return
