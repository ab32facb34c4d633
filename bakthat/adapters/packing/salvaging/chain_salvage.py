"""`salvage_chain`: the files of a tree out of the damaged archives of its chain, in a new directory.

    for each archive, the full one first:
        write those of its members that are in the tree, as `tar_salvage` does
    make the symbolic links, set the attributes of directories, commit

A hard link so comes after what it stands for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from bakthat.adapters.filesystem.dir_fd import LIST, opened
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.extracting.hard_link import Links
from bakthat.adapters.packing.salvaging.holey_stream import HoleyStream
from bakthat.adapters.packing.salvaging.salvage_directory import salvage_directory
from bakthat.adapters.packing.salvaging.salvaged_files import SalvagedFiles
from bakthat.adapters.packing.salvaging.tar_salvage import ArchiveSalvage, report_of
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.salvage import Lister, SalvageReport
from bakthat.errors import UsageError
from bakthat.ports.payload import SalvageableArchive

_LINKS = Links()


def salvage_chain(
    archives: Sequence[SalvageableArchive],
    into: Path,
    *,
    name: str,
    only: Sequence[str] = (),
    xattrs: bool = True,
    links: Links = _LINKS,
) -> SalvageReport:
    """Write what can be had into `NAME.salvaged`, as `Packer.salvage_chain` promises."""
    rules = IgnoreRules([PatternList("`only=`", only)]) if only else None
    if rules is not None and not rules:
        raise UsageError("`only=`: these patterns select nothing; omit it to salvage everything")
    damages = Lister()
    may_lack_more = False
    with salvage_directory(into, name) as (staging, directory):
        with (
            opened(directory, LIST, staging.fd) as root,
            contextlib.closing(SalvagedFiles(staging, root, links, xattrs=xattrs)) as files,
        ):
            streams: list[HoleyStream] = []
            try:
                for archive in archives:
                    files.begin_archive()
                    with archive.opened as parts:
                        streams = [HoleyStream(parts)]
                        salvage = ArchiveSalvage(streams[0], files, name, rules, archive.index, archive.tree_paths)
                        salvage.run()
                    for problem in salvage.damages().listing().listed:
                        damages.add("", f"{archive.name}: {problem.reason}", count=problem.count)
                    may_lack_more = salvage.may_lack_more  # the last one has the names of the whole tree
                files.finish()
            except OSError as error:
                if streams and error is streams[0].error:
                    raise
                raise target_error(error, os.path.join(into, os.fsdecode(files.current))) from error
        report = report_of(files, os.fsdecode(directory), damages, may_lack_more=may_lack_more)
        if report.directory:
            staging.commit([directory])
    return report
