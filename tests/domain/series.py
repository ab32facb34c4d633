"""Backups and series for the tests of the domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from bakthat.domain.backup import Backup
from bakthat.domain.rotation import Decision
from bakthat.domain.stored_name import StoredName


def utc(year: int, month: int = 1, day: int = 1, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def backup_at(when: datetime, *, filename: str = "site", stored_filename: str | None = None, **fields: Any) -> Backup:
    """A backup of that second. Other fields of the record may be given; what is unknown to it goes into metadata."""
    known = {"backend", "backend_hash", "size", "tags", "is_deleted", "backup_date", "last_updated", "metadata"}
    metadata = {**fields.pop("metadata", {}), **{name: fields.pop(name) for name in set(fields) - known}}
    return Backup(
        **{
            "backend": "s3",
            "backup_date": when,
            "last_updated": when,
            "size": 1,
            "filename": filename,
            "stored_filename": stored_filename or str(StoredName(series=filename, when=when)),
            "metadata": metadata,
            **fields,
        }
    )


def every(step: timedelta, start: datetime, count: int, **fields: Any) -> list[Backup]:
    """A number of backups, one per step, beginning with the start."""
    return [backup_at(start + number * step, **fields) for number in range(count)]


def names(decisions: Iterable[Decision]) -> list[str]:
    """The stored filenames, in the plan's order."""
    return [decision.backup.stored_filename for decision in decisions]


def dates(decisions: Iterable[Decision]) -> list[str]:
    """The dates, in the plan's order: `2026-01-03`, with the time where it is not midnight."""
    return [str(decision.backup.when)[:16].removesuffix(" 00:00") for decision in decisions]
