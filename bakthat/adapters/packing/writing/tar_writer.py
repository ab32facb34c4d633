"""`write_tar`: writes a tree of files as a tar stream. `survey`: counts what it would contain.

Python's `tarfile` is correct but slow: it takes about 50 µs per small file, most of it for the header. This writer is
limited to the needs of a backup, and reads a directory's files relative to its descriptor.

    source_walk     goes through the directories     ->     member_writer   reads files, makes members of them
    tar_header      the headers                             tar_output      gathers them, and writes the stream
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.writing.exclusion_filter import ExclusionFilter, OnExcluded
from bakthat.adapters.packing.writing.member_writer import MemberWriter, OnEntry
from bakthat.adapters.packing.writing.place import Place
from bakthat.adapters.packing.writing.source import open_file, status_of
from bakthat.adapters.packing.writing.source_walk import SourceWalk
from bakthat.adapters.packing.writing.surveyor import Surveyor
from bakthat.adapters.packing.writing.tar_output import TarOutput
from bakthat.domain.exclusions import Exclusions
from bakthat.domain.payload import PackReport


def root_name(source: Path) -> str:
    """The root of the members of a source: its base name, `root` for `/`.

    A name that is not UTF-8 has surrogates, as `os.fsdecode` makes them. A symbolic link gives its own name; `.` and
    `..` those of the absolute path.
    """
    return os.path.basename(os.path.abspath(source)) or "root"


def write_tar(
    source: Path,
    into: BinaryIO,
    *,
    exclusions: Exclusions | None = None,
    on_excluded: OnExcluded | None = None,
    on_bytes: Callable[[int], None] | None = None,
    xattrs: bool = True,
    on_entry: OnEntry | None = None,
) -> PackReport:
    """Write the file or directory `source` into the stream, as `Packer.pack` promises.

    A source that is a symbolic link is followed; no link below it is. File systems mounted below it are entered.
    """
    status = status_of(source)
    root = os.fsencode(root_name(source))
    output = TarOutput(into, on_bytes)
    place = Place(source)
    exclusion = ExclusionFilter(source, exclusions or Exclusions(), on_excluded)
    writer = MemberWriter(output, place, exclusion, xattrs=xattrs, on_entry=on_entry)
    if stat.S_ISDIR(status.st_mode):
        SourceWalk(source, place, exclusion, writer).run(root)
    else:
        descriptor, _ = open_file(source)
        try:
            writer.only_file(descriptor, root)
        finally:
            os.close(descriptor)
    output.finish()
    return report_of(source, writer, output.content, place, exclusion)


def survey(source: Path, *, exclusions: Exclusions | None = None, on_excluded: OnExcluded | None = None) -> PackReport:
    """What `write_tar` would report, without opening a file: as `Packer.survey` promises."""
    status = status_of(source)
    if not stat.S_ISDIR(status.st_mode):
        return PackReport(files=1, size=status.st_size)
    place = Place(source)
    exclusion = ExclusionFilter(source, exclusions or Exclusions(), on_excluded)
    surveyor = Surveyor(place, exclusion)
    SourceWalk(source, place, exclusion, surveyor).run(os.fsencode(root_name(source)))
    return report_of(source, surveyor, surveyor.size, place, exclusion)


def report_of(
    source: Path, counted: MemberWriter | Surveyor, size: int, place: Place, exclusion: ExclusionFilter
) -> PackReport:
    """What a walk found."""
    everything = printable(str(source))
    return PackReport(
        files=counted.file_count,
        directories=counted.directory_count,
        others=counted.other_count,
        size=size,
        problems=place.problems.problems(everything),
        notices=place.notices.problems(everything),
        excluded=exclusion.report(),
    )
