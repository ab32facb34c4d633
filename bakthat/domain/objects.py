"""Values that stores return: facts about an object or an archive, known without reading it."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import NewType

from attrs import field, frozen

ArchiveId = NewType("ArchiveId", str)
"""A service's own name for an archive (a vault's opaque id; a key, for an S3 archive class)."""

JobId = NewType("JobId", str)
"""A service's own name for a requested retrieval."""


COLD_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects must be retrieved before they can be read."""


@frozen(kw_only=True)
class Lock:
    """What keeps an object from being deleted by anybody (Object Lock). `until`: aware UTC; None for a legal hold,
    which lasts until somebody ends it."""

    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether the object cannot be deleted now."""
        return self.until is None or now < self.until

    def __str__(self) -> str:
        """Continues the name of a backup: `locked until 2026-12-24`."""
        return "on legal hold" if self.until is None else f"locked until {self.until.astimezone(UTC):%Y-%m-%d}"


class Tier(enum.StrEnum):
    """Speed of a retrieval from an archive; a faster one costs more."""

    EXPEDITED = "expedited"
    STANDARD = "standard"
    BULK = "bulk"


@frozen(kw_only=True)
class ObjectInfo:
    """An object in a store.

    Args:
        key: Its key.
        size: Bytes.
        modified: When it was stored, in UTC.
        storage_class: The service's own word, where it has one (`STANDARD`, `GLACIER`).
        etag: Identifies this version of the object: another one is stored under the key with another etag. Opaque, and
            only compared. None where the store has none, or the call does not tell it; `stat` does where it can.
        lock: What keeps the object from being deleted, as far as `put`, `copy_from` and `stat` know it.
    """

    key: str
    size: int
    modified: datetime
    storage_class: str | None = None
    etag: str | None = field(default=None, eq=False)
    lock: Lock | None = field(default=None, eq=False)

    @property
    def is_cold(self) -> bool:
        """Whether the object is in an archive class."""
        return self.storage_class in COLD_CLASSES

    def is_version(self, earlier: ObjectInfo) -> bool:
        """Whether this is still the object that an earlier `stat` found, and not one that replaced it. Without etags,
        an object of the same size and time is taken for the same."""
        if self.size != earlier.size:
            return False
        if self.etag is not None and earlier.etag is not None:
            return self.etag == earlier.etag
        return self.modified == earlier.modified


@frozen(kw_only=True)
class Leftover:
    """What an upload that has not ended keeps in a store: invisible as an object, and often billed.

    Args:
        key: Of the object that was to become of it; of a file in a folder, its own path below the folder.
        upload_id: The store's own name for it.
        started: When the upload began, aware UTC.
        latest: When its newest part arrived, `started` if it has none; None where the store does not say it.
        size: Bytes so far, None where the store does not say it.
        is_of_bakthat: The store knows by the name that only bakthat makes such things.
    """

    key: str
    upload_id: str
    started: datetime
    latest: datetime | None
    size: int | None = None
    is_of_bakthat: bool = False


@frozen(kw_only=True)
class ArchiveInfo:
    """An archive in a vault's inventory. `size`: bytes. `created`: aware UTC."""

    archive_id: ArchiveId
    description: str
    size: int
    created: datetime


@frozen(kw_only=True)
class RetrievalJob:
    """A requested retrieval, as the database keeps it. `filename`: the stored filename.
    `requested`: aware UTC, None for a job of 2013's table, which kept no date. `tier`: likewise."""

    filename: str
    job_id: JobId
    requested: datetime | None = None
    tier: Tier | None = None
