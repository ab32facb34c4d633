"""The fake vault speaks to the real client as the service does, and refuses what the service refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, IncompleteReadError

from bakthat.adapters.aws.glacier_tree_hash import tree_hash
from bakthat.testing.fake_glacier import FakeGlacier, Vault

MIB = 1 << 20
HERE = {"accountId": "-", "vaultName": "v"}
CONTENT = bytes(range(256)) * (5 * MIB // 256) + b"tail"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FakeGlacier, Any]]:
    with FakeGlacier() as service:
        client = service.client(attempts=1)
        yield service, client
        client.close()


@pytest.fixture
def service(running: tuple[FakeGlacier, Any]) -> FakeGlacier:
    running[0].clear()
    return running[0]


@pytest.fixture
def vault(service: FakeGlacier) -> Vault:
    return service.create_vault("v")


@pytest.fixture
def client(running: tuple[FakeGlacier, Any], vault: Vault) -> Any:
    return running[1]


@contextmanager
def refused(code: str, says: str = ".") -> Iterator[None]:
    with pytest.raises(ClientError, match=says) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code


def upload(client: Any, content: bytes = CONTENT, description: str = "a.20260102000000.tgz") -> str:
    return str(client.upload_archive(**HERE, archiveDescription=description, body=content)["archiveId"])


def begin(client: Any, part_size: int = MIB) -> dict[str, str]:
    answer = client.initiate_multipart_upload(**HERE, archiveDescription="d", partSize=str(part_size))
    return {**HERE, "uploadId": answer["uploadId"]}


def send(client: Any, there: dict[str, str], start: int, content: bytes, **more: str) -> None:
    told = f"bytes {start}-{start + len(content) - 1}/*"
    client.upload_multipart_part(**there, **{"range": told, **more}, body=content)


def ask(client: Any, archive_id: str) -> str:
    job = {"Type": "archive-retrieval", "ArchiveId": archive_id}
    return str(client.initiate_job(**HERE, jobParameters=job)["jobId"])


# vaults


def test_a_vault_is_created_described_listed_and_deleted(service: FakeGlacier, client: Any) -> None:
    client.create_vault(accountId="-", vaultName="w")
    assert client.describe_vault(accountId="-", vaultName="w")["NumberOfArchives"] == 0
    assert [vault["VaultName"] for vault in client.list_vaults(accountId="-")["VaultList"]] == ["v", "w"]
    client.delete_vault(accountId="-", vaultName="w")
    assert set(service.vaults) == {"v"}


def test_creating_a_vault_again_keeps_its_archives(vault: Vault, client: Any) -> None:
    upload(client)
    client.create_vault(**HERE)
    assert client.describe_vault(**HERE)["NumberOfArchives"] == 1


def test_a_vault_that_is_not_empty_is_not_deleted(client: Any) -> None:
    upload(client)
    with refused("InvalidParameterValueException", "not empty"):
        client.delete_vault(**HERE)


def test_a_missing_vault_is_named(client: Any) -> None:
    with refused("ResourceNotFoundException", "Vault not found for ARN: arn:aws:glacier:.*:vaults/other"):
        client.describe_vault(accountId="-", vaultName="other")


def test_a_closed_service_accepts_no_new_customers(service: FakeGlacier, client: Any) -> None:
    service.closed_to_new_customers = True
    with refused("NoLongerSupportedException"):
        client.create_vault(accountId="-", vaultName="w")


# uploads in one call


def test_an_archive_is_stored_with_its_description_and_tree_hash(vault: Vault, client: Any) -> None:
    answer = client.upload_archive(**HERE, archiveDescription="d", body=CONTENT)
    archive = vault.archives[answer["archiveId"]]
    assert (archive.description, archive.size, archive.content) == ("d", len(CONTENT), CONTENT)
    assert answer["checksum"] == archive.tree_hash == tree_hash(CONTENT).hex()


def test_equal_bytes_have_different_ids(client: Any) -> None:
    assert upload(client, b"x") != upload(client, b"x")


def test_a_wrong_tree_hash_is_refused(vault: Vault, client: Any) -> None:
    with refused("InvalidParameterValueException", "[Cc]hecksum mismatch"):
        client.upload_archive(**HERE, body=b"x", checksum=tree_hash(b"y").hex())
    assert not vault.archives


def test_an_empty_archive_is_refused(client: Any) -> None:
    with refused("InvalidParameterValueException", "Content-Length"):
        upload(client, b"")


def test_a_description_that_is_too_long_is_refused(client: Any) -> None:
    with refused("InvalidParameterValueException", "description"):
        upload(client, b"x", "d" * 1025)


def test_deleting_an_archive_may_be_repeated(vault: Vault, client: Any) -> None:
    archive_id = upload(client)
    for _ in range(2):
        client.delete_archive(**HERE, archiveId=archive_id)
    assert not vault.archives


# uploads in parts


def test_parts_in_any_order_become_one_archive(vault: Vault, client: Any) -> None:
    there = begin(client, 2 * MIB)
    for start in (4 * MIB, 0, 2 * MIB):
        send(client, there, start, CONTENT[start : start + 2 * MIB])
    done = {"archiveSize": str(len(CONTENT)), "checksum": tree_hash(CONTENT).hex()}
    archive_id = client.complete_multipart_upload(**there, **done)["archiveId"]
    assert vault.archives[archive_id].content == CONTENT
    assert client.complete_multipart_upload(**there, **done)["archiveId"] == archive_id
    assert not vault.open_uploads


def test_a_part_sent_twice_counts_once_and_the_later_one_is_stored(vault: Vault, client: Any) -> None:
    there = begin(client)
    send(client, there, 0, b"first")
    send(client, there, 0, b"other")
    done = client.complete_multipart_upload(**there, archiveSize="5", checksum=tree_hash(b"other").hex())
    assert vault.archives[done["archiveId"]].content == b"other"


def test_a_wrong_tree_hash_of_a_part_is_refused(client: Any) -> None:
    there = begin(client)
    with refused("InvalidParameterValueException", "[Cc]hecksum mismatch"):
        send(client, there, 0, b"x", checksum=tree_hash(b"y").hex())
    assert client.list_parts(**there)["Parts"] == []


def test_a_wrong_tree_hash_of_the_whole_is_refused(vault: Vault, client: Any) -> None:
    there = begin(client)
    send(client, there, 0, b"x")
    with refused("InvalidParameterValueException", "[Cc]hecksum mismatch"):
        client.complete_multipart_upload(**there, archiveSize="1", checksum=tree_hash(b"y").hex())
    assert not vault.archives


@pytest.mark.parametrize(
    ("start", "size", "told"),
    [
        (MIB // 2, 10, None),  # not at a multiple of the part size
        (0, MIB + 1, None),  # larger than a part
        (0, 10, "bytes 0-10/*"),  # not as long as told
        (0, 10, "0-9"),
        (10_000 * MIB, 10, None),  # the 10,001st part
    ],
)
def test_a_part_that_does_not_fit_is_refused(client: Any, start: int, size: int, told: str | None) -> None:
    there = begin(client)
    with refused("InvalidParameterValueException"):
        send(client, there, start, bytes(size), **({"range": told} if told else {}))


@pytest.mark.parametrize("size", [0, MIB - 1, 3 * MIB, 8192 * MIB])
def test_a_part_size_that_is_not_a_power_of_two_in_mebibytes_is_refused(client: Any, size: int) -> None:
    with refused("InvalidParameterValueException", "part size"):
        begin(client, size)


def test_an_archive_with_a_gap_or_of_another_size_is_not_completed(client: Any) -> None:
    there = begin(client)
    send(client, there, MIB, b"second")
    with refused("InvalidParameterValueException", "[Mm]issing"):
        client.complete_multipart_upload(**there, archiveSize=str(MIB + 6), checksum=tree_hash(b"second").hex())
    send(client, there, 0, bytes(MIB))
    with refused("InvalidParameterValueException", "size"):
        client.complete_multipart_upload(**there, archiveSize="7", checksum=tree_hash(b"second").hex())


def test_a_short_part_in_the_middle_is_found_at_completion(client: Any) -> None:
    there = begin(client)
    send(client, there, 0, b"short")
    send(client, there, MIB, b"end")
    with refused("InvalidParameterValueException"):
        client.complete_multipart_upload(**there, archiveSize="8", checksum=tree_hash(b"shortend").hex())


def test_aborting_may_be_repeated_and_ends_the_upload(vault: Vault, client: Any) -> None:
    there = begin(client)
    send(client, there, 0, b"x")
    for _ in range(2):
        client.abort_multipart_upload(**there)
    assert not vault.open_uploads
    with refused("ResourceNotFoundException", "upload ID was not found"):
        send(client, there, 0, b"x")


def test_a_completed_upload_cannot_be_aborted(client: Any) -> None:
    there = begin(client)
    send(client, there, 0, b"x")
    client.complete_multipart_upload(**there, archiveSize="1", checksum=tree_hash(b"x").hex())
    with refused("ResourceNotFoundException"):
        client.abort_multipart_upload(**there)


def test_open_uploads_and_their_parts_are_listed_over_pages(client: Any) -> None:
    begun = [begin(client)["uploadId"] for _ in range(60)]
    pages = list(client.get_paginator("list_multipart_uploads").paginate(**HERE))
    assert [upload["MultipartUploadId"] for page in pages for upload in page["UploadsList"]] == begun
    assert len(pages) == 2
    there = {**HERE, "uploadId": begun[0]}
    send(client, there, MIB, b"xyz")
    told = client.list_parts(**there)
    assert [part["RangeInBytes"] for part in told["Parts"]] == [f"{MIB}-{MIB + 2}"]
    assert told["PartSizeInBytes"] == MIB


# jobs


def test_a_job_is_done_only_when_the_test_says_so(service: FakeGlacier, client: Any) -> None:
    job = ask(client, upload(client))
    before = client.describe_job(**HERE, jobId=job)
    assert (before["Completed"], before["StatusCode"], before.get("SHA256TreeHash")) == (False, "InProgress", None)
    with refused("InvalidParameterValueException", "not currently available"):
        client.get_job_output(**HERE, jobId=job)
    service.finish(job)
    after = client.describe_job(**HERE, jobId=job)
    assert (after["Completed"], after["StatusCode"]) == (True, "Succeeded")
    assert (after["ArchiveSizeInBytes"], after["SHA256TreeHash"]) == (len(CONTENT), tree_hash(CONTENT).hex())
    answer = client.get_job_output(**HERE, jobId=job)
    assert answer["body"].read() == CONTENT
    assert answer["checksum"] == tree_hash(CONTENT).hex()


@pytest.mark.parametrize(
    ("start", "end", "aligned"),
    [
        (0, MIB - 1, True), (MIB, 2 * MIB - 1, True), (0, 4 * MIB - 1, True), (4 * MIB, len(CONTENT) - 1, True),
        (MIB, 3 * MIB - 1, False), (0, 3 * MIB - 1, False), (5, 9, False), (0, MIB, False),
    ],
)  # fmt: skip
def test_a_range_comes_with_its_tree_hash_if_it_is_a_node_of_the_tree(
    service: FakeGlacier, client: Any, start: int, end: int, aligned: bool
) -> None:
    job = ask(client, upload(client))
    service.finish(job)
    answer = client.get_job_output(**HERE, jobId=job, range=f"bytes={start}-{end}")
    assert answer["body"].read() == CONTENT[start : end + 1]
    assert answer["contentRange"] == f"bytes {start}-{end}/{len(CONTENT)}"
    assert answer["status"] == 206
    assert answer.get("checksum") == (tree_hash(CONTENT[start : end + 1]).hex() if aligned else None)


def test_a_range_of_an_archive_can_be_retrieved(service: FakeGlacier, client: Any) -> None:
    asked = {"Type": "archive-retrieval", "ArchiveId": upload(client), "RetrievalByteRange": f"{MIB}-{3 * MIB - 1}"}
    job = client.initiate_job(**HERE, jobParameters=asked)["jobId"]
    service.finish(job)
    assert client.describe_job(**HERE, jobId=job)["RetrievalByteRange"] == f"{MIB}-{3 * MIB - 1}"
    answer = client.get_job_output(**HERE, jobId=job, range="bytes=0-9")
    assert answer["body"].read() == CONTENT[MIB : MIB + 10]


def test_an_expired_job_is_described_but_has_no_output(service: FakeGlacier, client: Any) -> None:
    job = ask(client, upload(client))
    service.finish(job)
    service.expire(job)
    assert client.describe_job(**HERE, jobId=job)["StatusCode"] == "Succeeded"
    with refused("ResourceNotFoundException", "job ID was not found"):
        client.get_job_output(**HERE, jobId=job)


def test_a_forgotten_job_is_not_described(service: FakeGlacier, client: Any) -> None:
    job = ask(client, upload(client))
    service.forget(job)
    with refused("ResourceNotFoundException", "job ID was not found"):
        client.describe_job(**HERE, jobId=job)


def test_a_failed_job_says_why(service: FakeGlacier, client: Any) -> None:
    job = ask(client, upload(client))
    service.fail(job, "ArchiveDeleted")
    told = client.describe_job(**HERE, jobId=job)
    assert (told["StatusCode"], told["StatusMessage"]) == ("Failed", "ArchiveDeleted")


def test_what_was_retrieved_survives_the_archives_deletion(service: FakeGlacier, client: Any) -> None:
    archive_id = upload(client)
    job = ask(client, archive_id)
    service.finish(job)
    client.delete_archive(**HERE, archiveId=archive_id)
    assert client.get_job_output(**HERE, jobId=job)["body"].read() == CONTENT


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ({"Type": "archive-retrieval", "ArchiveId": "unknown"}, "ResourceNotFoundException"),
        ({"Type": "archive-retrieval"}, "MissingParameterValueException"),
        ({"Type": "archive-retrieval", "ArchiveId": "", "RetrievalByteRange": "1-2"}, "MissingParameterValueException"),
        ({"Type": "other"}, "InvalidParameterValueException"),
        ({"Type": "inventory-retrieval", "Tier": "Soon"}, "InvalidParameterValueException"),
    ],
)
def test_an_invalid_job_is_refused(client: Any, job: dict[str, str], code: str) -> None:
    with refused(code):
        client.initiate_job(**HERE, jobParameters=job)


def test_jobs_are_listed_over_pages_and_by_state(service: FakeGlacier, client: Any) -> None:
    archive_id = upload(client)
    jobs = [ask(client, archive_id) for _ in range(53)]
    service.finish(jobs[3])
    pages = list(client.get_paginator("list_jobs").paginate(**HERE))
    assert [job["JobId"] for page in pages for job in page["JobList"]] == jobs
    assert [job["JobId"] for job in client.list_jobs(**HERE, statuscode="Succeeded")["JobList"]] == [jobs[3]]
    assert len(client.list_jobs(**HERE, completed="false", limit="5")["JobList"]) == 5
    with refused("InvalidParameterValueException", "status code"):
        client.list_jobs(**HERE, statuscode="finished")


def test_the_inventory_has_the_state_of_the_moment_of_the_request(service: FakeGlacier, client: Any) -> None:
    archive_id = upload(client)
    job = client.initiate_job(**HERE, jobParameters={"Type": "inventory-retrieval", "Format": "JSON"})["jobId"]
    upload(client, b"later")
    service.finish(job)
    told = json.loads(client.get_job_output(**HERE, jobId=job)["body"].read())
    assert [archive["ArchiveId"] for archive in told["ArchiveList"]] == [archive_id]
    assert told["ArchiveList"][0]["Size"] == len(CONTENT)


# faults


def test_an_upload_is_cut_at_the_given_byte_and_only_once(service: FakeGlacier, vault: Vault, client: Any) -> None:
    service.cut_upload_at(2 * MIB)
    with pytest.raises((ConnectionClosedError, ConnectionError)):
        upload(client)
    assert not vault.archives
    upload(client)
    assert len(vault.archives) == 1


def test_a_download_is_cut_after_so_many_bytes(service: FakeGlacier, client: Any) -> None:
    job = ask(client, upload(client))
    service.finish(job)
    service.cut_download_at(3_000_000)
    body, received = client.get_job_output(**HERE, jobId=job)["body"], 0
    with pytest.raises(IncompleteReadError):
        while piece := body.read(10_000):
            received += len(piece)
    assert received == 3_000_000
    assert client.get_job_output(**HERE, jobId=job)["body"].read() == CONTENT


def test_a_download_is_damaged_at_one_byte(service: FakeGlacier, client: Any) -> None:
    job = ask(client, upload(client))
    service.finish(job)
    service.damage_download_at(1_000_000)
    received = client.get_job_output(**HERE, jobId=job)["body"].read()
    assert [at for at in range(len(CONTENT)) if received[at] != CONTENT[at]] == [999_999]


def test_an_operation_whose_answer_is_lost_is_carried_out(service: FakeGlacier, vault: Vault, client: Any) -> None:
    service.lose_answers("UploadArchive")
    with pytest.raises(ConnectionClosedError):
        upload(client)
    assert len(vault.archives) == 1


def test_a_refusal_happens_as_often_as_scripted(service: FakeGlacier, client: Any) -> None:
    service.refuse("DescribeVault", times=2)
    for _ in range(2):
        with refused("ServiceUnavailableException"):
            client.describe_vault(**HERE)
    client.describe_vault(**HERE)


def test_a_denied_operation_names_it(service: FakeGlacier, client: Any) -> None:
    service.deny("ListJobs")
    with refused("AccessDeniedException", "glacier:ListJobs"):
        client.list_jobs(**HERE)


def test_a_retrying_client_survives_a_cut_and_a_busy_service(service: FakeGlacier, vault: Vault) -> None:
    patient = service.client(attempts=4)
    service.cut_upload_at(MIB)
    service.refuse("UploadArchive", status=503)
    patient.upload_archive(**HERE, body=io.BytesIO(CONTENT))
    patient.close()
    assert [archive.size for archive in vault.archives.values()] == [len(CONTENT)]


def test_operations_are_recorded_in_order(service: FakeGlacier, client: Any) -> None:
    client.describe_job(**HERE, jobId=ask(client, upload(client)))
    assert service.operations == ["UploadArchive", "InitiateJob", "DescribeJob"]
