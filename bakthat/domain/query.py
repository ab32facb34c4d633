"""`Query`: conditions on backups. `matches` defines its meaning; a database may compute the same result faster."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from bakthat.domain.backup import Backup, Owner


@frozen(kw_only=True)
class Query:
    """All conditions must hold. None or an empty value stands for no condition.

    filename, stored_filename: an exact match.
    text: a substring of either, case-sensitive.
    tags: all of them, each as a whole.
    backend: the name of the destination.
    owners: in any of these stores (an empty tuple: in none).
    older_than: `Backup.when` is strictly before it.
    deleted: include backups that are marked as deleted.
    """

    filename: str | None = None
    stored_filename: str | None = None
    text: str = ""
    tags: tuple[str, ...] = ()
    backend: str | None = None
    owners: tuple[Owner, ...] | None = None
    older_than: datetime | None = None
    deleted: bool = False

    def matches(self, backup: Backup) -> bool:
        """Whether the backup meets every condition."""
        return (
            (self.deleted or not backup.is_deleted)
            and (self.filename is None or backup.filename == self.filename)
            and (self.stored_filename is None or backup.stored_filename == self.stored_filename)
            and (self.text in backup.filename or self.text in backup.stored_filename)
            and (self.backend is None or backup.backend == self.backend)
            and all(tag in backup.tags for tag in self.tags)
            and (self.older_than is None or backup.when < self.older_than)
            and (self.owners is None or any(backup.belongs_to(owner) for owner in self.owners))
        )


def newest_first(backup: Backup) -> tuple[float, str, str]:
    """The sort key (with `reverse=True`) of every listing: by date, then by stored filename, then by backend."""
    return (backup.when.timestamp(), backup.stored_filename, backup.backend)
