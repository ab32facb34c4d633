"""`IncrementPolicy`: when an incremental backup continues a chain, and when a full one begins a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.settings import Check, interval, numbers_by_name, switch

_LARGEST_PART = 0.5
"""Of the size of the full backup: when the incremental ones together are larger, a new full one costs less than their
number, and a restore less than theirs."""

_SMALL = 1_000_000
"""Bytes of the incremental ones that are never too many: they cost nothing, and a small source would get a full backup
and a notice every second night."""

_MOST = 10_000


@frozen(kw_only=True)
class IncrementPolicy:
    """full_every: how old a full backup may become. most: how many incremental ones may continue it."""

    full_every: timedelta = timedelta(days=30)
    most: int = 30

    def why_full(self, chain: Sequence[Backup], now: datetime) -> str:
        """Why the next backup must be a full one, as a clause; empty if it may continue this chain."""
        full, *increments = chain
        if now - full.when >= self.full_every:
            return f"the last full one is of {full.when:%Y-%m-%d}, and `full_every` is {_shown(self.full_every)}"
        if len(increments) >= self.most:
            return (
                f"{full.stored_filename} is continued by {len(increments)} incremental ones, and `most` is {self.most}"
            )
        if sum(backup.size for backup in increments) > max(full.size * _LARGEST_PART, _SMALL):
            return f"what changed since {full.stored_filename} has grown to more than half of it"
        return ""


def policy_of_setting(value: object) -> IncrementPolicy | None:
    """The policy of the setting `incremental`: true for the usual one, false for none, or a mapping with `full_every`
    and `most`. Raises ValueError."""
    if isinstance(value, bool):
        return IncrementPolicy() if value else None
    if not isinstance(value, Mapping):
        raise ValueError("expected true, false, or settings such as `full_every: 30D` and `most: 30`")  # noqa: TRY004
    unknown = [key for key in value if key not in ("full_every", "most")]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of full_every, most")
    found: dict[str, Any] = {}
    for name, written in value.items():
        try:
            found[name] = _CHECKS[name](written)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return IncrementPolicy(**found)


def checked_setting(value: object) -> Any:
    """Check the setting `incremental`, and return it as it was written. Raises ValueError."""
    policy_of_setting(value)
    return value


def setting_of_text(text: str) -> Any:
    """The setting `incremental` as a variable of the environment has it: `true`, `false`, or
    `full_every=30D most=30`."""
    is_on = switch(text)
    if is_on is not None:
        return is_on
    try:
        return numbers_by_name(text)
    except ValueError:
        raise ValueError("expected true, false, or full_every=30D most=30") from None


def _count(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if type(number) is int and 0 < number <= _MOST:
        return number
    raise ValueError(f"expected a whole number from 1 to {_MOST}")


_CHECKS: Mapping[str, Check] = {"full_every": interval, "most": _count}


def _shown(length: timedelta) -> str:
    return f"{length.days} days" if length >= timedelta(days=2) and not length.seconds else str(length)
