"""`TarPacker`: a file or a directory as one POSIX tar, which any tar opens."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.payload import PackReport, UnpackReport
from bakthat.ports.payload import Packer

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.exclusions import Exclusions

_ROOTS_TOLD = 100
_LONGEST_ROOT = 255
"""Bytes: NAME_MAX of limits.h."""


class TarPacker(Packer):
    """A backup imports the writer only, a restore the extractor only. The members say their names: `name` is only the
    one that may be replaced.

    `second_process`: whether a restore of many small files starts one (`sys.executable`, which must be Python) that
    makes part of them, where there are two processors.
    """

    def __init__(self, *, second_process: bool = False) -> None:
        self._second_process = second_process

    def pack(
        self,
        source: Path,
        into: BinaryIO,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> PackReport:
        from bakthat.adapters.packing.tar_writer import write_tar

        return write_tar(source, into, exclusions=exclusions, on_excluded=on_excluded, on_bytes=on_bytes)

    def survey(
        self,
        source: Path,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
    ) -> PackReport:
        from bakthat.adapters.packing.tar_writer import survey

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
        on_bytes: Callable[[int], None] | None = None,
    ) -> UnpackReport:
        from bakthat.adapters.packing.file_process import FileMaker
        from bakthat.adapters.packing.tar_extractor import extract_tar

        start_maker = FileMaker if self._second_process and _processors() > 1 else None
        return extract_tar(
            packed,
            into,
            overwrite=overwrite,
            root=name,
            root_is_guess=name_is_guess,
            only=only,
            on_bytes=on_bytes,
            start_maker=start_maker,
        )

    def check(self, packed: BinaryIO) -> UnpackReport:
        from bakthat.adapters.packing.tar_reader import Kind, TarReader

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


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
