"""Which unfinished uploads are bakthat's, and which of them nobody will finish."""

from __future__ import annotations

from datetime import datetime, timedelta

from bakthat.domain.objects import Leftover
from bakthat.domain.stored_name import is_stored_name

USUAL_AGE = timedelta(days=7)
"""How long after its newest part an upload may still be under way: a line that is down for a week ends any backup."""


def is_ours(leftover: Leftover) -> bool:
    """Whether it is bakthat's own: its key is a stored filename, as that of an archive, or only bakthat makes such
    things. Uploads of other programs, and those below another prefix, are not."""
    return leftover.is_of_bakthat or ("/" not in leftover.key and is_stored_name(leftover.key))


def is_abandoned(leftover: Leftover, now: datetime, older_than: timedelta) -> bool:
    """Whether nothing was added to it for so long. False if the store does not say when something was."""
    return leftover.latest is not None and now - leftover.latest > older_than
