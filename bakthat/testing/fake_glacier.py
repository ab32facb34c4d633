"""`FakeGlacier`: a vault service on a loopback port, for the real boto3 client.

It speaks the REST API of 2012-06-01 as far as bakthat uses it, and checks what the real one checks: the tree hash of
every upload, of every part and of the whole; where parts lie; that none is missing; descriptions; part sizes. Archives
get ids of their own, creating a vault, completing and aborting an upload and deleting an archive may be repeated, and
no retrieval is ever ready until the test says so:

    with FakeGlacier() as service:
        service.create_vault("backups")
        store = GlacierArchiveStore(service.client(), "backups", region="us-east-1")
        job = store.request(store.upload(body, description="a.20260102000000.tgz"))
        service.finish(job)

Faults are told beforehand: `cut_upload_at`, `cut_download_at`, `damage_download_at`, `lose_answers`, `refuse`. What is
stored lies in files, so that archives of any size fit.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import define, field, frozen

from bakthat.adapters.aws.client import client
from bakthat.adapters.aws.glacier_tree_hash import LEAF, joined, leaves
from bakthat.domain.profile import Profile
from bakthat.domain.retrieval import KEPT

REGION = "us-east-1"
ACCOUNT = "012345678901"

MOST_PARTS = 10_000
LARGEST_PART = 4 << 30
PAGE = 50
"""Jobs, uploads and parts of one answer, at most."""

_PIECE = 1 << 20


@define(kw_only=True)
class Archive:
    """An archive of a vault. `path`: where its bytes lie. `leaves`: SHA-256 of each mebibyte."""

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
    """A multipart upload. `parts`: where each begins, and its size and leaves."""

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
    """A retrieval. `archive` is None for an inventory, whose list was taken when it was asked for. `first`, `last`: the
    bytes of the archive that were asked for."""

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
    """A vault and what is in it, uploads that were completed or aborted included."""

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
        """Uploads that were begun, and neither completed nor aborted."""
        return [upload for upload in self.uploads.values() if upload.state == "open"]


class ServiceError(Exception):
    """An answer that is an error, in the service's own form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Cut(Exception):
    """The connection ends here, without another byte."""


@frozen
class _Answer:
    status: int
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b""
    file: tuple[Path, int, int] | None = None
    """Instead of `body`: a file, the position of the first byte, and how many."""


def _missing(name: str) -> ServiceError:
    return ServiceError(400, "MissingParameterValueException", f"Required parameter missing: {name}")


def _invalid(message: str) -> ServiceError:
    return ServiceError(400, "InvalidParameterValueException", message)


def _absent(message: str) -> ServiceError:
    return ServiceError(404, "ResourceNotFoundException", message)


