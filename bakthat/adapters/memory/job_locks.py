"""`MemoryJobLocks`: locks within this process, for tests and for scripts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from bakthat.ports.job_locks import JobLocks


class MemoryJobLocks(JobLocks):
    """Locks between the threads that share this object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def hold(self, name: str, scope: str = "") -> Iterator[bool]:
        key = name, scope
        with self._lock:
            is_ours = key not in self._held
            self._held.add(key)
        try:
            yield is_ours
        finally:
            if is_ours:
                with self._lock:
                    self._held.discard(key)
