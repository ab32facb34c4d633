"""`Features`: optional features of S3 that a service is assumed to support, until it refuses one."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from attrs import evolve, frozen
from botocore.exceptions import ClientError

from bakthat.adapters.aws.errors import code_of, status_of

_DAMAGED = frozenset({"BadDigest", "XAmzContentChecksumMismatch"})
"""Codes for bytes that do not match their checksum. They mention checksums, but do not refuse the feature."""


@frozen(kw_only=True)
class Features:
    """What may be sent with a write.

    Args:
        crc: The header x-amz-checksum-crc32.
        condition: The header If-None-Match.
        md5: Each body needs Content-MD5, also beside a CRC.
    """

    crc: bool = True
    condition: bool = True
    md5: bool = False

    def fitted(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request with only what the service supports. A body always has a checksum."""
        fitted = dict(request)
        if not self.condition:
            fitted.pop("IfNoneMatch", None)
        if not self.crc:
            fitted.pop("ChecksumAlgorithm", None)
            fitted.pop("ChecksumCRC32", None)
        if "Body" in request and "ContentMD5" not in request and (self.md5 or not self.crc):
            fitted["ContentMD5"] = base64_text(md5(request["Body"].view).digest())
        return fitted

    def after(self, error: ClientError, request: dict[str, Any]) -> Features | None:
        """Return the remaining features if this refusal is about one that the request used or lacked; else None."""
        code, status = code_of(error), status_of(error)
        details = error.response.get("Error", {})
        says = f"{details.get('Message', '')} {details.get('Header', '')}".lower()
        is_unknown = code in {"NotImplemented", "501"} or status == 501
        if not is_unknown and (status != 400 or code in _DAMAGED):
            return None
        has_crc = "ChecksumCRC32" in request or "ChecksumAlgorithm" in request
        if "Body" in request and "ContentMD5" not in request and ("content-md5" in says or code == "MissingContentMD5"):
            return evolve(self, md5=True)
        if has_crc and ("checksum" in says or "crc32" in says or code == "InvalidDigest"):
            return evolve(self, crc=False)
        is_about_condition = "none-match" in says or "conditional" in says
        if "IfNoneMatch" in request and is_about_condition:
            return evolve(self, condition=False)
        if not is_unknown or is_about_condition:
            return None
        # The refusal names no header. The checksum is the newer feature, so it is left out first.
        if has_crc:
            return evolve(self, crc=False)
        return evolve(self, condition=False) if "IfNoneMatch" in request else None

    def both(self, other: Features) -> Features:
        """Return the features that both have."""
        return Features(
            crc=self.crc and other.crc,
            condition=self.condition and other.condition,
            md5=self.md5 or other.md5,
        )


class Learnt:
    """What is known about one way of writing at a service: with a single request, or in parts.

    One says nothing about the other: Ceph, for example, honoured the condition of PutObject years before that of
    CompleteMultipartUpload.
    """

    def __init__(self, *, must_look: bool) -> None:
        self.features = Features()
        self.must_look = must_look
        """Whether to look for the key before writing it, since the service may silently ignore the condition."""


def md5(view: memoryview) -> Any:
    """Return the MD5 of a body. Services check it, and some use it as the ETag."""
    return hashlib.md5(view, usedforsecurity=False)


def base64_text(digest: bytes) -> str:
    """Return a digest in the form that headers use."""
    return base64.b64encode(digest).decode("ascii")
