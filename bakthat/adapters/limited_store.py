"""`limited`: an object store whose bytes pass at a limited rate, whatever store it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, cast

from bakthat.adapters.rate_limit import LimitedContext, LimitedReader, RateLimit
from bakthat.domain.objects import Leftover, Lock, ObjectInfo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.url_signer import UrlSigner


def limited(store: ObjectStore, upload: RateLimit | None, download: RateLimit | None) -> ObjectStore:
    """Return the store with these limits; the store itself without any. A store that has a way of its own to limit
    what it sends, such as S3, does not need this."""
    if upload is None and download is None:
        return store
    kind = _LimitedSigner if isinstance(store, UrlSigner) else LimitedObjectStore
    return kind(store, upload, download)


class LimitedObjectStore(ObjectStore):
    """Forwards every call; the streams of bodies and readers are limited."""

    def __init__(self, store: ObjectStore, upload: RateLimit | None, download: RateLimit | None) -> None:
        self._store = store
        self._upload = upload
        self._download = download
        self.location = store.location

    def __repr__(self) -> str:
        return repr(self._store)

    @property
    def reads_ranges(self) -> bool:
        return self._store.reads_ranges

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        if self._upload is not None:
            body = cast(BinaryIO, LimitedReader(body, self._upload))
        return self._store.put(key, body, replace=replace, size_hint=size_hint)

    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        if isinstance(source, LimitedObjectStore):
            source = source._store
        return self._store.copy_from(key, source, expected=expected)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self._limited(self._store.open(key))

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return self._limited(self._store.open_range(key, start, stop, expected=expected))

    def stat(self, key: str) -> ObjectInfo:
        return self._store.stat(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def lock_of(self, key: str) -> Lock | None:
        return self._store.lock_of(key)

    def extend_lock(self, key: str, until: datetime) -> None:
        self._store.extend_lock(key, until)

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        return self._store.leftovers(prefix, details=details)

    def remove_leftover(self, leftover: Leftover) -> bool:
        return self._store.remove_leftover(leftover)

    def _limited(self, opened: AbstractContextManager[BinaryIO]) -> AbstractContextManager[BinaryIO]:
        return opened if self._download is None else LimitedContext(opened, self._download)


class _LimitedSigner(LimitedObjectStore, UrlSigner):
    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        return cast(UrlSigner, self._store).presign(key, expires_in, method)
