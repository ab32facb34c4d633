"""`show`: lists backups. The only verb that searches substrings."""

from __future__ import annotations

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.ports.metadata_repo import MetadataRepo


def show(query: Query, repo: MetadataRepo) -> list[Backup]:
    """The matching backups, newest first. Reads only the database."""
    return list(repo.find(query))
