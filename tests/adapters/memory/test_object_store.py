"""The store in memory keeps the contract of every store."""

from __future__ import annotations

import pytest

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.testing.object_store_contract import ObjectStoreContract


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> MemoryObjectStore:
        return MemoryObjectStore()
