"""`TarPacker`: packs a file or a directory as a POSIX tar, which any tar can read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.payload import NamedBase, PackReport, UnpackReport
from bakthat.ports.payload import ChainedArchive, Packer, SalvageableArchive

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
    from bakthat.domain.exclusions import Exclusions
    from bakthat.domain.salvage import SalvageReport
    from bakthat.ports.file_states import Changes
    from bakthat.ports.salvage import Part

_ROOTS_TOLD = 100
_LONGEST_ROOT = 255
"""Bytes: NAME_MAX of limits.h."""


class TarPacker(Packer):
    """A backup imports only the writer, a restore only the extractor. Members contain their names: `name` is only the
    root that may be replaced.

    Args:
        clock_ns: Nanoseconds since 1970, by the clock that file systems use.
    """

    def __init__(self, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns

    def pack(
        self,
        source: Path,
        into: BinaryIO,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
        xattrs: bool = True,
        on_entry: Callable[[IndexEntry], None] | None = None,
    ) -> PackReport:
        from bakthat.adapters.packing.writing.tar_writer import write_tar

        return write_tar(
            source,
            into,
            exclusions=exclusions,
            on_excluded=on_excluded,
            on_bytes=on_bytes,
            xattrs=xattrs,
            on_entry=on_entry,
        )

    def survey(
        self,
        source: Path,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
    ) -> PackReport:
        from bakthat.adapters.packing.writing.tar_writer import survey

        return survey(source, exclusions=exclusions, on_excluded=on_excluded)

    def unpack(
        self,
        packed: BinaryIO,
        into: Path,
        *,
        name: str,
        name_is_guess: bool = False,
        overwrite: bool = False,
        only: Sequence[str] = (),
        xattrs: bool = True,
    ) -> UnpackReport:
        from bakthat.adapters.packing.extracting.tar_extractor import extract_tar

        return extract_tar(
            packed, into, overwrite=overwrite, root=name, root_is_guess=name_is_guess, only=only, xattrs=xattrs
        )

    def pack_changes(
        self,
        source: Path,
        into: BinaryIO,
        changes: Changes,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
        xattrs: bool = True,
        on_entry: Callable[[IndexEntry], None] | None = None,
    ) -> PackReport:
        from bakthat.adapters.packing.writing.changes_writer import write_changes

        return write_changes(
            source,
            into,
            changes,
            exclusions=exclusions,
            on_excluded=on_excluded,
            on_bytes=on_bytes,
            xattrs=xattrs,
            on_entry=on_entry,
            clock_ns=self._clock_ns,
        )

    def base_of(self, packed: BinaryIO) -> NamedBase | None:
        from bakthat.adapters.packing.tar_format.tar_reader import TarReader

        reader = TarReader(packed)
        next(iter(reader), None)
        return reader.base

    def unpack_chain(
        self,
        archives: Sequence[ChainedArchive],
        into: Path,
        *,
        name: str,
        name_is_guess: bool = False,
        overwrite: bool = False,
        only: Sequence[str] = (),
        xattrs: bool = True,
    ) -> UnpackReport:
        from bakthat.adapters.packing.extracting.chain_extractor import extract_chain

        return extract_chain(
            archives, into, overwrite=overwrite, root=name, root_is_guess=name_is_guess, only=only, xattrs=xattrs
        )

    def entries(self, packed: BinaryIO) -> Iterator[IndexEntry]:
        from bakthat.adapters.packing.tar_format.entries import read_entries

        return read_entries(packed)

    def contents(self, packed: BinaryIO) -> Iterator[tuple[IndexEntry, BinaryIO]]:
        from bakthat.adapters.packing.tar_format.tar_contents import tar_contents

        return tar_contents(packed)

    def check(self, packed: BinaryIO) -> UnpackReport:
        from bakthat.adapters.packing.tar_format.tar_member import Kind
        from bakthat.adapters.packing.tar_format.tar_reader import TarReader

        reader = TarReader(packed)
        counts = dict.fromkeys(Kind, 0)
        size = 0
        roots: dict[bytes, None] = {}
        for member in reader:
            counts[member.kind] += 1
            if len(roots) < _ROOTS_TOLD:
                roots.setdefault(member.name[:_LONGEST_ROOT].split(b"/", 1)[0])
            while piece := reader.read():
                size += len(piece)
        files, directories = counts[Kind.FILE], counts[Kind.DIRECTORY]
        return UnpackReport(
            roots=tuple(printable(root) for root in roots),
            files=files,
            directories=directories,
            others=sum(counts.values()) - files - directories,
            size=size,
        )

    def salvage(
        self,
        parts: Iterator[Part],
        into: Path,
        *,
        name: str,
        only: Sequence[str] = (),
        index: ArchiveIndex | None = None,
        xattrs: bool = True,
    ) -> SalvageReport:
        from bakthat.adapters.packing.salvaging.tar_salvage import salvage_tar

        return salvage_tar(parts, into, name=name, only=only, index=index, xattrs=xattrs)

    def salvage_chain(
        self,
        archives: Sequence[SalvageableArchive],
        into: Path,
        *,
        name: str,
        only: Sequence[str] = (),
        xattrs: bool = True,
    ) -> SalvageReport:
        from bakthat.adapters.packing.salvaging.chain_salvage import salvage_chain

        return salvage_chain(archives, into, name=name, only=only, xattrs=xattrs)
