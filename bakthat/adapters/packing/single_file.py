"""`SingleFilePacker`: a single file, stored as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.writing.source import open_file, reason, status_of
from bakthat.adapters.streams import write_all
from bakthat.domain.payload import PackReport, Problem, UnpackReport
from bakthat.errors import BackupNotFound, PayloadDamaged
from bakthat.ports.payload import Packer

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
    from bakthat.domain.exclusions import Exclusions
    from bakthat.domain.salvage import SalvageReport
    from bakthat.ports.salvage import Part

_BUFFER = 256 * 1024


class SingleFilePacker(Packer):
    """The stream is only the file's content: name, mode and time are not in it, so a restored file has the mode of a
    new one. Excludes do not apply to a source that is a single file."""

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
        descriptor, before = open_file(source)
        buffer = memoryview(bytearray(_BUFFER))
        size = 0
        trouble = ""
        try:
            # Up to its initial size: following a growing file might never end.
            while left := before.st_size - size:
                try:
                    count = os.readv(descriptor, (buffer[:left],))
                except OSError as error:
                    trouble = f"{reason(error)}; the rest of it is missing"
                    break
                if not count:
                    break
                into.write(buffer[:count])
                size += count
                if on_bytes is not None:
                    on_bytes(count)
            trouble = trouble or _change(descriptor, before, size)
        finally:
            os.close(descriptor)
        problems = (Problem(printable(str(source)), trouble),) if trouble else ()
        return PackReport(files=1, size=size, problems=problems)

    def survey(
        self,
        source: Path,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
    ) -> PackReport:
        return PackReport(files=1, size=status_of(source).st_size)

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
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise PayloadDamaged(f"{name!r}, the name in this backup, is not a valid file name; nothing was restored")
        if only and not _is_chosen(name, only):
            from bakthat.adapters.packing.extracting.selection import literally

            raise BackupNotFound(
                f"the backup is a single file, {printable(name)}, which no pattern of `only=` matches{literally(only)}"
            )
        with StagingDirectory(into, overwrite=overwrite) as staging:
            staging.check(name)
            try:
                descriptor = os.open(
                    name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=staging.fd
                )
            except OSError as error:
                raise target_error(error, into / name) from error
            size = 0
            try:
                while block := packed.read(_BUFFER):
                    _write_all(descriptor, block, into / name)
                    size += len(block)
                _sync(descriptor, into / name)
            finally:
                os.close(descriptor)
            staging.commit([name])
        return UnpackReport(roots=(name,), files=1, size=size, notices=tuple(staging.notices))

    def check(self, packed: BinaryIO) -> UnpackReport:
        size = 0
        while block := packed.read(_BUFFER):
            size += len(block)
        return UnpackReport(files=1, size=size)

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
        from bakthat.adapters.packing.salvaging.file_salvage import salvage_file

        return salvage_file(parts, into, name=name, only=only)


def _is_chosen(name: str, only: Sequence[str]) -> bool:
    from bakthat.domain.ignore_patterns import IgnoreRules, PatternList

    return IgnoreRules([PatternList("`only=`", only)]).selects(name, False)


def _change(descriptor: int, before: os.stat_result, size: int) -> str:
    """What happened to the file while it was read; empty if nothing did."""
    try:
        if size < before.st_size:
            return "shrank while it was read"
        if os.read(descriptor, 1):
            return "grew while it was read; what was added is missing"
        return "" if os.fstat(descriptor).st_mtime_ns == before.st_mtime_ns else "changed while it was read"
    except OSError as error:
        return reason(error)


def _write_all(descriptor: int, block: bytes, path: Path) -> None:
    try:
        write_all(descriptor, block)
    except OSError as error:
        raise target_error(error, path) from error


def _sync(descriptor: int, path: Path) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise target_error(error, path) from error
