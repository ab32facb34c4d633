"""What records say about when backups were last verified, and what was found."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

from bakthat.domain.backup import Backup, from_epoch
from bakthat.domain.rotation import NEXT_FREE_SECOND


class Level(enum.StrEnum):
    """The level up to which a backup was checked and found good."""

    NONE = "none"
    PRESENT = "present"
    """It exists, with the recorded size."""
    STORED = "stored bytes"
    """Its stored bytes have the recorded SHA-256."""
    OPENS = "opens"
    """It was decrypted and decompressed, and its archive was read to the end."""


@frozen(kw_only=True)
class Verification:
    """The last verification of a backup. `error`: why it is bad, in one line; "" for a good one."""

    backup: Backup
    at: datetime
    level: Level
    error: str = ""

    @property
    def is_bad(self) -> bool:
        return bool(self.error)

    @property
    def has_read(self) -> bool:
        """Whether the stored bytes were read, which a look at existence and size does not."""
        return self.level in {Level.STORED, Level.OPENS}


def verification_of(backup: Backup) -> Verification | None:
    """The verification in a record; None if it has none that can be understood."""
    recorded = backup.metadata.verified
    if recorded is None:
        return None
    at, level, error = recorded.get("at"), recorded.get("level"), recorded.get("error")
    if type(at) is not int or level not in set(Level):
        return None
    try:
        when = from_epoch(at)
    except (ValueError, OverflowError, OSError):
        return None
    return Verification(backup=backup, at=when, level=Level(level), error=str(error) if error is not None else "")


def last_verification(backups: Iterable[Backup], now: datetime) -> Verification | None:
    """The last verification of any of these backups. A bad one of a deleted backup does not count: it is gone.

    Of those that a wrong clock has dated after now, only a bad one counts beside others: when it was is unknown.
    """
    found = (verification_of(backup) for backup in backups)
    counting = [one for one in found if one is not None and not (one.is_bad and one.backup.is_deleted)]
    certain = [one for one in counting if one.is_bad or not _is_later(one, now)]
    return max(certain or counting, key=lambda one: (one.at, one.is_bad), default=None)


def last_good_reading(backups: Iterable[Backup], now: datetime) -> datetime | None:
    """When the stored bytes of any of these backups, deleted ones too, were last read and found good. What a wrong
    clock has dated after now does not count: it would put off the next one for as long."""
    found = (verification_of(backup) for backup in backups)
    good = (one for one in found if one is not None and one.has_read and not one.is_bad and not _is_later(one, now))
    return max((one.at for one in good), default=None)


def _is_later(verification: Verification, now: datetime) -> bool:
    return verification.at - now > NEXT_FREE_SECOND
