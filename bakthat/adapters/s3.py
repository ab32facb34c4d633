"""`S3ObjectStore`: objects in a bucket of Amazon S3, or of a service that speaks its language."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from bakthat.adapters import aws
from bakthat.adapters.aws import code_of, translated
from bakthat.adapters.s3_download import S3Reader
from bakthat.adapters.s3_parts import MAX_PART, MIN_PART
from bakthat.adapters.s3_upload import Bucket, Uploader
from bakthat.domain.object_key import check_key
from bakthat.domain.objects import ObjectInfo
from bakthat.domain.profile import DEFAULT_REGION, Profile, endpoint_host, normal_prefix, s3_location, s3_owner
from bakthat.errors import ConfigInvalid, InvalidName, ObjectNotFound, StoreError, UsageError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.url_signer import UrlSigner

_WEEK = 7 * 24 * 3600
"""Seconds that a presigned URL may live at most (signature version 4)."""

_PRESIGNED = {"GET": "get_object", "HEAD": "head_object", "PUT": "put_object"}


class S3ObjectStore(ObjectStore, UrlSigner):
    """Objects under a prefix of one bucket. Nothing but `bucket_exists` and `create_bucket` asks for more than object
    permissions, see docs/iam.md."""

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
        max_concurrency: int = 4,
        amazon: bool = False,
        page: int = 1000,
        put_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`client`: as `s3_client` builds it. `part_size`: bytes, None lets parts grow with the stream.
        `max_concurrency`: requests of one upload or download in flight at once. `amazon`: the service is Amazon's own,
        which lists in key order and honours conditions; others are not trusted with that. `page`: keys of one listing
        request. `put_id`: a new random id of a write. Raises `ConfigInvalid`."""
        if part_size is not None and not MIN_PART <= part_size <= MAX_PART:
            raise ConfigInvalid(f"part_size is {part_size} bytes; it must be between {MIN_PART} and {MAX_PART}")
        if max_concurrency < 1:
            raise ConfigInvalid(f"max_concurrency is {max_concurrency}; it must be at least 1")
        self._client = client
        self._bucket = bucket
        self._prefix = normal_prefix(prefix)
        self.location = location or s3_location(bucket, prefix)
        self._region = region
        self._storage_class = storage_class
        self._max_concurrency = max_concurrency
        self._amazon = amazon
        self._page = page
        self._uploader = Uploader(
            Bucket(
                client=client,
                name=bucket,
                storage_class=storage_class,
                part_size=part_size,
                max_concurrency=max_concurrency,
                trusted=amazon,
                put_id=put_id,
                clock=clock,
                pause=pause,
            )
        )

    @classmethod
    def from_profile(cls, profile: Profile) -> S3ObjectStore:
        """The store of a profile's `s3` destination; sends nothing. Raises `ConfigError`."""
        owner = s3_owner(profile)
        return cls(
            s3_client(profile),
            profile.s3_bucket or "",
            prefix=profile.s3_prefix,
            location=owner.location,
            region=profile.region_name,
            storage_class=profile.storage_class,
            part_size=profile.part_size,
            max_concurrency=profile.max_concurrency,
            amazon=is_amazon(profile.endpoint_url),
        )

    def __repr__(self) -> str:
        return f"S3ObjectStore({self.location!r})"

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        where = self._where(key)
        stored = self._uploader.upload(where["Key"], self._named(key), body, replace=replace, size_hint=size_hint)
        return ObjectInfo(key=key, size=stored.size, modified=stored.modified, storage_class=self._storage_class)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        reader = S3Reader(self._client, self._where(key), self._named(key), max_concurrency=self._max_concurrency)
        with reader:
            yield cast(BinaryIO, reader)

    def stat(self, key: str) -> ObjectInfo:
        where = self._where(key)
        with translated(self._named(key)):
            found = self._client.head_object(**where)
        return ObjectInfo(
            key=key,
            size=found["ContentLength"],
            modified=found["LastModified"].astimezone(UTC),
            storage_class=found.get("StorageClass"),
        )

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        if self._amazon:
            return self._listed(prefix)
        # Several services list by folders (`a/b` before `a.b`), which is not key order.
        return iter(sorted(self._listed(prefix), key=lambda info: info.key))

    def delete(self, key: str) -> None:
        where = self._where(key)
        with translated(self._named(key)):
            try:
                self._client.delete_object(**where)
            except ClientError as error:
                if code_of(error) != "NoSuchKey":
                    raise

    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        """A URL that gives whoever has it this one object for so many seconds, with the rights of the credentials.
        It is a secret, and is made without asking the service. Raises `UsageError`."""
        if method not in _PRESIGNED:
            raise UsageError(f"{method!r} cannot be presigned; choose among {', '.join(_PRESIGNED)}")
        if not 1 <= expires_in <= _WEEK:
            raise UsageError(f"a presigned URL lives from 1 to {_WEEK} seconds, not {expires_in}")
        with translated(self._named(key)):
            return str(
                self._client.generate_presigned_url(_PRESIGNED[method], Params=self._where(key), ExpiresIn=expires_in)
            )

    def bucket_exists(self) -> bool:
        """Whether there is such a bucket. Raises `AccessDenied` where it may not be looked at, or is another's."""
        try:
            with translated(self.location):
                self._client.head_bucket(Bucket=self._bucket)
        except ObjectNotFound:
            return False
        return True

    def create_bucket(self) -> None:
        """Create the bucket; one that is there and one's own is no error. Only `configure` does this."""
        request: dict[str, Any] = {"Bucket": self._bucket}
        if self._amazon and self._region != "us-east-1":
            request["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
        with translated(self.location, _BUCKET_TAKEN):
            try:
                self._client.create_bucket(**request)
            except ClientError as error:
                if code_of(error) != "BucketAlreadyOwnedByYou":
                    raise

    def _listed(self, prefix: str) -> Iterator[ObjectInfo]:
        request = {"Bucket": self._bucket, "Prefix": self._prefix + prefix, "MaxKeys": self._page}
        while True:
            with translated(self.location):
                page = self._client.list_objects_v2(**request)
            for found in page.get("Contents", []):
                key = found["Key"].removeprefix(self._prefix)
                if _is_key(key):
                    yield ObjectInfo(
                        key=key,
                        size=found["Size"],
                        modified=found["LastModified"].astimezone(UTC),
                        storage_class=found.get("StorageClass"),
                    )
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

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


def s3_client(profile: Profile, **config: Any) -> Any:
    """A client of S3 as this store wants it.

    The body of a request is not part of its signature: a checksum is, and TLS does the rest. Hashing it once more
    costs more than all else that a sent part costs (docs/decisions/0021). No request waits for `100 Continue`, which
    botocore would ask for before each part at the price of a round trip.
    """
    s3: dict[str, Any] = {"payload_signing_enabled": False}
    if not profile.endpoint_url and "." not in (profile.s3_bucket or ""):
        # botocore's own choice, but said aloud it also makes presigned URLs for the bucket's region. A bucket with a
        # dot is in no certificate, and another service need not answer to host names with a bucket before them.
        s3["addressing_style"] = "virtual"
    made = aws.client("s3", profile, **{"signature_version": "s3v4", "s3": s3, **config})
    made.meta.events.register_first("request-created.s3", _without_expect)
    return made


def is_amazon(endpoint_url: str | None) -> bool:
    """Whether an endpoint is Amazon's own; None is."""
    if not endpoint_url:
        return True
    host = endpoint_host(endpoint_url).rsplit(":", 1)[0]
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _without_expect(request: Any, **_: Any) -> None:
    del request.headers["Expect"]


def _is_key(key: str) -> bool:
    """Whether this store could have written the key; a bucket may hold others' objects, such as `folder/`."""
    try:
        check_key(key)
    except InvalidName:
        return False
    return True
