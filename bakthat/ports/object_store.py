"""`ObjectStore`: a place that stores whole objects under keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import BinaryIO

from bakthat.domain.objects import Leftover, Lock, ObjectInfo
from bakthat.errors import StoreError
from bakthat.ports.byte_ranges import check_range, check_version, limited

_CHUNK = 1024 * 1024
"""Bytes that are read at a time, of those that are dropped."""


class ObjectStore(ABC):
    """Whole objects under keys.

    A key is `/`-separated text of 1 to 1,000 bytes of UTF-8, without a NUL and without an empty, `.` or `..` segment.
    Any other character may be in it. Every method that takes a key calls `bakthat.domain.object_key.check_key` with it
    before anything else, which raises `InvalidName` for one that is not valid: keys also come from catalog entries,
    which others may have written, and `../out` must not lead out of the store.

    A message names the store and the key. A store is safe to use from several threads at once. Any call may raise
    `AccessDenied`, `StoreUnavailable` or another `StoreError`, also while a stream is read or a listing iterated; never
    an exception of the service's own library.
    """

    location: str
    """The URL of the store, stable and without a secret, such as `s3://bucket/prefix`; recorded with every backup."""

    @property
    def reads_ranges(self) -> bool:
        """Whether `open_range` begins at `start`, without reading what is before it. By default, whether the store has
        an `open_range` of its own."""
        return type(self).open_range is not ObjectStore.open_range

    @abstractmethod
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        """Store the object, all or nothing: a reader sees the whole object or none.

        If `body.read()` raises, nothing is stored, nothing is left behind, and that exception comes out. A write that
        is repeated after a lost answer, and finds the object of its first attempt, is a success.

        Args:
            key: The object's key.
            body: Read once, from its current position to its end; stays open. It need not be seekable, and its length
                may be unknown.
            replace: Whether to replace an existing object, which stays readable until the new one is whole.
            size_hint: Bytes, about.

        Raises:
            ObjectExists: The key is taken, and not `replace`. The existing object is unchanged, also if it appeared
                while the body was read.
        """

    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        """Copy the object under `key` from another store, within the service, so that no byte passes this machine.

        This implementation copies nothing. A store overrides it where its service can copy, and can be asked whether
        the copy has the bytes of the source.

        Args:
            key: The key, in both stores.
            source: Where the object is.
            expected: What `source.stat` returned. The copy is of that object, or there is none.

        Returns:
            The copy, whole; None if it cannot be made or compared in this way. Then nothing was stored, and the caller
            reads the object and puts it.

        Raises:
            ObjectExists: The key is taken here.
            ObjectArchived: The object is in an archive class and needs a retrieval.
        """
        return None

    @abstractmethod
    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Read the object from its start to its end.

        An object may have many readers. A reader is used by one thread at a time, which may be another one than opens
        it or leaves the context. The context may be left before the end.

        `read(n)` returns fewer than n bytes only at the end. A body that is cut short is resumed, or raises; it never
        looks like the end. If the object is replaced meanwhile, the reader gets the old one whole, or an error; never a
        mixture.

        Raises:
            ObjectNotFound: On entry.
            ObjectArchived: On entry; the object is in an archive class and needs a retrieval.
        """

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Read the bytes of the object from `start` to `stop`, as `open` reads all of them.

        This implementation opens the object, and reads and drops what is before `start`: right for every store, and
        slow for a range at the end of a large object. A store overrides it where its service can start anywhere.

        Args:
            key: The object's key.
            start: Position of the first byte.
            stop: Position behind the last byte. Behind the object's end, its end counts; if `start` is also there, the
                stream is empty, which is not an error.
            expected: What `stat` returned earlier. The bytes are of that object, or it is an error; without it, two
                ranges may be of two objects.

        Returns:
            A context manager. `read(n)` of its stream returns fewer than n bytes only at the end of the range. If a
            service answers with fewer, more or other bytes, they are requested again, cut, or it is an error.

        Raises:
            ObjectNotFound: On entry, also if the object was deleted since `expected`.
            ObjectArchived: On entry; an object in an archive class has no ranges until it was retrieved.
            StoreError: On entry, if the object was replaced since `expected`.
            ValueError: Unless `0 <= start <= stop`.
        """
        return _read_and_skip(self, key, start, stop, expected)

    @abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """Return what is known about the object without reading it. Raises `ObjectNotFound`."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield all whole objects whose keys start with the prefix, in key order (by code point), however many.

        The store hides its pages. Objects that are stored or deleted meanwhile may or may not appear. Objects with a
        name that is too long for a key, or an invalid date, may be left out; they do not end the listing.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete the object. Does nothing if it is missing; a refusal is an error (`AccessDenied`)."""

    def lock_of(self, key: str) -> Lock | None:
        """Return what keeps the object from being deleted; None if the store knows that nothing does.

        More than `stat` tells: the store finds out, at the price of a request, where the answer to `stat` leaves it
        open. This implementation is that of a store without locks.

        Raises:
            ObjectNotFound: There is no such object.
            AccessDenied: The credentials must not know.
        """
        return None

    def extend_lock(self, key: str, until: datetime) -> None:
        """Keep the object from being deleted until this moment, unless it is locked for longer already.

        This implementation is that of a store without locks.

        Raises:
            ObjectNotFound: There is no such object.
            AccessDenied: The credentials must not lock it.
            StoreError: The store cannot lock it.
        """
        raise StoreError(f"{self.location} cannot lock what is already stored")

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        """Yield the uploads that have not ended, of keys that start with the prefix: those of killed writers, those
        that are under way, and those of other programs. This implementation is that of a store that keeps none.

        Args:
            prefix: Of the keys.
            details: Whether to find out `latest` and `size`, which may cost a request for each.

        Raises:
            Unsupported: The service cannot list them.
        """
        return iter(())

    def remove_leftover(self, leftover: Leftover) -> bool:
        """Remove what an upload left, so that it can no longer become an object. Does nothing if it is gone.

        Returns:
            False if it was left, because its writer is seen to be alive.
        """
        return True


@contextmanager
def _read_and_skip(
    store: ObjectStore, key: str, start: int, stop: int, expected: ObjectInfo | None
) -> Iterator[BinaryIO]:
    """Open the whole object, read and drop the bytes before `start`, and yield those up to `stop`."""
    check_range(start, stop)
    with store.open(key) as reader:
        if expected is not None:
            # After it was opened: what is found now was there already then, or the object was replaced in between.
            check_version(store.stat(key), expected, f"{store.location}: {key}")
        left = start
        while left and (dropped := reader.read(min(left, _CHUNK))):
            left -= len(dropped)
        yield limited(reader, stop - start)
