"""`SourceWalk`: walks a tree of files, without excluded entries.

Order: a directory, then its entries that are not directories, then its subdirectories, each group by name. The same
tree gives the same order.

    levels: a stack of open directories, from the root to where the walk is
    enter a directory:      the visitor gets it, then its files, then its other entries; push it
    take its next subdirectory: open it, relative to its parent, never through a symbolic link; enter it
    none left: pop it. Only 64 levels are kept open: a closed parent is opened again as "..", and compared
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from attrs import define

from bakthat.adapters.packing.writing.exclusion_filter import ExclusionFilter
from bakthat.adapters.packing.writing.place import O_DIRECTORY, OTHER_KIND, VANISHED, Place, encoded
from bakthat.adapters.packing.writing.source import open_directory, reason
from bakthat.domain import ignore_patterns

_MAX_OPEN = 64
"""Directories kept open on the way down; those above are reopened by "..". Descriptors are limited (1,024 by default),
and trees can be deep."""

_MAX_PATH = 64 * 1024 - 256
"""Bytes. The limit of a restore is 64 KiB; Linux accepts 4 KiB in one call. A file's own name has up to 255 bytes."""


_TOO_DEEP = "is too deep: a restore supports paths of up to 64 KiB; its contents are missing"


class Listing(NamedTuple):
    """The names in a directory, without excluded ones, each list sorted."""

    files: list[str]
    subdirectories: list[str]
    others: list[str]


class Visitor(Protocol):
    """The callbacks of a walk."""

    def directory(self, descriptor: int, name: bytes, status: os.stat_result, listing: Listing) -> None:
        """Called with each directory, before its entries."""

    def closed_directory(self, parent: int, name: str, status: os.stat_result) -> None:
        """Called with each directory that is not entered, because it cannot be read or is on another file system."""

    def files(self, parent: int, names: list[str]) -> None:
        """Called with the files of a directory, sorted."""

    def other(self, parent: int, name: str) -> None:
        """Called with each entry that is neither a file nor a directory."""

    def left(self) -> None:
        """Called when all of a directory that was entered has been visited."""


@define
class _Level:
    """A directory on the path from the root to the current position. `descriptor` is -1 while it is not kept open."""

    descriptor: int
    device: int
    inode: int
    subdirectories: Iterator[str]
    name_length: int
    patterns: ignore_patterns.Level | None

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class SourceWalk:
    """A walk of one directory; call `run` once."""

    def __init__(self, source: Path, place: Place, exclusion: ExclusionFilter, visitor: Visitor) -> None:
        self._source = source
        self._place = place
        self._exclusion = exclusion
        self._visitor = visitor

    def run(self, root: bytes) -> None:
        """Walk the whole tree. `root`: the name of the source in the archive. Raises SourceError."""
        place = self._place
        levels: list[_Level] = []
        try:
            levels.append(self._enter(open_directory(self._source), root, self._exclusion.start))
            while levels:
                name = next(levels[-1].subdirectories, None)
                if name is None:
                    self._leave(levels)
                elif len(place.path) + len(name) > _MAX_PATH:
                    place.problem(name, _TOO_DEEP)
                elif (below := self._open_directory(levels[-1].descriptor, name)) >= 0:
                    patterns = levels[-1].patterns
                    patterns = patterns.below(name) if patterns is not None else None
                    levels.append(self._enter(below, encoded(name), patterns))
                    if len(levels) > _MAX_OPEN:
                        levels[-1 - _MAX_OPEN].close()
        finally:
            for level in levels:
                level.close()

    def _enter(self, descriptor: int, name: bytes, patterns: ignore_patterns.Level | None) -> _Level:
        """Visit a directory and its entries except subdirectories. Takes ownership of the descriptor."""
        place, visitor = self._place, self._visitor
        try:
            status = os.fstat(descriptor)
            if not place.path:
                self._exclusion.start_on(status.st_dev)
            above = place.path
            place.path = above + name + b"/"
            listing = self._list(descriptor, patterns)
            place.path = above
            visitor.directory(descriptor, name, status, listing)
            place.path = above + name + b"/"
            visitor.files(descriptor, listing.files)
            for other in listing.others:
                visitor.other(descriptor, other)
        except BaseException:
            os.close(descriptor)
            raise
        subdirectories = iter(listing.subdirectories)
        return _Level(descriptor, status.st_dev, status.st_ino, subdirectories, len(name) + 1, patterns)

    def _leave(self, levels: list[_Level]) -> None:
        place = self._place
        level = levels.pop()
        place.path = place.path[: -level.name_length]
        self._visitor.left()
        try:
            while levels and levels[-1].descriptor < 0 and not self._reopen(levels[-1], level.descriptor):
                # The tree was moved: the rest of this directory can no longer be found.
                lost = levels.pop()
                if any(True for _ in lost.subdirectories):
                    place.problem("", "was moved during the backup; the rest of its directories is missing")
                place.path = place.path[: -lost.name_length]
                self._visitor.left()
        finally:
            level.close()

    def _reopen(self, level: _Level, below: int) -> bool:
        try:
            descriptor = self._place.open("..", O_DIRECTORY, below)
        except OSError:
            return False
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != (level.device, level.inode):
            os.close(descriptor)
            return False
        level.descriptor = descriptor
        return True

    def _open_directory(self, parent: int, name: str) -> int:
        """A descriptor, or -1 after reporting why there is none."""
        place, exclusion = self._place, self._exclusion
        try:
            if exclusion.device is not None:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if status.st_dev != exclusion.device and stat.S_ISDIR(status.st_mode):
                    self._visitor.closed_directory(parent, name, status)
                    exclusion.as_mounted(place.known_as(name))
                    return -1
            descriptor = place.open(name, O_DIRECTORY, parent)
            if exclusion.own_inodes and exclusion.is_own(os.fstat(descriptor)):
                os.close(descriptor)
                exclusion.as_own(place.known_as(name))
                return -1
            return descriptor
        except OSError as refusal:
            self._report_refusal(parent, name, refusal)
            return -1

    def _report_refusal(self, parent: int, name: str, refusal: OSError) -> None:
        place = self._place
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            place.problem(name, VANISHED)
            return
        if stat.S_ISDIR(status.st_mode):
            self._visitor.closed_directory(parent, name, status)
            place.problem(name, f"cannot be read, and its contents are missing: {reason(refusal)}")
        else:
            place.problem(name, OTHER_KIND)

    def _list(self, descriptor: int, patterns: ignore_patterns.Level | None) -> Listing:
        place, exclusion = self._place, self._exclusion
        files: list[str] = []
        subdirectories: list[str] = []
        others: list[str] = []
        is_own = exclusion.own_names(place.path.partition(b"/")[2])
        marked = exclusion.kept_alone(descriptor)
        some_left_out = False
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        kind = files
                    elif entry.is_dir(follow_symlinks=False):
                        kind = subdirectories
                    else:
                        kind = others
                    name = entry.name
                    if marked is not None and name not in marked[1]:
                        some_left_out = True
                        continue
                    if patterns is not None and (number := patterns.excluding(name, kind is subdirectories)) >= 0:
                        exclusion.by_pattern(place.known_as(name), number)
                    elif is_own is not None and is_own(name):
                        exclusion.as_own(place.known_as(name))
                    else:
                        kind.append(name)
        except OSError as error:
            place.problem("", f"cannot be listed: {reason(error)}")
        if marked is not None and some_left_out:
            exclusion.as_content(place.known_as(""), marked[0])
        files.sort()
        subdirectories.sort()
        others.sort()
        return Listing(files, subdirectories, others)
