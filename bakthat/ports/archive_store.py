"""`ArchiveStore`: a place whose archives can be uploaded at once, and read hours after they were requested."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import BinaryIO

from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Leftover, Lock, ObjectInfo, Tier
from bakthat.domain.retrieval import Wait
from bakthat.ports.object_store import ObjectStore


class ArchiveStore(ABC):
    """Archives to which the service gives ids, and which need a retrieval before they can be read.

    Safe to use from several threads at once. Any call may raise `AccessDenied`, `StoreUnavailable` or another
    `StoreError`, also while a stream is read or a listing iterated; never an exception of the service's own library.

    There are no ranges: an archive is retrieved as a whole.
    """

    location: str
    """The URL of the store, stable and without a secret, such as `glacier://region/vault`."""

    minimum_days: int = 0
    """The days for which the service bills an archive at least, however early it is deleted."""

    usual_waits: Mapping[Tier, Wait] = MappingProxyType({})
    """The store's tiers, and how long a retrieval in each usually takes."""

    names_are_ids: bool = False
    """Whether the id of an archive is the stored filename with which its description begins."""

    locks: bool = False
    """Whether what is uploaded is locked for some time; then `lock_of` is asked after each upload."""

    @abstractmethod
    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        """Store an archive, all or nothing.

        If `body.read()` raises, nothing is stored, nothing is left behind, and that exception comes out. Every upload
        is a separate archive, also of equal bytes.

        Args:
            body: Read once, from its current position to its end; stays open.
            description: At most 1,024 printable ASCII characters.
            size_hint: Bytes, about.

        Returns:
            The service's id of the archive.
        """

    def copy_from(self, key: str, source: ObjectStore, *, description: str, expected: ObjectInfo) -> ArchiveId | None:
        """Make an archive of an object, within the service: as `ObjectStore.copy_from`.

        This implementation makes none.

        Args:
            key: Of the object.
            source: Where it is.
            description: As of `upload`.
            expected: What `source.stat` returned.

        Returns:
            The archive's id; None if it cannot be made in this way. Then nothing was stored.
        """
        return None

    @abstractmethod
    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        """Request a retrieval, which makes the archive readable.

        A retrieval that runs already is returned, not started twice, where the service shows it.

        Raises:
            ObjectNotFound: There is no such archive.
            UsageError: The store does not have this tier.
        """

    @abstractmethod
    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        """Read the retrieved archive from its start to its end, checked against the service's checksum.

        `read(n)` returns fewer than n bytes only at the end. One thread at a time reads; it may be another one than
        opens the archive, or leaves the context.

        Raises:
            RetrievalPending: On entry, while the archive is not ready.
            RetrievalExpired: On entry, if the retrieval has expired, has failed, or is unknown to the service. Request
                it again.
        """

    @abstractmethod
    def delete(self, archive_id: ArchiveId) -> None:
        """Delete the archive. Does nothing if it is missing."""

    @abstractmethod
    def request_inventory(self) -> JobId:
        """Request the service's own list of archives, which may be a day old."""

    @abstractmethod
    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        """Return the requested list. Raises `RetrievalPending` or `RetrievalExpired`, as `open`."""

    def lock_of(self, archive_id: ArchiveId) -> Lock | None:
        """Return what keeps the archive from being deleted; None if nothing does. This implementation is that of a
        store without locks. Raises `ObjectNotFound`, `AccessDenied` if the credentials must not know."""
        return None

    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        """As `ObjectStore.leftovers`. This implementation is that of a service that ends unfinished uploads itself."""
        return iter(())

    def remove_leftover(self, leftover: Leftover) -> bool:
        """As `ObjectStore.remove_leftover`."""
        return True
