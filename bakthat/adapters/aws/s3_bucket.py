"""`Bucket`: the place that uploads go to, and how its service is to be treated."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from bakthat.adapters.aws.s3_part_sizes import EQUAL_PARTS, MAX_PARTS

_log = logging.getLogger("bakthat")


def log_notice(text: str) -> None:
    """Log a notice as a warning of the logger `bakthat`. Used where no other `notice` is given."""
    _log.warning("%s", text)


@frozen(kw_only=True)
class Bucket:
    """Where objects go. `prefix`: of the store's keys, with its slash. `trusted`: the service is known to honour a
    write's condition, to check its CRC, and to take parts of several sizes; of others, the first `equal_parts` of an
    object have one size. `claims`: two writers of one key are kept apart by claims, since a service may honour a
    condition and yet let two writes at once pass."""

    client: Any = field(repr=False)
    name: str
    prefix: str = ""
    storage_class: str | None = None
    part_size: int | None = None
    max_concurrency: int = 4
    most_parts: int = MAX_PARTS
    equal_parts: int = EQUAL_PARTS
    trusted: bool = False
    claims: bool = True
    put_id: Callable[[], str] = field(repr=False)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)
    notice: Callable[[str], None] = field(default=log_notice, repr=False)
