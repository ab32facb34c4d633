"""How far bakthat believes what a store says about a backup.

Catalog entries, descriptions of archives and the saved inventory are evidence, not truth: anybody who may write to the
store may have written them. What can be seen of the archive itself (its name, its size, its date) overrides what is
written about it, and what the database knows already overrides both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from attrs import evolve

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup, Owner, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.errors import InvalidName

IDENTITY: Mapping[str, str] = MappingProxyType(
    {
        "sha256": "SHA-256",
        "root": "root",
        "packed_by_source": "kind",
        "KeyValue": "kind",
        "is_gzipped": "kind",
        "container": "kind",
        "compression": "kind",
        "encryption": "encryption",
        "incremental": "base",
        "incomplete": "completeness",
        "client": "host",
        "source": "source",
    }
)
"""The metadata that say what an archive is, which never changes after it was made; and the word for each."""

_GIVEN_BY_THE_STORE = ("archive_id", "location")
"""Where an archive lies: the destination in which it was found says so, never an entry."""


_ROUNDING = timedelta(seconds=2)
"""By how much a store's date may lie before that of the clock. File systems round times down: Linux to a tick of up
to 10 ms, FAT to two seconds."""

_TEXTS = ("sha256", "root", "client", "source", "tool", "compression", "container", "command")
"""Metadata that are text; a value of another type is dropped."""


def believed(entry: Backup, stored_filename: str, written: datetime) -> Backup:
    """The record in a catalog entry, as far as it may be believed of the archive of this name.

    The series, the date and whether it is encrypted come from the stored filename. A key that is not a stored filename
    is a separate series. No date is later than `written`, the store's own date of the entry, except by what that may
    be rounded, so that a forged one cannot be newer than every true one.
    """
    metadata = {
        key: value
        for key, value in entry.metadata.items()
        if key not in _GIVEN_BY_THE_STORE and (key not in _TEXTS or isinstance(value, str))
    }
    latest = whole_seconds(written)
    series, when = stored_filename, _not_after(latest, entry.backup_date)
    try:
        name = stored_name.parse(stored_filename)
    except InvalidName:
        pass
    else:
        # A value's key may look like the name of a file that was stored as it is, never like that of a tar.
        if name.suffix or not metadata.get("KeyValue"):
            metadata.pop("KeyValue", None)
            metadata["is_enc"] = name.encrypted
            series, when = name.series, name.when
    return evolve(
        entry,
        filename=series,
        stored_filename=stored_filename,
        backup_date=when,
        last_updated=_not_after(latest, entry.last_updated),
        metadata=BackupMetadata.from_dict(metadata),
    )


def _not_after(latest: datetime, claimed: datetime) -> datetime:
    return claimed if claimed - latest <= _ROUNDING else latest


def other_identity(row: Backup, entry: Backup) -> tuple[str, ...]:
    """In which respects the entry describes another archive than the row, in words; nothing where both agree."""
    found = []
    if row.is_encrypted != entry.is_encrypted:
        found.append("encryption")
    found += [word for key, word in IDENTITY.items() if row.metadata.get(key) != entry.metadata.get(key)]
    return tuple(dict.fromkeys(found))


def claims_to_be_of(entry: Backup, owner: Owner) -> bool:
    """Whether the entry says that its archive is in this archive store."""
    here = entry.backend == owner.backend and entry.location == owner.location
    return here and entry.metadata.archive_id is not None


def claims_to_be_of_another(entry: Backup, owner: Owner) -> bool:
    """Whether the entry says that its archive is one of another destination in the same place: of `glacier`, in the
    bucket of `s3`."""
    return entry.backend != owner.backend and entry.location == owner.location and entry.metadata.claims_archive
