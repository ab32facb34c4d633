"""`read_entries`: what a tar archive contains, for a list of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from bakthat.adapters.packing.tar_format.dumpdir import names_in
from bakthat.adapters.packing.tar_format.safe_path import safe_path
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.domain.archive_index import EntryKind, IndexEntry

_KINDS: dict[Kind, EntryKind] = {
    Kind.FILE: "file",
    Kind.DIRECTORY: "directory",
    Kind.SYMLINK: "symlink",
    Kind.HARDLINK: "hardlink",
    Kind.FIFO: "fifo",
}


def read_entries(packed: BinaryIO) -> Iterator[IndexEntry]:
    """Yield an entry for each member, by reading the stream to its end. Paths are without dots, as they are restored;
    members of unknown types, which are not restored either, are passed over. Change times and inodes are not known.

    Raises:
        PayloadDamaged: The stream is not a tar archive, is cut short or altered, or has a path that leads out of it.
    """
    for member in TarReader(packed):
        entry = entry_of(member)
        if entry is not None:
            yield entry


def entry_of(member: Member) -> IndexEntry | None:
    """Return the entry of a member; None for the target itself, and for a type that is not restored."""
    path = safe_path(member.name)
    kind = _kind_of(member)
    if not path or kind is None:
        return None
    return IndexEntry(
        os.fsdecode(path),
        kind,
        member.size if kind == "file" else 0,
        member.mtime_ns,
        None,
        None,
        member.mode,
        member.uid,
        member.gid,
        os.fsdecode(safe_path(member.link) if kind == "hardlink" else member.link),
        member.offset,
        _unchanged(member) if member.dumpdir is not None else None,
    )


def _unchanged(member: Member) -> str:
    return os.fsdecode(b"/".join(names_in(member.dumpdir or b"").unchanged))


def _kind_of(member: Member) -> EntryKind | None:
    if member.kind is Kind.DEVICE:
        return "block" if member.typeflag == b"4" else "char"
    return _KINDS.get(member.kind)
