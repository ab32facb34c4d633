"""An object read by ranges: at a store that can begin anywhere, and at one that cannot."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import BinaryIO

import pytest

from bakthat.domain.objects import ObjectInfo
from bakthat.errors import StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.memory import MemoryObjectStore
from bakthat.testing.object_store_contract import some_bytes
from bakthat.usecases.destinations.stored_ranges import StoredRanges

CONTENT = some_bytes(6_000_000)


class WithoutRanges(MemoryObjectStore):
    """A store that was written for 1.0, and counts the bytes that are read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    @property
    def reads_ranges(self) -> bool:
        return False

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        self.opened += 1
        return super().open(key)

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return ObjectStore.open_range(self, key, start, stop, expected=expected)


@pytest.fixture
def store() -> WithoutRanges:
    store = WithoutRanges()
    store.put("k", io.BytesIO(CONTENT))
    return store


def ranges_of(store: ObjectStore) -> StoredRanges:
    return StoredRanges(store, "k", info=None, size=len(CONTENT), known={})


def test_a_store_without_ranges_of_its_own_says_so() -> None:
    class OfOnePointZero(MemoryObjectStore):
        open_range = ObjectStore.open_range

    assert (MemoryObjectStore().reads_ranges, OfOnePointZero().reads_ranges) == (True, False)
    assert FaultyObjectStore(WithoutRanges()).reads_ranges is False


def test_ranges_in_order_are_one_pass_over_an_object_that_cannot_be_read_anywhere(store: WithoutRanges) -> None:
    ranges = ranges_of(store)
    found = [ranges.read_at(at, 100_000) for at in range(0, 5_000_000, 250_000)]
    assert found == [CONTENT[at : at + 100_000] for at in range(0, 5_000_000, 250_000)]
    assert store.opened == 1
    assert ranges.bytes_read < 5_000_000


def test_a_range_before_the_last_one_opens_the_object_again(store: WithoutRanges) -> None:
    ranges = ranges_of(store)
    positions = [5_990_000, 1_000_000, 3_000_000, 500_000]
    assert [ranges.read_at(at, 10_000) for at in positions] == [CONTENT[at : at + 10_000] for at in positions]
    assert store.opened == 3


def test_an_object_that_is_replaced_before_it_is_opened_again_is_an_error(store: WithoutRanges) -> None:
    ranges = ranges_of(store)
    ranges.read_at(3_000_000, 10)
    store.put("k", io.BytesIO(some_bytes(len(CONTENT), 2)), replace=True)
    with pytest.raises(StoreError, match="replaced"):
        ranges.read_at(1_000_000, 10)


def test_after_an_error_the_object_is_opened_again(store: WithoutRanges) -> None:
    faulty = FaultyObjectStore(store, Fault(method="open_range", after_bytes=200_000))
    ranges = ranges_of(faulty)
    with pytest.raises(StoreError):
        ranges.read_at(0, 300_000)
    assert ranges.read_at(0, 300_000) == CONTENT[:300_000]


def test_a_store_with_ranges_is_asked_for_each(store: WithoutRanges) -> None:
    memory = MemoryObjectStore()
    memory.put("k", io.BytesIO(CONTENT))
    counted = FaultyObjectStore(memory)
    ranges = ranges_of(counted)
    assert [ranges.read_at(at, 10) for at in (0, 2_000_000)] == [CONTENT[:10], CONTENT[2_000_000:2_000_010]]
    assert [method for method, _ in counted.calls] == ["stat", "open_range", "open_range"]
