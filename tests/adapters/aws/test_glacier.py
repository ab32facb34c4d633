"""The vault: the contract on moto and on the fake vault, and what is peculiar to the service."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glacier.models import glacier_backends

from bakthat.adapters.aws import client as aws
from bakthat.adapters.aws.glacier import GlacierArchiveStore
from bakthat.adapters.aws.glacier_output import RANGE, READS
from bakthat.adapters.aws.glacier_tree_hash import tree_hash
from bakthat.adapters.aws.glacier_upload import LARGEST_PART, MIB, MOST_PARTS, SINGLE_CALL, part_size_for
from bakthat.domain.objects import ArchiveId, JobId, Tier
from bakthat.domain.profile import Profile
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    ConfigError,
    ConfigInvalid,
    ObjectNotFound,
    PayloadDamaged,
    RetrievalExpired,
    RetrievalPending,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.testing.archive_store_contract import ArchiveStoreContract, Turn, some_bytes
from bakthat.testing.fake_glacier import FakeGlacier, Vault

NAME = "site.20260102000000.tgz"
CONTENT = some_bytes(RANGE + MIB + 17)
"""Several parts of the stores here, and two ranges of a download."""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FakeGlacier, Any]]:
    with FakeGlacier() as service:
        client = service.client(attempts=3)
        yield service, client
        client.close()


@pytest.fixture
def service(running: tuple[FakeGlacier, Any]) -> FakeGlacier:
    running[0].clear()
    return running[0]


@pytest.fixture
def vault(service: FakeGlacier) -> Vault:
    return service.create_vault("backups")


@pytest.fixture
def store(running: tuple[FakeGlacier, Any], vault: Vault) -> GlacierArchiveStore:
    return made(running[1])


def made(client: Any, vault: str = "backups", **more: Any) -> GlacierArchiveStore:
    return GlacierArchiveStore(client, vault, **{"part_size": MIB, "sleep": lambda seconds: None, **more})


def upload(store: GlacierArchiveStore, content: bytes = CONTENT, description: str = NAME) -> ArchiveId:
    return store.upload(io.BytesIO(content), description=description)


def ready(store: GlacierArchiveStore, service: FakeGlacier, content: bytes = CONTENT) -> JobId:
    job = store.request(upload(store, content))
    service.finish(job)
    return job


class TestGlacierOnTheFakeVault(ArchiveStoreContract):
    keeps_empty_archives = False
    large = len(CONTENT)
    many = 60

    @pytest.fixture
    def store(self, running: tuple[FakeGlacier, Any], vault: Vault) -> GlacierArchiveStore:
        return made(running[1])

    @pytest.fixture
    def finish(self, service: FakeGlacier) -> Turn:
        return service.finish

    @pytest.fixture
    def expire(self, service: FakeGlacier) -> Turn:
        return service.expire


def gap(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, reason=f"moto: {reason}")


@pytest.fixture(scope="module")
def mocked(moto_in_process: None) -> Any:
    return aws.client("glacier", Profile(access_key="moto", secret_key="moto"))


class TestGlacierOnMoto(ArchiveStoreContract):
    """moto takes no upload in parts, so everything here goes up in one call, and comes down in one range."""

    keeps_empty_archives = False
    large = SINGLE_CALL - 1
    medium = 900_000

    @pytest.fixture
    def vault(self, request: pytest.FixtureRequest) -> str:
        return str(request.node.name).replace("[", "-").replace("]", "-")

    @pytest.fixture
    def store(self, mocked: Any, vault: str) -> GlacierArchiveStore:
        store = made(mocked, vault)
        store.create_vault()
        return store

    @pytest.fixture
    def finish(self, vault: str) -> Turn:
        def finish(job: JobId) -> None:
            self.jobs(vault)[job].et = datetime.now() - timedelta(seconds=1)  # noqa: DTZ005 - moto's own clock

        return finish

    @pytest.fixture
    def expire(self, vault: str) -> Turn:
        def expire(job: JobId) -> None:
            del self.jobs(vault)[job]

        return expire

    def jobs(self, vault: str) -> dict[str, Any]:
        jobs: dict[str, Any] = glacier_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].vaults[vault].jobs
        return jobs

    @gap("equal bytes get equal ids")
    def test_equal_bytes_are_archives_of_their_own(self, store: Any, finish: Turn) -> None:
        super().test_equal_bytes_are_archives_of_their_own(store, finish)

    @gap("a job is begun for an archive that is not there")
    def test_an_absent_archive_cannot_be_asked_for(self, store: Any) -> None:
        super().test_an_absent_archive_cannot_be_asked_for(store)

    @gap("a job that it does not know is an AttributeError of its own")
    def test_what_has_expired_cannot_be_opened_and_can_be_asked_for_again(
        self, store: Any, finish: Turn, expire: Turn
    ) -> None:
        super().test_what_has_expired_cannot_be_opened_and_can_be_asked_for_again(store, finish, expire)

    @gap("a job that it does not know is an AttributeError of its own")
    def test_a_job_that_nobody_knows_is_told_as_gone(self, store: Any) -> None:
        super().test_a_job_that_nobody_knows_is_told_as_gone(store)

    @gap("deleting an archive that is not there is a KeyError of its own")
    def test_deleting_twice_is_no_error(self, store: Any, finish: Turn) -> None:
        super().test_deleting_twice_is_no_error(store, finish)

    @gap("a job that it does not know is an AttributeError of its own")
    def test_the_inventory_is_waited_for_as_an_archive_is(self, store: Any, finish: Turn, expire: Turn) -> None:
        super().test_the_inventory_is_waited_for_as_an_archive_is(store, finish, expire)

    @gap("a job is begun for an archive that is not there")
    def test_every_error_is_one_line_that_names_the_store(self, store: Any) -> None:
        super().test_every_error_is_one_line_that_names_the_store(store)

    @gap("there is no upload in parts")
    def test_an_archive_of_several_parts_comes_back(self, store: Any, finish: Turn) -> None:
        content = some_bytes(SINGLE_CALL + 1)
        assert self.retrieve(store, finish, self.upload(store, content)) == content

    @gap("a wrong tree hash is accepted")
    def test_a_wrong_tree_hash_is_refused(self, mocked: Any, store: Any, vault: str) -> None:
        with pytest.raises(Exception, match="InvalidParameterValue"):
            mocked.upload_archive(vaultName=vault, body=b"x", checksum=tree_hash(b"y").hex())

    @gap("byte ranges are ignored")
    def test_a_range_of_the_output_is_a_range(self, mocked: Any, store: Any, vault: str, finish: Turn) -> None:
        job = store.request(self.upload(store, b"content"))
        finish(job)
        assert mocked.get_job_output(vaultName=vault, jobId=job, range="bytes=0-2")["body"].read() == b"con"

    @gap("a vault that is created twice is emptied")
    def test_a_vault_that_is_created_twice_keeps_its_archives(self, store: Any, finish: Turn) -> None:
        self.upload(store, b"x")
        store.create_vault()
        assert len(self.listed(store, finish)) == 1


# the size of parts


@pytest.mark.parametrize(
    ("hint", "mebibytes"),
    [
        (None, 64), (0, 8), (1, 8), (1 << 30, 8), (40_000 * MIB, 8), (40_000 * MIB + 1, 16), (1 << 40, 256),
        (10 << 40, 4096), (1 << 60, 4096),
    ],
)  # fmt: skip
def test_the_part_size_grows_with_the_hint(hint: int | None, mebibytes: int) -> None:
    assert part_size_for(hint) == mebibytes * MIB


@given(st.integers(0, MOST_PARTS * LARGEST_PART // 2))
def test_ten_thousand_parts_hold_twice_the_hint(hint: int) -> None:
    size = part_size_for(hint)
    assert size * MOST_PARTS >= 2 * hint
    assert size & (size - 1) == 0
    assert MIB <= size <= LARGEST_PART


@pytest.mark.parametrize(("setting", "used"), [(1, 1), (5 * MIB, 8), (16 * MIB, 16), (1 << 40, 4096)])
def test_a_part_size_of_the_profile_is_rounded_up_to_what_the_service_takes(
    running: tuple[FakeGlacier, Any], vault: Vault, setting: int, used: int
) -> None:
    store = made(running[1], part_size=setting)
    upload(store, some_bytes(SINGLE_CALL))
    assert [taken.part_size // MIB for taken in vault.uploads.values()] == [used]


# uploading


def test_a_small_archive_is_one_call(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    upload(store, some_bytes(SINGLE_CALL - 1))
    assert service.operations == ["UploadArchive"]


def test_an_archive_of_a_mebibyte_or_more_is_uploaded_in_parts(
    store: GlacierArchiveStore, service: FakeGlacier
) -> None:
    upload(store, some_bytes(SINGLE_CALL))
    assert service.operations == ["InitiateMultipartUpload", "UploadMultipartPart", "CompleteMultipartUpload"]


@pytest.mark.parametrize("buffered", [0, MIB, 2 * MIB, 3 * MIB])
def test_all_parts_share_a_few_buffers(running: tuple[FakeGlacier, Any], vault: Vault, buffered: int) -> None:
    archive_id = upload(made(running[1], part_size=MIB, buffered=buffered))
    assert vault.archives[archive_id].content == CONTENT


def test_with_memory_for_one_part_the_next_is_read_after_it_has_arrived(
    running: tuple[FakeGlacier, Any], service: FakeGlacier, vault: Vault
) -> None:
    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert service.received == self.tell() // MIB * MIB
            return super().read(size)

    made(running[1], part_size=MIB, buffered=0).upload(Body(CONTENT[: 4 * MIB + 1]), description=NAME)


def test_an_archive_that_fills_its_last_part_has_no_empty_part(store: GlacierArchiveStore, vault: Vault) -> None:
    archive_id = upload(store, CONTENT[: 2 * MIB])
    assert vault.archives[archive_id].content == CONTENT[: 2 * MIB]
    assert [sorted(taken.parts) for taken in vault.uploads.values()] == [[0, MIB]]


def test_the_description_is_stored_with_the_archive(store: GlacierArchiveStore, vault: Vault) -> None:
    ids = [upload(store, content, f"{NAME} {{}}") for content in (b"x", CONTENT)]
    assert [vault.archives[archive_id].description for archive_id in ids] == [f"{NAME} {{}}"] * 2


@pytest.mark.parametrize("description", ["x" * 1025, "été", "a\nb"])
def test_an_invalid_description_is_refused_before_anything_is_sent(
    store: GlacierArchiveStore, service: FakeGlacier, description: str
) -> None:
    with pytest.raises(UsageError, match="1024 printable ASCII"):
        upload(store, b"x", description)
    assert not service.operations


def test_an_archive_of_too_many_parts_is_refused_and_leaves_nothing(
    running: tuple[FakeGlacier, Any], vault: Vault
) -> None:
    store = made(running[1], part_size=MIB, most_parts=3)
    assert upload(store, CONTENT[: 3 * MIB]) in vault.archives
    with pytest.raises(ConfigError, match="3 parts of 1 MiB hold no more; set a larger part_size"):
        upload(store, CONTENT[: 3 * MIB + 1])
    assert len(vault.archives) == 1
    assert not vault.open_uploads


@pytest.mark.parametrize("operation", ["UploadMultipartPart", "CompleteMultipartUpload"])
def test_an_upload_that_fails_half_way_is_aborted(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault, operation: str
) -> None:
    service.deny(operation)
    with pytest.raises(AccessDenied, match=f"glacier:{operation}"):
        upload(store)
    assert not vault.archives
    assert not vault.open_uploads


@pytest.mark.parametrize("status", [500, 503])
def test_a_request_to_a_busy_service_is_retried(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault, status: int
) -> None:
    for operation in ("InitiateMultipartUpload", "UploadMultipartPart", "CompleteMultipartUpload"):
        service.refuse(operation, status=status)
    assert vault.archives[upload(store)].content == CONTENT


def test_a_service_that_stays_busy_is_unavailable_and_nothing_is_left(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    service.refuse("UploadMultipartPart", times=1_000)
    with pytest.raises(StoreUnavailable):
        upload(store)
    assert not vault.archives
    assert not vault.open_uploads


@pytest.mark.parametrize("seed", range(10))
def test_a_connection_cut_while_uploading_leaves_one_archive_or_nothing(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 3, 12])):
        service.cut_upload_at(chance.randrange(len(CONTENT)))
    try:
        archive_id = upload(store)
    except StoreUnavailable:
        assert not vault.archives
    else:
        assert [(known, archive.content) for known, archive in vault.archives.items()] == [(archive_id, CONTENT)]
    assert not vault.open_uploads


@pytest.mark.parametrize("operation", ["InitiateMultipartUpload", "UploadMultipartPart", "CompleteMultipartUpload"])
def test_a_lost_answer_leaves_one_archive_and_no_upload(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault, operation: str
) -> None:
    service.lose_answers(operation)
    archive_id = upload(store)
    assert list(vault.archives) == [archive_id]
    assert not vault.open_uploads


def test_an_upload_whose_creation_is_never_answered_is_found_and_aborted(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    service.lose_answers("InitiateMultipartUpload", times=3)
    with pytest.raises(StoreUnavailable):
        upload(store)
    assert len(vault.uploads) == 3
    assert not vault.open_uploads


def test_other_uploads_are_not_aborted_with_lost_ones(
    running: tuple[FakeGlacier, Any], store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    here = {"accountId": "-", "vaultName": "backups", "partSize": str(MIB)}
    other = running[1].initiate_multipart_upload(**here, archiveDescription="other.20260102000000.tgz")["uploadId"]
    busy = running[1].initiate_multipart_upload(**here, archiveDescription=NAME)["uploadId"]
    running[1].upload_multipart_part(vaultName="backups", uploadId=busy, range="bytes 0-0/*", body=b"x")
    service.lose_answers("InitiateMultipartUpload")
    upload(store)
    assert {taken.upload_id for taken in vault.open_uploads} == {other, busy}


def test_without_permission_to_list_uploads_a_lost_one_stays(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    service.deny("ListMultipartUploads")
    service.lose_answers("InitiateMultipartUpload")
    archive_id = upload(store)
    assert list(vault.archives) == [archive_id]


def test_a_completion_that_was_carried_out_but_never_answered_is_a_success(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    service.lose_answers("CompleteMultipartUpload", times=3)
    archive_id = upload(store)
    assert list(vault.archives) == [archive_id]


def test_a_completion_that_was_not_carried_out_leaves_nothing(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    service.refuse("CompleteMultipartUpload", times=3)
    with pytest.raises(StoreUnavailable):
        upload(store)
    assert not vault.archives
    assert not vault.open_uploads


def test_a_lost_answer_to_a_small_archive_leaves_a_second_one_with_the_same_description(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    """The service cannot tell; the description lets `sync` see that both are the same backup."""
    service.lose_answers("UploadArchive")
    archive_id = upload(store, b"small")
    assert archive_id in vault.archives
    assert [archive.description for archive in vault.archives.values()] == [NAME, NAME]


def test_an_upload_that_the_service_has_dropped_is_an_error(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    service.refuse("UploadMultipartPart", status=404, code="ResourceNotFoundException", message="The upload ID …")
    with pytest.raises(StoreUnavailable, match="has dropped the upload"):
        upload(store)


# asking


def test_a_retrieval_that_another_machine_requested_is_found(
    running: tuple[FakeGlacier, Any], store: GlacierArchiveStore
) -> None:
    archive_id = upload(store, b"x")
    job = store.request(archive_id, tier=Tier.BULK)
    assert made(running[1]).request(archive_id) == job


def test_a_running_retrieval_is_found_among_several_pages_of_jobs(
    store: GlacierArchiveStore, service: FakeGlacier
) -> None:
    jobs = [store.request(upload(store, b"x"), tier=Tier.BULK) for _ in range(3)]
    for _ in range(60):
        service.vaults["backups"].jobs.update({f"other-{_}": service.vaults["backups"].jobs[store.request_inventory()]})
    archive_id = upload(store, b"y")
    last = store.request(archive_id)
    assert last not in jobs
    assert store.request(archive_id) == last


def test_a_request_for_the_expedited_tier_gets_a_job_of_that_tier(
    store: GlacierArchiveStore, service: FakeGlacier
) -> None:
    archive_id = upload(store, b"x")
    bulk = store.request(archive_id, tier=Tier.BULK)
    expedited = store.request(archive_id, tier=Tier.EXPEDITED)
    assert [service.job(job).tier for job in (bulk, expedited)] == ["Bulk", "Expedited"]
    assert store.request(archive_id) == expedited  # the faster of the two
    service.finish(bulk)
    assert store.request(archive_id, tier=Tier.EXPEDITED) == bulk  # it is ready now


def test_a_job_that_was_ready_more_than_a_day_ago_is_not_used(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    archive_id = upload(store, b"x")
    job = store.request(archive_id)
    service.finish(job)
    service.job(job).completed = datetime.now(UTC) - timedelta(hours=24)
    assert store.request(archive_id) != job


def test_a_job_for_a_part_of_the_archive_is_not_used(
    running: tuple[FakeGlacier, Any], store: GlacierArchiveStore
) -> None:
    archive_id = upload(store)
    asked = {"Type": "archive-retrieval", "ArchiveId": archive_id, "RetrievalByteRange": f"0-{MIB - 1}"}
    partial = running[1].initiate_job(vaultName="backups", jobParameters=asked)["jobId"]
    assert store.request(archive_id) != partial


def test_a_job_that_failed_is_not_used(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    archive_id = upload(store, b"x")
    job = store.request(archive_id)
    service.fail(job, "The archive could not be read")
    with pytest.raises(RetrievalExpired, match="The archive could not be read"), store.open(job):
        pass
    assert store.request(archive_id) != job


def test_without_the_permission_to_list_jobs_a_retrieval_is_requested(
    store: GlacierArchiveStore, service: FakeGlacier
) -> None:
    archive_id = upload(store, b"x")
    service.deny("ListJobs")
    assert store.request(archive_id) != store.request(archive_id)


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (400, "PolicyEnforcedException", StoreError, "`tier='bulk'`"),
        (503, "InsufficientCapacityException", StoreUnavailable, "`tier='standard'`"),
        (400, "InvalidParameterValueException", ObjectNotFound, "has no archive"),
    ],
)
def test_a_refused_retrieval_says_what_to_do(
    store: GlacierArchiveStore, service: FakeGlacier, status: int, code: str, kind: type[BakthatError], says: str
) -> None:
    archive_id = upload(store, b"x")
    service.refuse("InitiateJob", times=3, status=status, code=code)
    with pytest.raises(kind, match=says):
        store.request(archive_id)


def test_a_pending_retrieval_shows_its_time_and_tier(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    job = store.request(upload(store, b"x"), tier=Tier.BULK)
    service.job(job).created = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)
    with (
        pytest.raises(RetrievalPending, match="on 2026-01-02 at 14:02 UTC, bulk tier, usually ready after 5 to 12 h"),
        store.open(job),
    ):
        pass


# reading


@pytest.mark.parametrize("seed", range(10))
def test_a_connection_cut_while_downloading_is_resumed(
    store: GlacierArchiveStore, service: FakeGlacier, seed: int
) -> None:
    job = ready(store, service)
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 2, 5])):
        service.cut_download_at(chance.randrange(len(CONTENT)))
    with store.open(job) as reader:
        assert reader.read() == CONTENT


def test_a_connection_that_keeps_breaking_is_an_error(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    job = ready(store, service, CONTENT[:MIB])
    for _ in range(READS):
        service.cut_download_at(1)
    with pytest.raises(StoreUnavailable), store.open(job):
        pass


def test_a_damaged_range_is_fetched_again(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    job = ready(store, service)
    service.damage_download_at(RANGE + 5)
    with store.open(job) as reader:
        assert reader.read() == CONTENT


def test_a_range_that_stays_damaged_is_an_error(store: GlacierArchiveStore, service: FakeGlacier, vault: Vault) -> None:
    archive_id = upload(store)
    job = store.request(archive_id)
    service.finish(job)
    tamper(vault.archives[archive_id].path, RANGE + 5)
    with store.open(job) as reader:
        assert reader.read(RANGE) == CONTENT[:RANGE]
        for _ in range(2):
            with pytest.raises(PayloadDamaged):
                reader.read(1)


def test_without_hashes_of_ranges_the_whole_is_checked_before_its_last_bytes_are_returned(
    store: GlacierArchiveStore, service: FakeGlacier, vault: Vault
) -> None:
    archive_id = upload(store)
    job = store.request(archive_id)
    service.finish(job)
    service.tells_hashes_of_ranges = False
    with store.open(job) as reader:
        assert reader.read() == CONTENT
    tamper(vault.archives[archive_id].path, 5)
    with store.open(job) as reader:
        reader.read(RANGE)
        with pytest.raises(PayloadDamaged, match="tree hash"):
            reader.read()


def test_a_service_without_ranges_can_be_read(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    job = ready(store, service)
    service.knows_ranges = False
    with store.open(job) as reader:
        assert reader.read() == CONTENT


def test_a_retrieval_that_expires_while_it_is_read_is_an_error(
    running: tuple[FakeGlacier, Any], vault: Vault, service: FakeGlacier
) -> None:
    store = made(running[1], max_concurrency=1)
    job = ready(store, service, some_bytes(2 * RANGE + 17))
    with store.open(job) as reader:
        reader.read(1)
        service.expire(job)
        with pytest.raises(RetrievalExpired):
            reader.read()


def test_a_malformed_job_id_counts_as_expired(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    service.refuse("DescribeJob", status=400, code="InvalidParameterValueException", message="Invalid job ID")
    with pytest.raises(RetrievalExpired), store.open(JobId("garbage")):
        pass


def tamper(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


# the inventory


def test_an_inventory_that_was_requested_already_is_found(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    job = store.request_inventory()
    assert store.request_inventory() == job
    service.finish(job)
    assert store.request_inventory() != job


def test_without_the_permission_to_list_jobs_an_inventory_is_requested(
    store: GlacierArchiveStore, service: FakeGlacier
) -> None:
    service.deny("ListJobs")
    assert store.request_inventory() != store.request_inventory()


def test_a_new_vault_has_no_inventory_yet(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    service.refuse("InitiateJob", status=404, code="ResourceNotFoundException", message="Inventory not available")
    with pytest.raises(StoreUnavailable, match="once a day, try tomorrow"):
        store.request_inventory()


def test_an_invalid_inventory_is_an_error(store: GlacierArchiveStore, service: FakeGlacier) -> None:
    job = store.request_inventory()
    service.finish(job)
    for content in (b"", b"[]", b'{"ArchiveList": [{}]}', b"<xml/>"):
        service.job(job).inventory = content
        with pytest.raises(StoreError, match="is not an inventory of a vault"):
            store.inventory(job)


# the vault itself


def test_creating_the_vault_again_keeps_its_archives(store: GlacierArchiveStore, vault: Vault) -> None:
    upload(store, b"x")
    store.create_vault()
    assert len(vault.archives) == 1


def test_nothing_else_creates_the_vault(running: tuple[FakeGlacier, Any], service: FakeGlacier) -> None:
    store = made(running[1], "not-there")
    for act in (
        lambda: upload(store, b"small"),
        lambda: upload(store, CONTENT),
        lambda: store.request(ArchiveId("x")),
        lambda: store.open(JobId("x")).__enter__(),
        lambda: store.delete(ArchiveId("x")),
        lambda: store.request_inventory(),
        lambda: store.inventory(JobId("x")),
    ):
        with pytest.raises(StoreError, match="the vault does not exist; run `bakthat configure`"):
            act()
    assert not service.vaults


def test_an_account_without_vaults_is_an_error_that_names_the_settings(
    running: tuple[FakeGlacier, Any], service: FakeGlacier
) -> None:
    service.closed_to_new_customers = True
    store = made(running[1])
    for act in (store.create_vault, lambda: upload(store), lambda: store.request(ArchiveId("x"))):
        with pytest.raises(ConfigInvalid, match="set s3_bucket and glacier_storage_class"):
            act()


def test_a_store_that_does_not_answer_is_unavailable() -> None:
    with FakeGlacier() as stopped:
        client = stopped.client(attempts=1)
    with pytest.raises(StoreUnavailable, match="127.0.0.1"):
        upload(made(client), b"x")
    client.close()


def test_a_profile_names_region_vault_and_endpoint() -> None:
    profile = Profile(access_key="AKIAKEY", secret_key="SECRET", region_name="eu-west-1", glacier_vault="v")
    assert GlacierArchiveStore.from_profile(profile).location == "glacier://eu-west-1/v"
    other = Profile(access_key="AKIAKEY", secret_key="SECRET", glacier_vault="v", endpoint_url="http://u:p@H:1/x")
    assert (
        repr(GlacierArchiveStore.from_profile(other)) == "GlacierArchiveStore('glacier://us-east-1/v?endpoint=h:1/x')"
    )


def test_a_profile_without_a_vault_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="glacier_vault"):
        GlacierArchiveStore.from_profile(Profile())


def test_the_service_bills_ninety_days_and_has_three_tiers(store: GlacierArchiveStore) -> None:
    assert store.minimum_days == 90
    assert set(store.usual_waits) == set(Tier)


# memory


LARGE_TRANSFER = """
import hashlib, sys
from bakthat.adapters.aws.glacier import GlacierArchiveStore
from bakthat.domain.profile import Profile

