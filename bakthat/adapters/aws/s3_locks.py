"""What keeps an object from being deleted: Object Lock, by the answers of HEAD and GetObjectRetention.

HEAD shows a lock to credentials that may see it (s3:GetObjectRetention), and nothing to others. In a bucket with Object
Lock, which is a versioned one, DELETE always succeeds: it hides a locked object behind a marker. So it has to be known
before. Source: Amazon S3 user guide, "How S3 Object Lock works", and API, GetObjectRetention.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.errors import code_of, is_bare, status_of, translated
from bakthat.adapters.aws.s3_head import head
from bakthat.domain.objects import Lock
from bakthat.errors import BakthatError, StoreError

_NO_LOCK = frozenset(
    {
        "InvalidRequest",
        "NoSuchObjectLockConfiguration",
        "NotImplemented",
        "ObjectLockConfigurationNotFoundError",
        "501",
        "405",
        "MethodNotAllowed",
    }
)
"""Codes of GetObjectRetention for an object, or a bucket, without a lock, and of services without locks."""


def lock_in(found: Answer) -> Lock | None:
    """The lock in an answer to HEAD or GET, None if it shows none."""
    if found.maybe_text("ObjectLockLegalHoldStatus") == "ON":
        return Lock(until=None)
    until = found.maybe_moment("ObjectLockRetainUntilDate")
    return None if until is None else Lock(until=until)


def retention_of(client: Any, where: dict[str, str], what: str) -> Lock | None:
    """Ask whether the bucket has Object Lock, and then for the retention of an object. Raises `AccessDenied` if the
    credentials must not know."""
    if not _may_lock(client, where["Bucket"], what):
        return None
    with translated(what):
        try:
            answer = ask(what, client.get_object_retention, **where)
        except ClientError as error:
            if code_of(error) in _NO_LOCK or (status_of(error) == 404 and is_bare(error)):
                return None
            raise
    until = answer.inner("Retention").maybe_moment("RetainUntilDate") if answer.has("Retention") else None
    return None if until is None else Lock(until=until)


def extend(client: Any, where: dict[str, str], what: str, until: datetime, mode: str | None) -> None:
    """Lock an object until this moment, unless it is locked for longer. `mode`: of an object that shows no lock; None
    locks none.

    A longer retention needs no special permission, in either mode (Amazon S3 user guide, "Object Lock considerations").
    Raises `StoreError` if it shows no lock, and there is no mode.
    """
    found = head(client, where, what)
    now = found.maybe_moment("ObjectLockRetainUntilDate")
    if now is not None and now >= until:
        return
    wanted = found.maybe_text("ObjectLockMode") or mode
    if wanted is None:
        raise StoreError(f"{what}: is not locked, and the profile has no object_lock")
    retention = {"Mode": wanted.upper(), "RetainUntilDate": until}
    with translated(what):
        ask(what, client.put_object_retention, **where, Retention=retention)


def _may_lock(client: Any, bucket: str, what: str) -> bool:
    """Whether the bucket has Object Lock, as far as the credentials may know."""
    with translated(what):
        try:
            answer = ask(what, client.get_object_lock_configuration, Bucket=bucket)
        except ClientError as error:
            if code_of(error) in _NO_LOCK or (status_of(error) == 404 and is_bare(error)):
                return False
            if status_of(error) in {401, 403}:
                return True
            raise
    name = "ObjectLockConfiguration"
    return answer.has(name) and answer.inner(name).has("ObjectLockEnabled")


def confirmed(client: Any, where: dict[str, str], what: str, until: datetime) -> Lock | None:
    """The lock of an object that was just stored with one; None if the service shows that it has none.

    Some services take the headers of a lock, and keep no versions, or lose the lock of an object in parts. Credentials
    that must not look believe what they asked for.
    """
    asked = Lock(until=until)
    try:
        found = head(client, where, what)
        if lock_in(found) is not None:
            return lock_in(found) if found.maybe_text("VersionId") is not None else None
        return retention_of(client, where, what)
    except StoreError as error:
        return None if type(error) is StoreError else asked
    except BakthatError:
        return asked


def protection(client: Any, where: dict[str, str], what: str) -> str | None:
    """How long Object Lock protects an object that could not be deleted, in words; None if it does not, or the
    credentials must not know."""
    try:
        lock = lock_in(head(client, where, what))
    except BakthatError:
        return None
    if lock is None:
        return None
    if lock.until is None:
        return "by a legal hold, until that is removed"
    return f"by Object Lock until {lock.until:%Y-%m-%d %H:%M} UTC"
