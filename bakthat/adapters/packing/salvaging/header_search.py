"""`HeaderSearch`: finds the next header of a damaged tar, and says how far it can be believed."""

from __future__ import annotations

from bakthat.adapters.packing.salvaging.holey_stream import HoleyStream
from bakthat.adapters.packing.tar_format.tar_stream import BLOCK

_LONGEST_EXTENDED = 1024 * 1024 + BLOCK
"""Bytes of an extended header."""


class HeaderSearch:
    """is_certain: whether the header that was found last has no extended header before it that is lost: without that,
    the name may be cut, and the size and the map of a sparse file wrong."""

    def __init__(self, stream: HoleyStream) -> None:
        self._stream = stream
        self.is_certain = True

    def find(self, start: int) -> int | None:
        """Go to the next header from this position on, and return its position; None at the end."""
        stream = self._stream
        is_in_run = stream.go_to(max(start, stream.kept_from))
        aligned_to: int | None = start
        while True:
            begins = stream.position
            found = stream.find_header(aligned_to=aligned_to) if is_in_run else None
            if found is not None:
                self.is_certain = self._has_no_extended_header(begins, found)
                return found
            if not stream.next_run():
                return None
            is_in_run, aligned_to = True, None

    def _has_no_extended_header(self, begins: int, found: int) -> bool:
        """Whether the member of this header has no extended header, as far as the bytes from `begins` on show."""
        stream = self._stream
        header = stream.peek(found, found + BLOCK)
        if header[156:157] in b"xXgLK":
            return True
        if header[257:263] == b"ustar ":  # GNU's format, which has them for long names only
            return not header[98] and not header[255]
        begins = max(begins, stream.holes.last_stop(found))
        before = stream.peek(found - BLOCK, found)
        if found - begins < BLOCK or len(before) < BLOCK or stream.doubtful.size_within(found - BLOCK, found):
            return False
        return found - begins > _LONGEST_EXTENDED or not before.rstrip(b"\0").endswith(b"\n")
