"""Sparse files: where their data lies, and how GNU tar's format 1.0 for pax archives says it (GNU tar manual, "Storing
Sparse Files"): at the head of the content, a line with the count and two for each stretch of data, filled up to a whole
block; then the data alone."""

from __future__ import annotations

import errno
import os
from array import array

from bakthat.adapters.packing.tar_header import BLOCK

_STRETCHES = 256 * 1024
"""More are not told apart: their map would take too much memory."""


def stretches_of(descriptor: int, size: int) -> array[int] | None:
    """Offset and length of each stretch of data in turn; None if there are no holes, or the system does not tell of
    them. An empty stretch stands at the end if the file ends with a hole, as GNU tar wants it. The position of the
    descriptor is its beginning afterwards."""
    if not hasattr(os, "SEEK_DATA"):
        return None
    found = array("q")
    end = 0
    try:
        while end < size:
            try:
                start = os.lseek(descriptor, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # a hole up to the end
                    return None
                break
            if start >= size:
                break
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
            if end > size or len(found) == 2 * (_STRETCHES - 1):
                end = size
            found.extend((start, end - start))
    except OSError:
        return None
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    if list(found[:2]) == [0, size]:
        return None
    if end < size:
        found.extend((size, 0))
    return found


def map_of(stretches: array[int]) -> bytes:
    """The map as it stands at the head of the content."""
    text = b"%d\n%b\n" % (len(stretches) // 2, b"\n".join([b"%d" % number for number in stretches]))
    return text + bytes(-len(text) % BLOCK)
