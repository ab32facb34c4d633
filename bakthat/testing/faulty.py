"""Wrappers that let a store fail at a scripted call, byte or item:

For example:

    store = FaultyObjectStore(MemoryObjectStore(), Fault(method="put", after_bytes=1_000_000))
"""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, BinaryIO, TypeVar, cast

from attrs import define, field

from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Leftover, Lock, ObjectInfo, Tier
from bakthat.errors import StoreUnavailable
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.object_store import ObjectStore

T = TypeVar("T")

_STREAMS = {"put", "open", "open_range", "upload"}
_LISTINGS = {"list", "inventory", "leftovers"}
_CHANGES = {"put", "delete", "upload", "request", "request_inventory", "copy_from", "remove_leftover", "extend_lock"}
_METHODS = _STREAMS | _LISTINGS | _CHANGES | {"stat", "lock_of"}


@define(kw_only=True)
class Fault:
    """One scripted failure.

    Args:
        method: Of an object store `put`, `open_range`, `stat`, `list` or `extend_lock`; of an archive store `upload`,
            `request`, `request_inventory` or `inventory`; of both `open`, `delete`, `copy_from`, `lock_of`, `leftovers`
            or `remove_leftover`.
        call: The number of the matching call that fails, from 1.
        times: How many calls in a row fail.
        key: Only calls whose key, prefix, description, archive id or job id starts with this.
        after_bytes: Fail after so many bytes of the body (`put`, `upload`, `open`, `open_range`).
        after_items: Fail after so many items of the listing (`list`, `inventory`, `leftovers`).
        afterwards: Carry the call out, and lose only its answer (calls that change something).
        error: Makes the error that is raised.

    Raises:
        ValueError: The fault could never happen.
    """

    method: str = field()
    call: int = 1
    times: int = 1
    key: str = ""
    after_bytes: int | None = None
    after_items: int | None = None
    afterwards: bool = False
    error: Callable[[], BaseException] = field(default=lambda: StoreUnavailable("the store failed as scripted"))
    _seen: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if self.method not in _METHODS:
            raise ValueError(f"{self.method!r} is not a method of a store; choose among {', '.join(sorted(_METHODS))}")
        for name, given, methods in (
            ("after_bytes", self.after_bytes is not None, _STREAMS),
            ("after_items", self.after_items is not None, _LISTINGS),
            ("afterwards", self.afterwards, _CHANGES),
        ):
            if given and self.method not in methods:
                raise ValueError(f"{name} means nothing for {self.method!r}, only for {', '.join(sorted(methods))}")
        if self.after_bytes is not None and self.afterwards:
            raise ValueError("after_bytes and afterwards are two faults; script one each")

    def strikes(self, method: str, key: str) -> bool:
        """Count this call. Return whether it fails."""
        if method != self.method or not key.startswith(self.key):
            return False
        self._seen += 1
        return self.call <= self._seen < self.call + self.times


class _Script:
    """The faults of one store, and its calls so far."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.calls: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def fault(self, method: str, key: str) -> Fault | None:
        """Return the fault of this call, if any."""
        with self._lock:
            self.calls.append((method, key))
            struck = [fault for fault in self.faults if fault.strikes(method, key)]
        return struck[0] if struck else None

    def carried_out(self, method: str, key: str, call: Callable[[], T]) -> T:
        """Return the result of the call, unless it has a fault."""
        fault = self.fault(method, key)
        if fault is None:
            return call()
        if fault.afterwards:
            call()
        raise fault.error()

    def stored(self, method: str, key: str, body: BinaryIO, call: Callable[[BinaryIO], T]) -> T:
        """Return the result of storing the body, unless it has a fault before, on the way, or afterwards."""
        fault = self.fault(method, key)
        if fault is None:
            return call(body)
        if fault.after_bytes is not None:
            return call(_breaking(body, fault))
        if fault.afterwards:
            call(body)
        raise fault.error()

    def opened(
        self, key: str, call: Callable[[], AbstractContextManager[BinaryIO]], method: str = "open"
    ) -> AbstractContextManager[BinaryIO]:
        """Return the reader, which fails where a fault says so."""
        fault = self.fault(method, key)
        if fault is None:
            return call()
        if fault.after_bytes is None:
            raise fault.error()
        return _opened_breaking(call(), fault)

    def listed(self, method: str, key: str, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Return the listing, which fails where a fault says so."""
        fault = self.fault(method, key)
        if fault is None:
            return call()
        if fault.after_items is None:
            raise fault.error()
        return _listing_breaking(call(), fault)


