"""`Multipart`: uploads one object in parts. One thread fills them in turn; several threads send them at once.

The methods, in the order of their calls:

    begin:     CreateMultipartUpload, in the background
    send_all:  for each part: wait for a free buffer, fill it, have a thread send it with its CRC32
    complete:  wait for all parts, CompleteMultipartUpload        (s3_object_write)
    abort:     after any exception, Ctrl-C included: stop the bodies in flight, wait for their threads (a part that
               arrives after the end would stay behind), AbortMultipartUpload; end an upload whose creation was answered
               to nobody, if it has no parts
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO

from attrs import evolve

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.client import READ_TIMEOUT
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.errors import Codes, translated
from bakthat.adapters.aws.s3_features import md5
from bakthat.adapters.aws.s3_object_write import TOO_LARGE, ObjectWrite, cause_of, is_refusal
from bakthat.adapters.aws.s3_part_body import PartBody, crc
from bakthat.adapters.aws.s3_part_sizes import MIB, PartPlan
from bakthat.errors import BakthatError, StoreError
from bakthat.ports.streams import fill

_log = logging.getLogger("bakthat")

_REFUSED_PARTS: Codes = {
    **TOO_LARGE,
    "NoSuchUpload": (StoreError, "the service has ended this upload (a lifecycle rule?); nothing is stored"),
    "InvalidPart": (
        StoreError,
        "the service refused the parts (InvalidPart); if it demands equal ones (Cloudflare R2 does), set part_size "
        "(bytes) to a 9,000th of the archive's size or more",
    ),
    "EntityTooSmall": (StoreError, "the service refused a part as too small (EntityTooSmall); set a larger part_size"),
}
_FEWEST_PARTS = 1_000
"""Some services accept no more parts than this (Scaleway); others 10,000, as Amazon does."""


class Multipart:
    """One upload in parts."""

    def __init__(self, target: ObjectWrite, plan: PartPlan) -> None:
        self._target = target
        self._client = target.client
        self._learnt = target.writer.in_parts
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
        """Create the upload in the background."""
        if self._created is None:
            self._created = self._workers.submit(self._create)

    def send_all(self, buffer: bytearray, body: BinaryIO) -> int:
        """Send the full first part and all that follow. Return the bytes of the whole object."""
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
            filled = fill(body, memoryview(buffer))
        return size

    def complete(self) -> datetime:
        """Make the object visible. Return its time."""
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
            if is_refusal(error):
                raise
            # The service may be completing it. Once the upload is aborted, it was completed or it was not.
            self.abort()
            with suppress(StoreError):
                if self._target.is_ours():
                    return self._target.bucket.clock()
            raise
        self._ended = True
        self._abort_strays(upload_id)
        return modified

    def abort(self) -> None:
        """Abort the upload, so that no part stays behind. Raises no error of the service. May be called twice."""
        if self._ended or self._created is None:
            return
        self._ended = True
        self._cancelled.set()
        # A part that arrives after the end would stay behind, so wait for those in flight.
        self._workers.close(wait=READ_TIMEOUT)
        upload_id = None
        try:
            upload_id = self._created.result(timeout=0)
        except TimeoutError:
            self._may_have_strays = True
        except BakthatError as error:
            self._may_have_strays = not is_refusal(error)
        except CancelledError:
            pass
        if upload_id is not None:
            self._abort(upload_id)
        self._abort_strays(upload_id)

    def close(self) -> None:
        """End the threads."""
        self._workers.close(wait=READ_TIMEOUT)

    def _create(self) -> str:
        request = {**self._target.properties, "ChecksumAlgorithm": "CRC32"}
        with translated(self._target.what, self._target.codes()):
            answer, _ = self._write(self._client.create_multipart_upload, request)
        self._target.check_encryption(answer)
        # A repeated request may have created an upload whose id is unknown.
        self._may_have_strays = answer.resent
        return answer.text("UploadId")

    def _write(self, operation: Callable[..., Any], request: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
        return self._target.write(self._learnt, operation, request)

    def _send(self, number: int, buffer: bytearray, filled: int) -> None:
        view = memoryview(buffer)[:filled]
        self._busy[self._workers.submit(lambda: self._upload_part(number, view))] = buffer

    def _upload_part(self, number: int, view: memoryview) -> dict[str, Any]:
        """Send one part, and make sure that it arrived unchanged. Return its entry for CompleteMultipartUpload."""
        assert self._created is not None  # noqa: S101 - begun by send_all
        request: dict[str, Any] = {"UploadId": self._created.result(), "PartNumber": number}
        checksum = crc(view)
        with translated(self._target.what, _codes_of_part(number)):
            while True:
                answer, sent = self._write(
                    self._client.upload_part,
                    {**request, "Body": self._body(view), "ChecksumCRC32": checksum},
                )
                etag = answer.text("ETag")
                entry = {"PartNumber": number, "ETag": etag}
                if answer.maybe_text("ChecksumCRC32") == checksum:
                    return {**entry, "ChecksumCRC32": checksum}
                if "ContentMD5" in sent or etag.strip('"') == md5(view).hexdigest():
                    return entry
                # The service did not check the CRC, and the ETag is not the MD5. It does check a Content-MD5, which is
                # sent beside the CRC, since the upload was created with one.
                self._learnt.features = evolve(self._learnt.features, md5=True)

    def _body(self, view: memoryview) -> PartBody:
        return PartBody(view, self._cancelled, self._target.bucket.upload_limit)

    def _buffer(self, size: int) -> bytearray:
        """Return a buffer for the next part, as soon as the memory allows. Raises the error of a part that failed."""
        self._collect(wait_for_one=False)
        while len(self._busy) >= self._plan.buffers(size):
            self._collect(wait_for_one=True)
        self._free = [buffer for buffer in self._free if len(buffer) == size]
        return self._free.pop() if self._free else bytearray(size)

    def _collect(self, *, wait_for_one: bool) -> None:
        """Collect the entries of the parts that have arrived, and their buffers."""
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
            if cause_of(error) != "NoSuchUpload":
                self._target.bucket.notice(f"parts of an unfinished upload stay behind: {error}")

    def _abort_strays(self, upload_id: str | None) -> None:
        """Abort an upload of this key whose creation was never answered. It has no parts, which distinguishes it from
        another writer's."""
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
            # An empty upload costs nothing, and listing uploads needs permissions that a backup need not have.
            _log.debug("an upload without parts may stay behind: %s", error)


def _codes_of_part(number: int) -> Codes:
    """Return the meanings of the service's codes for the part of this number."""
    if number <= _FEWEST_PARTS:
        return _REFUSED_PARTS
    text = f"the service refused part {number:,} (InvalidArgument); if it takes fewer parts, set a larger part_size"
    return {**_REFUSED_PARTS, "InvalidArgument": (StoreError, text)}


_TOO_LONG = "{}: longer than the {} bytes that {:,} parts hold; set part_size (bytes) to a 9,000th of its size or more"
_GROWS = (
    "{}: {:,} parts of {} MiB are sent and it goes on, so the parts grow from here; a service that demands equal parts "
    "will refuse them at the end: set part_size (bytes) to a 9,000th of the archive's size or more"
)
