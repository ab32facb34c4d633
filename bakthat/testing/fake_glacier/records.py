"""The contents of a fake vault, and their JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, field

from bakthat.adapters.aws.glacier_tree_hash import LEAF, joined

REGION = "us-east-1"
ACCOUNT = "012345678901"


@define(kw_only=True)
class Archive:
    """An archive of a vault. `path`: the file with its bytes. `leaves`: SHA-256 of each mebibyte."""

    archive_id: str
    description: str
    path: Path
    size: int
    leaves: list[bytes] = field(repr=False)
    created: datetime

    @property
    def tree_hash(self) -> str:
        return joined(self.leaves).hex()

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()


@define(kw_only=True)
class Upload:
    """A multipart upload. `parts`: by the position of each, its size and leaves."""

    upload_id: str
    description: str
    part_size: int
    path: Path
    created: datetime
    parts: dict[int, tuple[int, list[bytes]]] = field(factory=dict)
    state: str = "open"
    """`open`, `completed` or `aborted`."""
    archive_id: str = ""


@define(kw_only=True)
class Job:
    """A job. `archive`: None for an inventory, whose content is that of the time of the request. `first`, `last`: the
    retrieved bytes of the archive."""

    job_id: str
    archive: Archive | None = None
    first: int = 0
    last: int = 0
    inventory: bytes = b""
    tier: str = "Standard"
    created: datetime
    status: str = "InProgress"
    message: str | None = None
    completed: datetime | None = None
    has_output: bool = True


@define(kw_only=True)
class Vault:
    """A vault and its contents, including uploads that were completed or aborted."""

    name: str
    created: datetime
    archives: dict[str, Archive] = field(factory=dict)
    uploads: dict[str, Upload] = field(factory=dict)
    jobs: dict[str, Job] = field(factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{self.name}"

    @property
    def open_uploads(self) -> list[Upload]:
        """Uploads that were neither completed nor aborted."""
        return [upload for upload in self.uploads.values() if upload.state == "open"]


def now() -> datetime:
    return datetime.now(UTC)


def date(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z" if moment is not None else None


def vault_as_json(vault: Vault) -> dict[str, Any]:
    return {
        "CreationDate": date(vault.created),
        "LastInventoryDate": None,
        "NumberOfArchives": len(vault.archives),
        "SizeInBytes": sum(archive.size for archive in vault.archives.values()),
        "VaultARN": vault.arn,
        "VaultName": vault.name,
    }


def job_as_json(vault: Vault, job: Job) -> dict[str, Any]:
    archive = job.archive
    tree_hash = archive.tree_hash if archive is not None else None
    of_range = None
    if archive is not None and is_node(job.first, job.last, archive.size):
        of_range = joined(archive.leaves[job.first // LEAF : job.last // LEAF + 1]).hex()
    return {
        "Action": "ArchiveRetrieval" if archive is not None else "InventoryRetrieval",
        "ArchiveId": archive.archive_id if archive is not None else None,
        "ArchiveSHA256TreeHash": tree_hash,
        "ArchiveSizeInBytes": archive.size if archive is not None else None,
        "Completed": job.status != "InProgress",
        "CompletionDate": date(job.completed),
        "CreationDate": date(job.created),
        "InventorySizeInBytes": len(job.inventory) if archive is None and job.status == "Succeeded" else None,
        "JobDescription": None,
        "JobId": job.job_id,
        "RetrievalByteRange": f"{job.first}-{job.last}" if archive is not None else None,
        # only when the job is done
        "SHA256TreeHash": of_range if job.status == "Succeeded" else None,
        "SNSTopic": None,
        "StatusCode": job.status,
        "StatusMessage": job.message,
        "Tier": job.tier if archive is not None else None,
        "VaultARN": vault.arn,
    }


def inventory_of(vault: Vault) -> bytes:
    entries = [
        {
            "ArchiveId": archive.archive_id,
            "ArchiveDescription": archive.description,
            "CreationDate": date(archive.created),
            "Size": archive.size,
            "SHA256TreeHash": archive.tree_hash,
        }
        for archive in vault.archives.values()
    ]
    return json.dumps({"VaultARN": vault.arn, "InventoryDate": date(now()), "ArchiveList": entries}).encode()


def is_node(start: int, end: int, size: int) -> bool:
    """Whether the range is tree-hash aligned: the hash over it is a node of the whole archive's tree."""
    if start % LEAF or ((end + 1) % LEAF and end + 1 != size):
        return False
    first, count = start // LEAF, -(-(end + 1 - start) // LEAF)
    whole = 1 << (count - 1).bit_length()
    return first % whole == 0 and (count == whole or end + 1 == size)
