"""What every `MetadataRepo` must do, as a pytest class.

A repository's own test is a subclass and a fixture:

    class TestMyRepo(MetadataRepoContract):
        @pytest.fixture
        def repo(self):
            return MyRepo(...)        # empty
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, DuplicateBackup
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.testing.examples import WHEN, a_backup
from bakthat.testing.metadata_repo_finding import FindingContract
from bakthat.testing.metadata_repo_suite import EVERYTHING, a_claim, at_once
from bakthat.testing.metadata_repo_tables import ArchivesContract, ClaimsContract

__all__ = ["EVERYTHING", "MetadataRepoContract", "a_claim"]


class MetadataRepoContract(FindingContract, ClaimsContract, ArchivesContract):
    """Subclass it, and override the fixture `repo` with an empty repository."""

    def test_an_empty_repository_finds_nothing(self, repo: MetadataRepo) -> None:
        assert self.everything(repo) == []
        assert repo.archive_ids() == {}
        assert repo.archive_id("x") is None
        assert repo.job("x") is None

    def test_what_is_added_is_found_with_every_field(self, repo: MetadataRepo) -> None:
        backup = a_backup(
            backend="local",
            backend_hash="ff",
            size=3 * 2**32,
            tags=("b", "a"),
            last_updated=WHEN + timedelta(days=1),
            metadata={"is_enc": True, "nested": {"list": [1, None, "ü"]}, "source": "/\udcff", "future": 1.5},
        )
        repo.add(backup)
        assert self.everything(repo) == [backup]

    @pytest.mark.parametrize(
        "tags",
        [(), ("one",), ("two words", "é"), ("", "a"), ("a", "a"), ('["a"]',), ("\udcff",), ("\\", '"', "\t"), ("[x",)],
    )
    def test_tags_come_back_exactly_and_are_found(self, repo: MetadataRepo, tags: tuple[str, ...]) -> None:
        backup = a_backup(tags=tags)
        repo.add(backup)
        assert self.everything(repo) == [backup]
        assert [list(repo.find(Query(tags=(tag,)))) for tag in tags] == [[backup] for _ in tags]

    def test_the_same_backup_cannot_be_added_twice(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        with pytest.raises(DuplicateBackup, match=r"mydir\.20260102030405\.tgz"):
            repo.add(a_backup(size=1))
        assert self.everything(repo) == [a_backup()]

    def test_a_deleted_backup_still_counts_as_there(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(is_deleted=True))
        with pytest.raises(DuplicateBackup):
            repo.add(a_backup())

    @pytest.mark.parametrize(
        "elsewhere",
        [
            {"backend": "local"},
            {"metadata": {"location": "s3://other"}},
            {"metadata": {}, "backend_hash": "other"},
        ],
    )
    def test_one_name_in_two_stores_is_two_backups(self, repo: MetadataRepo, elsewhere: dict[str, Any]) -> None:
        repo.add(a_backup())
        repo.add(a_backup(**elsewhere))
        repo.replace(a_backup(**elsewhere, size=7))
        assert sorted(backup.size for backup in self.everything(repo)) == [7, 3120]

    def test_a_backup_stays_the_same_when_the_access_key_changes(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(backend_hash="old key"))
        with pytest.raises(DuplicateBackup):
            repo.add(a_backup(backend_hash="new key"))
        repo.replace(a_backup(backend_hash="new key"))
        assert [backup.backend_hash for backup in self.everything(repo)] == ["new key"]

    def test_a_record_without_a_location_is_replaced_by_one_that_has_it(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(metadata={}))
        repo.replace(a_backup())
        assert self.everything(repo) == [a_backup()]

    def test_where_a_record_could_be_two_backups_that_of_its_own_location_is_replaced(self, repo: MetadataRepo) -> None:
        of_2013 = a_backup(metadata={}, backend_hash="one key")
        located = a_backup(backend_hash="another key")
        repo.add(of_2013)
        repo.add(located)
        repo.replace(a_backup(backend_hash="one key", size=2))
        assert {backup.location: backup.size for backup in self.everything(repo)} == {None: 3120, "s3://bucket": 2}

    def test_replace_changes_every_field_of_the_one_record(self, repo: MetadataRepo) -> None:
        other = a_backup(filename="other")
        repo.add(other)
        repo.add(a_backup())
        changed = a_backup(
            size=1, tags=(), is_deleted=True, last_updated=WHEN + timedelta(1), metadata={"location": "s3://bucket"}
        )
        repo.replace(changed)
        assert self.everything(repo) == sorted([changed, other], key=newest_first, reverse=True)

    def test_replacing_what_is_not_there_is_backup_not_found(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        with pytest.raises(BackupNotFound, match="other"):
            repo.replace(a_backup(filename="other"))
        assert self.everything(repo) == [a_backup()]

    def test_put_all_adds_what_is_new_and_replaces_what_is_older(self, repo: MetadataRepo) -> None:
        later, earlier = WHEN + timedelta(days=1), WHEN - timedelta(days=1)
        repo.add(a_backup(filename="older", size=1))
        repo.add(a_backup(filename="newer", size=1, last_updated=later))
        repo.put_all(
            [
                a_backup(filename="older", size=2, last_updated=later),
                a_backup(filename="newer", size=2, last_updated=earlier),
                a_backup(filename="new", size=2),
                a_backup(filename="new", size=3),
            ]
        )
        assert {b.filename: b.size for b in self.everything(repo)} == {"older": 2, "newer": 1, "new": 3}

    def test_put_all_of_nothing_does_nothing(self, repo: MetadataRepo) -> None:
        repo.put_all([])
        assert self.everything(repo) == []

    def test_threads_that_add_at_once_lose_nothing(self, repo: MetadataRepo) -> None:
        def add(thread: int) -> None:
            for i in range(10):
                repo.add(a_backup(filename=f"{thread}-{i}"))

        at_once(*[lambda thread=thread: add(thread) for thread in range(self.threads)])
        names = {f"{thread}-{i}" for thread in range(self.threads) for i in range(10)}
        assert {backup.filename for backup in self.everything(repo)} == names

    def test_of_many_that_add_the_same_backup_exactly_one_succeeds(self, repo: MetadataRepo) -> None:
        won: list[int] = []

        def add(size: int) -> None:
            try:
                repo.add(a_backup(size=size))
            except DuplicateBackup:
                return
            won.append(size)

        at_once(*[lambda size=size: add(size) for size in range(self.threads)])
        assert len(won) == 1
        assert won == [backup.size for backup in self.everything(repo)]

    def test_a_reader_sees_every_record_whole_while_it_is_replaced(self, repo: MetadataRepo) -> None:
        def version(number: int) -> Backup:
            return a_backup(size=number, tags=(str(number),), metadata={"location": "s3://bucket", "number": number})

        repo.add(version(0))
        done = threading.Event()
        torn: list[Backup] = []

        def write() -> None:
            for number in range(1, 30):
                repo.replace(version(number))
            done.set()

        def read() -> None:
            while not done.is_set():
                torn.extend(backup for backup in repo.find(Query()) if backup != version(backup.size))

        try:
            at_once(write, read)
        finally:
            done.set()
        assert torn == []
