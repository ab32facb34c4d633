"""Sizes as text: `500M`, `1.5 GiB`, `16777216`."""

from __future__ import annotations

import re

from bakthat.errors import UsageError

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([KMGT]?)(I?)B?\s*", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """The size in bytes, rounded down. `K`, `M`, `G`, `T`, with or without a `B`, are powers of 1,000; `KiB` and so on
    are powers of 1,024. Raises `UsageError`."""
    match = _SIZE.fullmatch(text)
    if match is None or (match[3] and not match[2]):
        raise UsageError(
            f"{text!r} is not a size; write a number of bytes, or one with a unit: 500M (powers of 1,000), 16MiB"
        )
    _, _, fraction = match[1].partition(".")
    unit: int = (1024 if match[3] else 1000) ** _UNITS[match[2].upper()]
    return int(match[1].replace(".", "")) * unit // int("1" + "0" * len(fraction))
