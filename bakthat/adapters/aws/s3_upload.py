"""`Uploader`: one object into a bucket, whole or not at all, from a stream of unknown length."""

from __future__ import annotations

import email.utils
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

from attrs import evolve, field, frozen
from botocore.exceptions import ClientError
from isal.isal_zlib import crc32

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.client import READ_TIMEOUT
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import Codes, code_of, is_bare, status_of, translated
from bakthat.adapters.aws.s3_features import Learnt, base64_text, md5
from bakthat.adapters.aws.s3_head import check_tells_apart, head
from bakthat.adapters.aws.s3_part_sizes import EQUAL_PARTS, MAX_PARTS, MIB, PartPlan, plan_parts
from bakthat.adapters.aws.s3_write_claim import WriteClaims
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    ConfigError,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreUnavailable,
)

_log = logging.getLogger("bakthat")


def log_notice(text: str) -> None:
    """Where notices go unless something else is injected: to the logger `bakthat`, as warnings."""
    _log.warning("%s", text)


_SMALL_BUFFER = 256 * 1024
"""Bytes of the first buffer, which grows to a part's size only if the object does: most objects are catalog entries."""

_EARLY = 4
"""With a hint of so many parts, the upload is begun before the first part is full."""

_CONFLICTS = 3
"""How often a write is sent again that met another one of the same key under way (409)."""

_TOO_LARGE: Codes = {
    "EntityTooLarge": (StoreError, "the service takes no request so large (EntityTooLarge); set a smaller part_size")
}
_REFUSED_PARTS: Codes = {
    **_TOO_LARGE,
    "NoSuchUpload": (StoreError, "the service has ended this upload (a lifecycle rule?); nothing is stored"),
    "InvalidPart": (
        StoreError,
        "the service refused the parts (InvalidPart); if it demands equal ones (Cloudflare R2 does), set part_size "
        "(bytes) to a 9,000th of the archive's size or more",
    ),
    "EntityTooSmall": (StoreError, "the service refused a part as too small (EntityTooSmall); set a larger part_size"),
}
_FEWEST_PARTS = 1_000
"""Some services take no more parts than this (Scaleway), others 10,000 as Amazon does."""


@frozen(kw_only=True)
class Bucket:
    """Where objects go. `prefix`: of the store's keys, with its slash. `trusted`: the service is known to honour a
    write's condition, to check its CRC, and to take parts of several sizes; of others, the first `equal_parts` of an
    object have one size. `claims`: two writers of one key are kept apart by claims, since a service may honour a
    condition and yet let two writes at once pass."""

    client: Any = field(repr=False)
    name: str
    prefix: str = ""
    storage_class: str | None = None
    part_size: int | None = None
    max_concurrency: int = 4
    most_parts: int = MAX_PARTS
    equal_parts: int = EQUAL_PARTS
    trusted: bool = False
    claims: bool = True
    put_id: Callable[[], str] = field(repr=False)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)
    notice: Callable[[str], None] = field(default=log_notice, repr=False)


@frozen(kw_only=True)
class Uploaded:
    """An object that was stored. `size`: bytes. `modified`: aware UTC."""

    size: int
    modified: datetime


