"""The whole life of an archive, on moto's vault and bucket, through the Python face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.aws.glacier import GlacierArchiveStore
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.catalog import key_of
from bakthat.domain.objects import Tier
from bakthat.errors import ConfigError, RetrievalPending, StoreError
from bakthat.testing.faulty_proxy import FaultyProxy
from tests.fixtures.glacier_jobs import GlacierJobs
from tests.fixtures.s3_servers import s3_profile


@pytest.fixture
def jobs(moto_url: str, request: pytest.FixtureRequest) -> Iterator[GlacierJobs]:
    """What is retrieved from a vault of its own."""
    with FaultyProxy(moto_url) as proxy:
        jobs = GlacierJobs(f"vault-{request.node.name[:40].rstrip('[]-_')}", proxy)
        GlacierArchiveStore.from_profile(s3_profile(moto_url, glacier_vault=jobs.vault)).create_vault()
        jobs.hold()
        yield jobs


@pytest.fixture
def profile(jobs: GlacierJobs) -> Profile:
    """A profile with a bucket of its own, and the vault."""
    return s3_profile(jobs.proxy.url, glacier_vault=jobs.vault)


def machine(profile: Profile) -> Bakthat:
    """A machine with a database of its own."""
    return open_profile(profile, repo=MemoryRepo(), environment={})


def test_backup_show_restore_and_delete_on_a_vault(
    profile: Profile, jobs: GlacierJobs, tree: Path, tmp_path: Path
) -> None:
    bakthat = machine(profile)
    made = bakthat.backup(tree, "glacier", tags="cold")
    assert bakthat.show(destination="glacier") == [made]
    with pytest.raises(RetrievalPending, match="run restore again"):
        bakthat.restore("site", "glacier", target=tmp_path / "out", tier=Tier.EXPEDITED)
    jobs.finish(seconds=2)
    bakthat.restore("site", "glacier", target=tmp_path / "out", wait=True, tier=Tier.EXPEDITED)
    assert (tmp_path / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"
    bakthat.delete("site", "glacier")
    assert bakthat.show() == []


def test_another_machine_with_an_empty_database_finishes_the_restore(
    profile: Profile, jobs: GlacierJobs, tree: Path, tmp_path: Path
) -> None:
    made = machine(profile).backup(tree, "glacier")
    other = machine(profile)
    other.sync("glacier")
    (found,) = other.show()
    assert found.with_metadata(found.last_updated, stored_at=None) == made
    with pytest.raises(RetrievalPending):
        other.restore("site", "glacier", target=tmp_path / "out", tier=Tier.EXPEDITED)
    jobs.finish()
    third = machine(profile)
    third.sync("glacier")
    third.restore("site", "glacier", target=tmp_path / "out", tier=Tier.EXPEDITED)
    assert (tmp_path / "out" / "site" / "index.html").exists()


def test_an_archive_class_of_the_bucket_is_glacier_too(moto_url: str, tree: Path, tmp_path: Path) -> None:
    bakthat = machine(s3_profile(moto_url, glacier_storage_class="GLACIER"))
    made = bakthat.backup(tree, "glacier")
    bakthat.backup(tree, "s3", name="warm")
    other = machine(bakthat.profile)
    other.sync("s3")
    assert [backup.filename for backup in other.show()] == ["warm"]
    other.sync("glacier")
    assert made in [row.with_metadata(row.last_updated, stored_at=None) for row in other.show()]
    # moto retrieves from a class at once; the retrieval is tested in
    # `tests/adapters/aws/test_s3_archive_class.py`.
    other.restore("site", "glacier", target=tmp_path / "out")
    assert (tmp_path / "out" / "site" / "index.html").exists()


def test_an_entry_that_a_lifecycle_rule_archived_is_skipped(moto_url: str, tree: Path) -> None:
    from bakthat.adapters.aws.s3 import s3_client

    bakthat = machine(s3_profile(moto_url))
    made, other = bakthat.backup(tree, name="frozen"), bakthat.backup(tree, name="other")
    where = {"Bucket": bakthat.profile.s3_bucket, "Key": key_of(made.stored_filename)}
    client = s3_client(bakthat.profile)
    client.copy_object(**where, CopySource=where, StorageClass="GLACIER", MetadataDirective="COPY")
    elsewhere = machine(bakthat.profile)
    assert elsewhere.sync().unreadable == (made.stored_filename,)
    assert {row.stored_filename for row in elsewhere.show()} == {made.stored_filename, other.stored_filename}
    assert elsewhere.sync().unreadable == ()
    client.close()


def test_an_object_that_a_lifecycle_rule_froze_is_retrieved(moto_url: str, tree: Path, tmp_path: Path) -> None:
    from bakthat.adapters.aws.s3 import s3_client

    bakthat = machine(s3_profile(moto_url))
    made = bakthat.backup(tree)
    where = {"Bucket": bakthat.profile.s3_bucket, "Key": made.stored_filename}
    client = s3_client(bakthat.profile)
    client.copy_object(**where, CopySource=where, StorageClass="GLACIER", MetadataDirective="COPY")
    client.close()
    bakthat.restore("site", target=tmp_path / "out")
    job = bakthat.tools.repo.job(made.stored_filename)
    assert job is not None
    assert job.tier is Tier.STANDARD


def test_a_vault_that_is_not_there_names_configure(profile: Profile, tree: Path) -> None:
    bakthat = machine(evolve(profile, glacier_vault="absent"))
    with pytest.raises(StoreError, match="bakthat configure"):
        bakthat.backup(tree, "glacier")
    assert bakthat.show() == []


def test_neither_vault_nor_class_is_a_configuration_error(moto_url: str, tree: Path) -> None:
    with pytest.raises(ConfigError, match="glacier_storage_class"):
        machine(s3_profile(moto_url)).backup(tree, "glacier")
