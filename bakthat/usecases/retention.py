"""`rotate_backups` and `remove_older_than`: first a plan per origin, with a reason for every decision; then the
deletions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from bakthat.domain.backup import Backup, said_of
from bakthat.domain.callbacks import ignore
from bakthat.domain.locked_plan import without_locked
from bakthat.domain.needed_plan import in_order_of_deletion, with_needed
from bakthat.domain.origin import GroupBy, Origin, Scope, listed, origins, shown
from bakthat.domain.origin_plan import plan_origins
from bakthat.domain.origin_policies import OriginPolicies
from bakthat.domain.query import Query, newest_first
from bakthat.domain.rotation import (
    Plan,
    RotationPolicy,
    is_later,
    plan_by_age,
    rank,
)
from bakthat.domain.series_notices import changing_hosts, future_dates, mixed_hosts
from bakthat.errors import (
    AccessDenied,
    BackupNotFound,
    BakthatError,
    CredentialsRefused,
    DeletionRefused,
    ObjectNotFound,
)
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.removal import remove
from bakthat.usecases.select_backup import not_found
from bakthat.usecases.syncing.series import SyncedSeries, sync_series
from bakthat.usecases.tools import Tools

EVERY_ORIGIN = Scope()

PlanOne = Callable[[Origin, Sequence[Backup]], Plan]
"""Plans the backups of one origin."""


class OriginNotFound(BackupNotFound):
    """The series has no backups of the origins that are asked for."""


@frozen(kw_only=True)
class Retention:
    """The plan for a series, and its results. `removed`: the deleted records, empty after a dry run. `failed`: backups
    that could not be deleted, with the errors; repeating the call completes the work."""

    plan: Plan
    removed: tuple[Backup, ...] = ()
    failed: tuple[tuple[Backup, BakthatError], ...] = ()


def rotate_backups(
    filename: str,
    destination_name: str,
    policy: RotationPolicy | OriginPolicies,
    tools: Tools,
    *,
    scope: Scope = EVERY_ORIGIN,
    dry_run: bool = False,
    on_plan: Callable[[Plan], None] = ignore,
) -> Retention:
    """Delete the backups of exactly this series that the policy does not keep, each origin of the scope separately.
    `policy`: of all origins, or of each. `on_plan` is called with the plan before anything is deleted.

    The plan is made from the contents of the store, as far as they can be listed at once. Raises `BackupNotFound` for a
    series or an origin that is not there, `DatabaseError`, `ConfigError`, `StoreError` for a listing that fails. A
    store that refuses a deletion does not stop the rest: see `Retention.failed`.
    """
    policies = policy if isinstance(policy, OriginPolicies) else OriginPolicies(default=policy)
    return _retain(filename, destination_name, policies.plan_for, tools, scope, dry_run, on_plan)


def remove_older_than(
    filename: str,
    destination_name: str,
    age: timedelta,
    tools: Tools,
    *,
    scope: Scope = EVERY_ORIGIN,
    dry_run: bool = False,
    on_plan: Callable[[Plan], None] = ignore,
) -> Retention:
    """Delete the backups of exactly this series that are older than `age`, except the newest and the newest complete
    one of each origin. Otherwise as `rotate_backups`."""

    def cut_off(now: datetime) -> PlanOne:
        return lambda _, backups: plan_by_age(now - age, backups, now)

    return _retain(filename, destination_name, cut_off, tools, scope, dry_run, on_plan)


def _retain(
    filename: str,
    destination_name: str,
    plan_at: Callable[[datetime], PlanOne],
    tools: Tools,
    scope: Scope,
    dry_run: bool,
    on_plan: Callable[[Plan], None],
) -> Retention:
    destination, now = tools.destination(destination_name), tools.clock()
    series = _series(filename, destination, tools, dry_run)
    planned = _planned(filename, series, plan_at(now), scope)
    planned = without_locked(planned, lambda backup: destination.lock_of(backup, now))
    planned = with_needed(planned, series.backups + series.nameless)
    for line in _notices(filename, series, planned, scope, now):
        tools.notice(line)
    on_plan(planned)
    if dry_run:
        return Retention(plan=planned)
    for of_origin in planned.by_origin().values():
        if of_origin.drop:
            _check_kept(of_origin, destination, now)
    return _carry_out(planned, destination, tools)


def _series(filename: str, destination: Destination, tools: Tools, dry_run: bool) -> SyncedSeries:
    """The series from the store, else from the database."""
    held = _synced(filename, destination, tools, dry_run)
    if held is None:
        query = Query(filename=filename, backend=destination.name, owners=(destination.owner,))
        held = SyncedSeries(backups=tuple(tools.repo.find(query)))
    # A value may have the name of a series; it is not a backup of it, neither to delete nor as the newest to keep.
    held = evolve(held, backups=tuple(backup for backup in held.backups if not backup.is_value))
    if not held.backups and not held.nameless:
        raise BackupNotFound(not_found(filename, destination, tools))
    return held


def _synced(filename: str, destination: Destination, tools: Tools, dry_run: bool) -> SyncedSeries | None:
    """None if these credentials may not list the store."""
    try:
        return sync_series(filename, destination, tools, dry_run=dry_run)
    except CredentialsRefused:
        raise
    except AccessDenied as error:
        tools.notice(
            f"{shown(filename)} is planned from the database alone, since {destination.owner.location} cannot be "
            f"listed: {error}"
        )
        return None


def _planned(filename: str, series: SyncedSeries, plan_one: PlanOne, scope: Scope) -> Plan:
    groups = scope.groups(series.backups + series.nameless)
    if not groups:
        there = listed(origin for origin, _ in origins(series.backups + series.nameless))
        raise OriginNotFound(f"{shown(filename)}: no backups of {scope}; there are backups of {there}")
    return plan_origins(groups, plan_one, nameless=series.nameless)


def _notices(filename: str, series: SyncedSeries, planned: Plan, scope: Scope, now: datetime) -> list[str]:
    """Notices before anything is deleted."""
    lines = list(future_dates(series.backups, now))
    if scope.group_by is GroupBy.HOST_AND_SOURCE:
        groups = scope.groups(series.backups)
        lines_of_hosts = [*(mixed_hosts(*group) for group in groups), *changing_hosts(groups)]
        lines += [f"{shown(filename)}: {line}" for line in lines_of_hosts if line]
    for origin, of_origin in planned.by_origin().items():
        untrusted = [decision for decision in of_origin.keep + of_origin.drop if rank(decision.backup) == 2]
        if len(untrusted) not in (0, len(of_origin.keep + of_origin.drop)):
            number = "1 archive is" if len(untrusted) == 1 else f"{len(untrusted)} archives are"
            lines.append(f"{shown(filename)}: {number} untrusted (see their reasons), and displace none of {origin}")
    return lines


def _carry_out(planned: Plan, destination: Destination, tools: Tools) -> Retention:
    removed: list[Backup] = []
    failed: list[tuple[Backup, BakthatError]] = []
    # A base stays as long as what needs it: by the name of the base, why.
    needed: dict[str, str] = {}
    # Oldest first: after an interruption the newer ones remain, and what they need.
    for decision in in_order_of_deletion(planned.drop):
        backup = decision.backup
        try:
            if backup.stored_filename in needed:
                raise DeletionRefused(f"{needed[backup.stored_filename]} needs it, and is still there")
            removed.append(remove(backup, destination, tools))
        except BakthatError as error:
            failed.append((backup, error))
            tools.notice(f"{backup.stored_filename} could not be deleted: {said_of(backup, error)}")
            if backup.metadata.incremental is not None:
                needed[backup.metadata.incremental.base] = backup.stored_filename
    return Retention(plan=planned, removed=tuple(removed), failed=tuple(failed))


def _check_kept(planned: Plan, destination: Destination, now: datetime) -> None:
    """Check that the best kept backup is in the store: if another machine has deleted it, the backups to delete may be
    the last ones. Raises `BackupNotFound`."""
    kept = [decision.backup for decision in planned.keep if not is_later(decision.backup, now)]
    best = min(map(rank, kept))
    newest = max((backup for backup in kept if rank(backup) == best), key=newest_first)
    try:
        destination.size_of(newest)
    except ObjectNotFound:
        raise BackupNotFound(
            f"{newest.stored_filename}, which is to be kept, is no longer in {destination.owner.location}; "
            "nothing was deleted; run `bakthat sync`, then this command again"
        ) from None
    except AccessDenied:
        pass  # credentials that may delete may still lack permission to read
