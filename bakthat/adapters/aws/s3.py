"""`S3ObjectStore`: objects in a bucket of Amazon S3, or of a service that is compatible with it.

`s3_upload` stores objects, `s3_download` reads them, `s3_listing` lists them.
"""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from bakthat.adapters.aws import s3_write_claim
from bakthat.adapters.aws.answer import ask
from bakthat.adapters.aws.errors import code_of, status_of, translated
from bakthat.adapters.aws.s3_bucket import Bucket, log_notice
from bakthat.adapters.aws.s3_client import account_of, settings_of
from bakthat.adapters.aws.s3_client import s3_client as s3_client
from bakthat.adapters.aws.s3_copy import Source, copy_within
from bakthat.adapters.aws.s3_download import RANGE, S3Reader
from bakthat.adapters.aws.s3_head import check_not_a_web_site, explained_head, head
from bakthat.adapters.aws.s3_leftovers import left_claims, remove_unfinished, unfinished_uploads
from bakthat.adapters.aws.s3_listing import check_is_listing, entry_of, listed
from bakthat.adapters.aws.s3_locks import confirmed, extend, lock_in, protection, retention_of
from bakthat.adapters.aws.s3_part_sizes import MAX_PART, MIN_PART
from bakthat.adapters.aws.s3_upload import Uploaded, Uploader
from bakthat.adapters.aws.settings import resolved
from bakthat.adapters.rate_limit import NO_LIMITS, Limits
from bakthat.domain.object_key import check_key
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.objects import Leftover, Lock, ObjectInfo
from bakthat.domain.profile import (
    DEFAULT_REGION,
    Profile,
    normal_prefix,
    s3_location,
    s3_owner,
)
from bakthat.errors import ConfigInvalid, InvalidName, ObjectLocked, StoreError, UsageError
from bakthat.ports.byte_ranges import check_range, check_version
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.url_signer import UrlSigner

_WEEK = 7 * 24 * 3600
"""The most seconds that a presigned URL can be valid (signature version 4)."""

_PRESIGNED = {"GET": "get_object", "HEAD": "head_object", "PUT": "put_object"}