class FaultyObjectStore(ObjectStore):
    """A store with faults. `calls` lists the calls, as (method, key). `faults` can be extended."""

    def __init__(self, inner: ObjectStore, *faults: Fault) -> None:
        self.inner = inner
        self.location = inner.location
        self._script = _Script(*faults)
        self.faults = self._script.faults
        self.calls = self._script.calls

    @property
    def reads_ranges(self) -> bool:
        return self.inner.reads_ranges

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        return self._script.stored(
            "put", key, body, lambda read: self.inner.put(key, read, replace=replace, size_hint=size_hint)
        )

    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        return self._script.carried_out("copy_from", key, lambda: self.inner.copy_from(key, source, expected=expected))

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self._script.opened(key, lambda: self.inner.open(key))

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return self._script.opened(
            key, lambda: self.inner.open_range(key, start, stop, expected=expected), "open_range"
        )

    def stat(self, key: str) -> ObjectInfo:
        return self._script.carried_out("stat", key, lambda: self.inner.stat(key))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._script.listed("list", prefix, lambda: self.inner.list(prefix))

    def delete(self, key: str) -> None:
        self._script.carried_out("delete", key, lambda: self.inner.delete(key))

    def lock_of(self, key: str) -> Lock | None:
        return self._script.carried_out("lock_of", key, lambda: self.inner.lock_of(key))

    def extend_lock(self, key: str, until: datetime) -> None:
        self._script.carried_out("extend_lock", key, lambda: self.inner.extend_lock(key, until))

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        return self._script.listed("leftovers", prefix, lambda: self.inner.leftovers(prefix, details=details))

    def remove_leftover(self, leftover: Leftover) -> bool:
        return self._script.carried_out("remove_leftover", leftover.key, lambda: self.inner.remove_leftover(leftover))


class FaultyArchiveStore(ArchiveStore):
    """A store with faults. `calls` lists the calls, as (method, description or id). `faults` can be extended."""

    def __init__(self, inner: ArchiveStore, *faults: Fault) -> None:
        self.inner = inner
        self.location = inner.location
        self.minimum_days = inner.minimum_days
        self.usual_waits = inner.usual_waits
        self.names_are_ids = inner.names_are_ids
        self.locks = inner.locks
        self._script = _Script(*faults)
        self.faults = self._script.faults
        self.calls = self._script.calls

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        return self._script.stored(
            "upload",
            description,
            body,
            lambda read: self.inner.upload(read, description=description, size_hint=size_hint),
        )

    def copy_from(self, key: str, source: ObjectStore, *, description: str, expected: ObjectInfo) -> ArchiveId | None:
        return self._script.carried_out(
            "copy_from",
            key,
            lambda: self.inner.copy_from(key, source, description=description, expected=expected),
        )

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        return self._script.carried_out("request", archive_id, lambda: self.inner.request(archive_id, tier=tier))

    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        return self._script.opened(job_id, lambda: self.inner.open(job_id))

    def delete(self, archive_id: ArchiveId) -> None:
        self._script.carried_out("delete", archive_id, lambda: self.inner.delete(archive_id))

    def request_inventory(self) -> JobId:
        return self._script.carried_out("request_inventory", "", self.inner.request_inventory)

    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return self._script.listed("inventory", job_id, lambda: self.inner.inventory(job_id))

    def lock_of(self, archive_id: ArchiveId) -> Lock | None:
        return self._script.carried_out("lock_of", archive_id, lambda: self.inner.lock_of(archive_id))

    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        return self._script.listed("leftovers", "", lambda: self.inner.leftovers(details=details))

    def remove_leftover(self, leftover: Leftover) -> bool:
        return self._script.carried_out("remove_leftover", leftover.key, lambda: self.inner.remove_leftover(leftover))


class _BreakingReader(io.RawIOBase):
    def __init__(self, inner: BinaryIO, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault
        self._left = fault.after_bytes or 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._left <= 0 and len(view):
            raise self._fault.error()
        chunk = self._inner.read(min(len(view), self._left))
        view[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)


def _breaking(inner: BinaryIO, fault: Fault) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_BreakingReader(inner, fault)))


@contextmanager
def _opened_breaking(opened: AbstractContextManager[BinaryIO], fault: Fault) -> Iterator[BinaryIO]:
    with opened as inner:
        yield _breaking(inner, fault)


def _listing_breaking(items: Iterator[T], fault: Fault) -> Iterator[T]:
    yield from itertools.islice(items, fault.after_items)
    raise fault.error()
