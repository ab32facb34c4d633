"""`Workers`: a few threads that run jobs, first in, first out."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_BEGINS_WITHIN = 1.0
"""Seconds. A thread that is not running by then, although its start was asked for, never will be."""


class Workers:
    """Runs at most `count` jobs at once. A thread is started for the first job that needs it.

    The threads are daemons, unlike those of `concurrent.futures`: a silent connection must not keep the process alive
    after Ctrl-C.
    """

    def __init__(self, count: int, name: str, *, thread: type[threading.Thread] = threading.Thread) -> None:
        self._count = count
        self._name = name
        self._thread = thread
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Return the future of a job, which starts as soon as a thread is free."""
        future: Future[T] = Future()
        self._jobs.put((future, job))
        if len(self._threads) < self._count:
            thread = self._thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self, wait: float) -> bool:
        """Cancel the jobs that have not started, and wait up to `wait` seconds for the others.

        No job may be submitted afterwards.

        Returns:
            Whether all threads have ended.
        """
        while True:
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                break
            if item is not None:
                item[0].cancel()
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + wait
        for thread in self._threads:
            _join(thread, until)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        for future, job in iter(self._jobs.get, None):
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - raised by `Future.result`
                future.set_exception(error)
            # Release what the job references (a part's buffer) before waiting for the next one.
            del future, job


def _join(thread: threading.Thread, until: float) -> None:
    """Wait for the end of a thread. Ctrl-C may have interrupted its start: then it begins in a moment, or never."""
    begins_by = min(until, time.monotonic() + _BEGINS_WITHIN)
    while True:
        try:
            return thread.join(max(0.0, until - time.monotonic()))
        except RuntimeError:  # it has not begun
            if time.monotonic() >= begins_by:
                return
            time.sleep(0.001)
