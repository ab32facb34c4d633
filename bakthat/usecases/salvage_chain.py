"""Salvages an incremental backup: of each archive of its chain what the tree needs, and what can be had of that.

find out what each archive has      by its index, else by reading it up to its first damage
plan                                which member of which archive is which file of the tree
read each archive to its end        the full one first; what is whole is written
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from attrs import define, evolve, field, frozen

from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.chain import is_known_by_dependent
from bakthat.domain.payload import Keys
from bakthat.domain.salvage import Lister, Listing, SalvageReport
from bakthat.errors import ObjectNotFound, PayloadDamaged
from bakthat.ports.payload import SalvageableArchive
from bakthat.ports.salvage import Hole, Part
from bakthat.usecases.inside.chain_ranges import selecting
from bakthat.usecases.inside.members import rules_of
from bakthat.usecases.inside.only_file import name_of_file
from bakthat.usecases.inside.ranged_archive import naming
from bakthat.usecases.inside.salvage_plan import KnownMembers, SalvagePlan
from bakthat.usecases.streams.archive_stream import open_archive, read_through
from bakthat.usecases.streams.salvage_stream import GoodRun, StoredBytes, salvaged_parts
from bakthat.usecases.tools import Tools


@frozen
class StoredArchive:
    """An archive of a chain. stored: opens its bytes; called up to four times. index: reads it, as far as it can be
    read."""

    backup: Backup
    keys: Keys
    stored: Callable[[], AbstractContextManager[BinaryIO]]
    index: Callable[[], ArchiveIndex | None]


@define
class ChainSalvage:
    """The salvage of a chain.

    archives: the newest first, which is that of the backup. broken: why the chain ends before its full archive, if it
    does. faults: what the stored bytes have else than the records; in the end.
    """

    archives: Sequence[StoredArchive]
    broken: str
    tools: Tools
    faults: list[str] = field(factory=list)
    _indexes: list[ArchiveIndex | None] = field(factory=list, init=False)
    _gone: set[int] = field(factory=set, init=False)

    def run(self, into: Path, *, only: Sequence[str], xattrs: bool) -> SalvageReport:
        """Write what can be had, as `Packer.salvage_chain` promises."""
        known = [self._known(number, archive) for number, archive in enumerate(self.archives)]
        if self.broken:
            self.faults.append(self.broken)
        plan = SalvagePlan(known, selecting(rules_of(only, "`only=`")))
        archives = [
            SalvageableArchive(
                name=archive.backup.stored_filename,
                opened=self._parts(number, archive),
                index=self._indexes[number],
                tree_paths=partial(plan.tree_paths, number),
            )
            for number, archive in enumerate(self.archives)
            if number not in self._gone
        ]
        newest = self.archives[0].backup
        report = self.tools.tar.salvage_chain(archives[::-1], into, name=name_of_file(newest), only=only, xattrs=xattrs)
        return evolve(
            report,
            missing=_together(report.missing, plan.missing().listing()),
            may_lack_more=report.may_lack_more or not known[0].is_whole,
        )

    def _known(self, number: int, archive: StoredArchive) -> KnownMembers:
        """What the archive has, by its index; else by reading it up to its first damage."""
        name = archive.backup.stored_filename
        index: ArchiveIndex | None = None
        doubt = ""
        try:
            doubt = self._doubt(archive)
            index = archive.index()
            if index is not None and _is_readable(index):
                self._indexes.append(index)
                return KnownMembers(name, index.entries, doubt=doubt)
            self._indexes.append(None)
            entries, is_whole = self._read(archive)
        except ObjectNotFound as gone:
            if number == 0:
                raise
            self._gone.add(number)
            self._indexes[number:] = [None]
            self.faults.append(str(gone))
            entries, is_whole = [], False
        return KnownMembers(name, lambda: entries, is_whole=is_whole, doubt=doubt)

    def _doubt(self, archive: StoredArchive) -> str:
        """Why this is another archive than the one that is continued: it has no record and another SHA-256, and is not
        damaged."""
        backup = archive.backup
        if not is_known_by_dependent(backup):
            return ""
        stage = f"comparing {backup.stored_filename}"
        with contextlib.suppress(PayloadDamaged):
            read_through(archive.stored(), backup, self.tools, stage=stage)
            return ""
        with contextlib.suppress(PayloadDamaged):
            unknown = evolve(backup, metadata=backup.metadata.without("sha256"))
            with open_archive(archive.stored(), unknown, archive.keys, self.tools, stage=stage) as plain:
                self.tools.tar.check(plain)
            return f"{backup.stored_filename} is another archive than the one that was continued"
        return ""

    def _read(self, archive: StoredArchive) -> tuple[list[IndexEntry], bool]:
        """Its members, and whether that is all of them; of a damaged one those before the first damage."""
        backup = archive.backup
        name = backup.stored_filename
        self.tools.notice(f"{name} is read more than once: it has no index, or a damaged one")
        try:
            stage = f"listing {name}"
            with open_archive(archive.stored(), backup, archive.keys, self.tools, stage=stage) as plain:
                return list(self.tools.tar.entries(plain)), True
        except PayloadDamaged:
            pass
        entries: list[IndexEntry] = []
        with contextlib.suppress(PayloadDamaged), archive.stored() as reader:
            stored = StoredBytes(reader, backup, self.tools)
            with salvaged_parts(stored, backup, archive.keys, None, self.tools) as parts:
                for entry in self.tools.tar.entries(cast(BinaryIO, GoodRun(parts))):
                    entries.append(entry)
        return entries, False

    @contextmanager
    def _parts(self, number: int, archive: StoredArchive) -> Iterator[Iterator[Part]]:
        backup = archive.backup
        with naming(backup), archive.stored() as reader:
            stored = StoredBytes(reader, backup, self.tools)
            with contextlib.ExitStack() as stack:
                try:
                    parts = stack.enter_context(
                        salvaged_parts(stored, backup, archive.keys, self._indexes[number], self.tools)
                    )
                except PayloadDamaged as error:  # the header of the encryption
                    self.faults.append(str(error))
                    parts = iter((Hole(None),))
                yield parts
            stored.read_rest()
        self.faults.extend(f"{backup.stored_filename}: {fault}" for fault in stored.faults())


def _is_readable(index: ArchiveIndex) -> bool:
    try:
        for _ in index.entries():
            pass
    except PayloadDamaged:
        return False
    return True


def _together(first: Listing, second: Listing) -> Listing:
    lister = Lister()
    for problem in (*first.listed, *second.listed):
        lister.add(problem.path, problem.reason, count=problem.count)
    listing = lister.listing()
    return evolve(listing, count=first.count + second.count)
