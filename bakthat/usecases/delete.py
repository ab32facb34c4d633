"""`delete`: deletes one backup, from the store first and from the database last."""

from __future__ import annotations

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.origin import ANY_ORIGIN, Origin, origins, shown
from bakthat.domain.query import Query
from bakthat.domain.rotation import rank
from bakthat.domain.selector import newest_of
from bakthat.errors import DeletionRefused
from bakthat.usecases.removal import remove
from bakthat.usecases.select_backup import choose
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class DeleteRequest:
    """Which backup to delete. `host`: select only backups of this host. `dry_run`: only return which it would be.
    `spare_last_complete`: refuse to delete the only complete backup of an origin."""

    name: str
    destination: str
    host: str | None = None
    dry_run: bool = False
    spare_last_complete: bool = False


@frozen(kw_only=True)
class DeletionCandidate:
    """The backup that a deletion would remove. `of_origin`: the number of backups of its origin, including itself.
    `is_newest`: whether it is the newest of them. `is_last_complete`: whether it is the only complete one."""

    backup: Backup
    origin: Origin
    of_origin: int
    is_newest: bool
    is_last_complete: bool


def deletion_candidate(request: DeleteRequest, tools: Tools) -> DeletionCandidate:
    """What `delete` would delete, and the other backups of its origin. Raises `BackupNotFound`, `AmbiguousName`."""
    destination = tools.destination(request.destination)
    backup = choose(request.name, destination, tools, host=request.host)
    query = Query(filename=backup.filename, backend=destination.name, owners=(destination.owner,))
    series = [row for row in tools.repo.find(query) if row.is_value == backup.is_value]
    origin, kin = next((group for group in origins(series) if backup in group[1]), (ANY_ORIGIN, [backup]))
    # If all of them are untrusted, an incomplete backup still counts least.
    complete = [row for row in kin if rank(row) == 0] or [row for row in kin if not row.is_incomplete]
    return DeletionCandidate(
        backup=backup,
        origin=origin,
        of_origin=len(kin),
        is_newest=backup == newest_of(kin, tools.clock())[0],
        is_last_complete=complete == [backup],
    )


def delete(request: DeleteRequest, tools: Tools) -> Backup:
    """Delete the one backup that the name means, and return its record.

    Raises `BackupNotFound`, `AmbiguousName`, `DeletionRefused`. After a `StoreError` the record still exists, and
    deleting again completes the work.
    """
    chosen = deletion_candidate(request, tools)
    if request.dry_run:
        return chosen.backup
    if request.spare_last_complete and chosen.is_last_complete:
        raise DeletionRefused(
            f"{chosen.backup.stored_filename} is the last complete backup of {shown(chosen.backup.filename)} "
            f"({chosen.origin}); nothing was deleted; add `spare_last_complete=False` to delete it anyway"
        )
    return remove(chosen.backup, tools.destination(request.destination), tools)
