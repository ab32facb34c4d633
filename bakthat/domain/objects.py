"""Values that stores return: facts about an object or an archive, known without reading it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import NewType

from attrs import field, frozen

ArchiveId = NewType("ArchiveId", str)
"""A service's own name for an archive (a vault's opaque id; a key, for an S3 archive class)."""

JobId = NewType("JobId", str)
"""A service's own name for a requested retrieval."""


COLD_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects must be retrieved before they can be read."""


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
    """

    key: str
    size: int
    modified: datetime
    storage_class: str | None = None
    etag: str | None = field(default=None, eq=False)

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
