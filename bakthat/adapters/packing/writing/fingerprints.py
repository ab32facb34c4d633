"""`fingerprint`: whether a file is still the one that an earlier backup contains, by its status alone.

Everything that a backup keeps of a file is in its status, or cannot change without changing the time of the last change
(ctime), which no program can set: content, permissions, owner, extended attributes, number of names.
"""

from __future__ import annotations

import os
import stat
import struct
from hashlib import blake2b

_FIELDS = struct.Struct("<IIIQqqQQ")

COARSE_NS = 2 * 10**9
"""Nanoseconds: FAT has times of two seconds, ext3 and HFS+ of one."""
FINE_NS = 20 * 10**6
"""Nanoseconds: Linux has times of a tick, which are up to 10 ms."""
_SECOND = 10**9


def fingerprint(status: os.stat_result, link: bytes = b"") -> bytes:
    """16 bytes, which differ if the status does. `link`: where a symbolic link points. The device is not part of it: it
    may have another number after a reboot."""
    values = (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_rdev if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) else 0,
    )
    try:
        packed = _FIELDS.pack(*values)
    except struct.error:  # a time beyond the year 2262
        packed = repr(values).encode()
    return blake2b(packed + link, digest_size=16).digest()


def is_recent(status: os.stat_result, now_ns: int) -> bool:
    """Whether it was changed so shortly before `now_ns` that a later change might have the same time. A time without a
    fraction of a second is one of a coarse clock."""
    changed = status.st_ctime_ns
    return changed > now_ns - (FINE_NS if changed % _SECOND else COARSE_NS)
