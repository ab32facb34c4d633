from pathlib import Path

import pytest
from bakthat_sqlite import SqliteStore

from bakthat.testing.object_store_contract import ObjectStoreContract


class TestSqliteStore(ObjectStoreContract):
    large = 3_500_000  # bytes: several chunks
    many = 100  # it has no pages

    @pytest.fixture
    def store(self, tmp_path: Path) -> SqliteStore:
        return SqliteStore(tmp_path / "store.sqlite")
