"""`MetadataRepo`: the database of backups, of the Glacier inventory and of retrieval jobs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

from bakthat.domain.backup import Backup
from bakthat.domain.name_claim import NameClaim
from bakthat.domain.objects import ArchiveId, RetrievalJob
from bakthat.domain.query import Query
from bakthat.errors import DuplicateBackup


class MetadataRepo(ABC):
    """Records of backups, archive ids and retrieval jobs.

    Every call is a separate transaction: it takes effect completely or not at all, and the next call of any process
    sees it. Calls are safe from several threads and processes at once. Reading creates nothing on disk.

    Any call may raise `DatabaseError`.
    """

    @abstractmethod
    def add(self, backup: Backup) -> None:
        """Add a backup.

        Raises:
            DuplicateBackup: The same backup (`Backup.same_backup_as`) is already recorded, deleted or not.
        """

    @abstractmethod
    def find(self, query: Query) -> Iterator[Backup]:
        """Find exactly the backups for which `query.matches`, newest first (`newest_first`).

        Returns:
            A snapshot: the repository may be changed while it is iterated.
        """

    @abstractmethod
    def replace(self, backup: Backup) -> None:
        """Replace the record of the same backup (`Backup.same_backup_as`).

        Raises:
            BackupNotFound: There is no such record.
        """

    def put_all(self, backups: Iterable[Backup]) -> None:
        """Add the backups that are not recorded, and replace the others unless their record has a later `last_updated`.

        A repository with transactions overrides this method with a single transaction, which is many times faster.
        """
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
        """Reserve a stored filename for a backup that is about to be stored.

        Of several simultaneous callers in any processes, exactly one gets the name. `find` never returns a claim.
        Claims older than `KEPT` may be removed. This default implementation checks the recorded backups only, which is
        enough for a repository that one process uses for one backup at a time.

        Returns:
            True if the caller has the name. False if a backup of this name is recorded in any store, deleted or not, or
            if the name is already claimed.
        """
        return not any(True for _ in self.find(Query(stored_filename=claim.stored_filename, deleted=True)))

    @abstractmethod
    def archive_ids(self) -> Mapping[str, ArchiveId]:
        """Return the complete inventory: stored filename to archive id."""

    @abstractmethod
    def archive_id(self, stored_filename: str) -> ArchiveId | None:
        """Return the id of one archive, or None if the inventory does not contain it."""

    @abstractmethod
    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        """Add an archive to the inventory; a known filename gets the new id."""

    @abstractmethod
    def forget_archive(self, stored_filename: str) -> None:
        """Remove an archive from the inventory; does nothing for an unknown one."""

    @abstractmethod
    def job(self, filename: str) -> RetrievalJob | None:
        """Return the retrieval that was requested for this stored filename, or None."""

    @abstractmethod
    def remember_job(self, job: RetrievalJob) -> None:
        """Record a retrieval; it replaces an earlier one of the same filename."""

    @abstractmethod
    def forget_job(self, filename: str) -> None:
        """Remove a retrieval; does nothing for an unknown one."""
