"""A plain backup in an encrypted series: anyone who may write to the store can make one without a key."""

from __future__ import annotations

from collections.abc import Iterable

from bakthat.domain.backup import Backup
from bakthat.domain.query import newest_first


def encrypted_before(backup: Backup, series: Iterable[Backup]) -> Backup | None:
    """The backup that proves that the series was encrypted when this plain one was made: the newest earlier backup that
    counts, if that is encrypted. None if there is no such backup, or this one is encrypted itself.

    An encrypted backup counts if it is trusted, even if it is deleted. A plain one counts only if this database's own
    `backup` made it; otherwise two forged plain backups would vouch for each other. A backup made by this database's
    own `backup` is compared with its own origin only, because other hosts may differ; all others with the whole series.

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
