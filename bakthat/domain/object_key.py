"""Valid keys of an object store."""

from __future__ import annotations

from bakthat.errors import InvalidName

MAX_KEY_BYTES = 1000
"""S3 allows 1,024 bytes of UTF-8. The difference is reserved for the slash of a prefix and for stores that allow
less."""


def check_key(key: str) -> str:
    """The key itself, if it is valid; else raises `InvalidName`.

    A valid key is `/`-separated UTF-8 text of 1 to 1,000 bytes, without a NUL and without an empty, `.` or `..`
    segment.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidName(f"{key!a} is not UTF-8 and cannot be a key") from None
    if not key or size > MAX_KEY_BYTES or "\0" in key or any(part in {"", ".", ".."} for part in key.split("/")):
        raise InvalidName(f"{key!r} cannot be a key: 1 to {MAX_KEY_BYTES} bytes, no empty, `.` or `..` segment")
    return key
