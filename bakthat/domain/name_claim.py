"""`NameClaim`: a backup that is about to be stored reserves its stored filename in the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen

KEPT = timedelta(days=30)
"""How long a claim is kept. It protects a name until its backup is recorded, and no upload takes a month."""


@frozen(kw_only=True)
class NameClaim:
    """Who has reserved a stored filename. `host`: the machine's name. `pid`: of the process. `claimed_at`: aware UTC.

    A claim is never returned. The claim of a process that was killed blocks its own name only, which holds one second
    of one series.
    """

    stored_filename: str
    host: str
    pid: int
    claimed_at: datetime
