"""`MemoryRepo`: the database of backups in memory, for tests and for use without a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve

from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.name_claim import KEPT, NameClaim
from bakthat.domain.objects import ArchiveId, RetrievalJob
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, DuplicateBackup
from bakthat.ports.metadata_repo import MetadataRepo


class MemoryRepo(MetadataRepo):
    """Stores what a database would: dates in whole seconds of UTC, metadata with JSON's types."""

    def __init__(self, backups: Iterable[Backup] = ()) -> None:
        """`backups`: the initial backups."""
        self._lock = threading.RLock()
        self._backups: list[Backup] = []
        self._positions: dict[str, list[int]] = {}  # of each stored filename
        self._archive_ids: dict[str, ArchiveId] = {}
        self._jobs: dict[str, RetrievalJob] = {}
        self._claims: dict[str, NameClaim] = {}
        for backup in backups:
            self.add(backup)

    def __repr__(self) -> str:
        return f"MemoryRepo({len(self._backups)} backups)"

    def add(self, backup: Backup) -> None:
        kept = _as_kept(backup)
        with self._lock:
            if self._position(backup) is not None:
                place = backup.location or backup.backend
                raise DuplicateBackup(f"{backup.stored_filename} of {place} is already in the database")
            self._append(kept)

    def replace(self, backup: Backup) -> None:
        kept = _as_kept(backup)
        with self._lock:
            position = self._position(backup)
            if position is None:
                place = backup.location or backup.backend
                raise BackupNotFound(f"{backup.stored_filename} of {place} is not in the database")
            self._backups[position] = kept

    def put_all(self, backups: Iterable[Backup]) -> None:
        kept = [_as_kept(backup) for backup in backups]
        with self._lock:
            for backup in kept:
                position = self._position(backup)
                if position is None:
                    self._append(backup)
                elif self._backups[position].last_updated <= backup.last_updated:
                    self._backups[position] = backup

    def find(self, query: Query) -> Iterator[Backup]:
        with self._lock:
            backups = list(self._backups)
        return iter(sorted(filter(query.matches, backups), key=newest_first, reverse=True))

    def claim_name(self, claim: NameClaim) -> bool:
        with self._lock:
            oldest = claim.claimed_at - KEPT
            self._claims = {name: kept for name, kept in self._claims.items() if kept.claimed_at >= oldest}
            if claim.stored_filename in self._claims or not super().claim_name(claim):
                return False
            self._claims[claim.stored_filename] = claim
            return True

    def archive_ids(self) -> Mapping[str, ArchiveId]:
        with self._lock:
            return dict(self._archive_ids)

    def archive_id(self, stored_filename: str) -> ArchiveId | None:
        with self._lock:
            return self._archive_ids.get(stored_filename)

    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        with self._lock:
            self._archive_ids[stored_filename] = archive_id

    def forget_archive(self, stored_filename: str) -> None:
        with self._lock:
            self._archive_ids.pop(stored_filename, None)

    def job(self, filename: str) -> RetrievalJob | None:
        with self._lock:
            return self._jobs.get(filename)

    def remember_job(self, job: RetrievalJob) -> None:
        kept = job if job.requested is None else evolve(job, requested=whole_seconds(job.requested))
        with self._lock:
            self._jobs[job.filename] = kept

    def forget_job(self, filename: str) -> None:
        with self._lock:
            self._jobs.pop(filename, None)

    def _append(self, backup: Backup) -> None:
        self._positions.setdefault(backup.stored_filename, []).append(len(self._backups))
        self._backups.append(backup)

    def _position(self, backup: Backup) -> int | None:
        """The position of the record of the same backup; if several match, the one with the same location."""
        namesakes = self._positions.get(backup.stored_filename, ())
        same = [at for at in namesakes if self._backups[at].same_backup_as(backup)]
        return min(same, key=lambda at: self._backups[at].location != backup.location, default=None)


def _as_kept(backup: Backup) -> Backup:
    return evolve(
        backup,
        backup_date=whole_seconds(backup.backup_date),
        last_updated=whole_seconds(backup.last_updated),
        metadata=json.loads(json.dumps(backup.metadata.to_dict())),
    )
