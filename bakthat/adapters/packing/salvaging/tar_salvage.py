"""`salvage_tar`: the files of a damaged tar archive, in a new directory.

    until the stream ends:
        where does the next member begin?
            in its place: behind the member before, at the start, or where the index says
            else search for a header
        for each member from there on, as far as they follow each other:
            its name leaves the target, or goes through a link: it is missing, as restore refuses it
            write it; a hole becomes zeros
            judge it by the holes and verdicts that touch it
    nothing more: make the symbolic links, set the attributes of directories, commit

A header that was found by a search is believed only as far as it is safe to:

* Its extended header may be lost. Then the name may be cut, and the size and the map of a sparse file wrong. Unless the
  block before it shows that there was none, the member is `.unverified`.
* It may be that of an archive inside this one. If it has another root than all members that were in their places, or
  if an end mark comes and then more members, what was found is `.unverified`. It replaces nothing.

With an index, no header is searched for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from bakthat.adapters.filesystem.dir_fd import LIST, opened
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.extracting.file_content import write_content, write_extents
from bakthat.adapters.packing.extracting.hard_link import Links
from bakthat.adapters.packing.salvaging.header_search import HeaderSearch
from bakthat.adapters.packing.salvaging.holey_stream import HoleyStream
from bakthat.adapters.packing.salvaging.index_places import IndexPlaces
from bakthat.adapters.packing.salvaging.judgement import NESTED, Judgement, partial, unverified
from bakthat.adapters.packing.salvaging.salvage_directory import salvage_directory
from bakthat.adapters.packing.salvaging.salvaged_files import SalvagedFiles
from bakthat.adapters.packing.tar_format.safe_path import safe_path
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.adapters.packing.tar_format.tar_stream import BLOCK
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.salvage import Lister, SalvageReport
from bakthat.errors import PayloadDamaged, UsageError
from bakthat.ports.payload import TreePathsOf
from bakthat.ports.salvage import Part, Verdict

_MOST_ROOTS = 100
_MOST_LATE_LINKS = 100_000
_RECORD = 20 * BLOCK
"""What tar pads a stream to."""
_LINKS = Links()
_DOUBTFUL = "the checksum there does not match, or there is none"
_NO_EXTENDED_HEADER = "a header before its own may be lost: its name, its size and its time may be wrong"


def salvage_tar(
    parts: Iterator[Part],
    into: Path,
    *,
    name: str,
    only: Sequence[str] = (),
    index: ArchiveIndex | None = None,
    xattrs: bool = True,
    links: Links = _LINKS,
) -> SalvageReport:
    """Write what can be had into `NAME.salvaged`, as `Packer.salvage` promises."""
    rules = IgnoreRules([PatternList("`only=`", only)]) if only else None
    if rules is not None and not rules:
        raise UsageError("`only=`: these patterns select nothing; omit it to salvage everything")
    stream = HoleyStream(parts)
    with salvage_directory(into, name) as (staging, directory):
        with opened(directory, LIST, staging.fd) as root:
            files = SalvagedFiles(staging, root, links, xattrs=xattrs)
            with contextlib.closing(files):
                salvage = ArchiveSalvage(stream, files, name, rules, index)
                try:
                    salvage.run()
                    files.finish()
                except OSError as error:
                    if error is stream.error:
                        raise
                    raise target_error(error, os.path.join(into, os.fsdecode(files.current))) from error
        report = report_of(files, os.fsdecode(directory), salvage.damages(), may_lack_more=salvage.may_lack_more)
        if report.directory:
            staging.commit([directory])
    return report


class _Run(TarReader):
    """Members that follow each other. It does not read on behind the end mark."""

    has_ended = False

    def _finish(self) -> None:
        self.has_ended = True


class _Cut(Exception):
    """The content of a file ends before its size."""


class ArchiveSalvage:
    """One archive on its way into a directory.

    Args:
        stream: The archive.
        files: The directory.
        name: Of the root.
        rules: Which paths are meant; None means all.
        index: The archive's index, if it could be read.
        tree_paths: Of an archive of a chain: as of `SalvageableArchive`.
    """

    def __init__(
        self,
        stream: HoleyStream,
        files: SalvagedFiles,
        name: str,
        rules: IgnoreRules | None,
        index: ArchiveIndex | None,
        tree_paths: TreePathsOf | None = None,
    ) -> None:
        self._tree_paths = tree_paths
        self._doubt = ""
        """Why the member at hand may be another version than that of the tree."""
        self._stream = stream
        self._search = HeaderSearch(stream)
        self._files = files
        self._rules = rules
        self._places = IndexPlaces(index, self._lost) if index is not None else None
        self._roots: set[bytes] = {os.fsencode(name)}
        self._late_links: list[Member] = []
        """Hard links that only the index has: what they are links to may still be judged."""
        self._is_settled = False
        self._damages = Lister()
        self._end_mark: int | None = None
        """Where the archive's end mark is, as far as is known."""
        self._ends_well = True
        """Whether nothing but what fills up a record follows the end mark."""
        self._at = 0
        """Where the next header should be."""
        self._is_found = False
        """Whether the members are those behind a header that was searched for."""
        self._is_nested = False
        """Whether they turned out to be those of an archive inside this one."""
        self._is_certain = True
        """Whether the next member has all of its headers."""

    def run(self) -> None:
        """Read the archive to its end, and make what it has."""
        stream = self._stream
        in_place = True
        while True:
            start = self._next_place(in_place)
            if start is None:
                break
            in_place = False
            if self._end_mark is not None:
                self._damages.add("", f"members follow the end mark of the archive at byte {self._end_mark}")
                self._files.end_run(is_own=False)
                self._end_mark = None
            if self._is_found:
                self._files.begin_run()
                self._is_nested = False
            self._members(start)
        while stream.next_run():
            pass
        self._settle()
        self._files.settle(False, _DOUBTFUL)
        self._ends_well = self._ends_as_an_archive()
        self._files.end_run(is_own=self._ends_well)
        self._is_settled = True
        while self._places is not None and self._places.lose():
            pass
        for member in self._late_links:
            self._lost(member)

    def _ends_as_an_archive(self) -> bool:
        """Whether the end mark fills up the last record, as far as is known: behind that of an archive inside this one,
        that of this one follows."""
        end, size = self._end_mark, self._stream.position
        if end is None or self._stream.has_lost_count:
            return True
        return size - end <= 2 * BLOCK or size == -(-(end + 2 * BLOCK) // _RECORD) * _RECORD

    def _next_place(self, in_place: bool) -> int | None:
        """Go to where the next members may begin, and return that; None at the end."""
        stream = self._stream
        if self._places is not None:
            while (place := self._places.next_place()) is not None:
                is_there = place >= stream.kept_from and stream.go_to(place) and stream.peek(place, place + BLOCK)
                if is_there and not stream.holes.size_within(place, place + BLOCK):
                    return place
            return None
        if in_place:
            return 0
        found = self._search.find(self._at)
        if found is not None:
            self._is_found = True
            self._is_certain = self._search.is_certain
        return found

    def _members(self, start: int) -> None:
        """Make the members that follow each other from here on."""
        stream, places, files = self._stream, self._places, self._files
        is_header = stream.peek(start, start + 1) not in (b"", b"\0")
        run = _Run(cast(BinaryIO, stream))
        if self._tree_paths is not None:
            run.accept_names()
        self._at = start
        try:
            for member in run:
                header = start + member.offset
                first, last = (start + position for position in run.content_range)
                following = start + run.next_offset
                if stream.holes.size_within(header, first):
                    break  # zeros of a hole were taken for a part of a header
                if places is not None:
                    name = places.meet(header)
                    if name is None:
                        break
                    if first > stream.decided_to or stream.doubtful.size_within(header, first):
                        member.name = name  # an extended header has no checksum of its own
                self._at = following
                self._member(member, header, first, last, run)
                stream.holes.forget(header)
                stream.doubtful.forget(header)
                self._is_certain = True
                if self._is_found and files.met_twice and not self._is_nested:
                    self._is_nested = True
                    files.end_run(is_own=False)
        except PayloadDamaged:
            pass
        if run.has_ended and is_header and self._at == start:
            self._at += BLOCK  # a header for all members, and none of these: it is not to be found again
        if run.has_ended and not stream.holes.size_within(self._at, self._at + 2 * BLOCK):
            self._end_mark = self._at
            return
        if not stream.holes.size_within(self._at, self._at + BLOCK) and stream.peek(self._at, self._at + 1):
            self._damages.add("", f"a header is damaged at byte {self._at}")
        self._at += BLOCK
        self._files.end_run(is_own=True)

    def _settle(self) -> None:
        """Pass on a verdict that has come meanwhile."""
        verdict = self._stream.verdict
        if verdict is not None:
            self._stream.verdict = None
            self._files.settle(verdict is Verdict.GOOD, _DOUBTFUL)

    def _member(self, member: Member, header: int, first: int, last: int, run: _Run) -> None:
        files = self._files
        paths: list[tuple[bytes, str]] = []
        with files.making(member.name):
            path = safe_path(member.name)
            if not path:
                return
            paths = self._paths_of(path, member, header)
            if not paths:
                return
            if not self._is_found:
                self._meet_root(path)
            shown, self._doubt = paths[0]
            files.current = shown
            if member.kind is Kind.FILE:
                self._file(shown, member, header, first, last, run)
            else:
                self._other(shown, member, self._judge(shown, header, last))
        for other, doubt in paths[1:]:
            with files.making(other):
                files.hard_link(other, paths[0][0], _doubted(doubt))

    def _paths_of(self, path: bytes, member: Member, header: int) -> list[tuple[bytes, str]]:
        """The paths that the member stands for, and why each may be wrong."""
        is_directory = member.kind is Kind.DIRECTORY
        if self._tree_paths is None:
            return [(path, "")] if self._is_wanted(path, is_directory) else []
        found = self._tree_paths(os.fsdecode(path), header, is_directory)
        return [(safe, one.doubt) for one in found if (safe := safe_path(os.fsencode(one.path)))]

    def _file(self, path: bytes, member: Member, header: int, first: int, last: int, run: _Run) -> None:
        cut = 0

        def read(limit: int) -> memoryview:
            try:
                return run.read(limit)
            except PayloadDamaged:
                raise _Cut from None

        def write(fd: int) -> int:
            nonlocal cut
            try:
                if member.extents is None:
                    write_content(fd, member.size, read)
                    return member.size
                return write_extents(fd, member.size, member.extents, read)
            except _Cut:
                cut = max(1, run.content_range[1] - run.content_range[0])
                return 0

        def judge() -> Judgement:
            stream = self._stream
            holes = stream.holes.size_within(first, last)
            also = "; others may be wrong" if stream.doubtful.size_within(first, last) else ""
            also += "" if self._is_certain else f"; {_NO_EXTENDED_HEADER}"
            if cut:
                return partial(f"its last {cut} bytes are missing{f', and {holes} before' if holes else ''}{also}")
            if holes:
                return partial(f"{holes} of its {member.size} bytes are missing; there are zeros in their place{also}")
            return self._judge(path, header, last)

        self._files.file(path, member, write, judge)

    def _judge(self, path: bytes, header: int, last: int) -> Judgement:
        """What is known of something that has no holes."""
        self._settle()  # the verdicts that came while it was read are not yet about it
        if self._doubt:
            return unverified(self._doubt)
        if not self._is_certain:
            return unverified(_NO_EXTENDED_HEADER)
        if self._is_nested or (self._is_found and path.partition(b"/")[0] not in self._roots):
            return unverified(NESTED)
        if self._stream.doubtful.size_within(header, last):
            return unverified(_DOUBTFUL)
        return Judgement(is_final=last <= self._stream.decided_to)

    def _other(self, path: bytes, member: Member, judgement: Judgement) -> None:
        files = self._files
        if member.kind is Kind.DIRECTORY:
            if self._is_certain:
                files.directory(path, member)
        elif member.kind is Kind.SYMLINK:
            files.symlink(path, member, judgement)
        elif member.kind is Kind.HARDLINK:
            target = safe_path(member.link)
            if not self._is_wanted(target, False):
                raise PayloadDamaged(f"it is a hard link to {printable(target)}, which is not selected; select it, too")
            files.hard_link(path, target, judgement)
        elif member.kind is Kind.FIFO:
            files.fifo(path, member)
        elif member.device is not None:
            files.notices.add("a device is not made from an archive", path)
        else:
            files.notices.add(f"a member of a type that is not known ({printable(member.typeflag)}) was left out", path)

    def _lost(self, member: Member) -> None:
        """The header of a member is lost, and the index says what it was. What has no content is made by that."""
        paths: list[tuple[bytes, str]] = []
        with self._files.making(member.name):
            path = safe_path(member.name)
            paths = self._paths_of(path, member, member.offset) if path else []
        if not paths:
            return
        is_late = member.kind is Kind.HARDLINK and not self._is_settled
        if is_late and len(self._late_links) < _MOST_LATE_LINKS:
            self._late_links.append(member)
            return
        for path, doubt in paths:
            with self._files.making(path):
                self._make_by_index(path, member, doubt)

    def _make_by_index(self, path: bytes, member: Member, doubt: str) -> None:
        if member.kind is not Kind.FILE:
            is_final = self._is_settled or member.kind is not Kind.HARDLINK
            self._other(path, member, _doubted(doubt, is_final=is_final))
        elif member.size:
            raise PayloadDamaged(f"its place in the archive is damaged ({member.size} bytes)")
        else:
            self._files.file(path, member, lambda _: 0, lambda: _doubted(doubt))

    def _is_wanted(self, path: bytes, is_directory: bool) -> bool:
        if self._rules is None:
            return True
        root, _, below = path.partition(b"/")
        if not below and is_directory:
            return False
        return self._rules.selects(os.fsdecode(below or root), is_directory)

    def _meet_root(self, path: bytes) -> None:
        if len(self._roots) < _MOST_ROOTS:
            self._roots.add(path.partition(b"/")[0])

    @property
    def may_lack_more(self) -> bool:
        """Whether something may be missing of which nobody knows the name."""
        return self._places is None and (self._is_found or self._end_mark is None or self._ends_early)

    @property
    def _ends_early(self) -> bool:
        """A damage may have made the end mark. Of an archive that is intact, it does not matter what follows."""
        return self._places is None and not self._ends_well and self._files.unverified.count > 0

    def damages(self) -> Lister:
        """The damaged places."""
        stream = self._stream
        damages = Lister()
        end = self._end_mark
        for position, length in stream.hole_list:
            if end is None or position < end:
                size = "an unknown number of" if length is None else str(length)
                damages.add("", f"{size} bytes are missing at byte {position} of the tar stream")
        if len(stream.hole_list) < stream.hole_count:
            count = stream.hole_count - len(stream.hole_list)
            damages.add("", "and further holes", count=count)
        for problem in self._damages.listing().listed:
            damages.add("", problem.reason)
        if end is None:
            damages.add("", "the end of the archive is missing")
        if self._ends_early:
            damages.add("", f"{stream.position} bytes of the tar stream, and its end mark is at byte {end}")
        return damages


def _doubted(doubt: str, *, is_final: bool = True) -> Judgement:
    """Of something that is whole, and may be another version than that of the tree."""
    return unverified(doubt) if doubt else Judgement(is_final=is_final)


def report_of(files: SalvagedFiles, directory: str, damages: Lister, *, may_lack_more: bool) -> SalvageReport:
    """The report about what is in the directory now."""
    found = files.whole.count + files.partial.count + files.unverified.count + files.directories + files.others
    return SalvageReport(
        directory=directory if found else "",
        whole=files.whole.listing(),
        size=files.size,
        directories=files.directories,
        others=files.others,
        partial=files.partial.listing(),
        unverified=files.unverified.listing(),
        missing=files.missing.listing(),
        damages=damages.listing(),
        may_lack_more=may_lack_more,
        notices=tuple(files.notices.problems()),
    )
