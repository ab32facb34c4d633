"""`CompressionChoice`: what a person says of compression: `gzip`, `zstd`, `zstd:9`, `none`."""

from __future__ import annotations

import re

from attrs import frozen

from bakthat.domain.archive_format import Compression

ZSTD_LEVELS = range(1, 20)
"""zstd's levels without `--ultra`, whose windows would take more than the 256 MiB that a backup may."""


@frozen
class CompressionChoice:
    """level: None for the compression's own."""

    compression: Compression = Compression.GZIP
    level: int | None = None

    def __str__(self) -> str:
        return str(self.compression) if self.level is None else f"{self.compression}:{self.level}"


def parse_compression(text: str) -> CompressionChoice:
    """Return the choice that a text means.

    Raises:
        ValueError: It means none. The message says what was expected.
    """
    match = re.fullmatch(r"([a-z]+)(?::([0-9]{1,3}))?", text)
    if match and match[1] in set(Compression):
        compression, level = Compression(match[1]), None if match[2] is None else int(match[2])
        if level is None or (compression is Compression.ZSTD and level in ZSTD_LEVELS):
            return CompressionChoice(compression, level)
    raise ValueError(f"expected gzip, zstd or none; zstd may have a level, from zstd:1 to zstd:{ZSTD_LEVELS[-1]}")
