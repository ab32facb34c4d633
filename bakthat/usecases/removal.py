"""Removes one backup, for every verb that deletes."""

from __future__ import annotations

from bakthat.domain.backup import Backup
from bakthat.errors import ObjectLocked
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools


def check_lock(backup: Backup, destination: Destination, tools: Tools) -> None:
    """Raise `ObjectLocked` if a lock keeps the archive."""
    lock = destination.lock_of(backup, tools.clock())
    if lock is not None:
        way_out = "end the hold first" if lock.until is None else "it can be deleted after that"
        raise ObjectLocked(f"{backup.stored_filename} is {lock}; nothing was deleted; {way_out}")


def remove(backup: Backup, destination: Destination, tools: Tools) -> Backup:
    """Remove the archive, then the catalog entry, then mark the row. Repeating it after an interruption completes
    it. Raises `ObjectLocked` before anything is removed, if a lock keeps the archive."""
    check_lock(backup, destination, tools)
    billed = destination.days_still_billed(backup, tools.clock())
    if billed:
        tools.notice(
            f"{backup.stored_filename} is deleted before the service's minimum age: "
            f"it is billed for {billed} more day{'' if billed == 1 else 's'}"
        )
    destination.remove(backup)
    destination.remove_entry(backup.stored_filename)
    gone = backup.deleted(tools.clock())
    tools.repo.replace(gone)
    return gone
