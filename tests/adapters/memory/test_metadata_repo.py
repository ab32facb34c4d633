"""The memory repository keeps the contract of every repository."""

from __future__ import annotations

import pytest

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.query import Query
from bakthat.errors import DuplicateBackup
from bakthat.testing.examples import a_backup
from bakthat.testing.metadata_repo_contract import MetadataRepoContract


class TestMemoryRepo(MetadataRepoContract):
    @pytest.fixture
    def repo(self) -> MemoryRepo:
        return MemoryRepo()


def test_it_may_hold_backups_from_the_start() -> None:
    assert list(MemoryRepo([a_backup()]).find(Query())) == [a_backup()]


def test_it_does_not_start_with_one_backup_twice() -> None:
    with pytest.raises(DuplicateBackup):
        MemoryRepo([a_backup(), a_backup()])


def test_metadata_comes_back_as_a_database_would_give_it() -> None:
    repo = MemoryRepo([a_backup(metadata={"recipients": ("age1x",)})])
    assert [backup.metadata for backup in repo.find(Query())] == [{"recipients": ["age1x"]}]
