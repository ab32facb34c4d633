"""`ObjectLock`: how long new archives are locked against deletion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen

MODES = ("governance", "compliance")
"""`governance`: who has a special permission may delete all the same. `compliance`: nobody may, nor shorten it."""

MOST_DAYS = 36_500
"""Amazon's limit: 100 years (S3 API, ObjectLockRetention)."""


@frozen(kw_only=True)
class ObjectLock:
    """A lock of `days` from the start of each upload on. `mode`: one of `MODES`."""

    mode: str
    days: int

    def until(self, now: datetime) -> datetime:
        """When the lock of an archive that is uploaded now ends: whole seconds, as services keep it."""
        return (now + timedelta(days=self.days)).replace(microsecond=0)


def object_lock_from(section: Mapping[str, Any]) -> ObjectLock:
    """The lock in a profile's `object_lock` section. Raises `ValueError` with what was expected."""
    unknown = [str(key) for key in section if key not in ("mode", "days")]
    if unknown:
        raise ValueError(f"expected `mode` and `days`, found {', '.join(unknown)}")
    mode, days = str(section.get("mode", "")).lower(), section.get("days")
    if mode not in MODES:
        raise ValueError(f"expected `mode: {MODES[0]}` or `mode: {MODES[1]}`")
    if isinstance(days, str) and days.isascii() and days.isdigit():
        days = int(days[:9])
    if type(days) is not int or not 1 <= days <= MOST_DAYS:
        raise ValueError(f"expected `days`, a number from 1 to {MOST_DAYS}")
    return ObjectLock(mode=mode, days=days)
