"""`OriginPolicies`: which rotation policy applies to which origin of a series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.job import Job
from bakthat.domain.origin import Origin
from bakthat.domain.rotation import Decision, Plan, RotationPolicy, plan

_NO_ROTATION = ("no rotation is set for it",)


@frozen(kw_only=True)
class OriginPolicies:
    """`default`: of the origins that are not in `by_origin`. None: every backup is kept."""

    default: RotationPolicy | None = None
    by_origin: Mapping[Origin, RotationPolicy | None] = field(factory=dict)

    def plan_for(self, now: datetime) -> Callable[[Origin, Sequence[Backup]], Plan]:
        """Return what plans the backups of one origin."""

        def plan_one(origin: Origin, backups: Sequence[Backup]) -> Plan:
            policy = self.by_origin.get(origin, self.default)
            if policy is None:
                return Plan(keep=tuple(Decision(backup, _NO_ROTATION) for backup in backups if not backup.is_deleted))
            return plan(policy, backups, now)

        return plan_one


def policies_of_jobs(
    jobs: Iterable[Job], series: str, destination: str, host: Callable[[Job], str]
) -> dict[Origin, RotationPolicy | None]:
    """The policies of the jobs that make this series in this destination, by the origin of their backups. `host`: of
    the backups of a job."""
    makers = [job for job in jobs if (job.series, job.destination) == (series, destination)]
    return {Origin(host=host(job), source=job.recorded_source): job.rotation for job in makers}
