"""`Bucket`: where uploads go, and what its service can be trusted with."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from bakthat.adapters.aws.s3_part_sizes import EQUAL_PARTS, MAX_PARTS
from bakthat.adapters.rate_limit import RateLimit
from bakthat.domain.object_lock import ObjectLock

_log = logging.getLogger("bakthat")


def log_notice(text: str) -> None:
    """Log a notice as a warning of the logger `bakthat`. Used where no other `notice` is given."""
    _log.warning("%s", text)


@frozen(kw_only=True)
class Bucket:
    """Where uploads go.

    Args:
        client: A client that `s3_client` made.
        name: The bucket's name.
        prefix: Of all keys, with its slash.
        storage_class: Of new objects.
        part_size: Bytes; None lets parts grow with the stream.
        max_concurrency: Parts of one upload in flight at once.
        most_parts: The most parts of one upload.
        equal_parts: How many parts have one size, at a service that is not trusted.
        trusted: The service is known to honour the condition of a write, to check its CRC, and to accept parts of
            several sizes.
        claims: Whether claims keep two writers of one key apart: a service may honour a condition, and yet let two
            simultaneous writes pass.
        sse: How the service encrypts new objects, by its own word.
        kms_key_id: With which key.
        lock: Of new objects.
        upload_limit: Of the bytes of bodies.
        put_id: Returns a new random id for each write.
        clock: The current time.
        pause: Waits for so many seconds.
        notice: Called with a line for a person.
    """

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
    sse: str | None = None
    kms_key_id: str | None = None
    lock: ObjectLock | None = None
    upload_limit: RateLimit | None = None
    put_id: Callable[[], str] = field(repr=False)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)
    notice: Callable[[str], None] = field(default=log_notice, repr=False)
