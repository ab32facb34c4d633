"""`ObjectStore`: a place that keeps whole objects under keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

from bakthat.domain.objects import ObjectInfo
from bakthat.ports.byte_ranges import read_and_skip


class ObjectStore(ABC):
    """Whole objects under keys: `/`-separated UTF-8 text, at most 1,000 bytes, no empty, `.` or `..` segment.

    Safe to use from several threads at once. Any call may raise `AccessDenied`, `StoreUnavailable`, or another
    `StoreError`; a service's own exception never comes out, neither from a call nor from reading or iterating.
    """

    location: str
    """Where the store is, stable and without a secret, such as `s3://bucket/prefix`; recorded with every backup."""

    @abstractmethod
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        """Store the object, all or nothing: a reader sees the whole object or none.

        `body` is read once, from here to its end; it need not seek, its length need not be known, and it stays open.
        If `body.read()` raises, nothing is stored, nothing is left behind, and that very exception comes out. What an
        earlier object of this key holds stays readable until the new one is whole. `size_hint`: bytes, about.

        Raises `ObjectExists` if the key is taken and not `replace`; the object that is there is then untouched, also
        if it appeared while the body was read. A write that was sent again after a lost answer, and met its own first
        copy, is a success.
        """

    @abstractmethod
    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Read the object from its start to its end. Many may read at once; leaving the context early is no error.

        One thread at a time reads, which need not be the one that opened, nor the one that leaves the context.

        Raises `ObjectNotFound` or `ObjectArchived` on entry. `read(n)` gives fewer than n bytes only at the end. A
        body that is cut short is resumed, or raises; it never looks like an end. If the object is replaced meanwhile,
        the reader gets the old one whole, or an error; never a mixture.
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
            stop: Position behind the last byte. Behind the object's end, its end counts; if `start` is there as well,
                the stream is empty, which is no error.
            expected: What `stat` returned earlier. The bytes are of that object, or it is an error; without it, two
                ranges may be of two objects.

        Returns:
            A context manager, whose stream `read(n)` returns fewer than n bytes only at the end of the range. A range
            that arrives short, or is another one, is asked for again, cut to what was asked for, or raises.

        Raises:
            ObjectNotFound: On entry, also if the object was deleted since `expected`.
            ObjectArchived: On entry; an object in an archive class has no ranges until it was retrieved.
            StoreError: On entry, if the object was replaced since `expected`.
            ValueError: Unless `0 <= start <= stop`.
        """
        return read_and_skip(self, key, start, stop, expected)

    @abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """What is known of the object without reading it. Raises `ObjectNotFound`."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every whole object whose key starts with the prefix, in key order (by code point), however many; pages are
        the store's own affair. Objects stored or deleted meanwhile may or may not appear. What is odd, such as a name
        that is longer than a key may be or a date that is none, may be left out; it does not end the listing."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """The object is absent afterwards; an absent key is no error. A refusal is one: `AccessDenied`."""
