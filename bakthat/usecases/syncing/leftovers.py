"""Tells of unfinished uploads in a store."""

from __future__ import annotations

import logging

from bakthat.domain.leftovers import USUAL_AGE, is_ours
from bakthat.errors import BakthatError
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools

_log = logging.getLogger("bakthat")


def tell_of_leftovers(destination: Destination, tools: Tools) -> None:
    """Give a notice if killed backups left uploads that `cleanup` removes. Credentials that must not list them, and
    services that cannot, are no reason for one."""
    limit = tools.clock() - USUAL_AGE
    try:
        old = [left for left in destination.leftovers(details=False) if is_ours(left) and left.started < limit]
    except BakthatError as error:
        _log.debug("%s: unfinished uploads are not listed: %s", destination.owner.location, error)
        return
    if old:
        number = "1 unfinished upload" if len(old) == 1 else f"{len(old)} unfinished uploads"
        oldest = min(left.started for left in old)
        tools.notice(
            f"{destination.owner.location}: {number}, the oldest of {oldest:%Y-%m-%d}; `cleanup()` removes what killed "
            "backups left"
        )
