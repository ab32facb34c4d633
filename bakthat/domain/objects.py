"""Values that stores hand out: what is known of an object or an archive without reading it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import NewType

from attrs import frozen

ArchiveId = NewType("ArchiveId", str)
"""A service's own name for an archive (a vault's opaque id; a key, for an S3 archive class)."""

JobId = NewType("JobId", str)
"""A service's own name for a requested retrieval."""


COLD_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects must be retrieved before they can be read."""


class Tier(enum.StrEnum):
    """How fast a retrieval from an archive is wanted; the faster, the dearer."""

    EXPEDITED = "expedited"
    STANDARD = "standard"
    BULK = "bulk"


@frozen(kw_only=True)
class ObjectInfo:
    """An object in a store. `size`: bytes. `modified`: aware UTC. `storage_class`: the service's own word, where it
    has one (`STANDARD`, `GLACIER`)."""

    key: str
    size: int
    modified: datetime
    storage_class: str | None = None

    @property
    def is_cold(self) -> bool:
        """Whether the object lies in an archive class."""
        return self.storage_class in COLD_CLASSES


@frozen(kw_only=True)
class ArchiveInfo:
    """An archive in a vault's own list. `size`: bytes. `created`: aware UTC."""

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
