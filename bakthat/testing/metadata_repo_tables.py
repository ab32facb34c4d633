"""What every `MetadataRepo` keeps beside backups, as a part of its contract: claims, the inventory, retrievals."""

from __future__ import annotations

from datetime import datetime

import pytest

from bakthat.domain.name_claim import KEPT
from bakthat.domain.objects import ArchiveId, JobId, RetrievalJob, Tier
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.testing.examples import WHEN, a_backup
from bakthat.testing.metadata_repo_suite import RepoSuite, a_claim, at_once


class ClaimsContract(RepoSuite):
    """`claim_name`."""

    def test_a_name_is_claimed_once(self, repo: MetadataRepo) -> None:
        assert repo.claim_name(a_claim())
        assert not repo.claim_name(a_claim(host="another", pid=2))
        assert repo.claim_name(a_claim("two.tgz"))

    def test_the_name_of_a_recorded_backup_cannot_be_claimed(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(filename="one", backend="local").deleted(WHEN))
        assert not repo.claim_name(a_claim(a_backup(filename="one").stored_filename))

    def test_a_claim_is_no_backup_and_does_not_stop_its_record(self, repo: MetadataRepo) -> None:
        backup = a_backup()
        assert repo.claim_name(a_claim(backup.stored_filename))
        assert self.everything(repo) == []
        repo.add(backup)
        assert self.everything(repo) == [backup]

    def test_a_claim_is_kept_as_long_as_an_upload_may_take(self, repo: MetadataRepo) -> None:
        repo.claim_name(a_claim())
        assert not repo.claim_name(a_claim(claimed_at=WHEN + KEPT))

    def test_of_many_that_claim_a_name_at_once_exactly_one_gets_it(self, repo: MetadataRepo) -> None:
        won: list[int] = []

        def claim(pid: int) -> None:
            if repo.claim_name(a_claim(pid=pid)):
                won.append(pid)

        at_once(*[lambda pid=pid: claim(pid) for pid in range(self.threads)])
        assert len(won) == 1


class ArchivesContract(RepoSuite):
    """The inventory of archives, and the jobs that retrieve them."""

    def test_an_archive_is_remembered_under_its_name(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        repo.remember_archive("two.tgz", ArchiveId("id-2"))
        assert repo.archive_id("one.tgz") == "id-1"
        assert dict(repo.archive_ids()) == {"one.tgz": "id-1", "two.tgz": "id-2"}

    def test_a_known_name_gets_the_new_id(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        repo.remember_archive("one.tgz", ArchiveId("id-2"))
        repo.remember_archive("one.tgz", ArchiveId("id-2"))
        assert dict(repo.archive_ids()) == {"one.tgz": "id-2"}

    def test_two_names_may_have_one_id(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id"))
        repo.remember_archive("two.tgz", ArchiveId("id"))
        assert dict(repo.archive_ids()) == {"one.tgz": "id", "two.tgz": "id"}
        repo.forget_archive("one.tgz")
        assert dict(repo.archive_ids()) == {"two.tgz": "id"}

    def test_the_inventory_that_was_read_does_not_change(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        read = repo.archive_ids()
        repo.forget_archive("one.tgz")
        assert dict(read) == {"one.tgz": "id-1"}

    def test_forgetting_an_archive_twice_is_no_error(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        repo.forget_archive("one.tgz")
        repo.forget_archive("one.tgz")
        repo.forget_archive("never.tgz")
        assert repo.archive_id("one.tgz") is None

    @pytest.mark.parametrize("requested", [WHEN, None])
    @pytest.mark.parametrize("tier", [Tier.BULK, None])
    def test_a_job_comes_back_as_it_was(
        self, repo: MetadataRepo, requested: datetime | None, tier: Tier | None
    ) -> None:
        job = RetrievalJob(filename="one.tgz", job_id=JobId("j" * 92), requested=requested, tier=tier)
        repo.remember_job(job)
        assert repo.job("one.tgz") == job
        assert repo.job("one") is None

    def test_a_new_job_takes_the_place_of_the_earlier_one(self, repo: MetadataRepo) -> None:
        first = RetrievalJob(filename="one.tgz", job_id=JobId("1"), requested=WHEN, tier=Tier.BULK)
        repo.remember_job(first)
        second = RetrievalJob(filename="one.tgz", job_id=JobId("2"))
        repo.remember_job(second)
        assert repo.job("one.tgz") == second

    def test_a_forgotten_job_is_gone_and_the_others_stay(self, repo: MetadataRepo) -> None:
        other = RetrievalJob(filename="two.tgz", job_id=JobId("2"), requested=WHEN)
        repo.remember_job(RetrievalJob(filename="one.tgz", job_id=JobId("1"), requested=WHEN))
        repo.remember_job(other)
        repo.forget_job("one.tgz")
        repo.forget_job("one.tgz")
        assert repo.job("one.tgz") is None
        assert repo.job("two.tgz") == other
