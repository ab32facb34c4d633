"""`CopyInParts`: copies an object within the service, part by part, so that no byte passes this machine.

    HEAD of the source: its ETag is an MD5, or the MD5 of the MD5s of its parts      else: the caller streams
    HEAD of some parts: their sizes, so that the copy has the same ones
    CreateMultipartUpload; UploadPartCopy of each part, several at once, on condition of the source's ETag
    the MD5 of what the parts' answers say is the source's ETag                       else: abort, the caller streams
    CompleteMultipartUpload makes the object visible, on condition that the key is free

CopyObject would be one request, for up to 5 GB. But few services take its condition, and by the MD5s of the parts the
copy is compared with the source before anybody can see it.

Sources: Amazon S3 API, UploadPartCopy, and HeadObject (`partNumber`).
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from attrs import frozen

from bakthat.adapters.aws.answer import ask
from bakthat.adapters.aws.errors import Codes, translated
from bakthat.adapters.aws.s3_head import explained_head
from bakthat.adapters.aws.s3_multipart import Multipart
from bakthat.adapters.aws.s3_object_write import ObjectWrite
from bakthat.adapters.aws.s3_part_sizes import MAX_PART, plan_parts
from bakthat.adapters.aws.s3_upload import Uploaded
from bakthat.adapters.aws.s3_writer import Writer
from bakthat.domain.objects import ObjectInfo
from bakthat.errors import ConfigError, ObjectArchived, ObjectExists, StoreError

_log = logging.getLogger("bakthat")

_ETAG = re.compile(r'"?([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?"?')
"""The MD5 of an object; of one in parts, the MD5 of their MD5s, and how many there are. With KMS it is neither."""


_REPLACED: Codes = dict.fromkeys(("PreconditionFailed", "412"), (StoreError, "was replaced while it was copied"))


@frozen(kw_only=True)
class Source:
    """An object in a bucket of the same service. what: names it in messages. expected: as an earlier HEAD found it."""

    bucket: str
    key: str
    what: str
    expected: ObjectInfo


@frozen(kw_only=True)
class _Seen:
    """What HEAD says about the source."""

    etag: str
    """As the service wrote it."""
    md5: str
    parts: int
    """How many it was uploaded in; 0 if it was not uploaded in parts."""
    size: int


def copy_within(writer: Writer, key: str, what: str, source: Source) -> Uploaded | None:
    """Copy the object to `key` of the writer's bucket. `what`: names the copy in messages.

    Returns:
        The copy; None if this service cannot make it, or not so that it can be compared with the source. Then
        nothing is stored.

    Raises:
        ObjectExists, ObjectArchived, StoreUnavailable.
    """
    bucket = writer.bucket
    target = ObjectWrite(writer, key, what, replace=False)
    plan = plan_parts(max_concurrency=bucket.max_concurrency)
    copying = CopyInParts(target, plan)
    try:
        seen = _seen(bucket.client, source)
        sizes = _part_sizes(bucket.client, source, seen) if seen is not None else None
        if seen is None or sizes is None:
            return None
        if copying.copy_parts(source, seen.etag, sizes) != seen.md5 + (f"-{seen.parts}" if seen.parts else ""):
            _log.debug("%s: the copy within the service cannot be compared with the source: it is read and sent", what)
            return None
        return Uploaded(size=seen.size, modified=copying.complete(), locked_until=target.locked_until)
    except (ObjectExists, ObjectArchived):
        raise
    except (StoreError, ConfigError) as error:
        if error.retryable:
            raise
        # Whatever keeps the service from copying need not keep this machine from reading and writing.
        _log.debug("%s: not copied within the service: %s", what, error)
        return None
    finally:
        copying.abort()
        copying.close()


class CopyInParts(Multipart):
    """One copy. Its parts are those of the source."""

    def copy_parts(self, source: Source, etag: str, sizes: list[int]) -> str:
        """Have all parts copied. Return the ETag that an object of these parts has: without a number for one part of
        an object that was not uploaded in parts."""
        self.begin()
        start = 0
        for number, size in enumerate(sizes, start=1):
            while len(self._busy) >= self._plan.max_concurrency:
                self._collect(wait_for_one=True)
            span = None if len(sizes) == 1 else f"bytes={start}-{start + size - 1}"
            job = self._workers.submit(partial(self._copy_part, source, etag, number, span))
            self._busy[job] = bytearray()
            start += size
        while self._busy:
            self._collect(wait_for_one=True)
        digests = [part["ETag"].strip('"') for part in sorted(self._parts, key=lambda part: int(part["PartNumber"]))]
        if any(len(digest) != 32 or not _ETAG.fullmatch(digest) for digest in digests):
            return ""
        whole = hashlib.md5(b"".join(map(bytes.fromhex, digests)), usedforsecurity=False).hexdigest()
        return f"{whole}-{len(digests)}" if "-" in etag else digests[0]

    def _copy_part(self, source: Source, etag: str, number: int, span: str | None) -> dict[str, Any]:
        assert self._created is not None  # noqa: S101 - begun by copy_parts
        request: dict[str, Any] = {
            **self._target.where,
            "UploadId": self._created.result(),
            "PartNumber": number,
            "CopySource": {"Bucket": source.bucket, "Key": source.key},
            "CopySourceIfMatch": etag,
        }
        if span is not None:
            request["CopySourceRange"] = span
        with translated(source.what, _REPLACED):
            answer = ask(self._target.what, self._client.upload_part_copy, **request).inner("CopyPartResult")
        entry = {"PartNumber": number, "ETag": answer.text("ETag")}
        checksum = answer.maybe_text("ChecksumCRC32")
        return {**entry, "ChecksumCRC32": checksum} if checksum else entry


def _seen(client: Any, source: Source) -> _Seen | None:
    """None for an object whose ETag is not made of MD5s, and for an empty one, of which no part can be copied."""
    found = explained_head(client, {"Bucket": source.bucket, "Key": source.key}, source.what)
    etag, size = found.maybe_text("ETag") or "", found.number("ContentLength")
    match = _ETAG.fullmatch(etag)
    is_kms = (found.maybe_text("ServerSideEncryption") or "").startswith("aws:kms")
    if match is None or is_kms or not size or source.expected.size != size:
        return None
    if source.expected.etag not in (None, etag):
        return None
    return _Seen(etag=etag, md5=match[1], parts=int(match[2] or 0), size=size)


def _part_sizes(client: Any, source: Source, seen: _Seen) -> list[int] | None:
    """The sizes of the source's parts. None if the service does not tell them, or they do not make up the object.

    All parts but the last have ascending sizes, so that where two of them have one size, so have those in between:
    10,000 parts take some 30 requests, not 10,000.
    """
    if not seen.parts:
        return [seen.size] if seen.size <= MAX_PART else None

    @cache
    def size_of(number: int) -> int:
        where = {"Bucket": source.bucket, "Key": source.key, "PartNumber": number}
        with translated(source.what):
            return ask(source.what, client.head_object, **where).number("ContentLength")

    sizes = [*sizes_between(size_of, 1, seen.parts - 1), size_of(seen.parts)]
    return sizes if sum(sizes) == seen.size and all(0 < size <= MAX_PART for size in sizes) else None


def sizes_between(size_of: Callable[[int], int], first: int, last: int) -> list[int]:
    """Return the sizes of the parts from `first` to `last`, which ascend. `size_of`: asks for one of them."""
    if last < first:
        return []
    if size_of(first) == size_of(last):
        return [size_of(first)] * (last - first + 1)
    middle = (first + last) // 2
    return [*sizes_between(size_of, first, middle), *sizes_between(size_of, middle + 1, last)]
