"""`show`: lists backups. The only verb that searches substrings."""

from __future__ import annotations

from datetime import datetime

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.ports.metadata_repo import MetadataRepo


def show(query: Query, repo: MetadataRepo, *, since: datetime | None = None, host: str | None = None) -> list[Backup]:
    """The matching backups, newest first: not made before `since`, and only those of `host`. Reads only the
    database."""
    return [
        backup for backup in repo.find(query) if (since is None or backup.when >= since) and host in (None, backup.host)
    ]
