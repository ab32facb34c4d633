"""`salvage_file`: a damaged backup of one file or stream, in a new directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bakthat.adapters.filesystem.dir_fd import LIST, opened
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.extracting.file_content import CREATE
from bakthat.adapters.packing.salvaging.salvage_directory import salvage_directory
from bakthat.adapters.streams import write_all
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.salvage import PARTIAL_SUFFIX, UNVERIFIED_SUFFIX, Lister, SalvageReport
from bakthat.errors import BackupNotFound
from bakthat.ports.salvage import Hole, Part, Verdict

_LONGEST_NAME = 255
"""Bytes: NAME_MAX of limits.h."""

_MOST_PIECES = 100
_DOUBTFUL = "its checksum does not match, or there is none"


def salvage_file(parts: Iterator[Part], into: Path, *, name: str, only: Sequence[str] = ()) -> SalvageReport:
    """Write what can be had into `NAME.salvaged`, as `Packer.salvage` promises.

    Holes become zeros. What comes behind a hole of unknown length is a file of its own, `NAME.partial.2` and so on:
    nobody knows where it belongs.
    """
    if only and not IgnoreRules([PatternList("`only=`", only)]).selects(name, False):
        raise BackupNotFound(f"the backup is a single file, {printable(name)}, which no pattern of `only=` matches")
    with salvage_directory(into, name) as (staging, directory):
        with opened(directory, LIST, staging.fd) as root:
            fragments = _Fragments(root)
            damages, verdict = Lister(), Verdict.GOOD
            undecided = 0
            try:
                for part in parts:
                    if isinstance(part, Verdict):
                        verdict = part if verdict is Verdict.GOOD else verdict
                        undecided = 0
                        continue
                    try:
                        if isinstance(part, bytes):
                            fragments.write(part)
                            undecided += len(part)
                        elif part.length != 0:
                            damages.add("", f"{_count(part)} bytes are missing behind byte {fragments.size}")
                            fragments.skip(part)
                    except OSError as error:
                        raise target_error(error, into / name) from error
            finally:
                fragments.close()
            if undecided:
                verdict = Verdict.DOUBTFUL
            report = _report(os.fsdecode(directory), fragments, os.fsencode(name), verdict, damages)
        if report.directory:
            staging.commit([directory])
    return report


class _Fragments:
    """The file up to the first hole of unknown length, and what lies between further ones, as `1`, `2` … in the
    directory `root`."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.sizes: list[int] = []
        self.size = 0
        """Bytes in all."""
        self.missing = 0
        """Bytes of holes of known length."""
        self.has_lost_count = False
        self._fd = -1
        self._begin()

    def write(self, data: bytes) -> None:
        """Write bytes behind those that are there. Raises OSError."""
        if len(self.sizes) <= _MOST_PIECES:
            write_all(self._fd, data)
            self.sizes[-1] += len(data)
        self.size += len(data)

    def skip(self, hole: Hole) -> None:
        """Leave room for a hole, or begin a new fragment after it. Raises OSError."""
        if hole.length is None:
            self.has_lost_count = True
            if self.sizes[-1] and len(self.sizes) <= _MOST_PIECES:
                self._begin()
        else:
            self.missing += hole.length
            self.sizes[-1] += hole.length
            os.ftruncate(self._fd, self.sizes[-1])
            os.lseek(self._fd, 0, os.SEEK_END)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def rename(self, number: int, name: bytes) -> None:
        """Give a fragment its name."""
        os.rename(b"%d" % number, name, src_dir_fd=self.root, dst_dir_fd=self.root)

    def _begin(self) -> None:
        self.close()
        self.sizes.append(0)
        self._fd = os.open(b"%d" % len(self.sizes), CREATE, 0o666, dir_fd=self.root)


def _report(directory: str, fragments: _Fragments, name: bytes, verdict: Verdict, damages: Lister) -> SalvageReport:
    whole, partial, unverified = Lister(), Lister(), Lister()
    is_partial = fragments.missing or fragments.has_lost_count
    for number, size in enumerate(fragments.sizes, 1):
        if not size and (is_partial or number > 1):
            os.unlink(b"%d" % number, dir_fd=fragments.root)
            continue
        if is_partial:
            end = os.fsencode(PARTIAL_SUFFIX) + (b".%d" % number if number > 1 else b"")
        else:
            end = b"" if verdict is Verdict.GOOD else os.fsencode(UNVERIFIED_SUFFIX)
        made = name[: _LONGEST_NAME - len(end)] + end
        fragments.rename(number, made)
        if is_partial:
            also = "" if verdict is Verdict.GOOD else "; others may be wrong"
            if number > 1:
                reason = f"it belongs somewhere after the previous fragment; bytes between them are missing{also}"
            elif fragments.missing:
                reason = f"{fragments.missing} bytes are missing; there are zeros in their place{also}"
            else:
                reason = f"bytes behind the first {size} are missing{also}"
            partial.add(printable(made), reason)
        elif verdict is Verdict.GOOD:
            whole.add(printable(made))
        else:
            unverified.add(printable(made), _DOUBTFUL)
    found = whole.count + partial.count + unverified.count
    return SalvageReport(
        directory=directory if found else "",
        whole=whole.listing(),
        size=fragments.size if whole.count else 0,
        partial=partial.listing(),
        unverified=unverified.listing(),
        damages=damages.listing(),
    )


def _count(hole: Hole) -> str:
    return "an unknown number of" if hole.length is None else str(hole.length)
