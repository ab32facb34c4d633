"""Stores that fail at a scripted call or byte, around any store that works."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, cast

from attrs import define, field

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreUnavailable
from bakthat.ports.object_store import ObjectStore


@define(kw_only=True)
class Fault:
    """One scripted failure.

    method: `put`, `open`, `stat`, `list` or `delete`. call: which matching call fails, the first is 1. times: how many
    in a row from there. key: only calls with a key (or prefix) that starts so. after_bytes: only when so many bytes of
    the body have gone by (`put`, `open`). afterwards: the call is carried out, and only its answer is lost.
    error: what is raised; made anew each time.
    """

    method: str
    call: int = 1
    times: int = 1
    key: str = ""
    after_bytes: int | None = None
    afterwards: bool = False
    error: Callable[[], BaseException] = field(default=lambda: StoreUnavailable("the store failed as scripted"))
    _seen: int = field(default=0, init=False)

    def strikes(self, method: str, key: str) -> bool:
        """Whether this call is one that fails; counts it."""
        if method != self.method or not key.startswith(self.key):
            return False
        self._seen += 1
        return self.call <= self._seen < self.call + self.times


class FaultyObjectStore(ObjectStore):
    """`inner`, but for the faults. `calls` lists what was asked for, as (method, key)."""

    def __init__(self, inner: ObjectStore, *faults: Fault) -> None:
        self.inner = inner
        self.location = inner.location
        self.faults = list(faults)
        self.calls: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        fault = self._fault("put", key)
        if fault is None:
            return self.inner.put(key, body, replace=replace, size_hint=size_hint)
        if fault.after_bytes is not None:
            return self.inner.put(key, _breaking(body, fault), replace=replace, size_hint=size_hint)
        if fault.afterwards:
            self.inner.put(key, body, replace=replace, size_hint=size_hint)
        raise fault.error()

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        fault = self._fault("open", key)
        if fault is None:
            return self.inner.open(key)
        if fault.after_bytes is not None:
            return _opened_breaking(self.inner.open(key), fault)
        raise fault.error()

    def stat(self, key: str) -> ObjectInfo:
        fault = self._fault("stat", key)
        if fault is not None:
            raise fault.error()
        return self.inner.stat(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        fault = self._fault("list", prefix)
        if fault is not None:
            raise fault.error()
        return self.inner.list(prefix)

    def delete(self, key: str) -> None:
        fault = self._fault("delete", key)
        if fault is None:
            self.inner.delete(key)
            return
        if fault.afterwards:
            self.inner.delete(key)
        raise fault.error()

    def _fault(self, method: str, key: str) -> Fault | None:
        with self._lock:
            self.calls.append((method, key))
            struck = [fault for fault in self.faults if fault.strikes(method, key)]
        return struck[0] if struck else None


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
        piece = self._inner.read(min(len(view), self._left))
        view[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)


def _breaking(inner: BinaryIO, fault: Fault) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_BreakingReader(inner, fault)))


@contextmanager
def _opened_breaking(opened: AbstractContextManager[BinaryIO], fault: Fault) -> Iterator[BinaryIO]:
    with opened as inner:
        yield _breaking(inner, fault)
