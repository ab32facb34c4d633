"""Which archive of an archive store belongs to which backup, according to the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bakthat.domain import glacier_inventory
from bakthat.domain.backup import Backup, Owner
from bakthat.domain.glacier_inventory import GlacierInventory
from bakthat.domain.objects import ArchiveId
from bakthat.domain.query import Query
from bakthat.errors import StoreError
from bakthat.ports.metadata_repo import MetadataRepo

_NAMES_KEPT = timedelta(minutes=1)


class ArchiveNames:
    """The names of the archives of one store."""

    def __init__(self, owner: Owner, *, repo: MetadataRepo, clock: Callable[[], datetime]) -> None:
        self._owner = owner
        self._repo = repo
        self._clock = clock
        self._names: Mapping[str, Sequence[str]] = {}
        self._read_at: datetime | None = None

    def id_of(self, backup: Backup) -> ArchiveId | None:
        """The archive of this backup."""
        # The record first: the database's inventory has one id per name, although two vaults may both have the name.
        known = backup.metadata.archive_id or self._repo.archive_id(backup.stored_filename)
        return None if known is None else ArchiveId(known)

    def inventory(self) -> GlacierInventory:
        """The inventory of the database, without archives that its records mark as deleted or place in another
        vault."""
        rows = list(self._repo.find(Query(backend=self._owner.backend, deleted=True)))
        here = {row.stored_filename for row in rows if row.belongs_to(self._owner) and not row.is_deleted}
        not_here = {row.stored_filename for row in rows} - here
        return GlacierInventory(archives=self._repo.archive_ids()).without(not_here)

    def check_alone(self, backup: Backup, archive_id: ArchiveId) -> None:
        """Raises `StoreError` if another backup's record has the same archive, unless this one was recorded at its
        upload: an inventory or an entry may claim a second name for an archive."""
        others = [name for name in self._recorded().get(archive_id, ()) if name != backup.stored_filename]
        if others and (backup.stored_at is not None or backup.is_from_listing):
            raise StoreError(
                f"{backup.stored_filename}: the archive is also recorded as {others[0]}, so it was not deleted; remove "
                f"the wrong name from {glacier_inventory.KEY} and its catalog entry, then run "
                f"`sync({self._owner.backend!r})`"
            )

    def _recorded(self) -> Mapping[str, Sequence[str]]:
        """The stored filenames of each archive id in the records. Kept for a minute: a rotation deletes many."""
        now = self._clock()
        if self._read_at is None or not timedelta(0) <= now - self._read_at <= _NAMES_KEPT:
            names: dict[str, list[str]] = {}
            for row in self._repo.find(Query(backend=self._owner.backend, owners=(self._owner,))):
                known = row.metadata.archive_id
                if known is not None:
                    names.setdefault(known, []).append(row.stored_filename)
            self._names, self._read_at = names, now
        return self._names
