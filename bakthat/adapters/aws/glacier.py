"""`GlacierArchiveStore`: archives in a vault of Amazon Glacier, by its API of 2012-06-01.

`glacier_upload` sends archives, `glacier_jobs` asks for retrievals and inventories, `glacier_output` reads what they
made readable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, BinaryIO, Self, cast

from bakthat.adapters.aws.client import client
from bakthat.adapters.aws.glacier_jobs import WAITS, VaultJobs
from bakthat.adapters.aws.glacier_upload import BUFFERED, MOST_PARTS, VaultUploads
from bakthat.adapters.aws.glacier_vault import Vault, short
from bakthat.adapters.aws.settings import resolved
from bakthat.adapters.rate_limit import NO_LIMITS, LimitedContext, LimitedReader, Limits
from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Tier
from bakthat.domain.profile import Profile, glacier_location
from bakthat.errors import ConfigInvalid, ObjectNotFound
from bakthat.ports.archive_store import ArchiveStore


class GlacierArchiveStore(ArchiveStore):
    """A vault. Only `create_vault` creates it, which `bakthat configure` calls.

    Deleting a missing archive is not an error. A vault can only be deleted empty.

    Args:
        client: A boto3 client of `glacier`.
        vault: The vault's name.
        part_size: Bytes of each part, rounded up to a power of two; None chooses by the size of each archive.
        max_concurrency: Requests of one upload or download at once. Reading takes one more than that times
            `glacier_output.RANGE` of memory.
        most_parts: The most parts of one upload.
        buffered: Bytes of parts in memory at once, or one part if that is more: an archive of 10 TiB takes parts of
            4 GiB.
        clock: The current time.
        sleep: Waits for so many seconds, between two attempts to read.
        limits: Of the bytes of archives. A part is sent at once when it is full, and a range is read ahead at once.
    """

    minimum_days = 90
    usual_waits = WAITS

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
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.location = glacier_location(client.meta.region_name, vault, endpoint_url)
        self._vault = Vault(client=client, name=vault, location=self.location)
        self._limits = limits
        concurrency = max(1, max_concurrency)
        self._uploads = VaultUploads(
            self._vault,
            part_size=part_size,
            max_concurrency=concurrency,
            most_parts=most_parts,
            buffered=buffered,
        )
        self._jobs = VaultJobs(self._vault, max_concurrency=concurrency, clock=clock, sleep=sleep)

    @classmethod
    def from_profile(cls, profile: Profile, *, limits: Limits = NO_LIMITS) -> Self:
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
            limits=limits,
        )

    def __repr__(self) -> str:
        return f"GlacierArchiveStore({self.location!r})"

    def create_vault(self) -> None:
        """The vault exists afterwards; one that was there is kept as it is."""
        with self._vault.asking("cannot create the vault"):
            self._vault.ask(self._vault.client.create_vault)

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        if self._limits.upload is not None:
            body = cast(BinaryIO, LimitedReader(body, self._limits.upload))
        return self._uploads.upload(body, description=description, size_hint=size_hint)

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        return self._jobs.request(archive_id, tier=tier)

    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        opened, limit = self._jobs.opened(job_id), self._limits.download
        return opened if limit is None else LimitedContext(opened, limit)

    def delete(self, archive_id: ArchiveId) -> None:
        try:
            absent = ObjectNotFound(f"{self.location}: the vault has no archive {short(archive_id)}")
            with self._vault.asking("cannot delete", absent=absent):
                self._vault.ask(self._vault.client.delete_archive, archiveId=archive_id)
        except ObjectNotFound:
            pass

    def request_inventory(self) -> JobId:
        return self._jobs.request_inventory()

    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return self._jobs.inventory(job_id)
