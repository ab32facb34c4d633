"""How large the blocks of each compression are. Nothing is imported with them, so that a compressor costs nothing until
it opens a stream."""

from __future__ import annotations

GZIP_BLOCK = 1024 * 1024
"""Plain bytes of a gzip member, at most."""

ZSTD_BLOCK = 4 * 1024 * 1024
"""Plain bytes of a zstd frame, at most. Frames of 1 MiB are 2 % larger."""


def checked_block_size(size: int, largest: int) -> int:
    """Return the size. Raises `ValueError` for one that no reader would take."""
    if not 0 < size <= largest:
        raise ValueError(f"a block has from 1 to {largest} bytes, and not {size}")
    return size
