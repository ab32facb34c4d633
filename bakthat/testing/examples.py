"""Complete, ordinary values for tests; a test changes the fields that it needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bakthat.domain.backup import Backup, backend_hash
from bakthat.domain.stored_name import StoredName

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_backup(**changes: Any) -> Backup:
    """A backup in an S3 bucket. `changes` are fields of `Backup`; the stored filename and `last_updated` follow from
    `filename` and `backup_date` unless they are given."""
    fields: dict[str, Any] = {
        "backend": "s3",
        "backend_hash": backend_hash("AKIAEXAMPLE", "bucket"),
        "backup_date": WHEN,
        "filename": "mydir",
        "size": 3120,
        "tags": ("daily",),
        "metadata": {"is_enc": False, "client": "host", "location": "s3://bucket", "tool": "bakthat 1.0.0"},
        **changes,
    }
    fields.setdefault("stored_filename", str(StoredName(series=fields["filename"], when=fields["backup_date"])))
    fields.setdefault("last_updated", fields["backup_date"])
    return Backup(**fields)
