"""`salvage_file`: what can be had of a damaged backup of one file or stream, in a new directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bakthat.adapters.filesystem.dir_fd import LIST, opened
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.tar_salvage import salvage_directory
from bakthat.adapters.streams import write_all
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.salvage import PARTIAL_SUFFIX, UNVERIFIED_SUFFIX, Lister, SalvageReport
from bakthat.errors import BackupNotFound
from bakthat.ports.salvage import Hole, Part, Verdict

_LONGEST_NAME = 255
"""Bytes: NAME_MAX of limits.h."""


def salvage_file(parts: Iterator[Part], into: Path, *, name: str, only: Sequence[str] = ()) -> SalvageReport:
    """Write the file into `NAME.salvaged`, as `Packer.salvage` promises. A hole of unknown length gets no zeros."""
    if only and not IgnoreRules([PatternList("--only", only)]).selects(name, False):
        raise BackupNotFound(f"the backup is a single file, {printable(name)}, which no --only pattern matches")
    content = _Content()
    with salvage_directory(into, name) as (staging, directory):
        with opened(directory, LIST, staging.fd) as folder:
            try:
                fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
                try:
                    content.write(parts, fd)
                finally:
                    os.close(fd)
                made = _with_suffix(name, content.suffix)
                os.rename(name, made, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError as error:
                if error is content.error:
                    raise
                raise target_error(error, os.path.join(into, os.fsdecode(directory), name)) from error
        report = content.report(os.fsdecode(directory), made)
        staging.commit([directory])
    return report


class _Content:
    """What was written, and what is known about it."""

    def __init__(self) -> None:
        self._size = 0
        self._undecided = 0
        self._is_doubtful = False
        self._damages = Lister()
        self.error: OSError | None = None
        """What the layers below failed with."""

    def write(self, parts: Iterator[Part], fd: int) -> None:
        for part in self._read(parts):
            if isinstance(part, Verdict):
                self._is_doubtful |= part is Verdict.DOUBTFUL and self._undecided > 0
                self._undecided = 0
            elif isinstance(part, Hole):
                length = "an unknown number of" if part.length is None else part.length
                if part.length != 0:
                    self._damages.add("", f"{length} bytes are missing at byte {self._size}")
                self._size += part.length or 0
                os.lseek(fd, self._size, os.SEEK_SET)
            else:
                write_all(fd, part)
                self._size += len(part)
                self._undecided += len(part)
        os.ftruncate(fd, self._size)
        os.fsync(fd)

    def _read(self, parts: Iterator[Part]) -> Iterator[Part]:
        try:
            yield from parts
        except OSError as error:
            self.error = error
            raise

    @property
    def suffix(self) -> str:
        """What the name of the file ends in."""
        if self._damages.listing().count:
            return PARTIAL_SUFFIX
        return UNVERIFIED_SUFFIX if self._is_doubtful or self._undecided else ""

    def report(self, directory: str, made: str) -> SalvageReport:
        file = Lister()
        suffix = self.suffix
        reason = {
            "": "",
            PARTIAL_SUFFIX: "bytes of it are missing; there are zeros in their place, if it is known how many",
            UNVERIFIED_SUFFIX: "it is all there, but no checksum matches, or there is none",
        }[suffix]
        file.add(printable(made), reason)
        listing, none = file.listing(), Lister().listing()
        return SalvageReport(
            directory=directory,
            whole=none if suffix else listing,
            size=0 if suffix else self._size,
            partial=listing if suffix == PARTIAL_SUFFIX else none,
            unverified=listing if suffix == UNVERIFIED_SUFFIX else none,
            damages=self._damages.listing(),
        )


def _with_suffix(name: str, suffix: str) -> str:
    return os.fsdecode(os.fsencode(name)[: _LONGEST_NAME - len(suffix)]) + suffix