class Uploader:
    """Puts objects into one bucket, and remembers what its service turned out not to know.

    Every object carries a random `put-id` in its metadata: a write that was sent again because its answer was lost
    meets its own first copy, and knows it by that id. Size and ETag would not tell it from another's equal bytes.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.single = Learnt(must_look=not bucket.trusted)
        self.in_parts = Learnt(must_look=not bucket.trusted)
        self._tells_apart = bucket.trusted
        self.claims: WriteClaims | None = None
        """What keeps two writers of one key apart where the service may not; None where it does."""
        if bucket.claims:
            self.claims = WriteClaims(
                client=bucket.client,
                bucket=bucket.name,
                prefix=bucket.prefix,
                pause=bucket.pause,
                write=self._put_small,
            )

    def upload(self, key: str, what: str, body: BinaryIO, *, replace: bool, size_hint: int | None) -> Uploaded:
        """As `ObjectStore.put`. `key`: with the prefix. `what`: names the object in messages."""
        bucket = self.bucket
        plan = plan_parts(
            max_concurrency=bucket.max_concurrency,
            part_size=bucket.part_size,
            size_hint=size_hint,
            equal=None if bucket.trusted else bucket.equal_parts,
        )
        target = _Target(self, key, what, replace)
        multipart = _Multipart(target, plan)
        try:
            if size_hint is not None and size_hint >= _EARLY * plan.first:
                multipart.begin()
            buffer, filled = _first_part(body, plan.first)
            if filled < plan.first:
                multipart.abort()
                return Uploaded(size=filled, modified=target.put(memoryview(buffer)[:filled]))
            size = multipart.send_all(buffer, body)
            return Uploaded(size=size, modified=multipart.complete())
        except BaseException:
            multipart.abort()
            raise
        finally:
            multipart.close()

    def check_tells_apart(self, where: dict[str, str], what: str) -> None:
        """Raise `StoreError` if every name seems to be taken, since what answers is a web site."""
        if not self._tells_apart:
            check_tells_apart(self.bucket.client, where, what)
            self._tells_apart = True

    def _put_small(self, key: str, content: bytes) -> None:
        view = memoryview(content)
        request = {"Bucket": self.bucket.name, "Key": key, "Body": PartBody(view), "ChecksumCRC32": _crc(view)}
        self.write(self.single, key, self.bucket.client.put_object, request, unconditional=True)

    def write(
        self, learnt: Learnt, what: str, operation: Callable[..., Any], request: dict[str, Any], *, unconditional: bool
    ) -> tuple[Answer, dict[str, Any]]:
        """Send a request that writes; again without a header that the service does not support, or with one that it
        demands, which is remembered in `learnt`. Returns the answer, and the request as it was answered.

        `unconditional`: whether it may be sent without its condition.
        """
        features = learnt.features
        while True:
            sent = features.fitted(request)
            if "Body" in request:
                request["Body"].seek(0)  # botocore begins where the body stands
            try:
                answer = ask(what, operation, **sent)
            except ClientError as error:
                left = features.after(error, sent)
                if left is None:
                    raise
                if features.condition and not left.condition and not unconditional:
                    raise AccessDenied(_CANNOT_LOOK.format(self.bucket.name)) from error
                features = left
                continue
            learnt.features = learnt.features.both(features)
            return answer, sent


_CANNOT_LOOK = (
    "s3://{}: this service cannot refuse to overwrite, and the credentials may not look what is there; "
    "allow s3:GetObject"
)


class _Target:
    """The object that one upload is about, and the request after which readers see it."""

    def __init__(self, uploader: Uploader, key: str, what: str, replace: bool) -> None:
        self.bucket = uploader.bucket
        self.client = uploader.bucket.client
        self.what = what
        self.where = {"Bucket": uploader.bucket.name, "Key": key}
        self._uploader = uploader
        self._replace = replace
        self._put_id = uploader.bucket.put_id()
        self._looked = False

    @property
    def properties(self) -> dict[str, Any]:
        """What the object is given beside its bytes."""
        properties: dict[str, Any] = {"Metadata": {"put-id": self._put_id}}
        if self.bucket.storage_class is not None:
            properties["StorageClass"] = self.bucket.storage_class
        return properties

    def write(
        self, learnt: Learnt, operation: Callable[..., Any], request: dict[str, Any]
    ) -> tuple[Answer, dict[str, Any]]:
        """One request about this object: `Uploader.write`."""
        unconditional = self._replace or self._looked
        return self._uploader.write(learnt, self.what, operation, self.where | request, unconditional=unconditional)

    def put(self, view: memoryview) -> datetime:
        """Store the whole object with one request; the time that it bears."""
        request = {**self.properties, "Body": PartBody(view), "ChecksumCRC32": _crc(view)}
        if not self.bucket.trusted:
            # A service may ignore the CRC in silence; this one they all check.
            request["ContentMD5"] = base64_text(md5(view).digest())
        learnt = self._uploader.single
        return self.make_visible(
            learnt, lambda condition: self.write(learnt, self.client.put_object, request | condition)[0], _TOO_LARGE
        )

    def make_visible(
        self, learnt: Learnt, send: Callable[[dict[str, Any]], Answer], codes: Codes | None = None
    ) -> datetime:
        """Send the request that makes the object visible, with the condition given to it; the time that it bears.

        Raises `ObjectExists` only for a key that someone else has taken.
        """
        claims = self._uploader.claims
        if self._replace or claims is None:
            return self._make_visible(learnt, send, codes)
        with claims.held(self.where["Key"], self.what, self._put_id):
            modified = self._make_visible(learnt, send, codes)
            self._check_still_ours()
        return modified

    def _make_visible(self, learnt: Learnt, send: Callable[[dict[str, Any]], Answer], codes: Codes | None) -> datetime:
        conflicts = 0
        while True:
            if not self._replace and learnt.must_look and self._look(learnt):
                return self.bucket.clock()
            try:
                with translated(self.what, codes):
                    answer = send({} if self._replace else {"IfNoneMatch": "*"})
            except StoreError as error:
                if _cause(error) == "ConditionalRequestConflict" and conflicts < _CONFLICTS:
                    conflicts += 1
                    self.bucket.pause(0.1 * 2**conflicts)
                    continue
                if not self._is_own_copy(learnt, error, resent=conflicts > 0 or _was_resent(error)):
                    raise
                return self.bucket.clock()
            if answer.maybe_text("ETag") is None and not self.is_ours():
                raise StoreError(f"{self.what}: answered as if it were stored, and it is not there; check endpoint_url")
            return self._date_of(answer)

    def is_ours(self) -> bool:
        """Whether the object that is there is this upload's. Raises `StoreError` if that cannot be told."""
        try:
            return self._bears_our_id(head(self.client, self.where, self.what))
        except ObjectNotFound:
            return False

    def _check_still_ours(self) -> None:
        """Raise `ObjectExists` if the object that is there bears the id of another write, which has replaced ours."""
        try:
            found = head(self.client, self.where, self.what)
        except BakthatError:
            return  # put-only credentials may not look
        if "put-id" in map(str.lower, found.texts("Metadata")) and not self._bears_our_id(found):
            raise ObjectExists(f"{self.what}: another backup was stored under this name at the same moment")

    def _look(self, learnt: Learnt) -> bool:
        """Whether the object is there already, stored by an earlier request of this upload. Raises `ObjectExists` if it
        is another's."""
        try:
            found = head(self.client, self.where, self.what)
        except ObjectNotFound:
            self._looked = True
            return False
        except StoreUnavailable:
            raise
        except (ConfigError, StoreError) as error:
            # A courtesy as long as the write itself has a condition: put-only credentials may not look. And the
            # answer to HEAD has no body; what is wrong (region, token) is said by the answer to the write.
            if learnt.features.condition:
                return False
            if isinstance(error, AccessDenied):
                raise AccessDenied(_CANNOT_LOOK.format(self.bucket.name)) from error
            raise
        if self._bears_our_id(found):
            return True
        self._uploader.check_tells_apart(self.where, self.what)
        raise ObjectExists(f"{self.what}: exists already")

    def _is_own_copy(self, learnt: Learnt, error: StoreError, *, resent: bool) -> bool:
        """Whether the write that failed was carried out after all, by an attempt whose answer was lost or could not be
        read."""
        if isinstance(error, ObjectExists) and _is_refusal(error) and not resent:
            learnt.must_look = False  # the service has shown that it honours conditions
            return False
        is_taken = isinstance(error, ObjectExists) or _cause(error) == "NoSuchUpload"
        if _is_refusal(error) and not is_taken and not resent:
            return False
        try:
            return self.is_ours()
        except StoreError as unknown:
            if not is_taken:
                return False
            raise StoreError(
                f"{self.what}: an answer was lost, and whether this object was stored cannot be told; "
                "allow s3:GetObject, or back up again"
            ) from unknown

    def _bears_our_id(self, found: Answer) -> bool:
        metadata = found.texts("Metadata")
        return any(name.lower() == "put-id" and value == self._put_id for name, value in metadata.items())

    def _date_of(self, answer: Answer) -> datetime:
        """The service's own clock, as its answer shows it: the answer to a write does not tell the object's time."""
        try:
            return email.utils.parsedate_to_datetime(answer.header("date")).astimezone(UTC)
        except (OverflowError, ValueError):
            return self.bucket.clock()


