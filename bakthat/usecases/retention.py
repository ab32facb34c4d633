"""`rotate_backups` and `remove_older_than`: a plan first, every decision with its reason; then the deletions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query, newest_first
from bakthat.domain.rotation import Decision, Plan, RotationPolicy, future_dates, mixed_sources, plan
from bakthat.errors import AccessDenied, BackupNotFound, BakthatError, ObjectNotFound
from bakthat.usecases.choosing import not_found
from bakthat.usecases.delete import remove
from bakthat.usecases.destination import Destination
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class Retention:
    """What was planned for a series, and what came of it. `removed`: the records of what is gone, none after a dry
    run. `failed`: what could not be deleted, and why; doing the same again finishes the work."""

    plan: Plan
    removed: tuple[Backup, ...] = ()
    failed: tuple[tuple[Backup, BakthatError], ...] = ()


def _silent(_: Plan) -> None:
    """Tells nobody."""


def rotate_backups(
    filename: str,
    destination_name: str,
    policy: RotationPolicy,
    tools: Tools,
    *,
    dry_run: bool = False,
    on_plan: Callable[[Plan], None] = _silent,
) -> Retention:
    """Delete what the policy does not keep of exactly this series. `on_plan` sees the plan before anything is deleted.

    Raises `BackupNotFound` for a series that is not there, `DatabaseError`, `ConfigError`. A store that refuses does
    not stop the rest: see `Retention.failed`.
    """
    destination, series = _series(filename, destination_name, tools)
    return _carry_out(plan(policy, series, tools.clock()), destination, tools, dry_run, on_plan)


def remove_older_than(
    filename: str,
    destination_name: str,
    age: timedelta,
    tools: Tools,
    *,
    dry_run: bool = False,
    on_plan: Callable[[Plan], None] = _silent,
) -> Retention:
    """Delete the backups of exactly this series that are older than `age`; but never the newest, nor the newest
    complete one. Otherwise as `rotate_backups`."""
    destination, series = _series(filename, destination_name, tools)
    limit = tools.clock() - age
    keep: list[Decision] = []
    drop: list[Decision] = []
    newest_complete = next((backup for backup in series if not backup.is_incomplete), None)
    for backup in series:
        if backup is series[0]:
            keep.append(Decision(backup, ("newest",)))
        elif backup is newest_complete:
            keep.append(Decision(backup, ("newest complete",)))
        elif backup.when < limit:
            drop.append(Decision(backup, (f"older than {limit:%Y-%m-%d %H:%M:%S} UTC",)))
        else:
            keep.append(Decision(backup, (f"not older than {limit:%Y-%m-%d %H:%M:%S} UTC",)))
    return _carry_out(Plan(keep=tuple(keep), drop=tuple(drop)), destination, tools, dry_run, on_plan)


def _series(filename: str, destination_name: str, tools: Tools) -> tuple[Destination, Sequence[Backup]]:
    destination = tools.destination(destination_name)
    query = Query(filename=filename, backend=destination.name, owners=(destination.owner,))
    # A value may bear the name of a series; it is no backup of it, neither one to delete nor the newest to keep.
    series = [backup for backup in tools.repo.find(query) if not backup.metadata.get("KeyValue")]
    if not series:
        raise BackupNotFound(not_found(filename, destination, tools))
    return destination, series


def _carry_out(
    planned: Plan, destination: Destination, tools: Tools, dry_run: bool, on_plan: Callable[[Plan], None]
) -> Retention:
    series = [decision.backup for decision in planned.keep + planned.drop]
    for line in mixed_sources(series) + future_dates(series, tools.clock()):
        tools.notice(line)
    on_plan(planned)
    if dry_run:
        return Retention(plan=planned)
    if planned.drop:
        _check_kept(planned, destination)
    removed: list[Backup] = []
    failed: list[tuple[Backup, BakthatError]] = []
    # Oldest first: whatever is cut short, what remains is the newer part.
    for decision in reversed(planned.drop):
        try:
            removed.append(remove(decision.backup, destination, tools))
        except BakthatError as error:
            failed.append((decision.backup, error))
            tools.notice(f"{decision.backup.stored_filename} could not be deleted: {error}")
    return Retention(plan=planned, removed=tuple(removed), failed=tuple(failed))


def _check_kept(planned: Plan, destination: Destination) -> None:
    """Ask the store for the newest complete backup that is kept: another machine may have deleted it, and then what is
    to be dropped may be the last that there is. Raises `BackupNotFound`."""
    kept = sorted((decision.backup for decision in planned.keep), key=newest_first, reverse=True)
    newest = next((backup for backup in kept if not backup.is_incomplete), kept[0])
    try:
        destination.size_of(newest)
    except ObjectNotFound:
        raise BackupNotFound(
            f"{newest.stored_filename}, which is to be kept, is not in {destination.owner.location} any more; "
            "nothing was deleted: run `bakthat sync`, and then this again"
        ) from None
    except AccessDenied:
        pass  # who may delete need not be allowed to look