class FakeGlacier:
    """The service; a context manager, which serves while it is entered. `directory`: where archives are kept, else a
    temporary one that is removed at the end."""

    def __init__(self, directory: Path | None = None) -> None:
        self._given = directory
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._connections: set[socket.socket] = set()
        self.clear()

    def clear(self) -> None:
        """Forget everything: vaults, faults, and what was counted."""
        with self._lock:
            self.vaults: dict[str, Vault] = {}
            self.operations: list[str] = []
            """The names of all operations that were asked for, in order."""
            self.closed_to_new_customers = False
            """Whether every call is refused, as it is for accounts without a vault since December 2025."""
            self.knows_ranges = True
            """Whether a byte range of a job's output is served as one; else there is always the whole output."""
            self.tells_hashes_of_ranges = True
            """Whether a range of an archive comes with its tree hash."""
            self.received = 0
            """Bytes of archives that arrived, cut ones included."""
            self.sent = 0
            """Bytes of archives that were sent."""
            self._upload_cuts: list[int] = []
            self._download_cuts: list[int] = []
            self._damages: list[int] = []
            self._lost: dict[str, int] = {}
            self._refusals: dict[str, list[ServiceError]] = {}

    # running

    def __enter__(self) -> Self:
        self.directory = self._given or Path(tempfile.mkdtemp(prefix="fake-glacier-"))
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"glacier": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            _end(connection)
        self._server.server_close()
        if self._given is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def profile(self) -> Profile:
        """A profile whose endpoint is this service."""
        return Profile(access_key="fake", secret_key="fake", region_name=REGION, endpoint_url=self.url)  # noqa: S106

    def client(self, *, attempts: int = 3) -> Any:
        """A client of this service that tries each request so many times."""
        return client("glacier", self.profile, retries={"mode": "standard", "total_max_attempts": attempts})

    # what a test sees and turns

    def create_vault(self, name: str) -> Vault:
        """The vault of this name, made if there is none."""
        with self._lock:
            return self.vaults.setdefault(name, Vault(name=name, created=_now()))

    def job(self, job_id: str) -> Job:
        """The job of this id in any vault. Raises `KeyError`."""
        with self._lock:
            return {name: job for vault in self.vaults.values() for name, job in vault.jobs.items()}[job_id]

    def finish(self, job_id: str) -> None:
        """The job is done: its output can be fetched."""
        self._end_job(job_id, "Succeeded", "Succeeded")

    def fail(self, job_id: str, message: str = "ArchiveDeleted") -> None:
        """The job has failed."""
        self._end_job(job_id, "Failed", message)

    def _end_job(self, job_id: str, status: str, message: str) -> None:
        job = self.job(job_id)
        job.status, job.message, job.completed = status, message, _now()

    def expire(self, job_id: str) -> None:
        """The job was done more than a day ago: its output is gone, while the job is still told of."""
        job = self.job(job_id)
        self._end_job(job_id, "Succeeded", "Succeeded")
        job.completed, job.has_output = _now() - KEPT, False

    def forget(self, job_id: str) -> None:
        """The job is told of no more."""
        self.job(job_id)
        with self._lock:
            for vault in self.vaults.values():
                vault.jobs.pop(job_id, None)

    # faults

    def cut_upload_at(self, size: int) -> None:
        """Cut a connection, once, when so many more bytes of archives have arrived."""
        with self._lock:
            self._upload_cuts.append(self.received + size)

    def cut_download_at(self, size: int) -> None:
        """Cut a connection, once, when so many more bytes of archives were sent."""
        with self._lock:
            self._download_cuts.append(self.sent + size)

    def damage_download_at(self, size: int) -> None:
        """Send one wrong byte, once, after so many more bytes of archives."""
        with self._lock:
            self._damages.append(self.sent + size)

    def lose_answers(self, operation: str, times: int = 1) -> None:
        """Carry out the operation (`InitiateMultipartUpload` …), and cut the connection instead of answering."""
        with self._lock:
            self._lost[operation] = self._lost.get(operation, 0) + times

    def refuse(
        self,
        operation: str,
        *,
        times: int = 1,
        status: int = 500,
        code: str = "ServiceUnavailableException",
        message: str = "The service cannot complete the request.",
    ) -> None:
        """Answer the operation with an error instead of carrying it out."""
        with self._lock:
            self._refusals.setdefault(operation, []).extend([ServiceError(status, code, message)] * times)

    def deny(self, operation: str, times: int = 1_000) -> None:
        """The credentials lack the permission for this operation."""
        self.refuse(
            operation,
            times=times,
            status=403,
            code="AccessDeniedException",
            message=f"User: arn:aws:iam::{ACCOUNT}:user/fake is not authorized to perform: glacier:{operation}",
        )

    # the service's side of the faults

    def _refusal(self, operation: str) -> ServiceError | None:
        with self._lock:
            if self.closed_to_new_customers:
                return ServiceError(
                    400, "NoLongerSupportedException", "Amazon Glacier is no longer available to new customers."
                )
            waiting = self._refusals.get(operation)
            return waiting.pop(0) if waiting else None

    def _loses(self, operation: str) -> bool:
        with self._lock:
            left = self._lost.get(operation, 0)
            self._lost[operation] = max(0, left - 1)
            return left > 0

    def _arrived(self, size: int) -> None:
        with self._lock:
            self.received += size
            if _taken(self._upload_cuts, self.received):
                raise _Cut

    def _leaving(self, piece: bytes) -> tuple[bytes, bool]:
        """The bytes that really leave, and whether the connection ends behind them."""
        with self._lock:
            before, self.sent = self.sent, self.sent + len(piece)
            cut, damage = _taken(self._download_cuts, self.sent), _taken(self._damages, self.sent)
        if damage is not None:
            at = max(0, min(damage - before, len(piece)) - 1)
            piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
        return (piece[: max(0, cut - before)], True) if cut is not None else (piece, False)

    # operations

    def _new_id(self, length: int) -> str:
        """An id as long as the service's own, different each time."""
        number = next(self._numbers)
        digest = hashlib.sha512(str(number).encode()).hexdigest()
        return (f"-{number}_" + digest + digest)[:length]

    def _vault(self, name: str) -> Vault:
        try:
            return self.vaults[name]
        except KeyError:
            arn = f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{name}"
            raise _absent(f"Vault not found for ARN: {arn}") from None

    def create_or_keep(self, request: _Request) -> _Answer:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", request.vault_name):
            raise _invalid(f"Invalid vault name: {request.vault_name}")
        self.create_vault(request.vault_name)
        return _Answer(201, {"Location": f"/{ACCOUNT}/vaults/{request.vault_name}"})

    def delete_vault(self, request: _Request) -> _Answer:
        vault = self.vaults.get(request.vault_name)
        if vault is not None and vault.archives:
            raise _invalid(f"Vault not empty or recently written to: {vault.arn}")
        self.vaults.pop(request.vault_name, None)
        return _Answer(204)

    def describe_vault(self, request: _Request) -> _Answer:
        return _json(_vault_as_json(self._vault(request.vault_name)))

    def list_vaults(self, request: _Request) -> _Answer:
        return _json({"Marker": None, "VaultList": [_vault_as_json(vault) for vault in self.vaults.values()]})

    def upload_archive(self, request: _Request) -> _Answer:
        vault = self._vault(request.vault_name)
        description = request.description()
        if not request.body:
            raise _invalid("Invalid Content-Length: 0")
        hashes = leaves(request.body)
        request.check_hashes(joined(hashes).hex())
        path = self.directory / f"archive-{next(self._numbers)}"
        path.write_bytes(request.body)
        return self._stored(vault, description, path, len(request.body), hashes)

    def _stored(self, vault: Vault, description: str, path: Path, size: int, leaves: list[bytes]) -> _Answer:
        archive = Archive(
            archive_id=self._new_id(138),
            description=description,
            path=path,
            size=size,
            leaves=leaves,
            created=_now(),
        )
        vault.archives[archive.archive_id] = archive
        return self._archive_answer(vault, archive)

    def _archive_answer(self, vault: Vault, archive: Archive) -> _Answer:
        return _Answer(
            201,
            {
                "Location": f"/{ACCOUNT}/vaults/{vault.name}/archives/{archive.archive_id}",
                "x-amz-archive-id": archive.archive_id,
                "x-amz-sha256-tree-hash": archive.tree_hash,
            },
        )

    def delete_archive(self, request: _Request) -> _Answer:
        # what was retrieved already can still be fetched, so the file stays
        self._vault(request.vault_name).archives.pop(request.item, None)
        return _Answer(204)

    def initiate_multipart_upload(self, request: _Request) -> _Answer:
        vault = self._vault(request.vault_name)
        size = int(request.header("x-amz-part-size"))
        if size % LEAF or size & (size - 1) or not LEAF <= size <= LARGEST_PART:
            raise _invalid(f"Invalid part size: {size}. The part size must be a power of two multiple of 1 MiB.")
        upload = Upload(
            upload_id=self._new_id(92),
            description=request.description(),
            part_size=size,
            path=self.directory / f"upload-{next(self._numbers)}",
            created=_now(),
        )
        upload.path.touch()
        vault.uploads[upload.upload_id] = upload
        location = f"/{ACCOUNT}/vaults/{vault.name}/multipart-uploads/{upload.upload_id}"
        return _Answer(201, {"Location": location, "x-amz-multipart-upload-id": upload.upload_id})

    def _open_upload(self, request: _Request) -> Upload:
        upload = self._vault(request.vault_name).uploads.get(request.item)
        if upload is None or upload.state != "open":
            raise _absent(f"The upload ID was not found: {request.item}")
        return upload

    def upload_multipart_part(self, request: _Request) -> _Answer:
        upload = self._open_upload(request)
        told = re.fullmatch(r"bytes (\d+)-(\d+)/\*", request.header("Content-Range"))
        if told is None:
            raise _invalid("Invalid Content-Range")
        start, size = int(told[1]), int(told[2]) - int(told[1]) + 1
        if size != len(request.body) or size > upload.part_size or start % upload.part_size:
            raise _invalid(f"Content-Range {told[0]} does not align with part size {upload.part_size}")
        if start // upload.part_size >= MOST_PARTS:
            raise _invalid(f"The part number exceeds {MOST_PARTS}")
        hashes = leaves(request.body)
        request.check_hashes(joined(hashes).hex())
        with upload.path.open("r+b") as file:
            file.seek(start)
            file.write(request.body)
        upload.parts[start] = (size, hashes)
        return _Answer(204, {"x-amz-sha256-tree-hash": joined(hashes).hex()})

    def complete_multipart_upload(self, request: _Request) -> _Answer:
        vault = self._vault(request.vault_name)
        done = vault.uploads.get(request.item)
        if done is not None and done.state == "completed" and done.archive_id in vault.archives:
            return self._archive_answer(vault, vault.archives[done.archive_id])
        upload = self._open_upload(request)
        size, leaves = int(request.header("x-amz-archive-size")), list[bytes]()
        at = 0
        for start, (length, of_part) in sorted(upload.parts.items()):
            if start != at:
                raise _invalid(f"Missing content range: {at}-{start - 1}")
            if length != upload.part_size and start + length != size:
                raise _invalid(f"The part at {start} has not the size {upload.part_size}")
            at += length
            leaves += of_part
        if at != size or not leaves:
            raise _invalid(f"The archive size {size} is not the sum of the parts, {at}")
        if request.header("x-amz-sha256-tree-hash") != joined(leaves).hex():
            raise _invalid("Checksum mismatch: expected the SHA256 tree hash of the whole archive")
        answer = self._stored(vault, upload.description, upload.path, size, leaves)
        upload.state, upload.archive_id = "completed", answer.headers["x-amz-archive-id"]
        return answer

    def abort_multipart_upload(self, request: _Request) -> _Answer:
        known = self._vault(request.vault_name).uploads.get(request.item)
        if known is None or known.state == "completed":
            raise _absent(f"The upload ID was not found: {request.item}")
        known.state = "aborted"
        known.path.unlink(missing_ok=True)
        return _Answer(204)

    def list_multipart_uploads(self, request: _Request) -> _Answer:
        vault = self._vault(request.vault_name)
        told = [
            {
                "MultipartUploadId": upload.upload_id,
                "ArchiveDescription": upload.description,
                "PartSizeInBytes": upload.part_size,
                "CreationDate": _date(upload.created),
                "VaultARN": vault.arn,
            }
            for upload in vault.open_uploads
        ]
        return request.page("UploadsList", told)

    def list_parts(self, request: _Request) -> _Answer:
        vault, upload = self._vault(request.vault_name), self._open_upload(request)
        told = [
            {"RangeInBytes": f"{start}-{start + size - 1}", "SHA256TreeHash": joined(leaves).hex()}
            for start, (size, leaves) in sorted(upload.parts.items())
        ]
        return request.page(
            "Parts",
            told,
            MultipartUploadId=upload.upload_id,
            ArchiveDescription=upload.description,
            PartSizeInBytes=upload.part_size,
            CreationDate=_date(upload.created),
            VaultARN=vault.arn,
        )

    def initiate_job(self, request: _Request) -> _Answer:
        vault = self._vault(request.vault_name)
        try:
            asked = json.loads(request.body)
        except ValueError:
            raise ServiceError(400, "SerializationException", "Invalid JSON") from None
        kind, tier = asked.get("Type"), asked.get("Tier") or "Standard"
        if tier not in {"Expedited", "Standard", "Bulk"}:
            raise _invalid(f"Invalid tier: {tier}")
        job = Job(job_id=self._new_id(92), tier=tier, created=_now())
        if kind == "archive-retrieval":
            if not asked.get("ArchiveId"):
                raise _missing("ArchiveId")
            if asked["ArchiveId"] not in vault.archives:
                raise _absent(f"The archive ID was not found: {asked['ArchiveId']}")
            job.archive = vault.archives[asked["ArchiveId"]]
            job.first, job.last = _retrieved(asked.get("RetrievalByteRange"), job.archive.size)
        elif kind == "inventory-retrieval":
            if asked.get("Format", "JSON") != "JSON":
                raise _invalid("This fake lists in JSON only")
            job.inventory = _inventory(vault)
        else:
            raise _invalid(f"Invalid job type: {kind}")
        vault.jobs[job.job_id] = job
        location = f"/{ACCOUNT}/vaults/{vault.name}/jobs/{job.job_id}"
        return _Answer(202, {"Location": location, "x-amz-job-id": job.job_id})

    def _job(self, request: _Request) -> tuple[Vault, Job]:
        vault = self._vault(request.vault_name)
        try:
            return vault, vault.jobs[request.item]
        except KeyError:
            raise _absent(f"The job ID was not found: {request.item}") from None

    def describe_job(self, request: _Request) -> _Answer:
        return _json(_job_as_json(*self._job(request)))

    def list_jobs(self, request: _Request) -> _Answer:
        vault = self._vault(request.vault_name)
        status, completed = request.query.get("statuscode"), request.query.get("completed")
        if status not in {None, "InProgress", "Succeeded", "Failed"}:
            raise _invalid(f"The job status code is not valid: {status}")
        told = [_job_as_json(vault, job) for job in vault.jobs.values()]
        return request.page(
            "JobList",
            [
                job
                for job in told
                if status in {None, job["StatusCode"]} and completed in {None, str(job["Completed"]).lower()}
            ],
        )

    def get_job_output(self, request: _Request) -> _Answer:
        _, job = self._job(request)
        if not job.has_output:
            raise _absent(f"The job ID was not found: {job.job_id}")
        if job.status != "Succeeded":
            raise _invalid(f"The job is not currently available for download: {job.job_id}")
        size = job.last - job.first + 1 if job.archive is not None else len(job.inventory)
        told = request.headers.get("Range") if self.knows_ranges else None
        start, end = _byte_range(told, size) if told else (0, size - 1)
        headers = {"Content-Type": "application/json" if job.archive is None else "application/octet-stream"}
        if told:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        status = 206 if told else 200
        if job.archive is None:
            return _Answer(status, headers, job.inventory[start : end + 1])
        first, last = job.first + start, job.first + end
        if self.tells_hashes_of_ranges and _is_node(first, last, job.archive.size):
            headers["x-amz-sha256-tree-hash"] = joined(job.archive.leaves[first // LEAF : last // LEAF + 1]).hex()
        headers["x-amz-archive-description"] = job.archive.description
        return _Answer(status, headers, file=(job.archive.path, first, last - first + 1))


_OPERATIONS: dict[tuple[str, str, bool], tuple[str, Callable[[FakeGlacier, _Request], _Answer]]] = {
    ("GET", "", False): ("ListVaults", FakeGlacier.list_vaults),
    ("PUT", "vault", False): ("CreateVault", FakeGlacier.create_or_keep),
    ("GET", "vault", False): ("DescribeVault", FakeGlacier.describe_vault),
    ("DELETE", "vault", False): ("DeleteVault", FakeGlacier.delete_vault),
    ("POST", "archives", False): ("UploadArchive", FakeGlacier.upload_archive),
    ("DELETE", "archives", True): ("DeleteArchive", FakeGlacier.delete_archive),
    ("POST", "multipart-uploads", False): ("InitiateMultipartUpload", FakeGlacier.initiate_multipart_upload),
    ("GET", "multipart-uploads", False): ("ListMultipartUploads", FakeGlacier.list_multipart_uploads),
    ("PUT", "multipart-uploads", True): ("UploadMultipartPart", FakeGlacier.upload_multipart_part),
    ("POST", "multipart-uploads", True): ("CompleteMultipartUpload", FakeGlacier.complete_multipart_upload),
    ("DELETE", "multipart-uploads", True): ("AbortMultipartUpload", FakeGlacier.abort_multipart_upload),
    ("GET", "multipart-uploads", True): ("ListParts", FakeGlacier.list_parts),
    ("POST", "jobs", False): ("InitiateJob", FakeGlacier.initiate_job),
    ("GET", "jobs", False): ("ListJobs", FakeGlacier.list_jobs),
    ("GET", "jobs", True): ("DescribeJob", FakeGlacier.describe_job),
    ("GET", "output", True): ("GetJobOutput", FakeGlacier.get_job_output),
}
"""By method, kind of the resource, and whether the path names one of them."""


@define
class _Request:
    """One request, read to its end."""

    headers: Any
    query: dict[str, str]
    vault_name: str
    item: str
    body: bytes = b""

    def header(self, name: str) -> str:
        value = self.headers.get(name)
        if not value:
            raise _missing(name)
        return str(value)

    def description(self) -> str:
        text = str(self.headers.get("x-amz-archive-description") or "")
        if len(text) > 1024 or any(not " " <= char <= "~" for char in text):
            raise _invalid("Invalid archive description: at most 1024 characters from 0x20 to 0x7E")
        return text

    def check_hashes(self, tree_hash: str) -> None:
        if self.header("x-amz-sha256-tree-hash") != tree_hash:
            raise _invalid(f"Checksum mismatch: expected {self.header('x-amz-sha256-tree-hash')} but found {tree_hash}")
        if self.header("x-amz-content-sha256") != hashlib.sha256(self.body).hexdigest():
            raise _invalid("Checksum mismatch: the SHA256 of the payload is not x-amz-content-sha256")

    def page(self, name: str, told: list[dict[str, Any]], **more: Any) -> _Answer:
        limit = min(int(self.query.get("limit", PAGE)), PAGE)
        start = int(self.query.get("marker", 0))
        following = str(start + limit) if start + limit < len(told) else None
        return _json({**more, name: told[start : start + limit], "Marker": following})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no event of this service's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    glacier: FakeGlacier

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.glacier._lock:
            self.glacier._connections.add(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            with self.glacier._lock:
                self.glacier._connections.discard(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            self._answer(self._carried_out())
        except _Cut:
            self.close_connection = True
            _end(self.connection)

    def _carried_out(self) -> _Answer:
        operation = ""
        try:
            operation, act, request = self._routed()
            self.glacier.operations.append(operation)
            request.body = self._body(counted=operation in {"UploadArchive", "UploadMultipartPart"})
            refusal = self.glacier._refusal(operation)
            if refusal is not None:
                raise refusal
            self._check_common_headers()
            with self.glacier._lock if operation not in _LONG else _unlocked():
                answer = act(self.glacier, request)
        except ServiceError as error:
            self._body(counted=False)
            kind = "Server" if error.status >= 500 else "Client"
            told = {"code": error.code, "message": error.message, "type": kind}
            answer = _Answer(error.status, {"Content-Type": "application/json"}, json.dumps(told).encode())
        if operation and self.glacier._loses(operation):
            raise _Cut
        return answer

    def _routed(self) -> tuple[str, Callable[[FakeGlacier, _Request], _Answer], _Request]:
        url = urlsplit(self.path)
        names = [unquote(name) for name in url.path.split("/")[1:]]
        account, vaults, vault, kind, item, below = (*names, "", "", "", "", "", "")[:6]
        if account not in {"-", ACCOUNT} or vaults != "vaults" or len(names) > 6 or below not in {"", "output"}:
            raise ServiceError(404, "UnknownOperationException", f"No such resource: {url.path}")
        found = _OPERATIONS.get((self.command, below or kind or ("vault" if vault else ""), bool(item)))
        if found is None:
            raise ServiceError(405, "MethodNotAllowedException", f"{self.command} {url.path}")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        return (*found, _Request(self.headers, query, vault, item))

    def _check_common_headers(self) -> None:
        if self.headers.get("x-amz-glacier-version") != "2012-06-01":
            raise _missing("x-amz-glacier-version")
        if not str(self.headers.get("Authorization", "")).startswith("AWS4-HMAC-SHA256 "):
            raise ServiceError(400, "MissingAuthenticationTokenException", "Missing Authentication Token")

    def _body(self, *, counted: bool) -> bytes:
        """What is left of the request's body; it is empty the second time."""
        left = int(self.headers.get("Content-Length") or 0)
        self.headers.replace_header("Content-Length", "0") if left else None
        content = bytearray(left)
        view = memoryview(content)
        while view:
            count = self.rfile.readinto(view[:_PIECE])
            if not count:
                raise _Cut
            view = view[count:]
            if counted:
                self.glacier._arrived(count)
        return bytes(content)

    def _answer(self, answer: _Answer) -> None:
        size = answer.file[2] if answer.file is not None else len(answer.body)
        self.send_response(answer.status)
        self.send_header("x-amzn-RequestId", f"fake-{len(self.glacier.operations)}")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if answer.file is not None:
            self._send_file(*answer.file)
        elif answer.body:
            self.wfile.write(answer.body)

    def _send_file(self, path: Path, start: int, size: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while size:
                piece, ends = self.glacier._leaving(file.read(min(size, _PIECE // 4)))
                self.wfile.write(piece)
                if ends:
                    raise _Cut
                size -= len(piece)


_LONG = frozenset({"UploadArchive", "UploadMultipartPart", "GetJobOutput"})
"""Operations that hash or copy much: they run beside each other, and what they change is one item of a dict."""


@contextmanager
def _unlocked() -> Iterator[None]:
    yield


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was faster


def _taken(positions: list[int], reached: int) -> int | None:
    """The first position that was reached, which then is over."""
    for position in positions:
        if position <= reached:
            positions.remove(position)
            return position
    return None


def _now() -> datetime:
    return datetime.now(UTC)


def _date(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z" if moment is not None else None


def _json(content: dict[str, Any]) -> _Answer:
    return _Answer(200, {"Content-Type": "application/json"}, json.dumps(content).encode())


def _vault_as_json(vault: Vault) -> dict[str, Any]:
    return {
        "CreationDate": _date(vault.created),
        "LastInventoryDate": None,
        "NumberOfArchives": len(vault.archives),
        "SizeInBytes": sum(archive.size for archive in vault.archives.values()),
        "VaultARN": vault.arn,
        "VaultName": vault.name,
    }


def _job_as_json(vault: Vault, job: Job) -> dict[str, Any]:
    archive = job.archive
    tree_hash = archive.tree_hash if archive is not None else None
    of_range = None
    if archive is not None and _is_node(job.first, job.last, archive.size):
        of_range = joined(archive.leaves[job.first // LEAF : job.last // LEAF + 1]).hex()
    return {
        "Action": "ArchiveRetrieval" if archive is not None else "InventoryRetrieval",
        "ArchiveId": archive.archive_id if archive is not None else None,
        "ArchiveSHA256TreeHash": tree_hash,
        "ArchiveSizeInBytes": archive.size if archive is not None else None,
        "Completed": job.status != "InProgress",
        "CompletionDate": _date(job.completed),
        "CreationDate": _date(job.created),
        "InventorySizeInBytes": len(job.inventory) if archive is None and job.status == "Succeeded" else None,
        "JobDescription": None,
        "JobId": job.job_id,
        "RetrievalByteRange": f"{job.first}-{job.last}" if archive is not None else None,
        # the service tells it only when the job is done
        "SHA256TreeHash": of_range if job.status == "Succeeded" else None,
        "SNSTopic": None,
        "StatusCode": job.status,
        "StatusMessage": job.message,
        "Tier": job.tier if archive is not None else None,
        "VaultARN": vault.arn,
    }


def _inventory(vault: Vault) -> bytes:
    told = [
        {
            "ArchiveId": archive.archive_id,
            "ArchiveDescription": archive.description,
            "CreationDate": _date(archive.created),
            "Size": archive.size,
            "SHA256TreeHash": archive.tree_hash,
        }
        for archive in vault.archives.values()
    ]
    return json.dumps({"VaultARN": vault.arn, "InventoryDate": _date(_now()), "ArchiveList": told}).encode()


def _retrieved(told: str | None, size: int) -> tuple[int, int]:
    """The first and the last byte of the range that a job asks for, by default the whole archive."""
    match = re.fullmatch(r"(\d+)-(\d+)", told or f"0-{size - 1}")
    first, last = (int(match[1]), int(match[2])) if match else (-1, -1)
    if not 0 <= first <= last < size or first % LEAF or ((last + 1) % LEAF and last + 1 != size):
        raise _invalid(f"Invalid retrieval byte range: {told}")
    return first, last


def _byte_range(told: str, size: int) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", told)
    if match is None or int(match[1]) > int(match[2]) or int(match[1]) >= size:
        raise _invalid(f"Invalid range: {told}")
    return int(match[1]), min(int(match[2]), size - 1)


def _is_node(start: int, end: int, size: int) -> bool:
    """Whether the range is tree-hash aligned: the hash over it is a node of the whole archive's tree."""
    if start % LEAF or ((end + 1) % LEAF and end + 1 != size):
        return False
    first, count = start // LEAF, -(-(end + 1 - start) // LEAF)
    whole = 1 << (count - 1).bit_length()
    return first % whole == 0 and (count == whole or end + 1 == size)
