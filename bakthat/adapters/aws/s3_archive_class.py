"""`S3ColdStore`: a bucket as an archive store, for objects in the classes GLACIER and DEEP_ARCHIVE.

The archive's id is its key, and so is the job's: an object has one retrieval at a time, which puts a readable copy
beside it for some days. HEAD shows its state (`Restore`), so any machine finds what another one requested. The service
does not say when it was requested, nor in which tier. For other services than Amazon's, the class may be only a label;
their objects are read at once.

The same store over a bucket of the ordinary `s3` destination (`of_bucket`) retrieves objects that a lifecycle rule has
moved to an archive class, or Intelligent-Tiering to one of its archive tiers.

Ranges need a retrieval as well: until then, S3 refuses every GET of the object, and `S3ObjectStore.open_range` raises
`ObjectArchived`. Afterwards it reads the copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import MappingProxyType
from typing import Any, BinaryIO, Self

from attrs import frozen
from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.errors import Codes, code_of, status_of, translated
from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.aws.s3_bucket import log_notice
from bakthat.adapters.aws.s3_client import account_of, s3_client, settings_of
from bakthat.adapters.aws.s3_head import explained_head
from bakthat.adapters.aws.settings import resolved
from bakthat.adapters.rate_limit import NO_LIMITS, Limits
from bakthat.domain import glacier_inventory, retrieval
from bakthat.domain.archive_description import read_description
from bakthat.domain.catalog import stored_filename_of
from bakthat.domain.object_key import check_key
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.objects import COLD_CLASSES, ArchiveId, ArchiveInfo, JobId, Leftover, Lock, ObjectInfo, Tier
from bakthat.domain.parameter import parameter
from bakthat.domain.profile import Profile, glacier_owner, normal_prefix, s3_location, s3_owner
from bakthat.domain.retrieval import JobState
from bakthat.errors import (
    ConfigInvalid,
    ObjectArchived,
    RetrievalExpired,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.object_store import ObjectStore

MINIMUM_DAYS: Mapping[str, int] = MappingProxyType(
    {"GLACIER": 90, "DEEP_ARCHIVE": 180, "GLACIER_IR": 90, "STANDARD_IA": 30, "ONEZONE_IA": 30}
)
"""The fewest days that an object of a class is billed (S3 user guide, "Comparing the Amazon S3 storage classes")."""

DAYS_READABLE = 7
"""Days that the copy stays readable: a week, so that a restore can fail on Friday and be repeated on Monday. It is
billed as STANDARD, beside the archive."""

LISTING = JobId("listing")
"""The job of the inventory: a listing needs no retrieval."""

_TIERS_OF = MappingProxyType({"ARCHIVE_ACCESS": "GLACIER", "DEEP_ARCHIVE_ACCESS": "DEEP_ARCHIVE"})
"""The archive tiers of Intelligent-Tiering, each with the class that takes as long."""

_CODES: Codes = {
    "GlacierExpeditedRetrievalNotAvailable": (
        StoreUnavailable,
        "no capacity for expedited retrievals at the moment; use `tier='standard'`",
    ),
    **dict.fromkeys(
        ("405", "501", "MethodNotAllowed", "NotImplemented"),
        (StoreError, "this service cannot retrieve from an archive class"),
    ),
}


class S3ColdStore(ArchiveStore):
    """Archives are objects under a prefix of one bucket, stored with `storage_class`.

    The key is the stored filename, with which the description begins. So a second archive of the same name is refused
    with `ObjectExists`.
    """

    names_are_ids = True

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        prefix: str = "",
        location: str | None = None,
        storage_class: str | None = "GLACIER",
        days: int = DAYS_READABLE,
        part_size: int | None = None,
        max_concurrency: int = 4,
        amazon: bool = False,
        account: Hashable = None,
        sse: str | None = None,
        kms_key_id: str | None = None,
        lock: ObjectLock | None = None,
        limits: Limits = NO_LIMITS,
        notice: Callable[[str], None] = log_notice,
    ) -> None:
        """Send nothing yet.

        Args:
            client: A client that `s3_client` made.
            bucket: Its name.
            days: How long a retrieved object stays readable.

        The others are those of `S3ObjectStore`. Raises `ConfigInvalid`.
        """
        self.location = location or s3_location(bucket, prefix)
        # What other services bill is unknown.
        self.minimum_days = MINIMUM_DAYS.get(storage_class or "", 0) if amazon else 0
        self.usual_waits = retrieval.WAITS[storage_class if storage_class in COLD_CLASSES else "GLACIER"]
        self._client = client
        self._bucket = bucket
        self._prefix = normal_prefix(prefix)
        self._days = days
        self._amazon = amazon
        self._objects = S3ObjectStore(
            client,
            bucket,
            prefix=prefix,
            location=self.location,
            storage_class=storage_class,
            part_size=part_size,
            max_concurrency=max_concurrency,
            amazon=amazon,
            account=account,
            sse=sse,
            kms_key_id=kms_key_id,
            lock=lock,
            limits=limits,
            notice=notice,
        )
        self.locks = lock is not None
        self._locked: dict[str, Lock | None] = {}
        """What `upload` found out about the locks of its own archives."""

    @classmethod
    def from_profile(
        cls, profile: Profile, *, notice: Callable[[str], None] = log_notice, limits: Limits = NO_LIMITS
    ) -> Self:
        """Return the store of a profile's `glacier` destination that has a class and no vault. Sends nothing. Raises
        `ConfigError`."""
        if profile.glacier_storage_class not in COLD_CLASSES:
            raise ConfigInvalid(
                f"profile {profile.name!r}: glacier_storage_class must be one of {', '.join(COLD_CLASSES)}; "
                "other classes need no retrieval, use storage_class and `destination='s3'`"
            )
        profile = resolved(profile, "s3")
        return cls._made(profile, glacier_owner(profile).location, profile.glacier_storage_class, notice, limits)

    @classmethod
    def of_bucket(
        cls, profile: Profile, *, notice: Callable[[str], None] = log_notice, limits: Limits = NO_LIMITS
    ) -> Self:
        """Return the bucket of a profile's `s3` destination, to retrieve what a lifecycle rule has moved to an archive
        class. Raises `ConfigError`."""
        profile = resolved(profile, "s3")
        return cls._made(profile, s3_owner(profile).location, profile.storage_class, notice, limits)

    @classmethod
    def _made(
        cls,
        profile: Profile,
        location: str,
        storage_class: str | None,
        notice: Callable[[str], None],
        limits: Limits,
    ) -> Self:
        return cls(
            s3_client(profile),
            profile.s3_bucket or "",
            **settings_of(profile),
            account=account_of(profile),
            location=location,
            storage_class=storage_class,
            limits=limits,
            notice=notice,
        )

    def __repr__(self) -> str:
        return f"S3ColdStore({self.location!r})"

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        stored_filename, _ = read_description(description)
        if stored_filename is None:
            raise UsageError(f"{self.location}: a description must begin with the stored filename, which is the key")
        return self._stored(self._objects.put(stored_filename, body, size_hint=size_hint))

    def copy_from(self, key: str, source: ObjectStore, *, description: str, expected: ObjectInfo) -> ArchiveId | None:
        made = self._objects.copy_from(key, source, expected=expected)
        return None if made is None else self._stored(made)

    def _stored(self, made: ObjectInfo) -> ArchiveId:
        if self.locks:
            self._locked[made.key] = made.lock
        return ArchiveId(made.key)

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        found = _Frozen.of(self._head(archive_id))
        job = JobId(archive_id)
        if found is None or found.state is JobState.READY:
            return job
        if tier not in found.waits:
            raise UsageError(
                f"{self.location}: {archive_id} is in {found.storage_class}, which has no {tier} tier; "
                f"use {' or '.join(parameter('tier', str(one)) for one in found.waits)}"
            )
        # A request for the expedited tier may speed up a retrieval in a slower one.
        if found.state is not JobState.PENDING or tier is Tier.EXPEDITED:
            self._restore(archive_id, found, tier)
        return job

    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        return self._opened(job_id)

    @contextmanager
    def _opened(self, job_id: JobId) -> Iterator[BinaryIO]:
        found = _Frozen.of(self._head(job_id))
        if found is not None and found.state is JobState.PENDING:
            raise retrieval.pending(f"{self.location}: {job_id}", requested=None, tier=None, waits=found.waits)
        expired = RetrievalExpired(f"{self.location}: {job_id} is no longer readable; request it again")
        if found is not None and found.state is JobState.EXPIRED and self._amazon:
            raise expired
        # At other services the class may be only a label: what can be read is read.
        with ExitStack() as stack:
            try:
                reader = stack.enter_context(self._objects.open(job_id))
            except ObjectArchived:
                raise expired from None
            yield reader

    def delete(self, archive_id: ArchiveId) -> None:
        self._objects.delete(archive_id)

    def lock_of(self, archive_id: ArchiveId) -> Lock | None:
        if archive_id in self._locked:
            return self._locked.pop(archive_id)
        return self._objects.lock_of(archive_id)

    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        return self._objects.leftovers(details=details)

    def remove_leftover(self, leftover: Leftover) -> bool:
        return self._objects.remove_leftover(leftover)

    def request_inventory(self) -> JobId:
        """Return a constant job: a listing of the bucket needs no retrieval."""
        return LISTING

    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        """Yield the objects in archive classes. Their descriptions are their keys, the stored filenames."""
        for info in self._objects.list():
            own = stored_filename_of(info.key) is not None or info.key == glacier_inventory.KEY
            if info.storage_class in COLD_CLASSES and not own:
                yield ArchiveInfo(
                    archive_id=ArchiveId(info.key), description=info.key, size=info.size, created=info.modified
                )

    def _head(self, key: str) -> Answer:
        return explained_head(self._client, self._where(key), f"{self.location}: {key}")

    def _restore(self, key: str, found: _Frozen, tier: Tier) -> None:
        asked: dict[str, Any] = {"GlacierJobParameters": {"Tier": tier.capitalize()}}
        if found.leaves_again:
            asked["Days"] = self._days
        what = f"{self.location}: {key}"
        with translated(what, _CODES):
            try:
                ask(what, self._client.restore_object, **self._where(key), RestoreRequest=asked)
            except ClientError as error:
                # It was requested already, maybe a moment ago; or the object is readable by now.
                if code_of(error) in {"RestoreAlreadyInProgress", "InvalidObjectState"}:
                    return
                if status_of(error) not in {405, 501} or self._amazon or not self._is_readable(key):
                    raise

    def _is_readable(self, key: str) -> bool:
        """Whether the object can be read in spite of its class, which is only a label at a service without
        RestoreObject."""
        try:
            with self._objects.open(key):
                return True
        except ObjectArchived:
            return False

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + check_key(key)}


@frozen(kw_only=True)
class _Frozen:
    """An object in an archive class.

    Args:
        storage_class: Its class, or its tier of Intelligent-Tiering.
        state: Of its retrieval; EXPIRED also if none was requested.
        leaves_again: Whether a retrieval makes a copy for some days. An object of Intelligent-Tiering stays readable.
    """

    storage_class: str
    state: JobState
    leaves_again: bool = True

    @property
    def waits(self) -> Mapping[Tier, retrieval.Wait]:
        return retrieval.WAITS[_TIERS_OF.get(self.storage_class, self.storage_class)]

    @classmethod
    def of(cls, head: Answer) -> _Frozen | None:
        """Return what the answer to HEAD says; None for an object that needs no retrieval."""
        storage_class, tier = head.maybe_text("StorageClass"), head.maybe_text("ArchiveStatus")
        match = re.search(r'ongoing-request="(true|false)"', head.maybe_text("Restore") or "")
        state = JobState.EXPIRED
        if match is not None:
            state = JobState.PENDING if match[1] == "true" else JobState.READY
        if storage_class is not None and storage_class in COLD_CLASSES:
            return cls(storage_class=storage_class, state=state)
        if tier is not None and tier in _TIERS_OF:
            return cls(storage_class=tier, state=state, leaves_again=False)
        return None
