"""`delete`: one backup goes, from the store first and from the database last."""

from __future__ import annotations

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.usecases.choosing import choose
from bakthat.usecases.destination import Destination
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class DeleteRequest:
    """Which backup to delete. `dry_run`: only tell which it would be."""

    name: str
    destination: str
    dry_run: bool = False


def delete(request: DeleteRequest, tools: Tools) -> Backup:
    """Delete the one backup that the name means, and give back its record.

    Raises `BackupNotFound`, `AmbiguousName`, `StoreError`; the record then still stands, and deleting again finishes.
    """
    destination = tools.destination(request.destination)
    backup = choose(request.name, destination, tools)
    if request.dry_run:
        return backup
    return remove(backup, destination, tools)


def remove(backup: Backup, destination: Destination, tools: Tools) -> Backup:
    """Remove archive, then catalog entry, then mark the row: whatever is cut short, doing it again finishes it."""
    billed = destination.days_still_billed(backup, tools.clock())
    if billed:
        tools.notice(
            f"{backup.stored_filename} is deleted before the service's minimum age: "
            f"it is billed for {billed} day{'' if billed == 1 else 's'} more"
        )
    destination.remove(backup)
    destination.remove_entry(backup.stored_filename)
    gone = backup.deleted(tools.clock())
    tools.repo.replace(gone)
    return gone
