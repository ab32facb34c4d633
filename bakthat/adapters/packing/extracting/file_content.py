"""Writes the content of restored files: small ones in one call, large ones in chunks, holes as holes."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable

from bakthat.adapters.streams import write_all

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""The flags for a new file: never an existing one, and never through a link."""

MIN_HOLE = 64 * 1024
"""Bytes: this many zeros in one chunk, or more, become a hole. A smaller file is written in one call."""

_ZEROS = memoryview(bytes(1024 * 1024))

Read = Callable[[int], memoryview]
"""Returns the next bytes of a file, at most the requested number."""


def write_content(fd: int, size: int, read: Read) -> None:
    """Write a file of `size` bytes that is not stored as a sparse one. Long runs of zeros become holes: the archive
    does not distinguish them, and a disk image with holes might not fit otherwise."""
    left = size
    has_holes = False
    while left:
        chunk = read(left)
        count = len(chunk)
        left -= count
        if count >= MIN_HOLE and chunk[0] == chunk[-1] == 0 and chunk == _ZEROS[:count]:
            os.lseek(fd, count, os.SEEK_CUR)
            has_holes = True
        else:
            write_all(fd, chunk)
    if has_holes:
        os.ftruncate(fd, size)


def write_extents(fd: int, size: int, extents: array[int], read: Read) -> int:
    """Write a sparse file of `size` bytes. `extents`: offset and length of each extent of data, alternating. Returns
    the number of bytes written."""
    os.ftruncate(fd, size)
    written = 0
    for offset, length in zip(extents[::2], extents[1::2], strict=True):
        os.lseek(fd, offset, os.SEEK_SET)
        left = length
        while left:
            chunk = read(left)
            write_all(fd, chunk)
            left -= len(chunk)
        written += length
    return written
