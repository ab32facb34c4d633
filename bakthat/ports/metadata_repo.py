"""`MetadataRepo`: the small database of backups, of the Glacier inventory and of retrieval jobs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

from bakthat.domain.backup import Backup
from bakthat.domain.name_claim import NameClaim
from bakthat.domain.objects import ArchiveId, RetrievalJob
from bakthat.domain.query import Query
from bakthat.errors import DuplicateBackup


class MetadataRepo(ABC):
    """Records of backups. Every call is a transaction of its own: whole or not at all, seen by the next call of any
    process. Safe to use from several threads and processes at once. Reading creates nothing on disk.

    Any call may raise `DatabaseError`.
    """

    @abstractmethod
    def add(self, backup: Backup) -> None:
        """Remember a backup. Raises `DuplicateBackup` if the same backup (`Backup.same_backup_as`) is there already,
        deleted or not."""

    @abstractmethod
    def find(self, query: Query) -> Iterator[Backup]:
        """Exactly the backups for which `query.matches`, newest first (`newest_first`). The iterator is a snapshot:
        the repository may be written to while it is read."""

    @abstractmethod
    def replace(self, backup: Backup) -> None:
        """Put this record in the place of that of the same backup (`Backup.same_backup_as`). Raises `BackupNotFound`
        if there is none."""

    def put_all(self, backups: Iterable[Backup]) -> None:
        """Add those that are not there, and replace those that are, unless what is there has a later `last_updated`.
        In one transaction where the repository has transactions, and then many times faster than one by one."""
        for backup in backups:
            try:
                self.add(backup)
            except DuplicateBackup:
                known = self.find(Query(stored_filename=backup.stored_filename, deleted=True))
                if not any(
                    other.same_backup_as(backup) and other.last_updated > backup.last_updated for other in known
                ):
                    self.replace(backup)

    def claim_name(self, claim: NameClaim) -> bool:
        """Reserve a stored filename for a backup that is about to be stored. True if the name is the caller's now;
        False if a backup of this name is recorded, deleted or not, in whatever store, or if somebody has claimed it.
        Of several callers at once, in whatever process, exactly one gets it.

        A claim is no backup: `find` never returns it. Claims older than `KEPT` may be forgotten. This default only
        looks at the recorded backups, which is enough for a repository that one process uses for one backup at a
        time.
        """
        return not any(True for _ in self.find(Query(stored_filename=claim.stored_filename, deleted=True)))

    @abstractmethod
    def archive_ids(self) -> Mapping[str, ArchiveId]:
        """The whole inventory: stored filename to the archive's id."""

    @abstractmethod
    def archive_id(self, stored_filename: str) -> ArchiveId | None:
        """The id of one archive, None if the inventory does not know it."""

    @abstractmethod
    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        """Put an archive into the inventory; a known filename gets the new id."""

    @abstractmethod
    def forget_archive(self, stored_filename: str) -> None:
        """Take an archive out of the inventory; an unknown one is no error."""

    @abstractmethod
    def job(self, filename: str) -> RetrievalJob | None:
        """The retrieval that was asked for under this name, None if there is none."""

    @abstractmethod
    def remember_job(self, job: RetrievalJob) -> None:
        """Remember a retrieval, in the place of an earlier one of the same filename."""

    @abstractmethod
    def forget_job(self, filename: str) -> None:
        """Forget a retrieval; an unknown one is no error."""
