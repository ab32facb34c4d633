"""`status`: whether the backups that should be there are there. Reads only the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from bakthat.domain.backup import Backup, Owner
from bakthat.domain.query import Query
from bakthat.domain.status import Expected, StatusReport, report_of
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class StatusRequest:
    """`owners`: of the stores to report on. `expected`: what jobs should have made. `max_age`: of what has no job with
    an age of its own; None means that it is never late."""

    owners: Sequence[Owner]
    expected: Sequence[Expected] = ()
    max_age: timedelta | None = None


def status(request: StatusRequest, tools: Tools) -> StatusReport:
    """The state of the backups in these stores. Raises `DatabaseError`."""
    # Two owners of one location are of one store.
    owners = tuple({(owner.backend, owner.location): owner for owner in reversed(request.owners)}.values())
    rows: dict[Owner, list[Backup]] = {owner: [] for owner in owners}
    for backup in tools.repo.find(Query(owners=owners, deleted=True)):
        rows[next(owner for owner in owners if backup.belongs_to(owner))].append(backup)
    return report_of(rows, request.expected, tools.clock(), max_age=request.max_age)
