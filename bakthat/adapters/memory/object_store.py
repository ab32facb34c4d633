"""`MemoryObjectStore`: an object store in memory, with the same contract as the others."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import BinaryIO

from attrs import evolve

from bakthat.domain.object_key import check_key
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.objects import Leftover, Lock, ObjectInfo
from bakthat.errors import ObjectExists, ObjectLocked, ObjectNotFound
from bakthat.ports.byte_ranges import check_range, check_version
from bakthat.ports.object_store import ObjectStore


class MemoryObjectStore(ObjectStore):
    """Objects live as long as the instance. `clock`: the time of storing. `lock`: of new objects, which cannot be
    deleted or replaced until it ends. `unfinished`: uploads that did not end, which a test puts here."""

    def __init__(
        self,
        location: str = "memory://store",
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lock: ObjectLock | None = None,
    ) -> None:
        self.location = location
        self.unfinished: list[Leftover] = []
        self._object_lock = lock
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}

    def __repr__(self) -> str:
        return f"MemoryObjectStore({self.location!r})"

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        check_key(key)
        content = b"".join(iter(lambda: body.read(1 << 20), b""))
        etag = uuid.uuid4().hex
        now = self._clock()
        lock = Lock(until=self._object_lock.until(now)) if self._object_lock is not None else None
        info = ObjectInfo(key=key, size=len(content), modified=now, etag=etag, lock=lock)
        with self._lock:
            self._check_unlocked(key)
            if key in self._objects and not replace:
                raise ObjectExists(f"{self.location}: {key} already exists")
            self._objects[key] = (content, info)
        return info

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(self._find(key)[0])

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        check_range(start, stop)
        content, info = self._find(key)
        check_version(info, expected, f"{self.location}: {key}")
        return io.BytesIO(content[start:stop])

    def stat(self, key: str) -> ObjectInfo:
        return self._find(key)[1]

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix))
            infos = [self._objects[key][1] for key in found]
        return iter(infos)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._check_unlocked(key)
            self._objects.pop(key, None)

    def lock_of(self, key: str) -> Lock | None:
        return self._find(key)[1].lock

    def extend_lock(self, key: str, until: datetime) -> None:
        content, info = self._find(key)
        if info.lock is None or (info.lock.until is not None and info.lock.until < until):
            with self._lock:
                self._objects[key] = content, evolve(info, lock=Lock(until=until))

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        return iter([leftover for leftover in self.unfinished if leftover.key.startswith(prefix)])

    def remove_leftover(self, leftover: Leftover) -> bool:
        with self._lock:
            self.unfinished = [left for left in self.unfinished if left.upload_id != leftover.upload_id]
        return True

    def _check_unlocked(self, key: str) -> None:
        lock = self._objects[key][1].lock if key in self._objects else None
        if lock is not None and lock.holds(self._clock()):
            raise ObjectLocked(f"{self.location}: {key} is {lock}")

    def _find(self, key: str) -> tuple[bytes, ObjectInfo]:
        check_key(key)
        with self._lock:
            try:
                return self._objects[key]
            except KeyError:
                raise ObjectNotFound(f"{self.location}: no object {key}") from None
