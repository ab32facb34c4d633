"""`Operations`: what the fake service does for each operation of its API."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bakthat.adapters.aws.glacier_tree_hash import LEAF, joined, leaves
from bakthat.testing.fake_glacier.http_messages import (
    Answer,
    Request,
    ServiceError,
    absent,
    invalid,
    json_answer,
    missing,
)
from bakthat.testing.fake_glacier.records import (
    ACCOUNT,
    REGION,
    Archive,
    Job,
    Upload,
    Vault,
    date,
    inventory_of,
    is_node,
    job_as_json,
    now,
    vault_as_json,
)

if TYPE_CHECKING:
    from bakthat.testing.fake_glacier.service import FakeGlacier

MOST_PARTS = 10_000
LARGEST_PART = 4 << 30


class Operations:
    """Each method carries out one operation on the vaults of `service`."""

    def __init__(self, service: FakeGlacier) -> None:
        self._service = service

    def _new_id(self, length: int) -> str:
        """An id as long as the service's own, different each time."""
        number = next(self._service.numbers)
        digest = hashlib.sha512(str(number).encode()).hexdigest()
        return (f"-{number}_" + digest + digest)[:length]

    def _vault(self, name: str) -> Vault:
        try:
            return self._service.vaults[name]
        except KeyError:
            arn = f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{name}"
            raise absent(f"Vault not found for ARN: {arn}") from None

    def create_or_keep(self, request: Request) -> Answer:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", request.vault_name):
            raise invalid(f"Invalid vault name: {request.vault_name}")
        self._service.create_vault(request.vault_name)
        return Answer(201, {"Location": f"/{ACCOUNT}/vaults/{request.vault_name}"})

    def delete_vault(self, request: Request) -> Answer:
        vault = self._service.vaults.get(request.vault_name)
        if vault is not None and vault.archives:
            raise invalid(f"Vault not empty or recently written to: {vault.arn}")
        self._service.vaults.pop(request.vault_name, None)
        return Answer(204)

    def describe_vault(self, request: Request) -> Answer:
        return json_answer(vault_as_json(self._vault(request.vault_name)))

    def list_vaults(self, request: Request) -> Answer:
        return json_answer(
            {"Marker": None, "VaultList": [vault_as_json(vault) for vault in self._service.vaults.values()]}
        )

    def upload_archive(self, request: Request) -> Answer:
        vault = self._vault(request.vault_name)
        description = request.description()
        if not request.body:
            raise invalid("Invalid Content-Length: 0")
        hashes = leaves(request.body)
        request.check_hashes(joined(hashes).hex())
        path = self._service.directory / f"archive-{next(self._service.numbers)}"
        path.write_bytes(request.body)
        return self._stored(vault, description, path, len(request.body), hashes)

    def _stored(self, vault: Vault, description: str, path: Path, size: int, leaves: list[bytes]) -> Answer:
        archive = Archive(
            archive_id=self._new_id(138),
            description=description,
            path=path,
            size=size,
            leaves=leaves,
            created=now(),
        )
        vault.archives[archive.archive_id] = archive
        return self._archive_answer(vault, archive)

    def _archive_answer(self, vault: Vault, archive: Archive) -> Answer:
        return Answer(
            201,
            {
                "Location": f"/{ACCOUNT}/vaults/{vault.name}/archives/{archive.archive_id}",
                "x-amz-archive-id": archive.archive_id,
                "x-amz-sha256-tree-hash": archive.tree_hash,
            },
        )

    def delete_archive(self, request: Request) -> Answer:
        # What was retrieved can still be read, so the file stays.
        self._vault(request.vault_name).archives.pop(request.item, None)
        return Answer(204)

    def initiate_multipart_upload(self, request: Request) -> Answer:
        vault = self._vault(request.vault_name)
        size = int(request.header("x-amz-part-size"))
        if size % LEAF or size & (size - 1) or not LEAF <= size <= LARGEST_PART:
            raise invalid(f"Invalid part size: {size}. The part size must be a power of two multiple of 1 MiB.")
        upload = Upload(
            upload_id=self._new_id(92),
            description=request.description(),
            part_size=size,
            path=self._service.directory / f"upload-{next(self._service.numbers)}",
            created=now(),
        )
        upload.path.touch()
        vault.uploads[upload.upload_id] = upload
        location = f"/{ACCOUNT}/vaults/{vault.name}/multipart-uploads/{upload.upload_id}"
        return Answer(201, {"Location": location, "x-amz-multipart-upload-id": upload.upload_id})

    def _open_upload(self, request: Request) -> Upload:
        upload = self._vault(request.vault_name).uploads.get(request.item)
        if upload is None or upload.state != "open":
            raise absent(f"The upload ID was not found: {request.item}")
        return upload

    def upload_multipart_part(self, request: Request) -> Answer:
        upload = self._open_upload(request)
        asked = re.fullmatch(r"bytes (\d+)-(\d+)/\*", request.header("Content-Range"))
        if asked is None:
            raise invalid("Invalid Content-Range")
        start, size = int(asked[1]), int(asked[2]) - int(asked[1]) + 1
        if size != len(request.body) or size > upload.part_size or start % upload.part_size:
            raise invalid(f"Content-Range {asked[0]} does not align with part size {upload.part_size}")
        if start // upload.part_size >= MOST_PARTS:
            raise invalid(f"The part number exceeds {MOST_PARTS}")
        hashes = leaves(request.body)
        request.check_hashes(joined(hashes).hex())
        with upload.path.open("r+b") as file:
            file.seek(start)
            file.write(request.body)
        upload.parts[start] = (size, hashes)
        return Answer(204, {"x-amz-sha256-tree-hash": joined(hashes).hex()})

    def complete_multipart_upload(self, request: Request) -> Answer:
        vault = self._vault(request.vault_name)
        done = vault.uploads.get(request.item)
        if done is not None and done.state == "completed" and done.archive_id in vault.archives:
            return self._archive_answer(vault, vault.archives[done.archive_id])
        upload = self._open_upload(request)
        size, leaves = int(request.header("x-amz-archive-size")), list[bytes]()
        at = 0
        for start, (length, of_part) in sorted(upload.parts.items()):
            if start != at:
                raise invalid(f"Missing content range: {at}-{start - 1}")
            if length != upload.part_size and start + length != size:
                raise invalid(f"The part at {start} has not the size {upload.part_size}")
            at += length
            leaves += of_part
        if at != size or not leaves:
            raise invalid(f"The archive size {size} is not the sum of the parts, {at}")
        if request.header("x-amz-sha256-tree-hash") != joined(leaves).hex():
            raise invalid("Checksum mismatch: expected the SHA256 tree hash of the whole archive")
        answer = self._stored(vault, upload.description, upload.path, size, leaves)
        upload.state, upload.archive_id = "completed", answer.headers["x-amz-archive-id"]
        return answer

    def abort_multipart_upload(self, request: Request) -> Answer:
        known = self._vault(request.vault_name).uploads.get(request.item)
        if known is None or known.state == "completed":
            raise absent(f"The upload ID was not found: {request.item}")
        known.state = "aborted"
        known.path.unlink(missing_ok=True)
        return Answer(204)

    def list_multipart_uploads(self, request: Request) -> Answer:
        vault = self._vault(request.vault_name)
        entries = [
            {
                "MultipartUploadId": upload.upload_id,
                "ArchiveDescription": upload.description,
                "PartSizeInBytes": upload.part_size,
                "CreationDate": date(upload.created),
                "VaultARN": vault.arn,
            }
            for upload in vault.open_uploads
        ]
        return request.page("UploadsList", entries)

    def list_parts(self, request: Request) -> Answer:
        vault, upload = self._vault(request.vault_name), self._open_upload(request)
        entries = [
            {"RangeInBytes": f"{start}-{start + size - 1}", "SHA256TreeHash": joined(leaves).hex()}
            for start, (size, leaves) in sorted(upload.parts.items())
        ]
        return request.page(
            "Parts",
            entries,
            MultipartUploadId=upload.upload_id,
            ArchiveDescription=upload.description,
            PartSizeInBytes=upload.part_size,
            CreationDate=date(upload.created),
            VaultARN=vault.arn,
        )

    def initiate_job(self, request: Request) -> Answer:
        vault = self._vault(request.vault_name)
        try:
            asked = json.loads(request.body)
        except ValueError:
            raise ServiceError(400, "SerializationException", "Invalid JSON") from None
        kind, tier = asked.get("Type"), asked.get("Tier") or "Standard"
        if tier not in {"Expedited", "Standard", "Bulk"}:
            raise invalid(f"Invalid tier: {tier}")
        job = Job(job_id=self._new_id(92), tier=tier, created=now())
        if kind == "archive-retrieval":
            if not asked.get("ArchiveId"):
                raise missing("ArchiveId")
            if asked["ArchiveId"] not in vault.archives:
                raise absent(f"The archive ID was not found: {asked['ArchiveId']}")
            job.archive = vault.archives[asked["ArchiveId"]]
            job.first, job.last = _retrieved(asked.get("RetrievalByteRange"), job.archive.size)
        elif kind == "inventory-retrieval":
            if asked.get("Format", "JSON") != "JSON":
                raise invalid("This fake lists in JSON only")
            job.inventory = inventory_of(vault)
        else:
            raise invalid(f"Invalid job type: {kind}")
        vault.jobs[job.job_id] = job
        location = f"/{ACCOUNT}/vaults/{vault.name}/jobs/{job.job_id}"
        return Answer(202, {"Location": location, "x-amz-job-id": job.job_id})

    def _job(self, request: Request) -> tuple[Vault, Job]:
        vault = self._vault(request.vault_name)
        try:
            return vault, vault.jobs[request.item]
        except KeyError:
            raise absent(f"The job ID was not found: {request.item}") from None

    def describe_job(self, request: Request) -> Answer:
        return json_answer(job_as_json(*self._job(request)))

    def list_jobs(self, request: Request) -> Answer:
        vault = self._vault(request.vault_name)
        status, completed = request.query.get("statuscode"), request.query.get("completed")
        if status not in {None, "InProgress", "Succeeded", "Failed"}:
            raise invalid(f"The job status code is not valid: {status}")
        jobs = [job_as_json(vault, job) for job in vault.jobs.values()]
        return request.page(
            "JobList",
            [
                job
                for job in jobs
                if status in {None, job["StatusCode"]} and completed in {None, str(job["Completed"]).lower()}
            ],
        )

    def get_job_output(self, request: Request) -> Answer:
        _, job = self._job(request)
        if not job.has_output:
            raise absent(f"The job ID was not found: {job.job_id}")
        if job.status != "Succeeded":
            raise invalid(f"The job is not currently available for download: {job.job_id}")
        size = job.last - job.first + 1 if job.archive is not None else len(job.inventory)
        asked = request.headers.get("Range") if self._service.knows_ranges else None
        start, end = _byte_range(asked, size) if asked else (0, size - 1)
        headers = {"Content-Type": "application/json" if job.archive is None else "application/octet-stream"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        status = 206 if asked else 200
        if job.archive is None:
            return Answer(status, headers, job.inventory[start : end + 1])
        first, last = job.first + start, job.first + end
        if self._service.tells_hashes_of_ranges and is_node(first, last, job.archive.size):
            headers["x-amz-sha256-tree-hash"] = joined(job.archive.leaves[first // LEAF : last // LEAF + 1]).hex()
        headers["x-amz-archive-description"] = job.archive.description
        return Answer(status, headers, file=(job.archive.path, first, last - first + 1))


OPERATIONS: dict[tuple[str, str, bool], tuple[str, Callable[[Operations, Request], Answer]]] = {
    ("GET", "", False): ("ListVaults", Operations.list_vaults),
    ("PUT", "vault", False): ("CreateVault", Operations.create_or_keep),
    ("GET", "vault", False): ("DescribeVault", Operations.describe_vault),
    ("DELETE", "vault", False): ("DeleteVault", Operations.delete_vault),
    ("POST", "archives", False): ("UploadArchive", Operations.upload_archive),
    ("DELETE", "archives", True): ("DeleteArchive", Operations.delete_archive),
    ("POST", "multipart-uploads", False): ("InitiateMultipartUpload", Operations.initiate_multipart_upload),
    ("GET", "multipart-uploads", False): ("ListMultipartUploads", Operations.list_multipart_uploads),
    ("PUT", "multipart-uploads", True): ("UploadMultipartPart", Operations.upload_multipart_part),
    ("POST", "multipart-uploads", True): ("CompleteMultipartUpload", Operations.complete_multipart_upload),
    ("DELETE", "multipart-uploads", True): ("AbortMultipartUpload", Operations.abort_multipart_upload),
    ("GET", "multipart-uploads", True): ("ListParts", Operations.list_parts),
    ("POST", "jobs", False): ("InitiateJob", Operations.initiate_job),
    ("GET", "jobs", False): ("ListJobs", Operations.list_jobs),
    ("GET", "jobs", True): ("DescribeJob", Operations.describe_job),
    ("GET", "output", True): ("GetJobOutput", Operations.get_job_output),
}
"""By method, kind of resource, and whether the path names a single one."""

LONG = frozenset({"UploadArchive", "UploadMultipartPart", "GetJobOutput"})
"""Operations that hash or copy much. They run in parallel, and change one item of a dict."""


def _retrieved(text: str | None, size: int) -> tuple[int, int]:
    """Return the first and the last byte that a job requests, by default those of the whole archive."""
    match = re.fullmatch(r"(\d+)-(\d+)", text or f"0-{size - 1}")
    first, last = (int(match[1]), int(match[2])) if match else (-1, -1)
    if not 0 <= first <= last < size or first % LEAF or ((last + 1) % LEAF and last + 1 != size):
        raise invalid(f"Invalid retrieval byte range: {text}")
    return first, last


def _byte_range(text: str, size: int) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", text)
    if match is None or int(match[1]) > int(match[2]) or int(match[1]) >= size:
        raise invalid(f"Invalid range: {text}")
    return int(match[1]), min(int(match[2]), size - 1)
