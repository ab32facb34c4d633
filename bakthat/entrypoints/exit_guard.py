"""`exit_guarded`: wraps a store from another package, so that it cannot end the program.

`sys.exit(0)` in a store's `put` would end `bakthat backup` with exit code 0, and no backup.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, TypeVar, cast

from bakthat.domain.objects import Leftover, Lock, ObjectInfo
from bakthat.entrypoints.signals import StoppedBySignal
from bakthat.errors import StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.url_signer import UrlSigner

T = TypeVar("T")


def exit_guarded(store: ObjectStore, which: str) -> ObjectStore:
    """Wrap the store; its SystemExit becomes a `StoreError`. `which`: the store and its package, for the message."""
    return _GuardedSigner(store, which) if isinstance(store, UrlSigner) else ExitGuardedStore(store, which)


@contextlib.contextmanager
def _answering(which: str, call: str) -> Iterator[None]:
    try:
        yield
    except StoppedBySignal:
        raise
    except SystemExit as error:
        raise StoreError(
            f"{which} tried to end the program in `{call}`; its result is unknown, and this is a bug of the store"
        ) from error


class ExitGuardedStore(ObjectStore):
    """Forwards every call."""

    def __init__(self, store: ObjectStore, which: str) -> None:
        self._store = store
        self._which = which
        self.location = store.location

    def __repr__(self) -> str:
        return repr(self._store)

    @property
    def reads_ranges(self) -> bool:
        with self._answering("reads_ranges"):
            return self._store.reads_ranges

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        with self._answering("put"):
            return self._store.put(key, body, replace=replace, size_hint=size_hint)

    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        if isinstance(source, ExitGuardedStore):
            source = source._store
        with self._answering("copy_from"):
            return self._store.copy_from(key, source, expected=expected)

    def open(self, key: str) -> contextlib.AbstractContextManager[BinaryIO]:
        with self._answering("open"):
            return _Opened(self._store.open(key), self._which)

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> contextlib.AbstractContextManager[BinaryIO]:
        with self._answering("open_range"):
            opened = self._store.open_range(key, start, stop, expected=expected)
            return _Opened(opened, self._which, "open_range")

    def stat(self, key: str) -> ObjectInfo:
        with self._answering("stat"):
            return self._store.stat(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._each("list", lambda: self._store.list(prefix))

    def delete(self, key: str) -> None:
        with self._answering("delete"):
            self._store.delete(key)

    def lock_of(self, key: str) -> Lock | None:
        with self._answering("lock_of"):
            return self._store.lock_of(key)

    def extend_lock(self, key: str, until: datetime) -> None:
        with self._answering("extend_lock"):
            self._store.extend_lock(key, until)

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        return self._each("leftovers", lambda: self._store.leftovers(prefix, details=details))

    def remove_leftover(self, leftover: Leftover) -> bool:
        with self._answering("remove_leftover"):
            return self._store.remove_leftover(leftover)

    def _each(self, call: str, listing: Callable[[], Iterator[T]]) -> Iterator[T]:
        with self._answering(call):
            found = iter(listing())
        while True:
            with self._answering(call):
                item = next(found, None)
            if item is None:
                return
            yield item

    def _answering(self, call: str) -> contextlib.AbstractContextManager[None]:
        return _answering(self._which, call)


class _GuardedSigner(ExitGuardedStore, UrlSigner):
    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        with self._answering("presign"):
            return cast(UrlSigner, self._store).presign(key, expires_in, method)


class _Opened(contextlib.AbstractContextManager[BinaryIO]):
    def __init__(self, opened: contextlib.AbstractContextManager[BinaryIO], which: str, call: str = "open") -> None:
        self._opened = opened
        self._which = which
        self._call = call

    def __enter__(self) -> BinaryIO:
        with _answering(self._which, self._call):
            return cast(BinaryIO, _Reader(self._opened.__enter__(), self._which))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with _answering(self._which, self._call):
            return self._opened.__exit__(kind, error, trace)


class _Reader(io.RawIOBase):
    def __init__(self, reader: BinaryIO, which: str) -> None:
        self._reader = reader
        self._which = which

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        with _answering(self._which, "read"):
            return self._reader.read(size)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)