class S3ObjectStore(ObjectStore, UrlSigner):
    """Objects under a prefix of one bucket. Only `bucket_exists` and `create_bucket` need more than the permissions for
    objects, see docs/iam.md."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        prefix: str = "",
        location: str | None = None,
        region: str = DEFAULT_REGION,
        storage_class: str | None = None,
        part_size: int | None = None,
        least_part: int = MIN_PART,
        range_size: int = RANGE,
        max_concurrency: int = 4,
        amazon: bool = False,
        claims: bool | None = None,
        account: Hashable = None,
        sse: str | None = None,
        kms_key_id: str | None = None,
        lock: ObjectLock | None = None,
        limits: Limits = NO_LIMITS,
        page: int = 1000,
        put_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
        notice: Callable[[str], None] = log_notice,
    ) -> None:
        """Send nothing yet.

        Args:
            client: A client that `s3_client` made.
            bucket: Its name.
            prefix: Of all keys.
            location: Of the store; by default the URL of bucket and prefix at Amazon.
            region: Where `create_bucket` creates the bucket.
            storage_class: Of new objects.
            part_size: Bytes; None lets parts grow with the stream.
            least_part: The fewest bytes of a part that the service takes; Amazon's S3 takes 5 MiB.
            range_size: Bytes of one request of a download.
            max_concurrency: Requests of one upload or download in flight at once.
            amazon: The service is Amazon's own: it lists in key order, honours conditions, and accepts parts of any
                size. Others are not trusted with that.
            claims: Whether claims keep two writers of one key apart (`WriteClaims`); by default at all services but
                Amazon's.
            account: Equal for stores that the same credentials reach at the same service, so that it can copy objects
                between them; None: unknown.
            sse: How the service encrypts new objects: `AES256` or `aws:kms`.
            kms_key_id: The key of `aws:kms`.
            lock: Of new objects.
            limits: Of the bytes of bodies, in both directions.
            page: Keys of one listing request.
            put_id: Returns a new random id for each write.
            clock: The current time, used where an answer has no date.
            pause: Waits for so many seconds.
            notice: Called with a line for a person.

        Raises:
            ConfigInvalid: `part_size` or `max_concurrency` is out of range.
        """
        if part_size is not None and not least_part <= part_size <= MAX_PART:
            raise ConfigInvalid(f"part_size is {part_size} bytes; it must be between {least_part} and {MAX_PART}")
        if max_concurrency < 1:
            raise ConfigInvalid(f"max_concurrency is {max_concurrency}; it must be at least 1")
        self._client = client
        self._bucket = bucket
        self._prefix = normal_prefix(prefix)
        self.location = location or s3_location(bucket, prefix)
        self._region = region
        self._storage_class = storage_class
        self._range_size = range_size
        self._max_concurrency = max_concurrency
        self._amazon = amazon
        self._page = page
        self._notice = notice
        self._account = account
        self._lock = lock
        self._download_limit = limits.download
        self._is_s3 = amazon
        self._reads_ranges = True
        self._uploader = Uploader(
            Bucket(
                client=client,
                name=bucket,
                prefix=self._prefix,
                storage_class=storage_class,
                part_size=part_size,
                max_concurrency=max_concurrency,
                trusted=amazon,
                claims=not amazon if claims is None else claims,
                sse=sse,
                kms_key_id=kms_key_id,
                lock=lock,
                upload_limit=limits.upload,
                put_id=put_id,
                clock=clock,
                pause=pause,
                notice=notice,
            )
        )

    @classmethod
    def from_profile(
        cls, profile: Profile, *, notice: Callable[[str], None] = log_notice, limits: Limits = NO_LIMITS
    ) -> S3ObjectStore:
        """Return the store of a profile's `s3` destination. Sends nothing. Raises `ConfigError`."""
        profile = resolved(profile, "s3")
        return cls(
            s3_client(profile),
            profile.s3_bucket or "",
            **settings_of(profile),
            location=s3_owner(profile).location,
            region=profile.region_name or DEFAULT_REGION,
            storage_class=profile.storage_class,
            account=account_of(profile),
            limits=limits,
            notice=notice,
        )

    def __repr__(self) -> str:
        return f"S3ObjectStore({self.location!r})"

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        where = self._where(key)
        stored = self._uploader.upload(where["Key"], self._named(key), body, replace=replace, size_hint=size_hint)
        return self._stored(key, stored)

    def _stored(self, key: str, stored: Uploaded) -> ObjectInfo:
        lock = None
        if stored.locked_until is not None:
            lock = confirmed(self._client, self._where(key), self._named(key), stored.locked_until)
            if lock is None:
                self._notice(f"{self._named(key)} is stored, but the service has not locked it")
        return ObjectInfo(
            key=key, size=stored.size, modified=stored.modified, storage_class=self._storage_class, lock=lock
        )

    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        where, what = self._where(key), self._named(key)
        if not isinstance(source, S3ObjectStore) or self._account is None or self._account != source._account:
            return None
        there = source._where(key)
        made = copy_within(
            self._uploader.writer,
            where["Key"],
            what,
            Source(bucket=there["Bucket"], key=there["Key"], what=source._named(key), expected=expected),
        )
        return None if made is None else self._stored(key, made)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        where, what = self._where(key), self._named(key)
        with self._reader(where, what) as reader:
            self._check_not_a_web_site(reader.etag, where, what)
            yield cast(BinaryIO, reader)

    @contextmanager
    def open_range(self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None) -> Iterator[BinaryIO]:
        check_range(start, stop)
        where, what = self._where(key), self._named(key)
        if start == stop:  # No request can ask for an empty range.
            check_version(self.stat(key), expected, what)
            yield io.BytesIO()
            return
        with self._reader(where, what, start=start, stop=stop, expected=expected) as reader:
            self._check_not_a_web_site(reader.etag, where, what)
            self._reads_ranges = self._reads_ranges and not reader.is_whole
            yield cast(BinaryIO, reader)

    def _reader(self, where: dict[str, str], what: str, **part: Any) -> S3Reader:
        limits: dict[str, Any] = {"max_concurrency": self._max_concurrency, "range_size": self._range_size}
        return S3Reader(self._client, where, what, limit=self._download_limit, **limits, **part)

    @property
    def reads_ranges(self) -> bool:
        """True, until the service has answered the request for a range with the whole object."""
        return self._reads_ranges

    def stat(self, key: str) -> ObjectInfo:
        where, what = self._where(key), self._named(key)
        found = explained_head(self._client, where, what)
        self._check_not_a_web_site(found.maybe_text("ETag"), where, what)
        size, modified = found.maybe_number("ContentLength"), found.maybe_moment("LastModified")
        if size is None or modified is None:
            entry = entry_of(self._client, where, what)
            size, modified = entry.number("Size"), entry.moment("LastModified")
        return ObjectInfo(
            key=key,
            size=size,
            modified=modified,
            storage_class=found.maybe_text("StorageClass"),
            etag=found.maybe_text("ETag"),
            lock=lock_in(found),
        )

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        if self._amazon:
            return self._listed(prefix)
        # Several services list by folders (`a/b` before `a.b`), which is not key order.
        return iter(sorted(self._listed(prefix), key=lambda info: info.key))

    def delete(self, key: str) -> None:
        where, what = self._where(key), self._named(key)
        with translated(what):
            try:
                ask(what, self._client.delete_object, **where)
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return
                how = protection(self._client, where, what) if status_of(error) in {400, 403, 409, 423} else None
                if how is None:
                    raise
                raise ObjectLocked(f"{what}: protected {how}; it cannot be deleted before") from error

    def lock_of(self, key: str) -> Lock | None:
        where, what = self._where(key), self._named(key)
        return lock_in(explained_head(self._client, where, what)) or retention_of(self._client, where, what)

    def extend_lock(self, key: str, until: datetime) -> None:
        lock = self._uploader.writer.bucket.lock
        mode = lock.mode if lock is not None else None
        extend(self._client, self._where(key), self._named(key), until, mode)

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        yield from unfinished_uploads(self._client, self._bucket, self._prefix, prefix, self.location, details=details)
        if self._uploader.writer.claims is not None:
            yield from left_claims(self._client, self._bucket, self._prefix, prefix, self.location)

    def remove_leftover(self, leftover: Leftover) -> bool:
        remove_unfinished(self._client, self._bucket, self._prefix, leftover, self._named(leftover.key))
        return True

    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        """Return a URL with which anybody can access this one object for so many seconds, with the rights of the
        credentials. It is a secret. No request is sent. Raises `UsageError`."""
        if method not in _PRESIGNED:
            raise UsageError(f"{method!r} cannot be presigned; choose among {', '.join(_PRESIGNED)}")
        if not 1 <= expires_in <= _WEEK:
            raise UsageError(f"a presigned URL is valid from 1 to {_WEEK} seconds, not {expires_in}")
        with translated(self._named(key)):
            return str(
                self._client.generate_presigned_url(_PRESIGNED[method], Params=self._where(key), ExpiresIn=expires_in)
            )

    def bucket_exists(self) -> bool:
        """Whether the bucket exists. Raises `AccessDenied` if it must not be listed, or belongs to somebody else."""
        # Not HEAD: its answer has no body, so a web site would seem to have every bucket, and a refusal has no reason.
        with translated(self.location):
            try:
                page = ask(self.location, self._client.list_objects_v2, Bucket=self._bucket, MaxKeys=1)
            except ClientError as error:
                if code_of(error) == "NoSuchBucket":
                    return False
                raise
        check_is_listing(page, self.location)
        return True

    def create_bucket(self) -> None:
        """Create the bucket, unless it exists and is one's own. Only `configure` does this."""
        request: dict[str, Any] = {"Bucket": self._bucket}
        if self._lock is not None:
            request["ObjectLockEnabledForBucket"] = True
        if self._amazon and self._region != "us-east-1":
            request["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
        with translated(self.location, _BUCKET_TAKEN):
            try:
                ask(self.location, self._client.create_bucket, **request)
            except ClientError as error:
                if code_of(error) != "BucketAlreadyOwnedByYou":
                    raise

    def _listed(self, prefix: str) -> Iterator[ObjectInfo]:
        for entry in listed(self._client, self._bucket, self._prefix + prefix, self.location, page_size=self._page):
            key = entry.text("Key").removeprefix(self._prefix)
            if not _is_key(key) or key.startswith(s3_write_claim.FOLDER):
                continue
            size, modified = entry.maybe_number("Size"), entry.maybe_moment("LastModified")
            if size is None or modified is None:
                found = head(self._client, self._where(key), self._named(key))
                size, modified = found.number("ContentLength"), found.moment("LastModified")
            yield ObjectInfo(key=key, size=size, modified=modified, storage_class=entry.maybe_text("StorageClass"))

    def _check_not_a_web_site(self, etag: str | None, where: dict[str, str], what: str) -> None:
        """Raise `StoreError` if an answer without an ETag comes from a web site that answers every name."""
        if etag is None and not self._is_s3:
            check_not_a_web_site(self._client, where, what)
            self._is_s3 = True

    def _where(self, key: str) -> dict[str, str]:
        whole = self._prefix + check_key(key)
        if len(whole.encode()) > 1024:
            raise InvalidName(f"{key!r} is too long a key for S3 together with the prefix {self._prefix!r}")
        return {"Bucket": self._bucket, "Key": whole}

    def _named(self, key: str) -> str:
        return f"{self.location}: {key}"


_BUCKET_TAKEN = {
    "BucketAlreadyExists": (StoreError, "this bucket name is taken by somebody else; choose another s3_bucket")
}


def _is_key(key: str) -> bool:
    """Whether this store could have written the key. A bucket may hold other objects, such as `folder/`."""
    try:
        check_key(key)
    except InvalidName:
        return False
    return True
