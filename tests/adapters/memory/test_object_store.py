"""The store in memory keeps the contract of every store."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.objects import Lock
from bakthat.testing.object_store_contract import ObjectStoreContract


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> MemoryObjectStore:
        return MemoryObjectStore()


def test_a_lock_is_extended_and_never_shortened() -> None:
    store = MemoryObjectStore()
    store.put("k", io.BytesIO(b"x"))
    for year in (2030, 2029):
        store.extend_lock("k", datetime(year, 1, 2, tzinfo=UTC))
        assert store.lock_of("k") == Lock(until=datetime(2030, 1, 2, tzinfo=UTC))
