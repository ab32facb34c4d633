"""`delete`: deletes one backup, and on request those that need it, from the store first and from the database last."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.chain import Chains, may_need
from bakthat.domain.origin import ANY_ORIGIN, Origin, origins, shown
from bakthat.domain.query import Query
from bakthat.domain.rotation import rank
from bakthat.domain.selector import newest_of
from bakthat.errors import DeletionRefused
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.removal import check_lock, remove
from bakthat.usecases.select_backup import choose
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class DeleteRequest:
    """Which backup to delete. `host`: select only backups of this host. `dry_run`: only return which it would be.
    `spare_last_complete`: refuse to delete the only complete backup of an origin. `with_dependents`: delete the
    incremental backups that need it, too, before it. `on_removed`: called with the record of each."""

    name: str | Backup
    destination: str
    host: str | None = None
    dry_run: bool = False
    spare_last_complete: bool = False
    with_dependents: bool = False
    on_removed: Callable[[Backup], None] = ignore


@frozen(kw_only=True)
class DeletionCandidate:
    """The backup that a deletion would remove. `of_origin`: the number of backups of its origin, including itself.
    `is_newest`: whether it is the newest of them. `is_last_complete`: whether no complete one is left without it and
    its `dependents`: the incremental backups that cannot be restored without it, the oldest first. `may_need`: those
    that may continue it, but whose records do not say what they continue."""

    backup: Backup
    origin: Origin
    of_origin: int
    is_newest: bool
    is_last_complete: bool
    dependents: tuple[Backup, ...] = ()
    may_need: tuple[Backup, ...] = ()


def deletion_candidate(request: DeleteRequest, tools: Tools) -> DeletionCandidate:
    """What `delete` would delete, and the other backups of its origin. Raises `BackupNotFound`, `AmbiguousName`."""
    destination = tools.destination(request.destination)
    backup = choose(request.name, destination, tools, host=request.host)
    query = Query(filename=backup.filename, backend=destination.name, owners=(destination.owner,))
    series = [row for row in tools.repo.find(query) if row.is_value == backup.is_value]
    origin, kin = next((group for group in origins(series) if backup in group[1]), (ANY_ORIGIN, [backup]))
    # If all of them are untrusted, an incomplete backup still counts least.
    complete = [row for row in kin if rank(row) == 0] or [row for row in kin if not row.is_incomplete]
    dependents = Chains(series).dependents(backup)
    return DeletionCandidate(
        backup=backup,
        origin=origin,
        of_origin=len(kin),
        is_newest=backup == newest_of(kin, tools.clock())[0],
        is_last_complete=bool(complete) and all(row in (backup, *dependents) for row in complete),
        dependents=dependents,
        may_need=may_need(backup, series),
    )


def delete(request: DeleteRequest, tools: Tools) -> Backup:
    """Delete the one backup that the name means, and return its record.

    Raises `BackupNotFound`, `AmbiguousName`, `DeletionRefused`. After a `StoreError` the record still exists, and
    deleting again completes the work. Dependents go first, the newest of them before the others, so that what is left
    after an interruption can be restored.
    """
    chosen = deletion_candidate(request, tools)
    if chosen.dependents and not request.with_dependents:
        raise DeletionRefused(
            f"{chosen.backup.stored_filename} is needed by {_named(chosen.dependents)}; nothing was deleted; "
            "add `with_dependents=True` to delete them, too"
        )
    if chosen.may_need:
        one = len(chosen.may_need) == 1
        raise DeletionRefused(
            f"{chosen.backup.stored_filename} may be needed by {_named(chosen.may_need)}, whose "
            f"{'record does' if one else 'records do'} not say what {'it continues' if one else 'they continue'}; "
            f"nothing was deleted; delete {'that one' if one else 'those'} first"
        )
    if request.dry_run:
        return chosen.backup
    if request.spare_last_complete and chosen.is_last_complete:
        raise DeletionRefused(
            f"{chosen.backup.stored_filename} is the last complete backup of {shown(chosen.backup.filename)} "
            f"({chosen.origin}); nothing was deleted; add `spare_last_complete=False` to delete it anyway"
        )
    destination = tools.destination(request.destination)
    _check_locks(chosen, destination, tools)
    for dependent in reversed(chosen.dependents):
        request.on_removed(remove(dependent, destination, tools))
    gone = remove(chosen.backup, destination, tools)
    request.on_removed(gone)
    return gone


def _check_locks(chosen: DeletionCandidate, destination: Destination, tools: Tools) -> None:
    """Raise `ObjectLocked` before anything is removed, if one of several is locked."""
    for backup in (*chosen.dependents, chosen.backup):
        check_lock(backup, destination, tools)


def _named(dependents: tuple[Backup, ...]) -> str:
    """The first three, and how many others."""
    names = [backup.stored_filename for backup in dependents[:3]]
    others = len(dependents) - len(names)
    if others:
        names.append(f"{others} other{'' if others == 1 else 's'}")
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
