"""`GlacierArchiveStore`: archives in a vault of Amazon Glacier, by its API of 2012-06-01.

What is peculiar to the service, each from its developer guide:

- The tree hash of a part goes out in a header before the part's bytes, so a part is held in memory until it has
  arrived, and can then be sent again. Parts have one size, fixed when the upload begins: a power of two from 1 MiB to
  4 GiB, and there are at most 10,000. `part_size_for` chooses it.
- Completing an upload may be repeated and gives the same archive. `UploadArchive` may not: sent again after a lost
  answer, it makes a second archive that nobody knows. Only archives under a mebibyte go that way.
- An archive has at least one byte.
- Deleting what is gone is no error. A vault can only be deleted empty.
"""

from __future__ import annotations

import io
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO, NoReturn, Self, cast

from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask, ask_pages
from bakthat.adapters.aws.client import READ_TIMEOUT, client
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import Codes, code_of, translated
from bakthat.adapters.aws.glacier_tree_hash import joined, tree_hash
from bakthat.adapters.aws.settings import resolved
from bakthat.domain import retrieval
from bakthat.domain.archive_description import LIMIT
from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Tier
from bakthat.domain.profile import Profile, glacier_location
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    ConfigError,
    ConfigInvalid,
    ObjectNotFound,
    PayloadDamaged,
    RetrievalExpired,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.ports.archive_store import ArchiveStore

MIB = 1 << 20

SINGLE_CALL = MIB
"""Bytes from which an archive is uploaded in parts, because only then the last step may be repeated."""

MOST_PARTS = 10_000
LARGEST_PART = 4096 * MIB
SMALLEST_PART = 8 * MIB
"""Bytes of a part where nobody asks for another size: 10,000 of them are 78 GiB."""

UNHINTED_PART = 64 * MIB
"""Bytes of a part where nothing is known of the size: 10,000 of them are 625 GiB, and two are held at once."""

BUFFERED = 128 * MIB
"""Bytes of parts in memory at once, except that one part always is."""

RANGE = 8 * MIB
"""Bytes that are fetched, checked and handed on at once; a power of two, so that the service tells a tree hash."""

READS = 6
"""How often one range is asked for before a connection that keeps breaking, or bytes that keep being wrong, end the
reading. The request itself is botocore's to repeat."""

_PIECE = MIB
_ACCOUNT = "-"
"""The account of the credentials."""

_ABSENT = frozenset({"ResourceNotFoundException", "VaultNotFound"})

_CODES: Codes = {
    "NoLongerSupportedException": (
        ConfigInvalid,
        "Amazon's vaults take no new customers since 15 December 2025; set s3_bucket and glacier_storage_class "
        "(DEEP_ARCHIVE or GLACIER) and remove glacier_vault",
    ),
    "PolicyEnforcedException": (
        StoreError,
        "the account's data retrieval policy does not allow this retrieval now; try --tier bulk, or change the policy",
    ),
    "InsufficientCapacityException": (
        StoreUnavailable,
        "no capacity for expedited retrievals at the moment; use --tier standard",
    ),
    "LimitExceededException": (StoreError, "the account's limit of vaults is reached"),
}


