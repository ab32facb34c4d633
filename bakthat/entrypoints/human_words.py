"""Numbers as people read them."""

from __future__ import annotations


def human_size(size: float) -> str:
    """A readable size, in powers of 1,000: `3.4 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError  # the loop returns


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`; of nouns in -y, `1 directory`, `2 directories`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
