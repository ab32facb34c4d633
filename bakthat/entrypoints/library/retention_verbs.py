"""The verbs of the library that thin out a series."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import timedelta

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.interval import interval_of
from bakthat.domain.origin import GroupBy, Scope
from bakthat.domain.origin_policies import OriginPolicies, policies_of_jobs
from bakthat.domain.rotation import Plan, RotationPolicy, policy_from
from bakthat.entrypoints.library.opened_profile import OpenedProfile, series_name, short_form
from bakthat.errors import UsageError
from bakthat.usecases.retention import Retention
from bakthat.usecases.retention import remove_older_than as remove_older
from bakthat.usecases.retention import rotate_backups as rotate
from bakthat.usecases.rotate_all import RotatedSeries, rotate_all
from bakthat.usecases.tools import Tools


def _gone(done: Retention) -> list[Backup]:
    """Return the deleted records, or those that a dry run would delete. Raises the first error of a deletion."""
    if done.failed:
        raise done.failed[0][1]
    # Without a failure, nothing is removed of what the plan drops only in a dry run.
    return list(done.removed) or [decision.backup for decision in reversed(done.plan.drop)]


class RetentionVerbs(OpenedProfile):
    """Deleting old backups."""

    def remove_older_than_with_report(
        self,
        filename: str,
        interval: str | timedelta,
        destination: str | None = None,
        *,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
        on_plan: Callable[[Plan], None] = ignore,
    ) -> Retention:
        """As `remove_older_than`, with a result that contains what was kept and why, and what could not be deleted."""

        def carry_out(tools: Tools) -> Retention:
            age, place = interval_of(interval), self._destination(destination)
            scope = _scope(group_by, host, source)
            return remove_older(series_name(filename), place, age, tools, scope=scope, dry_run=dry_run, on_plan=on_plan)

        return self._retain("delete_older_than", dry_run, carry_out)

    remove_older_than = short_form(
        remove_older_than_with_report,
        _gone,
        returns=list[Backup],
        doc="""Delete the backups of a series that are older than an interval, except the newest of each origin.

        Args:
            filename: The series, exactly.
            interval: Numbers with units, such as `3M2D8h20m5s`, or a `timedelta`.
            destination, group_by, host, source, dry_run, on_plan: As of `rotate_backups`.

        Returns:
            The records of what is gone, oldest first.

        Raises:
            InvalidInterval, BackupNotFound: Nothing is deleted then.
            StoreError: The first error of a deletion, after all others were tried.
        """,
    )

    def rotate_backups_with_report(
        self,
        filename: str,
        destination: str | None = None,
        *,
        policy: RotationPolicy | None = None,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
        on_plan: Callable[[Plan], None] = ignore,
    ) -> Retention:
        """As `rotate_backups`, with a result that contains what was kept and why, and what could not be deleted."""

        def carry_out(tools: Tools) -> Retention:
            scope, place = _scope(group_by, host, source), self._destination(destination)
            policies = self._policies(policy, series_name(filename), place)
            return rotate(filename, place, policies, tools, scope=scope, dry_run=dry_run, on_plan=on_plan)

        return self._retain("rotate_backups", dry_run, carry_out)

    rotate_backups = short_form(
        rotate_backups_with_report,
        _gone,
        returns=list[Backup],
        doc="""Delete the backups of a series that a policy does not keep.

        Args:
            filename: The series, exactly.
            destination: Its name (`s3`, `local`, …); None means the profile's default destination.
            policy: None means the profile's `rotation`, and for the origin of a job that of the job.
            group_by: What distinguishes origins, each of which is thinned separately: `host,source`, `host`, `source`,
                `none`.
            host: Only origins of this host.
            source: Only origins of this path.
            dry_run: Return the records that would be deleted; nothing is deleted.
            on_plan: Called with what is kept and dropped, before anything is deleted.

        Returns:
            The records of what is gone, oldest first.

        Raises:
            InvalidPolicy, BackupNotFound: Nothing is deleted then.
            StoreError: The first error of a deletion, after all others were tried.
        """,
    )

    def rotate_all_backups(
        self,
        destination: str | None = None,
        *,
        policy: RotationPolicy | None = None,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
        on_plan: Callable[[str, Plan], None] = lambda _, __: None,
    ) -> RotatedSeries:
        """Delete the backups of every series that a policy does not keep. Hooks run once, for all series together.

        Args:
            destination, policy, group_by, host, source, dry_run: As of `rotate_backups`.
            on_plan: Called with each series and its plan, before any of it is deleted.

        Returns:
            The retention or the error of each series. A series that fails does not stop the rest.

        Raises:
            InvalidPolicy, StoreError: Nothing is deleted then.
        """
        scope, place = _scope(group_by, host, source), self._destination(destination)
        if (
            policy is None
            and not self.profile.rotation
            and not any(job.rotation for job in self._jobs.by_name.values())
        ):
            policy_from(None, where=self._where)  # raises the error for that

        def carry_out(tools: Tools) -> RotatedSeries:
            def rotate_one(name: str) -> Retention:
                policies = self._policies(policy, name, place, is_required=False)
                tell = functools.partial(on_plan, name)
                return rotate(name, place, policies, tools, scope=scope, dry_run=dry_run, on_plan=tell)

            return rotate_all(place, rotate_one, tools)

        if dry_run:
            return carry_out(self.tools)
        return self._run(
            "rotate_backups",
            carry_out,
            reported=lambda done: list(done.removed),
            failure=lambda done: done.error,
        )

    def _policies(
        self, given: RotationPolicy | None, series: str, destination: str, *, is_required: bool = True
    ) -> OriginPolicies:
        """Return the policy of each origin. Raises `InvalidPolicy` if one is required, and there is none."""
        if given is not None:
            return OriginPolicies(default=_policy(given))
        section = self.profile.rotation
        of_jobs = policies_of_jobs(self._jobs.by_name.values(), series, destination, self._jobs.host_of)
        if section or (is_required and not any(of_jobs.values())):
            return OriginPolicies(default=policy_from(section or None, where=self._where), by_origin=of_jobs)
        return OriginPolicies(by_origin=of_jobs)

    def _retain(self, verb: str, dry_run: bool, carry_out: Callable[[Tools], Retention]) -> Retention:
        if dry_run:
            return carry_out(self.tools)
        return self._run(
            verb,
            carry_out,
            reported=lambda done: list(done.removed),
            failure=lambda done: done.failed[0][1] if done.failed else None,
        )


def _policy(given: object) -> RotationPolicy:
    if not isinstance(given, RotationPolicy):
        raise TypeError(f"a policy is a `RotationPolicy`, such as RotationPolicy(days=7, weeks=4), not {given!r}")
    return given


def _scope(group_by: GroupBy | str, host: str | None, source: str | None) -> Scope:
    try:
        grouping = GroupBy(group_by)
    except ValueError:
        known = ", ".join(f"`{known}`" for known in GroupBy)
        raise UsageError(f"there is no grouping {group_by!r}; choose one of {known}") from None
    # Records hold absolute paths; `-` is a stream.
    path = source if source in (None, "-") else os.path.abspath(source)
    return Scope(group_by=grouping, host=host, source=path)
