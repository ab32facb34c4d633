"""The part of `ObjectStoreContract` that is about copies within a service, locks, and leftovers.

A store that has none of them passes with the defaults of the port.
"""

from __future__ import annotations

import contextlib
import io

import pytest

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import ObjectExists, ObjectNotFound, Unsupported
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.object_store_ranges import some_bytes


class _SourceFailed(Exception):
    """Raised by bodies in these tests; no store can know it."""


class _Failing(io.BytesIO):
    """A body that raises instead of ending."""

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if not chunk:
            raise _SourceFailed
        return chunk

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)


class BesideStoring:
    """What `ObjectStoreContract` inherits."""

    large: int

    def test_a_copy_of_anothers_object_is_that_object_or_none(self, store: ObjectStore) -> None:
        source = MemoryObjectStore("memory://source")
        source.put("k", io.BytesIO(b"content"))
        made = store.copy_from("k", source, expected=source.stat("k"))
        if made is None:
            assert list(store.list()) == []
            return
        with store.open("k") as reader:
            assert reader.read() == b"content"
        assert (made.key, made.size) == ("k", 7)

    def test_a_copy_replaces_nothing(self, store: ObjectStore) -> None:
        source = MemoryObjectStore("memory://source")
        source.put("k", io.BytesIO(b"other"))
        store.put("k", io.BytesIO(b"first"))
        with contextlib.suppress(ObjectExists):
            assert store.copy_from("k", source, expected=source.stat("k")) is None
        with store.open("k") as reader:
            assert reader.read() == b"first"

    def test_an_object_without_a_lock_has_none_and_can_be_deleted(self, store: ObjectStore) -> None:
        """Every store in these tests is one that locks nothing."""
        store.put("k", io.BytesIO(b"x"))
        assert store.stat("k").lock is None
        assert store.lock_of("k") is None
        store.delete("k")
        with contextlib.suppress(ObjectNotFound):
            assert store.lock_of("k") is None

    @pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
    def test_a_write_that_fails_leaves_nothing_over(self, store: ObjectStore, is_large: bool) -> None:
        with pytest.raises(_SourceFailed):
            store.put("k", _Failing(some_bytes(self.large if is_large else 10)))
        store.put("other", io.BytesIO(b"x"))
        with contextlib.suppress(Unsupported):
            assert [leftover.key for leftover in store.leftovers() if leftover.key.startswith("k")] == []
