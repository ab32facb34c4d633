"""`write_changes`: writes only what changed since an earlier backup, and notes what this one contains.

For each directory, before its member is written:

    look at the status of every entry     the ones whose fingerprint is known are unchanged
    write the directory's member          with the names of all its entries, in an incremental archive
    write the entries that changed        by `MemberWriter`
    note the fingerprints                 of what the archives now contain as it is: not of a file that could not be
                                          read, or changed meanwhile, so that the next backup takes it

The names are written before the entries are read. If one of them then cannot be read, a second member of the directory
follows when it is left, without that name.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Set
from pathlib import Path
from typing import BinaryIO

from attrs import define, field

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.tar_format.dumpdir import BASE, BASE_SHA256, LONGEST, Contents, contents_of
from bakthat.adapters.packing.tar_format.tar_header import header_for_all, record
from bakthat.adapters.packing.writing.exclusion_filter import ExclusionFilter, OnExcluded
from bakthat.adapters.packing.writing.fingerprints import fingerprint, is_recent
from bakthat.adapters.packing.writing.member_writer import MemberWriter, OnEntry
from bakthat.adapters.packing.writing.place import Place, encoded
from bakthat.adapters.packing.writing.source_walk import Listing, SourceWalk
from bakthat.adapters.packing.writing.tar_output import TarOutput
from bakthat.adapters.packing.writing.tar_writer import report_of, root_name
from bakthat.adapters.packing.writing.xattr_source import Extended
from bakthat.domain.exclusions import Exclusions
from bakthat.domain.payload import PackReport
from bakthat.ports.file_states import Changes, TooManyNames


def write_changes(
    source: Path,
    into: BinaryIO,
    changes: Changes,
    *,
    exclusions: Exclusions | None = None,
    on_excluded: OnExcluded | None = None,
    on_bytes: Callable[[int], None] | None = None,
    xattrs: bool = True,
    on_entry: OnEntry | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
    longest_dumpdir: int = LONGEST,
) -> PackReport:
    """Write what changed below the directory `source` into the stream, as `Packer.pack_changes` promises."""
    output = TarOutput(into, on_bytes)
    place = Place(source)
    exclusion = ExclusionFilter(source, exclusions or Exclusions(), on_excluded)
    members = MemberWriter(output, place, exclusion, xattrs=xattrs, on_entry=on_entry)
    writer = ChangesWriter(members, place, exclusion, changes, clock_ns=clock_ns, longest_dumpdir=longest_dumpdir)
    if changes.base is not None:
        records = record(BASE, changes.base.name.encode())
        if changes.base.sha256 is not None:
            records += record(BASE_SHA256, changes.base.sha256.encode())
        output.add(header_for_all(records))
    SourceWalk(source, place, exclusion, writer).run(os.fsencode(root_name(source)))
    output.finish()
    return report_of(source, members, output.content + writer.unchanged_size, place, exclusion)


@define
class _Directory:
    """A directory between `directory` and `left`.

    files: those that are offered to the writer.
    found: fingerprints of what the archives contain as it is.
    stored, unchanged, below: the names of entries that are in this archive, of those that are not, and of
        subdirectories.
    missing: names that turned out not to be there. waiting: subdirectories that were not visited yet.
    """

    name: bytes
    status: os.stat_result
    files: list[str] = field(factory=list)
    found: dict[bytes, bytes] = field(factory=dict)
    stored: set[bytes] = field(factory=set)
    unchanged: Set[bytes] = frozenset()
    below: frozenset[bytes] = frozenset()
    missing: set[bytes] = field(factory=set)
    waiting: set[bytes] = field(factory=set)
    extended: Extended | None = None


class ChangesWriter:
    """The visitor of a walk that packs changes.

    Args:
        writer: Writes members.
        changes: What is known, and takes what is found.
        clock_ns: Nanoseconds since 1970.
    """

    def __init__(
        self,
        writer: MemberWriter,
        place: Place,
        exclusion: ExclusionFilter,
        changes: Changes,
        *,
        clock_ns: Callable[[], int],
        longest_dumpdir: int,
    ) -> None:
        self._writer = writer
        self._place = place
        self._exclusion = exclusion
        self._known = changes.known
        self._draft = changes.draft
        self._is_incremental = changes.base is not None
        self._clock_ns = clock_ns
        self._longest_dumpdir = longest_dumpdir
        self._open: list[_Directory] = []
        self.unchanged_size = 0
        """Bytes of the files that are unchanged."""

    def directory(self, descriptor: int, name: bytes, status: os.stat_result, listing: Listing) -> None:
        writer, place, above = self._writer, self._place, self._place.path
        if self._open:
            self._open[-1].waiting.discard(name)
        entered = _Directory(name, status, below=frozenset(map(encoded, listing.subdirectories)))
        entered.waiting.update(entered.below)
        place.path = above + name + b"/"
        try:
            self._look(entered, descriptor, listing)
        finally:
            place.path = above
        entered.extended = writer.extended_of(descriptor, name, status)
        writer.write_directory(name, status, entered.extended, self._contents(entered))
        self._open.append(entered)

    def closed_directory(self, parent: int, name: str, status: os.stat_result) -> None:
        self._open[-1].waiting.discard(encoded(name))
        self._writer.closed_directory(parent, name, status, contents_of((), (), ()) if self._is_incremental else None)

    def files(self, parent: int, names: list[str]) -> None:
        writer, entered = self._writer, self._open[-1]
        headers = writer.headers()
        for name in entered.files:
            written, problems = writer.file_count, self._place.problems.count
            writer.file(parent, name, headers)
            self._judge(entered, encoded(name), writer.file_count > written, problems)

    def other(self, parent: int, name: str) -> None:
        writer, entered, key = self._writer, self._open[-1], encoded(name)
        if key in entered.unchanged:
            writer.other_count += 1
            return
        written, problems = writer.other_count, self._place.problems.count
        writer.other(parent, name)
        self._judge(entered, key, writer.other_count > written, problems)

    def left(self) -> None:
        left = self._open.pop()
        left.missing |= left.waiting
        if self._is_incremental and left.missing & (left.stored | left.below):
            self._writer.write_directory(left.name, left.status, left.extended, self._contents(left))
            self._writer.directory_count -= 1
        self._draft.add(self._place.path + left.name + b"/", left.found)

    def _judge(self, entered: _Directory, key: bytes, is_written: bool, problems: int) -> None:
        """The entry was offered to the writer, when there had been this number of problems."""
        if not is_written:
            entered.missing.add(key)
        if not is_written or self._place.problems.count != problems:
            entered.found.pop(key, None)

    def _look(self, entered: _Directory, descriptor: int, listing: Listing) -> None:
        """Compare the entries of the directory, whose path is the place's, with what is known."""
        now_ns = self._clock_ns()
        would_leave_out, is_link, is_socket = self._exclusion.would_leave_out, stat.S_ISLNK, stat.S_ISSOCK
        found, recent = entered.found, []
        statuses: list[tuple[bytes, os.stat_result]] = []
        for name in (*listing.files, *listing.others):
            link = b""
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                mode = status.st_mode
                if is_link(mode):
                    link = os.fsencode(os.readlink(name, dir_fd=descriptor))
            except OSError:
                continue  # the writer says why
            if is_socket(mode) or would_leave_out(status):
                continue  # the writer counts it
            key = encoded(name)
            statuses.append((key, status))
            found[key] = fingerprint(status, link)
            if is_recent(status, now_ns):
                recent.append(key)
        unchanged: Set[bytes] = frozenset()
        if self._known is not None:
            unchanged = self._without_new_links(self._known.unchanged(self._place.path, found), statuses)
        entered.unchanged = unchanged
        if len(unchanged) < len(listing.files) + len(listing.others):
            entered.stored.update(found.keys() - unchanged)
            entered.files += [name for name in listing.files if encoded(name) not in unchanged]
            for key in recent:
                if key not in unchanged:
                    del found[key]

    def _without_new_links(self, unchanged: Set[bytes], statuses: list[tuple[bytes, os.stat_result]]) -> Set[bytes]:
        """The names that need not be stored, which are counted. A name of a file that is stored in this archive under
        another name has to be: as a hard link, for what is stored is a new file. The other way round, a new name of an
        unchanged file becomes a hard link to that."""
        first_names = self._writer.first_names
        to_be_stored: set[tuple[int, int]] = set()
        not_kept: set[bytes] = set()
        count = size = 0
        for key, status in statuses:
            if not stat.S_ISREG(status.st_mode):
                continue
            if status.st_nlink > 1:
                identity = (status.st_dev, status.st_ino)
                if identity in to_be_stored or first_names.is_stored(status):
                    not_kept.add(key)
                    continue
                elif key not in unchanged:
                    if not first_names.has(status):
                        to_be_stored.add(identity)
                elif first_names.find(status):
                    count += 1
                    continue
                else:
                    first_names.add(status, self._place.path + key, is_stored=False)
            if key in unchanged:
                count += 1
                size += status.st_size
        self._writer.file_count += count
        self.unchanged_size += size
        return unchanged - not_kept if not_kept else unchanged

    def _contents(self, entered: _Directory) -> Contents | None:
        if not self._is_incremental:
            return None
        contents = contents_of(entered.stored - entered.missing, entered.unchanged, entered.below - entered.missing)
        if len(contents.dumpdir) > self._longest_dumpdir:
            name = os.fsdecode(entered.name) if self._place.path else ""  # the source itself
            raise TooManyNames(f"{printable(self._place.known_as(name))} has too many entries")
        return contents