def part_size_for(size_hint: int | None) -> int:
    """The size in bytes of each part of an archive of about this size: the smallest power of two, from 8 MiB on, whose
    10,000 parts hold twice as much. Without a hint 64 MiB, for archives up to 625 GiB."""
    if size_hint is None:
        return UNHINTED_PART
    return _power_of_two(max(SMALLEST_PART, -(-2 * size_hint // MOST_PARTS)))


def _power_of_two(size: int) -> int:
    """The size itself, or the next that the service takes."""
    return min(max(MIB, 1 << (size - 1).bit_length()), LARGEST_PART)


class GlacierArchiveStore(ArchiveStore):
    """A vault. It is not created here but by `create_vault`, which `bakthat configure` calls.

    `part_size`: bytes, for all uploads, rounded up to what the service takes; None chooses by the size of each archive.
    `max_concurrency`: requests of one upload or download at once. `most_parts`: of one upload.
    `buffered`: bytes of parts in memory at once, or one part if that is more: an archive of 10 TiB takes parts of
    4 GiB. Reading takes `max_concurrency` + 1 times `RANGE`.
    """

    minimum_days = 90
    usual_waits = retrieval.WAITS["VAULT"]

    def __init__(
        self,
        client: Any,
        vault: str,
        *,
        endpoint_url: str | None = None,
        part_size: int | None = None,
        max_concurrency: int = 4,
        most_parts: int = MOST_PARTS,
        buffered: int = BUFFERED,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.location = glacier_location(client.meta.region_name, vault, endpoint_url)
        self._client = client
        self._vault = vault
        self._part_size = _power_of_two(part_size) if part_size is not None else None
        self._concurrency = max(1, max_concurrency)
        self._most_parts = most_parts
        self._buffered = buffered
        self._clock = clock
        self._sleep = sleep

    @classmethod
    def from_profile(cls, profile: Profile) -> Self:
        """The vault that the profile names. Raises `ConfigError`; sends nothing."""
        if not profile.glacier_vault:
            raise ConfigInvalid(f"profile {profile.name!r} names no glacier_vault")
        vault, profile = profile.glacier_vault, resolved(profile, "glacier")
        return cls(
            client("glacier", profile),
            vault,
            endpoint_url=profile.endpoint_url,
            part_size=profile.part_size,
            max_concurrency=profile.max_concurrency,
        )

    def __repr__(self) -> str:
        return f"GlacierArchiveStore({self.location!r})"

    def create_vault(self) -> None:
        """The vault exists afterwards; one that was there is kept as it is."""
        with self._asking("cannot create the vault"):
            self._ask(self._client.create_vault)

    # uploading

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        if len(description) > LIMIT or any(not " " <= char <= "~" for char in description):
            raise UsageError(f"{self.location}: a description is at most {LIMIT} printable ASCII characters")
        head = b"".join(_pieces(body, SINGLE_CALL))
        if not head:
            raise UsageError(f"{self.location}: a vault keeps no empty archive; store the file with `compress: true`")
        if len(head) < SINGLE_CALL:
            return self._upload_at_once(head, description)
        return self._upload_in_parts(head, body, description, self._part_size or part_size_for(size_hint))

    def _upload_at_once(self, content: bytes, description: str) -> ArchiveId:
        with self._asking("upload"):
            answer = self._ask(
                self._client.upload_archive,
                archiveDescription=description,
                checksum=tree_hash(content).hex(),
                body=content,
            )
        return ArchiveId(answer.text("archiveId"))

    def _upload_in_parts(self, head: bytes, body: BinaryIO, description: str, part_size: int) -> ArchiveId:
        upload_id = self._begin(description, part_size)
        try:
            hashes, size = self._send_parts(upload_id, head, body, part_size)
            return self._complete(upload_id, joined(hashes), size)
        except BaseException:
            self._abort(upload_id)
            raise

    def _begin(self, description: str, part_size: int) -> str:
        try:
            with self._asking("upload"):
                answer = self._ask(
                    self._client.initiate_multipart_upload, archiveDescription=description, partSize=str(part_size)
                )
        except StoreUnavailable:
            self._abort_unknown(description, known=None)
            raise
        upload_id = answer.text("uploadId")
        if answer.resent:
            self._abort_unknown(description, known=upload_id)
        return upload_id

    def _abort_unknown(self, description: str, known: str | None) -> None:
        """Abort uploads that were begun for this archive by a request whose answer was lost. Where that fails, the
        service itself drops them after a day."""
        try:
            with self._asking("upload"):
                pages = ask_pages(self.location, self._client, "list_multipart_uploads", **self._here)
                uploads = [upload for page in pages for upload in page.items("UploadsList")]
                same = [
                    upload.text("MultipartUploadId")
                    for upload in uploads
                    if upload.maybe_text("ArchiveDescription") == description
                    and upload.text("MultipartUploadId") != known
                ]
                empty = [name for name in same if not self._ask(self._client.list_parts, uploadId=name).items("Parts")]
        except BakthatError:
            return
        for upload_id in empty:
            self._abort(upload_id)

    def _send_parts(self, upload_id: str, head: bytes, body: BinaryIO, part_size: int) -> tuple[list[bytes], int]:
        """The tree hashes of the parts, and the size of all."""
        buffers = max(1, min(self._concurrency + 1, self._buffered // part_size))
        hashes: list[bytes] = []
        flying: deque[tuple[Future[bytes], io.BytesIO]] = deque()
        size = 0

        def landed() -> io.BytesIO:
            future, buffer = flying.popleft()
            hashes.append(future.result())
            return buffer

        workers = Workers(max(1, buffers - 1), "glacier-part")
        try:
            filled = part_size
            while filled == part_size:
                # used again and again: to allocate and free as much would leave holes, and take more memory
                buffer = landed() if len(flying) == buffers else io.BytesIO()
                filled = _fill(buffer, head, body, part_size)
                head = b""
                _raise_failed(future for future, _ in flying)
                if filled and size == self._most_parts * part_size:
                    self._refuse_more(part_size)
                if filled:
                    send = partial(self._send_part, upload_id, size, buffer, filled)
                    flying.append((workers.submit(send), buffer))
                size += filled
            while flying:
                landed()
        except BaseException:
            # a part that arrives after the upload was aborted is refused, but let those on their way end first
            workers.close(wait=READ_TIMEOUT)
            raise
        workers.close(wait=0)
        return hashes, size

    def _send_part(self, upload_id: str, start: int, part: io.BytesIO, size: int) -> bytes:
        with part.getbuffer() as content:
            hashed = tree_hash(content)
        gone = StoreUnavailable(f"{self.location}: the service has dropped the upload; run the backup again")
        with self._asking("upload", absent=gone):
            self._ask(
                self._client.upload_multipart_part,
                uploadId=upload_id,
                checksum=hashed.hex(),
                range=f"bytes {start}-{start + size - 1}/*",
                body=part,
            )
        return hashed

    def _refuse_more(self, part_size: int) -> NoReturn:
        held = f"{self._most_parts:,} parts of {part_size // MIB} MiB hold no more"
        if part_size == LARGEST_PART:
            raise ConfigError(f"{self.location}: the archive is larger than a vault takes ({held})")
        raise ConfigError(f"{self.location}: the archive is too large: {held}; set a larger part_size in the profile")

    def _complete(self, upload_id: str, hashed: bytes, size: int) -> ArchiveId:
        def complete() -> ArchiveId:
            with self._asking("upload"):
                answer = self._ask(
                    self._client.complete_multipart_upload,
                    uploadId=upload_id,
                    archiveSize=str(size),
                    checksum=hashed.hex(),
                )
            return ArchiveId(answer.text("archiveId"))

        try:
            return complete()
        except StoreUnavailable:
            # Whether there is an archive is not known. If the upload can be aborted, there is none.
            if self._abort(upload_id):
                raise
            return complete()

    def _abort(self, upload_id: str) -> bool:
        """Whether the upload is aborted. Where it fails, the service drops an upload after a day without a part."""
        try:
            with self._asking("upload"):
                self._ask(self._client.abort_multipart_upload, uploadId=upload_id)
        except BakthatError:
            return False
        return True

    # retrieving

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        running = self._running(archive_id, tier)
        if running is not None:
            return running
        absent = ObjectNotFound(f"{self.location}: the vault has no archive {_short(archive_id)}")
        asked = {"Type": "archive-retrieval", "ArchiveId": archive_id, "Tier": tier.capitalize()}
        with self._asking("retrieval", absent=absent, malformed=absent):
            return JobId(self._ask(self._client.initiate_job, jobParameters=asked).text("jobId"))

    def _running(self, archive_id: ArchiveId, tier: Tier) -> JobId | None:
        """A retrieval of this archive that is ready, or will be. Who asks for the expedited tier gets no slower one."""
        try:
            jobs = [job for job in self._jobs() if job.maybe_text("ArchiveId") == archive_id and _is_whole(job)]
        except AccessDenied:
            return None  # the permission to list jobs is not needed for anything else
        ready = [job for job in jobs if job.maybe_text("StatusCode") == "Succeeded" and self._is_kept(job)]
        coming = [
            job
            for job in jobs
            if job.maybe_text("StatusCode") == "InProgress"
            and (tier is not Tier.EXPEDITED or _tier_of(job) is Tier.EXPEDITED)
        ]
        if ready:
            return JobId(max(ready, key=lambda job: job.maybe_text("CompletionDate") or "").text("JobId"))
        if coming:
            return JobId(max(coming, key=lambda job: retrieval.SPEED[_tier_of(job)]).text("JobId"))
        return None

    def _is_kept(self, job: Answer) -> bool:
        completed = _moment(job.maybe_text("CompletionDate"))
        return completed is None or retrieval.state_at(self._clock(), ready=completed) is retrieval.JobState.READY

    def _jobs(self) -> list[Answer]:
        with self._asking("retrieval"):
            pages = ask_pages(self.location, self._client, "list_jobs", **self._here)
            return [job for page in pages for job in page.listed("JobList")]

    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        return self._opened(job_id)

    @contextmanager
    def _opened(self, job_id: JobId) -> Iterator[BinaryIO]:
        job = self._done(job_id)
        size = job.maybe_number("ArchiveSizeInBytes") or self._size_of_output(job_id)
        output = _Output(
            lambda start, size, stopped: self._range(job_id, start, size, stopped),
            size=size,
            expected=job.maybe_text("SHA256TreeHash"),
            ahead=self._concurrency,
            name=self.location,
        )
        with output, io.BufferedReader(output, _PIECE) as reader:
            yield cast(BinaryIO, reader)

    def _done(self, job_id: JobId) -> Answer:
        """What the service tells of a job that has succeeded."""
        expired = self._expired(job_id)
        with self._asking("retrieval", absent=expired, malformed=expired):
            job = self._ask(self._client.describe_job, jobId=job_id)
        if not job.flag("Completed"):
            job.text("JobId")  # an answer without any field is not that of a job that is running
            tier = _tier_of(job) if job.has("Tier") else None
            asked = _moment(job.maybe_text("CreationDate"))
            raise retrieval.pending(
                self.location, requested=asked, tier=tier, waits=self.usual_waits, now=self._clock()
            )
        if job.maybe_text("StatusCode") == "Failed":
            why = job.maybe_text("StatusMessage") or "no reason given"
            raise RetrievalExpired(f"{self.location}: the retrieval {_short(job_id)} failed ({why}); ask for it again")
        return job

    def _expired(self, job_id: JobId) -> RetrievalExpired:
        return RetrievalExpired(
            f"{self.location}: the retrieval {_short(job_id)} has expired or is not known; ask for it again"
        )

    def _size_of_output(self, job_id: JobId) -> int:
        """For a service that does not tell an archive's size: that of the output, which it may have to count."""
        answer = self._output(job_id)
        told = answer.header("content-length")
        with closing(answer.body("body")) as body, translated(self.location):
            return int(told) if told.isdecimal() else sum(map(len, iter(lambda: body.read(_PIECE), b"")))

    def _output(self, job_id: JobId, **more: str) -> Answer:
        with self._asking("retrieval", absent=self._expired(job_id)):
            return self._ask(self._client.get_job_output, jobId=job_id, **more)

    def _range(self, job_id: JobId, start: int, size: int, stopped: threading.Event) -> tuple[bytearray, bytes]:
        """The bytes and their tree hash. It is asked for again when the connection breaks, and when they are wrong."""
        for attempt in itertools.count(1):
            answer = self._output(job_id, range=f"bytes={start}-{start + size - 1}")
            try:
                return self._received(answer, start, size, stopped)
            except (StoreUnavailable, PayloadDamaged):
                if attempt == READS or stopped.is_set():
                    raise
            self._sleep(_pause(attempt))
        raise AssertionError  # the loop has no end of its own

    def _received(self, answer: Answer, start: int, size: int, stopped: threading.Event) -> tuple[bytearray, bytes]:
        """The bytes of an answer and their tree hash, which is the one that the service told of them."""
        partial = answer.maybe_number("status") == 206
        # a service that does not know ranges answers with all there is
        content = self._read(answer.body("body"), size, skip=0 if partial else start, stopped=stopped)
        hashed, told = tree_hash(content), answer.maybe_text("checksum") if partial else None
        if told and told != hashed.hex():
            raise PayloadDamaged(
                f"{self.location}: bytes {start} to {start + size - 1} arrive damaged; try again later"
            )
        return content, hashed

    def _read(self, body: Any, size: int, *, skip: int, stopped: threading.Event) -> bytearray:
        """So many bytes of the body, after those to skip."""
        content = bytearray(size)
        filled = -skip
        try:
            while filled < size:
                with translated(self.location):
                    piece = body.read(min(_PIECE, size - filled if filled >= 0 else -filled))
                if not piece or stopped.is_set():
                    raise StoreUnavailable(f"{self.location}: the connection broke; try again later")
                if filled >= 0:
                    content[filled : filled + len(piece)] = piece
                filled += len(piece)
        finally:
            body.close()
        return content

    # the rest

    def delete(self, archive_id: ArchiveId) -> None:
        try:
            absent = ObjectNotFound(f"{self.location}: the vault has no archive {_short(archive_id)}")
            with self._asking("cannot delete", absent=absent):
                self._ask(self._client.delete_archive, archiveId=archive_id)
        except ObjectNotFound:
            pass

    def request_inventory(self) -> JobId:
        try:
            for job in self._jobs():
                if job.maybe_text("Action") == "InventoryRetrieval" and job.maybe_text("StatusCode") == "InProgress":
                    return JobId(job.text("JobId"))
        except AccessDenied:
            pass
        none_yet = StoreUnavailable(
            f"{self.location}: there is no inventory of this vault yet; Amazon makes one about once a day, try tomorrow"
        )
        with self._asking("inventory", absent=none_yet):
            asked = {"Type": "inventory-retrieval", "Format": "JSON"}
            return JobId(self._ask(self._client.initiate_job, jobParameters=asked).text("jobId"))

    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        self._done(job_id)
        content = self._whole_output(job_id)
        try:
            return iter([_archive_info(told) for told in json.loads(content)["ArchiveList"]])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.location}: what came is no inventory of a vault ({error})") from error

    def _whole_output(self, job_id: JobId) -> bytes:
        """All of an inventory: some megabytes at most, and without a tree hash."""
        for attempt in itertools.count(1):
            answer = self._output(job_id)
            try:
                with translated(self.location):
                    return cast(bytes, answer.body("body").read())
            except StoreUnavailable:
                if attempt == READS:
                    raise
            finally:
                answer.body("body").close()
            self._sleep(_pause(attempt))
        raise AssertionError  # the loop has no end of its own

    def _ask(self, call: Callable[..., Any], **request: Any) -> Answer:
        return ask(self.location, call, **self._here, **request)

    @property
    def _here(self) -> dict[str, str]:
        return {"accountId": _ACCOUNT, "vaultName": self._vault}

    @contextmanager
    def _asking(
        self, what: str, *, absent: BakthatError | None = None, malformed: BakthatError | None = None
    ) -> Iterator[None]:
        """Around a call: the service's errors come out as bakthat's. `absent`: what is raised where the thing asked for
        is not there, though the vault is; `malformed`: where the service says that it cannot be an id at all."""
        with translated(f"{self.location}: {what}", _CODES):
            try:
                yield
            except ClientError as error:
                code = code_of(error)
                says = str(error.response.get("Error", {}).get("Message") or "")
                if code in _ABSENT and says.lower().startswith("vault not found"):
                    raise StoreError(
                        f"{self.location}: the vault does not exist; run `bakthat configure` to create it, "
                        "or correct glacier_vault or region_name"
                    ) from error
                if code in _ABSENT and absent is not None:
                    raise absent from error
                if code == "InvalidParameterValueException" and malformed is not None:
                    raise malformed from error
                raise


class _Output(io.RawIOBase):
    """What a job has made readable: ranges fetched ahead in threads, handed on in order, each of them checked by who
    fetches it, and the whole against `expected` before its last range is handed on."""

    def __init__(
        self,
        fetch: Callable[[int, int, threading.Event], tuple[bytearray, bytes]],
        *,
        size: int,
        expected: str | None,
        ahead: int,
        name: str,
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._expected = expected
        self._name = name
        self._stopped = threading.Event()
        self._starts = iter(range(0, size, RANGE))
        self._hashes: list[bytes] = []
        self._handed = 0
        self._rest = memoryview(b"")
        self._failure: BaseException | None = None
        self._workers = Workers(ahead, "glacier-range")
        self._coming: deque[Future[tuple[bytearray, bytes]]] = deque()
        try:
            for _ in range(ahead):
                self._ask_for_more()
            # what is wrong with the job shows on entry
            self._rest = self._next()
        except BaseException:
            self.close()
            raise

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._failure is not None:
            raise self._failure
        if not self._rest:
            try:
                self._rest = self._next()
            except BaseException as error:
                self._failure = error
                raise
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self) -> memoryview:
        """The bytes of the next range; nothing at the end."""
        if not self._coming:
            return memoryview(b"")
        content, hashed = self._coming.popleft().result()
        self._ask_for_more()
        self._hashes.append(hashed)
        self._handed += len(content)
        if self._handed == self._size and self._expected and joined(self._hashes).hex() != self._expected:
            raise PayloadDamaged(f"{self._name}: the archive is not what was uploaded; its tree hash differs")
        return memoryview(content)

    def _ask_for_more(self) -> None:
        start = next(self._starts, None)
        if start is not None:
            size = min(RANGE, self._size - start)
            self._coming.append(self._workers.submit(partial(self._fetch, start, size, self._stopped)))

    def close(self) -> None:
        if not self.closed:
            self._stopped.set()
            self._workers.close(wait=0)
        super().close()


def _pause(attempt: int) -> float:
    """Seconds to wait after so many broken connections."""
    return min(0.05 * (1 << attempt), 5.0)


def _pieces(body: BinaryIO, size: int) -> Iterator[bytes]:
    """The next bytes of the body, at most so many."""
    while size and (piece := body.read(min(_PIECE, size))):
        size -= len(piece)
        yield piece


def _fill(buffer: io.BytesIO, head: bytes, body: BinaryIO, size: int) -> int:
    """Put `head` and the next bytes of the body into the buffer, up to `size` in all; how many there were."""
    buffer.seek(0)
    filled = buffer.write(head)
    for piece in _pieces(body, size - filled):
        filled += buffer.write(piece)
    buffer.truncate(filled)
    buffer.seek(0)
    return filled


def _raise_failed(flying: Iterable[Future[bytes]]) -> None:
    """Raise the error of a part that has failed, rather than read more."""
    for future in flying:
        if future.done():
            future.result()


def _is_whole(job: Answer) -> bool:
    """Whether a job retrieves an archive from its first byte to its last."""
    size, told = job.maybe_number("ArchiveSizeInBytes") or 0, job.maybe_text("RetrievalByteRange")
    return job.maybe_text("Action") == "ArchiveRetrieval" and told in {None, f"0-{size - 1}"}


def _tier_of(job: Answer) -> Tier:
    try:
        return Tier((job.maybe_text("Tier") or "Standard").lower())
    except ValueError:
        return Tier.STANDARD


def _moment(text: object) -> datetime | None:
    """A date of the service's, such as `2013-03-20T17:03:43.221Z`."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _archive_info(told: Mapping[str, Any]) -> ArchiveInfo:
    created = _moment(told["CreationDate"])
    if created is None:
        raise ValueError(f"{told['CreationDate']!r} is no date")
    return ArchiveInfo(
        archive_id=ArchiveId(str(told["ArchiveId"])),
        description=str(told.get("ArchiveDescription") or ""),
        size=int(told["Size"]),
        created=created,
    )


def _short(name: str) -> str:
    """Enough of an id to know it again."""
    return name if len(name) <= 24 else f"{name[:12]}…{name[-8:]}"