url, size, mib = sys.argv[1], int(sys.argv[2]), 1 << 20
profile = Profile(access_key="k", secret_key="s", endpoint_url=url, glacier_vault="backups", part_size=8 * mib)
store = GlacierArchiveStore.from_profile(profile)
block = hashlib.sha256(b"").digest() * (mib // 32)

def mebibyte(at):
    return at.to_bytes(8, "big") + block[8:]

class Body:
    at = 0
    def read(self, count):
        start, self.at = self.at, min(self.at + count, (self.at // mib + 1) * mib, size)
        return mebibyte(start // mib)[start % mib : (self.at - 1) % mib + 1] if self.at > start else b""

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024

before = peak()
job = store.request(store.upload(Body(), description="large.20260102000000.tgz", size_hint=size))
print(job, before, peak(), flush=True)
sys.stdin.readline()
with store.open(job) as reader:
    identical = all(reader.read(mib) == mebibyte(number) for number in range(size // mib)) and not reader.read(1)
print(identical, peak())
"""


def test_much_more_than_the_memory_is_uploaded_and_read_in_it(service: FakeGlacier, vault: Vault) -> None:
    size = 320 * MIB
    with subprocess.Popen(
        [sys.executable, "-c", LARGE_TRANSFER, service.url, str(size)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        job, base, uploading = process.stdout.readline().split()
        service.finish(job)
        process.stdin.write("go on\n")
        process.stdin.close()
        identical, downloading = process.stdout.readline().split()
    assert identical == "True"
    assert service.operations.count("UploadMultipartPart") == size // (8 * MIB)
    # four parts on their way and one being filled; four ranges ahead of the one that is read
    assert int(uploading) - int(base) < 70
    assert int(downloading) < 160
    assert not vault.open_uploads
