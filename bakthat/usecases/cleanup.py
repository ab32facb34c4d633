"""`cleanup`: removes what killed backups left in a store: unfinished uploads, which are invisible and often billed."""

from __future__ import annotations

from datetime import timedelta

from attrs import define, field, frozen

from bakthat.domain.leftovers import USUAL_AGE, is_abandoned, is_ours
from bakthat.domain.objects import Leftover
from bakthat.errors import BakthatError
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class CleanupReport:
    """What is in a store beside its objects, after a cleanup, or would be removed by one (`dry_run`).

    removed: what is gone, or would be. younger: what may belong to a running backup. unknown: what is left because the
    store does not say when its newest part arrived. foreign: uploads of other programs. failed: what could not be
    removed, with the errors.
    """

    removed: tuple[Leftover, ...] = ()
    younger: tuple[Leftover, ...] = ()
    unknown: tuple[Leftover, ...] = ()
    foreign: tuple[Leftover, ...] = ()
    failed: tuple[tuple[Leftover, BakthatError], ...] = ()
    dry_run: bool = False


@define(kw_only=True)
class CleanedUp:
    """The results of cleaning up several destinations, by name, and the failures."""

    reports: dict[str, CleanupReport] = field(factory=dict)
    failures: dict[str, BakthatError] = field(factory=dict)

    @property
    def together(self) -> CleanupReport:
        """The reports as one."""
        reports = self.reports.values()
        return CleanupReport(
            removed=tuple(one for report in reports for one in report.removed),
            younger=tuple(one for report in reports for one in report.younger),
            unknown=tuple(one for report in reports for one in report.unknown),
            foreign=tuple(one for report in reports for one in report.foreign),
            failed=tuple(one for report in reports for one in report.failed),
            dry_run=any(report.dry_run for report in reports),
        )


def cleanup(
    destination_name: str, tools: Tools, *, older_than: timedelta = USUAL_AGE, dry_run: bool = False
) -> CleanupReport:
    """Remove unfinished uploads of bakthat to which nothing was added for so long, and what killed writers left in a
    folder. The age counts from the newest part, or from the start of an upload without parts.

    Raises `Unsupported` if the service cannot list unfinished uploads, `StoreError`.
    """
    destination, now = tools.destination(destination_name), tools.clock()
    sorted_out: dict[str, list[Leftover]] = {"removed": [], "younger": [], "unknown": [], "foreign": []}
    failed: list[tuple[Leftover, BakthatError]] = []
    # Listed to its end first: after an error of the listing, nothing has been removed that no report names.
    for leftover in list(destination.leftovers()):
        if not is_ours(leftover):
            sorted_out["foreign"].append(leftover)
        elif leftover.latest is None:
            sorted_out["unknown"].append(leftover)
            tools.notice(
                f"{leftover.key}: an unfinished upload of {leftover.started:%Y-%m-%d %H:%M} UTC is left, since the "
                "store does not say when its newest part arrived"
            )
        elif not is_abandoned(leftover, now, older_than):
            sorted_out["younger"].append(leftover)
        else:
            try:
                is_gone = dry_run or destination.remove_leftover(leftover)
            except BakthatError as error:
                failed.append((leftover, error))
                tools.notice(f"{leftover.key}: its unfinished upload could not be removed: {error}")
            else:
                sorted_out["removed" if is_gone else "younger"].append(leftover)
    found = {name: tuple(leftovers) for name, leftovers in sorted_out.items()}
    return CleanupReport(**found, failed=tuple(failed), dry_run=dry_run)
