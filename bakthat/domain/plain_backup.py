"""A plain backup in a series that is encrypted: who has no key, but may write into the store, can make one."""

from __future__ import annotations

from collections.abc import Iterable

from bakthat.domain.backup import Backup
from bakthat.domain.query import newest_first


def encrypted_before(backup: Backup, series: Iterable[Backup]) -> Backup | None:
    """The backup that shows that the series was encrypted when this plain one was made; None if nothing does, or it is
    encrypted itself. It is the newest earlier one that counts, if that is encrypted.

    An encrypted backup counts if it is trusted; a deleted one as well. A plain one counts only if this database's own
    `backup` made it, or two plain ones from somebody else would vouch for each other. What this database's own `backup`
    made is compared with its own origin, since other hosts may do as they like; all else with the whole series.

    series: backups of the same name in the same store, deleted ones included.
    """
    if backup.is_encrypted:
        return None
    earlier = [
        other
        for other in series
        if other.when <= backup.when
        and other.stored_filename != backup.stored_filename
        and (_is_own(other) or (other.is_encrypted and not other.distrust))
        and not (_is_own(backup) and (other.host, other.source) != (backup.host, backup.source))
    ]
    newest = max(earlier, key=newest_first, default=None)
    return newest if newest is not None and newest.is_encrypted else None


def _is_own(backup: Backup) -> bool:
    return backup.stored_at is None and not backup.is_from_listing
