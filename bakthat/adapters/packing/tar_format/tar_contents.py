"""`tar_contents`: the members of a tar archive with their content, for looking inside without restoring."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from bakthat.adapters.packing.tar_format.entries import entry_of
from bakthat.adapters.packing.tar_format.tar_member import Member
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.domain.archive_index import IndexEntry
from bakthat.errors import PayloadDamaged

_ZEROS = bytes(64 * 1024)


def tar_contents(packed: BinaryIO) -> Iterator[tuple[IndexEntry, BinaryIO]]:
    """Yield the members, as `Packer.contents` promises. Types that are not known are left out, as by a restore."""
    reader = TarReader(packed)
    for member in reader:
        entry = entry_of(member)
        if entry is not None:
            yield entry, cast(BinaryIO, _Content(member if entry.kind == "file" else None, reader))


class _Content(io.RawIOBase):
    """The content of the current member: its stored bytes, with zeros for holes."""

    def __init__(self, member: Member | None, reader: TarReader) -> None:
        self._read_stored = reader.read
        self._at = 0
        self._size = 0 if member is None else member.size
        extents = None if member is None else member.extents
        # Offset and length of each stored stretch; a file that is not sparse is one.
        self._extents = iter([0, self._size] if extents is None else extents)
        self._start = self._left = 0
        self._next_extent()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        while self._at < self._size and size:
            if self._left and self._at == self._start:
                chunk = bytes(self._read_stored(min(size, self._left)))
                if not chunk:
                    raise PayloadDamaged("the content of a member is shorter than its header says")
                self._start += len(chunk)
                self._left -= len(chunk)
                if not self._left:
                    self._next_extent()
            else:
                chunk = _ZEROS[: min(size, self._start - self._at)]
            self._at += len(chunk)
            return chunk
        return b""

    def _next_extent(self) -> None:
        """The next stretch that is not empty; behind the last one there is only a hole."""
        for start in self._extents:
            self._start, self._left = start, next(self._extents)
            if self._left:
                return
        self._start = self._size

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            chunk = self.read(len(view))
            view[: len(chunk)] = chunk
        return len(chunk)
