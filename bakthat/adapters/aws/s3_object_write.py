"""`ObjectWrite`: sends the request that makes an object visible, and finds out whether it was carried out.

In pseudo-code:

    unless `replace`: hold a claim on the key where the service may let two writers pass   (s3_write_claim)
    look for the key, where the service may ignore the condition -> taken: ObjectExists
    send with If-None-Match: *
        done                         -> success
        412, and it was sent once    -> ObjectExists
        409, another write under way -> again, up to 3 times
        no answer, or sent twice     -> HEAD: the object has our put-id: success; else the error
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer
from bakthat.adapters.aws.errors import Codes, code_of, is_bare, status_of, translated
from bakthat.adapters.aws.s3_features import Learnt, base64_text, md5
from bakthat.adapters.aws.s3_head import head
from bakthat.adapters.aws.s3_part_body import PartBody, crc
from bakthat.adapters.aws.s3_writer import CANNOT_LOOK, Writer
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    ConfigError,
    ConfigInvalid,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreUnavailable,
)

_CONFLICTS = 3
"""How often a write is repeated that met another write of the same key (409)."""

TOO_LARGE: Codes = {
    "EntityTooLarge": (
        StoreError,
        "the service accepts no request of this size (EntityTooLarge); set a smaller part_size",
    )
}


_NO_LOCK: Codes = dict.fromkeys(
    ("InvalidRequest", "ObjectLockConfigurationNotFoundError"),
    (
        ConfigInvalid,
        "the service refused the lock: Object Lock must be enabled when a bucket is made; use such a bucket, or remove "
        "object_lock from the profile",
    ),
)
_UNCONFIRMED = "s3://{}: the service does not confirm the encryption {}; ask it whether it encrypts what is stored"


class ObjectWrite:
    """One object that is being uploaded."""

    def __init__(self, writer: Writer, key: str, what: str, replace: bool) -> None:
        self.bucket = writer.bucket
        self.client = writer.bucket.client
        self.what = what
        self.where = {"Bucket": writer.bucket.name, "Key": key}
        self.writer = writer
        self._replace = replace
        self._put_id = writer.bucket.put_id()
        self._looked = False
        lock = writer.bucket.lock
        self.locked_until = lock.until(writer.bucket.clock()) if lock is not None else None
        """When the object's lock ends, if it gets one."""

    @property
    def properties(self) -> dict[str, Any]:
        """What is stored beside the object's bytes."""
        properties: dict[str, Any] = {"Metadata": {"put-id": self._put_id}}
        if self.bucket.storage_class is not None:
            properties["StorageClass"] = self.bucket.storage_class
        if self.bucket.lock is not None:
            properties["ObjectLockMode"] = self.bucket.lock.mode.upper()
            properties["ObjectLockRetainUntilDate"] = self.locked_until
        return {**properties, **self.writer.encryption}

    def codes(self, codes: Codes | None = None) -> Codes:
        """The meanings of the service's codes, with those of a refused lock."""
        return {**(codes or {}), **(_NO_LOCK if self.bucket.lock is not None else {})}

    def check_encryption(self, answer: Answer) -> None:
        """Give a notice, once, if the answer does not confirm the encryption that was requested."""
        if self.bucket.sse is not None and answer.maybe_text("ServerSideEncryption") != self.bucket.sse:
            self.writer.tell_once(_UNCONFIRMED.format(self.bucket.name, self.bucket.sse))

    def write(
        self, learnt: Learnt, operation: Callable[..., Any], request: dict[str, Any]
    ) -> tuple[Answer, dict[str, Any]]:
        """Send one request about this object, as `Writer.write`."""
        unconditional = self._replace or self._looked
        return self.writer.write(learnt, self.what, operation, self.where | request, unconditional=unconditional)

    def put(self, view: memoryview) -> datetime:
        """Store the whole object with one request. Return its time."""
        body = PartBody(view, limit=self.bucket.upload_limit)
        request = {**self.properties, "Body": body, "ChecksumCRC32": crc(view)}
        if not self.bucket.trusted or self.bucket.lock is not None:
            # A service may silently ignore the CRC; all of them check Content-MD5. Amazon demands it with a lock.
            request["ContentMD5"] = base64_text(md5(view).digest())
        learnt = self.writer.single
        return self.make_visible(
            learnt, lambda condition: self._put(learnt, request | condition), self.codes(TOO_LARGE)
        )

    def _put(self, learnt: Learnt, request: dict[str, Any]) -> Answer:
        answer, _ = self.write(learnt, self.client.put_object, request)
        self.check_encryption(answer)
        return answer

    def make_visible(
        self, learnt: Learnt, send: Callable[[dict[str, Any]], Answer], codes: Codes | None = None
    ) -> datetime:
        """Send the request that makes the object visible. Return the object's time.

        Args:
            learnt: What is known about this way of writing.
            send: Sends the request with the given condition.
            codes: Meanings of error codes of this request.

        Raises:
            ObjectExists: Another writer has taken the key.
        """
        claims = self.writer.claims
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
                if cause_of(error) == "ConditionalRequestConflict" and conflicts < _CONFLICTS:
                    conflicts += 1
                    self.bucket.pause(0.1 * 2**conflicts)
                    continue
                if not self._is_own_copy(learnt, error, resent=conflicts > 0 or _was_resent(error)):
                    raise
                return self.bucket.clock()
            if answer.maybe_text("ETag") is None and not self.is_ours():
                raise StoreError(
                    f"{self.what}: answered as if it were stored, but it does not exist; check endpoint_url"
                )
            return self._date_of(answer)

    def is_ours(self) -> bool:
        """Whether the object under the key is this upload's. Raises `StoreError` if that is unknown."""
        try:
            return self._bears_our_id(head(self.client, self.where, self.what))
        except ObjectNotFound:
            return False

    def _check_still_ours(self) -> None:
        """Raise `ObjectExists` if the object under the key has the id of another write, which has replaced ours."""
        try:
            found = head(self.client, self.where, self.what)
        except BakthatError:
            return  # credentials that may only write must not look
        if "put-id" in map(str.lower, found.texts("Metadata")) and not self._bears_our_id(found):
            raise ObjectExists(f"{self.what}: another backup was stored under this name at the same moment")

    def _look(self, learnt: Learnt) -> bool:
        """Whether the object exists already, stored by an earlier request of this upload. Raises `ObjectExists` if it
        belongs to another writer."""
        try:
            found = head(self.client, self.where, self.what)
        except ObjectNotFound:
            self._looked = True
            return False
        except StoreUnavailable:
            raise
        except (ConfigError, StoreError) as error:
            # Not needed as long as the write itself has a condition: credentials that may only write must not look.
            # And an answer to HEAD has no body; the answer to the write says what is wrong (region, token).
            if learnt.features.condition:
                return False
            if isinstance(error, AccessDenied):
                raise AccessDenied(CANNOT_LOOK.format(self.bucket.name)) from error
            raise
        if self._bears_our_id(found):
            return True
        self.writer.check_not_a_web_site(self.where, self.what)
        raise ObjectExists(f"{self.what}: already exists")

    def _is_own_copy(self, learnt: Learnt, error: StoreError, *, resent: bool) -> bool:
        """Whether the failed write was carried out after all, by an attempt whose answer was lost or unreadable."""
        if isinstance(error, ObjectExists) and is_refusal(error) and not resent:
            learnt.must_look = False  # the service has shown that it honours conditions
            return False
        is_taken = isinstance(error, ObjectExists) or cause_of(error) == "NoSuchUpload"
        if is_refusal(error) and not is_taken and not resent:
            return False
        try:
            return self.is_ours()
        except StoreError as unknown:
            if not is_taken:
                return False
            raise StoreError(
                f"{self.what}: an answer was lost, and it is unknown whether this object was stored; "
                "allow s3:GetObject, or back up again"
            ) from unknown

    def _bears_our_id(self, found: Answer) -> bool:
        metadata = found.texts("Metadata")
        return any(name.lower() == "put-id" and value == self._put_id for name, value in metadata.items())

    def _date_of(self, answer: Answer) -> datetime:
        """Return the service's time from the header Date: the answer to a write does not have the object's time."""
        try:
            return email.utils.parsedate_to_datetime(answer.header("date")).astimezone(UTC)
        except (OverflowError, ValueError):
            return self.bucket.clock()


def cause_of(error: BakthatError) -> str:
    """Return the service's code for an error, empty if it sent none."""
    return code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""


def is_refusal(error: BakthatError) -> bool:
    """Whether the service itself said that it did not carry out the request.

    Silence, an unreadable answer, or an error under the status of a success is not a refusal. Nor is a status without a
    code: it may be a proxy's, which does not know what became of the request.
    """
    cause = error.__cause__
    if not isinstance(cause, ClientError) or isinstance(error, StoreUnavailable):
        return False
    return 400 <= status_of(cause) < 500 and not is_bare(cause)


def _was_resent(error: BakthatError) -> bool:
    """Whether botocore had sent the failed request more than once."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    return int(cause.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0
