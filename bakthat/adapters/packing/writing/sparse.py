"""Sparse files: finds their data, and writes GNU tar's format 1.0 for pax archives (GNU tar manual, "Storing Sparse
Files"). The content begins with a map: a line with the count and two lines per extent of data, padded to a whole block.
Then the data follows."""

from __future__ import annotations

import errno
import os
from array import array

from bakthat.adapters.packing.tar_format.tar_header import BLOCK

_STRETCHES = 256 * 1024
"""The maximum number of extents: the map of more would take too much memory."""


def stretches_of(descriptor: int, size: int) -> array[int] | None:
    """Offset and length of each extent of data, alternating; None if there are no holes, or the system does not report
    them. If the file ends with a hole, the last extent is empty, as GNU tar requires. Afterwards the descriptor is
    positioned at the start."""
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
    """The map at the start of the content."""
    text = b"%d\n%b\n" % (len(stretches) // 2, b"\n".join([b"%d" % number for number in stretches]))
    return text + bytes(-len(text) % BLOCK)
