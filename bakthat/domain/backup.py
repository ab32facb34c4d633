"""`Backup`: the record of one backup, under the names that 2013 gave its columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Unpack

from attrs import evolve, field, frozen

from bakthat.domain import stored_name
from bakthat.domain.archive_format import (
    ArchiveFormat,
    Compression,
    Container,
    format_of_suffix,
    recorded_format,
    suffix_of_changed_name,
)
from bakthat.domain.backup_metadata import BackupMetadata, Facts
from bakthat.errors import InvalidName

LATE = timedelta(days=7)
"""How long after its date a store may get an archive, before nothing vouches for that date: a week is longer than any
upload takes."""


def _words(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


def _metadata(value: Mapping[str, Any]) -> BackupMetadata:
    return BackupMetadata.from_dict(value)


def backend_hash(access_key: str | None, container: str) -> str:
    """SHA-512 hex of access key and container name, by which 2013 marked its rows. 1.0 also records the location."""
    return hashlib.sha512(f"{access_key or ''}{container}".encode()).hexdigest()


@frozen(kw_only=True)
class Owner:
    """The store that a backup lies in. `backend`: the destination's name. `location`: the store's own, stable, without
    a secret. `backend_hash`: 2013's way to say the same, which changes with the access key. `is_part`: it is what a
    container holds under a prefix, which 2013 did not know: its rows are of the whole container. `formerly`: locations
    that 1.0 recorded for this store."""

    backend: str
    location: str
    backend_hash: str = ""
    is_part: bool = False
    formerly: tuple[str, ...] = ()


@frozen(kw_only=True)
class Backup:
    """One backup.

    backend: destination (`s3`, `glacier`, `local`, a plug-in's name)
    backend_hash: see `backend_hash()`; `location` in the metadata decides where there is one
    backup_date, last_updated: aware UTC, whole seconds (UTC epoch seconds in the database)
    filename: the series; stored_filename: this backup's object
    size: stored bytes; 0 also where it is unknown (`known_size`)
    tags: in the order given
    metadata: what else is known (`Facts` has the keys); a mapping, with properties for the known facts
    """

    backend: str
    backend_hash: str = ""
    backup_date: datetime
    filename: str
    stored_filename: str
    size: int
    tags: tuple[str, ...] = field(default=(), converter=_words)
    is_deleted: bool = False
    last_updated: datetime
    metadata: BackupMetadata = field(factory=BackupMetadata, converter=_metadata, hash=False)

    @property
    def location(self) -> str | None:
        """The store's location, None for a row of 2013."""
        return self.metadata.location

    @property
    def is_encrypted(self) -> bool:
        return self.stored_filename.endswith(".enc") or self.metadata.is_encrypted

    @property
    def is_incomplete(self) -> bool:
        """Whether files of the source could not be read, or changed while they were."""
        return self.metadata.is_incomplete

    @property
    def problems(self) -> tuple[str, ...]:
        """What the record says about files that were not backed up as they were, one line each: path and reason. The
        first of them only, where there were many (`problem_count`)."""
        return self.metadata.problems

    @property
    def problem_count(self) -> int | None:
        """How many files were not backed up as they were; None if the record does not say."""
        return self.metadata.problem_count

    @property
    def completeness(self) -> str:
        """For people: `incomplete (2 files)`; "" for a complete backup."""
        if not self.is_incomplete:
            return ""
        count = self.problem_count or len(self.problems)
        if not count:
            return "incomplete"
        # 1.0 recorded the first 20 and not how many there were.
        more = " or more" if self.problem_count is None and count == 20 else ""
        return f"incomplete ({count} file{'' if count == 1 else 's'}{more})"

    @property
    def sha256(self) -> str | None:
        """SHA-256 hex of the stored bytes, where the record knows it."""
        return self.metadata.sha256

    @property
    def stored_at(self) -> datetime | None:
        """When the archive was stored by the store's own date; None for a backup that this database's own `backup`
        wrote, and where the store did not say."""
        return self.metadata.stored_at

    @property
    def is_from_listing(self) -> bool:
        """Whether all that is known of the backup is its name, size and date in the store's listing."""
        return self.metadata.is_from_listing

    @property
    def is_incremental(self) -> bool:
        """Whether it contains only what changed since another backup, by its record or by its name. `metadata.
        incremental` says what it needs; None there means that the record does not say it."""
        if self.metadata.incremental is not None:
            return True
        try:
            return stored_name.parse(self.stored_filename).is_incremental and not self.is_value
        except InvalidName:
            return False

    @property
    def host(self) -> str | None:
        """The host that made it, where the record knows it."""
        return self.metadata.host

    @property
    def source(self) -> str | None:
        """The path that it is a backup of, where the record knows it; 2013 kept none."""
        return self.metadata.source

    @property
    def distrust(self) -> str:
        """Why nothing vouches for the date and the content of this backup, in words; "" for a trusted one.

        With permission to write into a store one can put an archive there under any past date, but the store itself
        dates it. What this database's own `backup` recorded is trusted, whenever the store got it.
        """
        if self.is_from_listing:
            return "known from a listing alone"
        if self.stored_at is None or self.stored_at - self.when <= LATE:
            return ""
        return f"stored {(self.stored_at - self.when).days} days after its date"

    @property
    def known_size(self) -> int | None:
        """The stored bytes, None where the record cannot know them: a row of 2013 without a size, an archive that is
        known from an inventory alone. No archive is empty, and of an empty file the SHA-256 is recorded."""
        return self.size if self.size or self.sha256 else None

    @property
    def is_value(self) -> bool:
        """Whether it is a value of the key/value store and not a backup of a series."""
        return self.metadata.is_value

    @property
    def has_stored_name(self) -> bool:
        """Whether the object's name is a stored filename. A value (`KeyValue`) lies under its own key."""
        return not self.is_value and stored_name.is_stored_name(self.stored_filename)

    @cached_property
    def when(self) -> datetime:
        """When the backup was made: the date in the stored filename, since 2013 computed `backup_date` in local time;
        `backup_date` where the name holds none."""
        try:
            return stored_name.parse(self.stored_filename).when
        except InvalidName:
            return self.backup_date

    @property
    def format(self) -> ArchiveFormat:
        """What the stored bytes are: by the record where that says so (2013's does not), else by the name."""
        if self.is_value:
            return ArchiveFormat(Container.FILE, Compression.GZIP if self.metadata.is_gzipped else Compression.NONE)
        if self.metadata.is_packed_by_source:
            return ArchiveFormat(Container.FILE, Compression.NONE)
        try:
            suffix = stored_name.parse(self.stored_filename).suffix
        except InvalidName:
            suffix = suffix_of_changed_name(self.stored_filename)
        return recorded_format(self.metadata.container, suffix) or format_of_suffix(suffix)

    @property
    def root(self) -> str | None:
        """The base name of its source, where the record knows it and a file can have it."""
        return self.metadata.root

    def belongs_to(self, owner: Owner) -> bool:
        """Whether this backup lies in that store: by location where the record has one, else by 2013's hash."""
        if self.backend != owner.backend:
            return False
        if self.location is not None:
            return self.location == owner.location
        return self.backend_hash == owner.backend_hash and not owner.is_part

    def same_backup_as(self, other: Backup) -> bool:
        """Whether both records are of the same object in the same store."""
        return (
            self.stored_filename == other.stored_filename
            and self.backend == other.backend
            and (
                self.location == other.location
                if self.location is not None and other.location is not None
                else self.backend_hash == other.backend_hash
            )
        )

    def deleted(self, now: datetime) -> Backup:
        """This record, marked as deleted at `now`."""
        return evolve(self, is_deleted=True, last_updated=whole_seconds(now))

    def with_metadata(self, now: datetime, **changes: Unpack[Facts]) -> Backup:
        """This record with other metadata; a value of None removes the key."""
        return evolve(self, metadata=self.metadata.changed(**changes), last_updated=whole_seconds(now))

    def as_record(self) -> dict[str, Any]:
        """The record as `show --json`, the catalog and hooks get it: dates as UTC epoch seconds, tags as a list.

        `backup_date` is the true moment (`when`), for 2013's rows too; the database keeps what 2013 wrote.
        """
        return {
            "backend": self.backend,
            "backend_hash": self.backend_hash,
            "backup_date": int(self.when.timestamp()),
            "filename": self.filename,
            "is_deleted": self.is_deleted,
            "last_updated": int(self.last_updated.timestamp()),
            "metadata": self.metadata.to_dict(),
            "size": self.size,
            "stored_filename": self.stored_filename,
            "tags": list(self.tags),
        }


def said_of(backup: Backup, message: object) -> str:
    """A message about this backup without the name that it begins with, for a line that has the name already."""
    text, name = str(message), backup.stored_filename
    return text.removeprefix(f"{name}: ") if text.startswith(f"{name}: ") else text.removeprefix(f"{name} is ")


def whole_seconds(moment: datetime) -> datetime:
    """The moment in UTC without its fraction, as names and the database keep it."""
    return moment.astimezone(UTC).replace(microsecond=0)


def from_epoch(seconds: float) -> datetime:
    """Aware UTC from epoch seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)


def split_tags(tags: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    """Tags from text separated by white space, or from a list; each once, in the order given."""
    words = tags.split() if isinstance(tags, str) else [word for tag in tags or () for word in tag.split()]
    return tuple(dict.fromkeys(words))
