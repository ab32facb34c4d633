"""`IndexPlaces`: where the members of a damaged archive begin, and which ones are lost, as its index says."""

from __future__ import annotations

import os
from collections.abc import Callable

from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
from bakthat.errors import PayloadDamaged

_KINDS = {
    "file": (Kind.FILE, b"0"),
    "directory": (Kind.DIRECTORY, b"5"),
    "symlink": (Kind.SYMLINK, b"2"),
    "hardlink": (Kind.HARDLINK, b"1"),
    "fifo": (Kind.FIFO, b"6"),
    "char": (Kind.DEVICE, b"3"),
    "block": (Kind.DEVICE, b"4"),
}


class IndexPlaces:
    """The entries of the index in their order, while the members are read in the same order.

    lost: called with each member that is not found, as far as the index describes it.
    """

    def __init__(self, index: ArchiveIndex, lost: Callable[[Member], None]) -> None:
        self._entries = index.entries()
        self._lost = lost
        self._is_tried = False
        self._entry: IndexEntry | None = None
        self.is_damaged = False
        """Whether the index itself turned out to be damaged; then it ends there."""
        self._go_on()

    def next_place(self) -> int | None:
        """Return where the next member begins that was not read yet. If that was returned before, it is lost."""
        if self._is_tried:
            self.lose()
        self._is_tried = True
        return self._entry.offset if self._entry is not None else None

    def meet(self, position: int) -> bytes | None:
        """A member was read that begins here. Return the name that it should have; None if it is not the next one."""
        entry = self._entry
        if entry is None or entry.offset != position:
            return None
        self._go_on()
        return os.fsencode(entry.path)

    def lose(self) -> bool:
        """The next member is lost. Return False if there is none."""
        entry = self._entry
        if entry is None:
            return False
        self._go_on()
        self._lost(_member_of(entry))
        return True

    def _go_on(self) -> None:
        self._is_tried = False
        try:
            self._entry = next(self._entries, None)
        except PayloadDamaged:
            self.is_damaged = True
            self._entry = None


def _member_of(entry: IndexEntry) -> Member:
    kind, typeflag = _KINDS[entry.kind]
    path, link = os.fsencode(entry.path), os.fsencode(entry.link)
    owner = (entry.uid, entry.gid, b"", b"")
    return Member(path, kind, typeflag, entry.mode, *owner, entry.size, entry.mtime_ns, link, offset=entry.offset)
