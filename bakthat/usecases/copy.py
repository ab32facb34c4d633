"""`copy`: a second copy of backups, in another destination. The stored bytes stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import evolve, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.chain import BaseNotRecorded
from bakthat.domain.objects import Tier
from bakthat.domain.query import Query, newest_first
from bakthat.errors import (
    BackupNotFound,
    BakthatError,
    ChainBroken,
    ConfigInvalid,
    DatabaseError,
    RetrievalPending,
    StoreError,
    UsageError,
)
from bakthat.usecases.chain import chains_of_series, extend_locks
from bakthat.usecases.copying.one_backup import Copied, Copier
from bakthat.usecases.copying.target import Presence, Target, oldest_first
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.select_backup import choose, not_found
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class CopyRequest:
    """What to copy, and where to.

    name: of one backup, as `restore` selects it, with what it needs if it is incremental; None means all backups of the
        source.
    series: only of this series, exactly.
    source, to: names of destinations, `to` of the target's profile.
    host: only backups of this host.
    tier, wait: as of a restore.
    dry_run: only report what would be copied.
    """

    name: str | Backup | None
    source: str
    to: str
    series: str | None = None
    host: str | None = None
    tier: Tier | None = None
    wait: bool = False
    dry_run: bool = False


@frozen(kw_only=True)
class CopyReport:
    """What is at the target after a copy, or would be after a dry run; oldest first.

    copied: the records of new copies at the target. by_service: those of them that the service copied by itself.
    present: the records of copies that were there.
    failed: backups of the source that are not at the target, or not completely, with the errors; repeating the call
        copies what is missing.
    """

    copied: tuple[Backup, ...] = ()
    by_service: tuple[Backup, ...] = ()
    present: tuple[Backup, ...] = ()
    failed: tuple[tuple[Backup, BakthatError], ...] = ()
    dry_run: bool = False


def copy(
    request: CopyRequest,
    tools: Tools,
    target_tools: Tools,
    *,
    on_copied: Callable[[Copied], None] = ignore,
    on_failed: Callable[[Backup, BakthatError], None] = lambda _backup, _error: None,
) -> CopyReport:
    """Copy backups from one destination to another. `target_tools`: the tools of the target's profile. `on_copied`,
    `on_failed`: called for each backup.

    A copy is complete or not there, and never replaces anything. An incremental backup is copied after what it needs,
    and not without it. One backup that fails does not stop the rest.

    Raises `BackupNotFound`, `AmbiguousName`, `ChainBroken`, `UsageError` if both destinations are the same place,
    `DatabaseError`.
    """
    source, destination = tools.destination(request.source), _target_destination(request.to, target_tools)
    if source.owner.location == destination.owner.location:
        raise UsageError(
            f"the backups are in {source.owner.location}, and that is where they would be copied to; "
            "name another place with `to=`, or another profile with `to_profile=`"
        )
    target = Target(destination, target_tools)
    copier = Copier(source=source, target=target, tools=tools, tier=request.tier)
    copied: list[Copied] = []
    failed: list[tuple[Backup, BakthatError]] = []
    pending: list[Backup] = []
    there: set[str] = set()

    def try_each(backups: Iterable[Backup], copier: Copier, *, waits_later: bool) -> None:
        for backup in backups:
            try:
                base = _base(backup)
                if waits_later and base in {one.stored_filename for one in pending}:
                    pending.append(backup)
                    continue
                if base is not None and base not in there:
                    raise ChainBroken(f"{backup.stored_filename} needs {base}, which is missing or could not be copied")
                one = _tried(backup, target) if request.dry_run else copier.copy(backup)
            except DatabaseError:
                raise
            except BakthatError as error:
                if waits_later and isinstance(error, RetrievalPending):
                    pending.append(backup)
                else:
                    failed.append((backup, error))
                    on_failed(backup, error)
            else:
                there.add(backup.stored_filename)
                copied.append(one)
                on_copied(one)

    # All retrievals are requested before the first one is waited for.
    try_each(_chosen(request, source, tools), copier, waits_later=request.wait)
    try_each(pending, evolve(copier, wait=True), waits_later=False)
    _lock_chains([one.backup for one in copied if one.is_new], destination, target_tools)
    return report_of(copied, failed, dry_run=request.dry_run)


def report_of(copied: Sequence[Copied], failed: Sequence[tuple[Backup, BakthatError]], *, dry_run: bool) -> CopyReport:
    """The report of what `on_copied` and `on_failed` got: also of a call that has raised since then."""
    return CopyReport(
        copied=tuple(one.backup for one in copied if one.is_new),
        by_service=tuple(one.backup for one in copied if one.by_service),
        present=tuple(one.backup for one in copied if not one.is_new),
        failed=tuple(failed),
        dry_run=dry_run,
    )


def _target_destination(name: str, tools: Tools) -> Destination:
    """The destination of the copies. Raises `ConfigError`, whose way out names the parameter of the target."""
    try:
        return tools.destination(name)
    except ConfigInvalid as error:
        raise ConfigInvalid(str(error).replace("`destination=", "`to=")) from None


def _lock_chains(new: Iterable[Backup], destination: Destination, tools: Tools) -> None:
    """Lock what the new copies continue for as long as themselves; where that is refused, a notice says so."""
    locked: set[str] = set()
    for copy_ in sorted(new, key=newest_first, reverse=True):
        until = copy_.metadata.locked_until
        if until is None or not copy_.is_incremental:
            continue
        try:
            chain = chains_of_series(copy_.filename, destination, tools).chain(copy_)[:-1]
            why = extend_locks([base for base in chain if base.stored_filename not in locked], until, destination)
            locked.update(base.stored_filename for base in chain)
        except (ChainBroken, StoreError) as error:
            why = str(error)
        if why:
            tools.notice(
                f"{copy_.stored_filename} is locked for longer in {destination.owner.location} than what it continues: "
                f"{why}"
            )


def _base(backup: Backup) -> str | None:
    """What an incremental backup continues; None for others."""
    increment = backup.metadata.incremental
    return None if increment is None else increment.base


def _tried(backup: Backup, target: Target) -> Copied:
    there = target.presence_of(backup, may_read=False)
    return Copied(backup=target.row(backup) or target.draft(backup), is_new=there is Presence.NOTHING)


def _chosen(request: CopyRequest, source: Destination, tools: Tools) -> list[Backup]:
    if request.name is not None:
        if request.series is not None:
            raise UsageError("a copy is of the backup with a name, or of all backups of a series; give one of them")
        backup = choose(request.name, source, tools, host=request.host)
        try:
            return list(chains_of_series(backup.filename, source, tools).chain(backup))
        except BaseNotRecorded as error:
            raise ChainBroken(f"{error}; copy all backups, and it is among them") from None
    query = Query(filename=request.series, backend=source.name, owners=(source.owner,))
    backups = [
        backup for backup in tools.repo.find(query) if not backup.is_value and request.host in (None, backup.host)
    ]
    if not backups and request.series is not None:
        raise BackupNotFound(not_found(request.series, source, tools))
    if not backups:
        of_host = "" if request.host is None else f" of host {request.host}"
        raise BackupNotFound(f"no backups{of_host} in {source.name} ({source.owner.location})")
    return oldest_first(backups)
