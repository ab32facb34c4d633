"""Converts backups to rows of 2013's table, and rows of any origin to backups.

Rows have 2013's form: metadata as JSON text, tags as words, dates as UTC epoch seconds. Other forms that 2013 and its
predecessors wrote can be read, too.
"""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from typing import Any

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup, from_epoch
from bakthat.errors import InvalidName

COLUMNS = (
    "backend", "backend_hash", "backup_date", "filename", "is_deleted", "last_updated", "metadata", "size",
    "stored_filename", "tags",
)  # fmt: skip


def row_of(backup: Backup) -> tuple[object, ...]:
    """The values of `COLUMNS`."""
    for name in (backup.stored_filename, backup.filename, backup.backend):
        check_storable(name)
    return (
        backup.backend,
        backup.backend_hash,
        int(backup.backup_date.timestamp()),
        backup.filename,
        int(backup.is_deleted),
        int(backup.last_updated.timestamp()),
        json.dumps(backup.metadata.to_dict()),
        backup.size,
        backup.stored_filename,
        _tags_text(backup.tags),
    )


def backup_of(row: tuple[Any, ...]) -> Backup:
    backend, owner, date, filename, is_deleted, updated, metadata, size, stored_filename, tags = row
    when = _moment(date)
    if when is None:
        when = _date_of(stored_filename)
    last_updated = _moment(updated)
    return Backup(
        backend=backend,
        backend_hash=owner or "",
        backup_date=when,
        filename=filename,
        stored_filename=stored_filename,
        size=_whole(size),
        tags=_tags(tags),
        is_deleted=is_deleted not in (0, None),
        last_updated=when if last_updated is None else last_updated,
        metadata=_metadata(metadata),
    )


def _metadata(text: object) -> dict[str, Any]:
    """Return the metadata in a column; empty if it contains none (NULL, empty, `null`) or is not JSON."""
    if not isinstance(text, str) or not text:
        return {}
    try:
        value = json.loads(text)
        if isinstance(value, str):  # JSON text of JSON text
            value = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _tags(text: object) -> tuple[str, ...]:
    """The tags in a column: words, or a list as JSON or as Python 2 wrote it (`[u'x']`, which 2013's sync left)."""
    if not isinstance(text, str) or not text:
        return ()
    if text[0] == "[":
        for read in (json.loads, ast.literal_eval):
            try:
                value = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, list):
                return tuple(str(tag) for tag in value)
    return tuple(dict.fromkeys(text.split()))


def _tags_text(tags: tuple[str, ...]) -> str:
    """Tags as 2013 wrote them; as a JSON list if words would not preserve them exactly."""
    words = " ".join(tags)
    return words if is_storable(words) and _tags(words) == tags else json.dumps(tags)


def _moment(value: object) -> datetime | None:
    """The date in a column: epoch seconds as a number or text, or an ISO date (UTC unless it has an offset)."""
    if type(value) is int:
        return _from_epoch(value)
    if isinstance(value, str):
        text = value
        try:
            value = float(text)
        except ValueError:
            return _iso_date(text)
    return _from_epoch(value) if isinstance(value, float) else None


def _from_epoch(value: float) -> datetime | None:
    try:
        return from_epoch(value)
    except (ValueError, OverflowError, OSError):
        return None


def _iso_date(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _date_of(stored_filename: str) -> datetime:
    try:
        return stored_name.parse(stored_filename).when
    except InvalidName:
        return from_epoch(0)


def _whole(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError):
        return 0


def is_storable(text: str) -> bool:
    """Whether a database can store the text: no lone surrogates (bytes of the command line that are not UTF-8), and no
    NUL, which PostgreSQL refuses."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_storable(name: str) -> None:
    if not is_storable(name):
        raise InvalidName(f"{name!a} is not text that a database can store (UTF-8 without NUL)")
