"""`ArchiveStore`: uploads at once, downloads by appointment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import BinaryIO

from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Tier
from bakthat.domain.retrieval import Wait


class ArchiveStore(ABC):
    """Archives that the service names itself, and gives back hours after they were asked for.

    Safe to use from several threads at once. Any call may raise `AccessDenied`, `StoreUnavailable`, or another
    `StoreError`; a service's own exception never comes out, neither from a call nor from reading or iterating.
    """

    location: str
    """Where the store is, stable and without a secret, such as `glacier://region/vault`."""

    minimum_days: int = 0
    """The age in days below which the service bills an archive as if it were that old."""

    usual_waits: Mapping[Tier, Wait] = MappingProxyType({})
    """The tiers that the store has, and how long a retrieval in each usually takes."""

    names_are_ids: bool = False
    """Whether the id of an archive is the stored filename that its description begins with."""

    @abstractmethod
    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        """Store an archive, all or nothing, and give back the service's id of it.

        `body` is read once, from here to its end, and stays open; if `body.read()` raises, nothing is stored, nothing
        is left behind, and that very exception comes out. `description`: at most 1,024 printable ASCII characters.
        `size_hint`: bytes, about. Every upload is an archive of its own, also of equal bytes.
        """

    @abstractmethod
    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        """Ask for the archive to be made readable. A retrieval that already runs is found, not begun twice, where the
        service can tell. Raises `ObjectNotFound`; `UsageError` for a tier that the store does not have."""

    @abstractmethod
    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        """Read what was asked for, from its start to its end, checked against the service's own checksum.

        On entry: `RetrievalPending` while it is not ready; `RetrievalExpired` if it was ready once, if it failed, or if
        the service has forgotten the job: what is left then is to ask again. `read(n)` gives fewer than n bytes only at
        the end. One thread at a time reads, which need not be the one that opened, nor the one that leaves the context.
        """

    @abstractmethod
    def delete(self, archive_id: ArchiveId) -> None:
        """The archive is absent afterwards; an absent one is no error."""

    @abstractmethod
    def request_inventory(self) -> JobId:
        """Ask for the service's own list of archives, which may be a day old."""

    @abstractmethod
    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        """The list that was asked for. Raises `RetrievalPending` or `RetrievalExpired`, as `open` does."""
