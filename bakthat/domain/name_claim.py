"""`NameClaim`: a backup reserves its stored filename in the database before it is stored."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen

KEPT = timedelta(days=30)
"""How long a claim is kept. It protects a name until its backup is recorded, and no upload takes a month."""


@frozen(kw_only=True)
class NameClaim:
    """Who has reserved a stored filename. `host`: name of the machine. `pid`: id of the process. `claimed_at`: aware
    UTC.

    A claim is never released. The claim of a killed process blocks only its own name, which is one second of one
    series.
    """

    stored_filename: str
    host: str
    pid: int
    claimed_at: datetime