class _Multipart:
    """The parts of one object: filled one after the other, sent beside each other."""

    def __init__(self, target: _Target, plan: PartPlan) -> None:
        self._target = target
        self._client = target.client
        self._learnt = target._uploader.in_parts
        self._plan = plan
        self._workers = Workers(plan.max_concurrency, "bakthat-part")
        self._cancelled = threading.Event()
        self._created: Future[str] | None = None
        self._parts: list[dict[str, Any]] = []
        self._busy: dict[Future[dict[str, Any]], bytearray] = {}
        self._free: list[bytearray] = []
        self._ended = False
        self._may_have_strays = False

    def begin(self) -> None:
        """Create the upload, in the background."""
        if self._created is None:
            self._created = self._workers.submit(self._create)

    def send_all(self, buffer: bytearray, body: BinaryIO) -> int:
        """Send the full first part and all that follows; the bytes of the whole object."""
        self.begin()
        number, size, filled = 1, 0, len(buffer)
        while filled:
            self._send(number, buffer, filled)
            size += filled
            if filled < len(buffer):
                break
            number += 1
            if number > self._target.bucket.most_parts:
                if body.read(1):
                    raise StoreError(_TOO_LONG.format(self._target.what, size, number - 1))
                break
            if number == self._plan.equal + 1 and not self._target.bucket.trusted:
                grows = _GROWS.format(self._target.what, self._plan.equal, self._plan.first // MIB)
                self._target.bucket.notice(grows)
            buffer = self._buffer(self._plan.size(number))
            filled = _fill(body, memoryview(buffer))
        return size

    def complete(self) -> datetime:
        """Make the object of all its parts visible; the time that it bears."""
        assert self._created is not None  # noqa: S101 - begun by send_all
        upload_id = self._created.result()
        while self._busy:
            self._collect(wait_for_one=True)
        parts = sorted(self._parts, key=lambda part: int(part["PartNumber"]))
        request = {"UploadId": upload_id, "MultipartUpload": {"Parts": parts}}
        try:
            modified = self._target.make_visible(
                self._learnt,
                lambda condition: self._write(self._client.complete_multipart_upload, request | condition)[0],
                _REFUSED_PARTS,
            )
        except StoreError as error:
            if _is_refusal(error):
                raise
            # It may be completed at this very moment. Once the upload is ended, it was or it was not.
            self.abort()
            with suppress(StoreError):
                if self._target.is_ours():
                    return self._target.bucket.clock()
            raise
        self._ended = True
        self._abort_strays(upload_id)
        return modified

    def abort(self) -> None:
        """End the upload, so that no part stays behind. Never raises what the service says; a second call is none."""
        if self._ended or self._created is None:
            return
        self._ended = True
        self._cancelled.set()
        # A part that arrives after the end would stay behind, so those in flight are waited for.
        self._workers.close(wait=READ_TIMEOUT)
        upload_id = None
        try:
            upload_id = self._created.result(timeout=0)
        except TimeoutError:
            self._may_have_strays = True
        except BakthatError as error:
            self._may_have_strays = not _is_refusal(error)
        except CancelledError:
            pass
        if upload_id is not None:
            self._abort(upload_id)
        self._abort_strays(upload_id)

    def close(self) -> None:
        """Let the threads go."""
        self._workers.close(wait=READ_TIMEOUT)

    def _create(self) -> str:
        request = {**self._target.properties, "ChecksumAlgorithm": "CRC32"}
        with translated(self._target.what):
            answer, _ = self._write(self._client.create_multipart_upload, request)
        # A request that was sent again may have begun an upload that nobody knows of.
        self._may_have_strays = answer.resent
        return answer.text("UploadId")

    def _write(self, operation: Callable[..., Any], request: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
        return self._target.write(self._learnt, operation, request)

    def _send(self, number: int, buffer: bytearray, filled: int) -> None:
        view = memoryview(buffer)[:filled]
        self._busy[self._workers.submit(lambda: self._upload_part(number, view))] = buffer

    def _upload_part(self, number: int, view: memoryview) -> dict[str, Any]:
        """Send one part, sure that it arrived as it is; its entry in the request that completes the upload."""
        assert self._created is not None  # noqa: S101 - begun by send_all
        request: dict[str, Any] = {"UploadId": self._created.result(), "PartNumber": number}
        crc = _crc(view)
        with translated(self._target.what, _codes_of_part(number)):
            while True:
                answer, sent = self._write(
                    self._client.upload_part,
                    {**request, "Body": PartBody(view, self._cancelled), "ChecksumCRC32": crc},
                )
                etag = answer.text("ETag")
                entry = {"PartNumber": number, "ETag": etag}
                if answer.maybe_text("ChecksumCRC32") == crc:
                    return {**entry, "ChecksumCRC32": crc}
                if "ContentMD5" in sent or etag.strip('"') == md5(view).hexdigest():
                    return entry
                # It was not checked on arrival, and the ETag does not show it either: with a Content-MD5 it is. The
                # CRC goes with it, since the upload was created with one.
                self._learnt.features = evolve(self._learnt.features, md5=True)

    def _buffer(self, size: int) -> bytearray:
        """A buffer for the next part, as soon as there may be one more. Raises what the upload of a part raised."""
        self._collect(wait_for_one=False)
        while len(self._busy) >= self._plan.buffers(size):
            self._collect(wait_for_one=True)
        self._free = [buffer for buffer in self._free if len(buffer) == size]
        return self._free.pop() if self._free else bytearray(size)

    def _collect(self, *, wait_for_one: bool) -> None:
        """Take what is known of the parts that have arrived, and their buffers back."""
        done, _ = wait(self._busy, timeout=None if wait_for_one else 0, return_when=FIRST_COMPLETED)
        for part in done:
            buffer = self._busy.pop(part)
            self._parts.append(part.result())
            self._free.append(buffer)

    def _abort(self, upload_id: str) -> None:
        try:
            with translated(self._target.what):
                ask(self._target.what, self._client.abort_multipart_upload, **self._target.where, UploadId=upload_id)
        except BakthatError as error:
            if _cause(error) != "NoSuchUpload":
                self._target.bucket.notice(f"parts of an unfinished upload stay behind: {error}")

    def _abort_strays(self, upload_id: str | None) -> None:
        """End an upload of this key that was created by a request whose answer was lost. It has no parts, which tells
        it from another writer's."""
        if not self._may_have_strays:
            return
        try:
            what, client = self._target.what, self._client
            with translated(what):
                key = self._target.where["Key"]
                found = ask(what, client.list_multipart_uploads, Bucket=self._target.bucket.name, Prefix=key)
                for upload in found.items("Uploads"):
                    if upload.text("Key") != key or upload.text("UploadId") == upload_id:
                        continue
                    named = {**self._target.where, "UploadId": upload.text("UploadId")}
                    if not ask(what, client.list_parts, **named, MaxParts=1).items("Parts"):
                        ask(what, client.abort_multipart_upload, **named)
        except BakthatError as error:
            # An empty upload costs nothing, and to look for it needs permissions that a backup need not have.
            _log.debug("an upload without parts may stay behind: %s", error)


_TOO_LONG = "{}: longer than the {} bytes that {:,} parts hold; set part_size (bytes) to a 9,000th of its size or more"
_GROWS = (
    "{}: {:,} parts of {} MiB are sent and it goes on, so the parts grow from here; a service that demands equal parts "
    "will refuse them at the end: set part_size (bytes) to a 9,000th of the archive's size or more"
)


class PartBody:
    """A request's body that botocore can send, rewind and send again, and that another thread can stop.

    urllib3 limits each single send by the connect timeout, so a slow line must not be given megabytes at once: what is
    handed out grows while the line takes it quickly, and shrinks while it does not.
    """

    _FIRST, _LEAST, _MOST = 64 * 1024, 16 * 1024, 512 * 1024

    def __init__(self, view: memoryview, cancelled: threading.Event | None = None) -> None:
        self.view = view
        self._cancelled = cancelled
        self._at = 0
        self._step = self._FIRST
        self._handed_out = time.monotonic()

    def __len__(self) -> int:
        return len(self.view)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._stop_if_cancelled()
        self._at = offset + (0, self._at, len(self.view))[whence]
        self._step = self._FIRST
        return self._at

    def read(self, size: int | None = -1) -> bytes | memoryview:
        """Returns the next bytes; how many, this object decides. Without a size, returns the rest as `bytes`: that is
        how moto's in-process responder reads a body, and it takes nothing but `bytes`."""
        self._stop_if_cancelled()
        now = time.monotonic()
        took, self._handed_out = now - self._handed_out, now
        if took < 0.05:
            self._step = min(self._step * 2, self._MOST)
        elif took > 1:
            self._step = max(self._step // 2, self._LEAST)
        if size is None or size < 0:
            rest, self._at = bytes(self.view[self._at :]), len(self.view)
            return rest
        piece = self.view[self._at : self._at + self._step]
        self._at += len(piece)
        return piece

    def _stop_if_cancelled(self) -> None:
        if self._cancelled is not None and self._cancelled.is_set():
            # botocore lets this one through; any other would be taken for a broken connection and tried again.
            raise CancelledError


def _codes_of_part(number: int) -> Codes:
    """What the service's codes mean for the part of this number."""
    if number <= _FEWEST_PARTS:
        return _REFUSED_PARTS
    text = f"the service refused part {number:,} (InvalidArgument); if it takes fewer parts, set a larger part_size"
    return {**_REFUSED_PARTS, "InvalidArgument": (StoreError, text)}


def _first_part(body: BinaryIO, size: int) -> tuple[bytearray, int]:
    """A buffer with the beginning of the body, and how much of it is filled: all of `size` unless the body ends."""
    buffer = bytearray(min(size, _SMALL_BUFFER))
    filled = _fill(body, memoryview(buffer))
    while filled == len(buffer) < size:
        larger = bytearray(min(size, 4 * len(buffer)))
        larger[:filled] = buffer
        buffer = larger
        filled += _fill(body, memoryview(buffer)[filled:])
    return buffer, filled


def _fill(body: BinaryIO, view: memoryview) -> int:
    """Read until the view is full or the body ends; how many bytes that were."""
    readinto: Callable[[memoryview], int | None] | None = getattr(body, "readinto", None)
    filled = 0
    while filled < len(view):
        if readinto is not None:
            count = readinto(view[filled:])
        else:
            piece = body.read(len(view) - filled)
            count = len(piece)
            view[filled : filled + count] = piece
        if count is None:
            raise BlockingIOError("the body to store has no bytes at the moment, and must wait for them itself")
        if not count:
            break
        filled += count
    return filled


def _cause(error: BakthatError) -> str:
    """The service's own word for an error, where it said one."""
    return code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""


def _is_refusal(error: BakthatError) -> bool:
    """Whether the service itself has said that it did not carry out the request: not by silence, nor by an answer that
    cannot be read, nor by an error under the status of a success. A status without a word may be a proxy's, which does
    not know what became of the request."""
    cause = error.__cause__
    if not isinstance(cause, ClientError) or isinstance(error, StoreUnavailable):
        return False
    return 400 <= status_of(cause) < 500 and not is_bare(cause)


def _was_resent(error: BakthatError) -> bool:
    """Whether the request that failed was not the first of its kind."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    return int(cause.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def _crc(view: memoryview) -> str:
    return base64_text(crc32(view).to_bytes(4, "big"))
