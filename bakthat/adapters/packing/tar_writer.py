"""Writes a tree of files as one tar stream.

Python's `tarfile` is right and slow: it spends some 50 µs on a small file, most of it on the header. This writer keeps
to what a backup needs, and reads a directory's files relative to its descriptor, each by one open, one read, two fstat
and one close.

Order: a directory, then what it holds that is no directory, then its subdirectories, each group by name. The same tree
gives the same bytes.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from attrs import define

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.exclusion_filter import ExclusionFilter, OnExcluded
from bakthat.adapters.packing.source import O_NOATIME, O_READ, open_directory, open_file, reason, status_of
from bakthat.adapters.packing.sparse import map_of, stretches_of
from bakthat.adapters.packing.tally import Tally
from bakthat.adapters.packing.tar_header import (
    BLOCK,
    BLOCK_DEVICE,
    CHARACTER_DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    HARD_LINK,
    LINKED_COMMENT,
    SYMBOLIC_LINK,
    Headers,
    Owners,
    member,
)
from bakthat.domain import ignore_patterns
from bakthat.domain.exclusions import Exclusions
from bakthat.domain.payload import PackReport

# Headers and small files are gathered up to this size before they are written.
_BATCH = 256 * 1024
# Up to here a file is read by one call; a larger one through a buffer that is reused.
_SMALL = 64 * 1024
_BUFFER = 256 * 1024
# tar pads a stream to whole records of 20 blocks.
_RECORD = 20 * BLOCK
# Directories kept open on the way down; those above them are found again by "..". Descriptors are few (1,024 by
# default), and trees can be deep.
_OPEN_DIRECTORIES = 64

# What a restore takes at most is 64 KiB; Linux itself takes 4 KiB in one call. A file's own name has up to 255 bytes.
_LONGEST_PATH = 64 * 1024 - 256

_ZEROS = bytes(_BUFFER)

_O_FILE = O_READ | os.O_NOFOLLOW
_O_DIRECTORY = _O_FILE | os.O_DIRECTORY

_ENCODING = sys.getfilesystemencoding()
_ENCODING_ERRORS = sys.getfilesystemencodeerrors()

_MEMBER_KINDS = {
    stat.S_IFLNK: SYMBOLIC_LINK,
    stat.S_IFIFO: FIFO,
    stat.S_IFCHR: CHARACTER_DEVICE,
    stat.S_IFBLK: BLOCK_DEVICE,
}

_CHANGED = "changed while it was read"
_VANISHED = "vanished before it was read"
_OTHER_KIND = "was replaced by something of another kind while the backup ran"


def root_name(source: Path) -> str:
    """The name that the members of a source's package are under: the source's own base name, `root` for `/`.

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
) -> PackReport:
    """Write the file or directory `source` into the stream, as `Packer.pack` promises.

    A source that is a symbolic link is followed; no link below it is. File systems mounted below it are entered. A file
    that shrinks while it is read is padded with zeros to the length that its header says, one that grows is cut there;
    both are problems of the report, as is whatever cannot be read. A directory that cannot be read keeps its entry.
    """
    status = status_of(source)
    output = _Output(into, on_bytes)
    walk = _Walk(source, output, ExclusionFilter(source, exclusions or Exclusions(), on_excluded))
    if stat.S_ISDIR(status.st_mode):
        walk.write_tree()
    else:
        walk.write_only_file()
    output.finish()
    return walk.report()


def survey(source: Path, *, exclusions: Exclusions | None = None, on_excluded: OnExcluded | None = None) -> PackReport:
    """What `write_tar` would report, without opening a file: as `Packer.survey` promises."""
    status = status_of(source)
    if not stat.S_ISDIR(status.st_mode):
        return PackReport(files=1, size=status.st_size)
    walk = _Survey(
        source,
        _Output(cast(BinaryIO, _Nowhere()), None),
        ExclusionFilter(source, exclusions or Exclusions(), on_excluded),
    )
    walk.write_tree()
    return walk.report()


class _Nowhere(io.RawIOBase):
    """A sink."""

    def write(self, data: object) -> int:
        return 0


class _Output:
    """The stream, to which headers and small files go in batches."""

    def __init__(self, into: BinaryIO, on_bytes: Callable[[int], None] | None) -> None:
        self._write = into.write
        self._on_bytes = on_bytes
        self._parts: list[bytes] = []
        self._gathered = 0
        self._written = 0
        self._unreported = 0
        self.content = 0
        """Bytes of file content."""

    def add(self, header: bytes) -> None:
        self._parts.append(header)
        self._gathered += len(header)
        if self._gathered >= _BATCH:
            self._flush()

    def add_file(self, header: bytes, data: bytes) -> None:
        size = len(data)
        self._parts += (header, data, _ZEROS[: -size % BLOCK])
        self.content += size
        self._unreported += size
        self._gathered += len(header) + size
        if self._gathered >= _BATCH:
            self._flush()

    def stream(self, piece: memoryview) -> None:
        """A piece of a large file's content, whose header has been added; the piece may change afterwards."""
        self._flush()
        self._out(piece)
        self.content += len(piece)
        self._unreported += len(piece)

    def fill(self, missing: int) -> None:
        """Zeros in place of content."""
        self._flush()
        while missing:
            count = min(missing, len(_ZEROS))
            self._out(_ZEROS[:count])
            missing -= count

    def end_file(self, size: int) -> None:
        """The padding of a file that was streamed."""
        self.add(_ZEROS[: -size % BLOCK])

    def finish(self) -> None:
        self._flush()
        end = self._written + 2 * BLOCK
        self._out(bytes(2 * BLOCK + -end % _RECORD))

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts, self._gathered = self._parts, [], 0
            self._out(b"".join(parts))
        if self._unreported and self._on_bytes is not None:
            self._on_bytes(self._unreported)
            self._unreported = 0

    def _out(self, data: bytes | memoryview) -> None:
        self._written += len(data)
        self._write(data)


@define
class _Level:
    """A directory on the way from the root to where the walk is. `descriptor` is -1 while it is not kept open."""

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


class _Walk:
    def __init__(self, source: Path, output: _Output, exclusion: ExclusionFilter) -> None:
        self._source = source
        self._output = output
        self._exclusion = exclusion
        self._own_inodes = {inode for _, inode in exclusion.own_identities}
        self._device: int | None = None  # of the source, where its file system is not to be left
        self._is_limited = exclusion.larger_than is not None or exclusion.one_file_system
        self._owners = Owners()
        self._flags = O_NOATIME
        self._path = b""  # of the directory that the walk is in, with a slash at its end
        self._buffer: memoryview | None = None
        self._links: dict[tuple[int, int], tuple[bytes, int]] = {}  # of files with more names to come
        self._files = self._directories = self._others = 0
        self._problems = Tally()
        self._notices = Tally()

    def write_only_file(self) -> None:
        descriptor, _ = open_file(self._source)
        try:
            self._write_file(descriptor, "", os.fsencode(root_name(self._source)), Headers(b"", self._owners))
        finally:
            os.close(descriptor)

    def write_tree(self) -> None:
        root = os.fsencode(root_name(self._source))
        levels: list[_Level] = []
        try:
            levels.append(self._enter(open_directory(self._source), root, self._exclusion.start))
            while levels:
                name = next(levels[-1].subdirectories, None)
                if name is None:
                    self._leave(levels)
                elif (below := self._open_directory(levels[-1].descriptor, name)) >= 0:
                    patterns = levels[-1].patterns
                    patterns = patterns.below(name) if patterns is not None else None
                    levels.append(self._enter(below, name.encode(_ENCODING, _ENCODING_ERRORS), patterns))
                    if len(levels) > _OPEN_DIRECTORIES:
                        levels[-1 - _OPEN_DIRECTORIES].close()
        finally:
            for level in levels:
                level.close()

    def report(self) -> PackReport:
        return PackReport(
            files=self._files,
            directories=self._directories,
            others=self._others,
            size=self._output.content,
            problems=self._problems.problems(printable(str(self._source))),
            notices=self._notices.problems(printable(str(self._source))),
            excluded=self._exclusion.report(),
        )

    # -- directories ---------------------------------------------------------------------------------------------------

    def _enter(self, descriptor: int, name: bytes, patterns: ignore_patterns.Level | None) -> _Level:
        """Write a directory and what it holds, but its subdirectories. Takes charge of the descriptor."""
        try:
            status = os.fstat(descriptor)
            if not self._path and self._exclusion.one_file_system:
                self._device = status.st_dev
            self._write_directory(name, status)
            self._path += name + b"/"
            files, subdirectories, others = self._list(descriptor, patterns)
            self._write_files(descriptor, files)
            for other in others:
                self._write_other(descriptor, other)
        except BaseException:
            os.close(descriptor)
            raise
        return _Level(descriptor, status.st_dev, status.st_ino, iter(subdirectories), len(name) + 1, patterns)

    def _leave(self, levels: list[_Level]) -> None:
        level = levels.pop()
        self._path = self._path[: -level.name_length]
        try:
            while levels and levels[-1].descriptor < 0 and not self._reopen(levels[-1], level.descriptor):
                # Somebody moved the tree about: nothing tells any more where the rest of this directory is.
                lost = levels.pop()
                if any(True for _ in lost.subdirectories):
                    self._problem("", "was moved while the backup ran; the rest of its directories is missing")
                self._path = self._path[: -lost.name_length]
        finally:
            level.close()

    def _reopen(self, level: _Level, below: int) -> bool:
        try:
            descriptor = self._open("..", _O_DIRECTORY, below)
        except OSError:
            return False
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != (level.device, level.inode):
            os.close(descriptor)
            return False
        level.descriptor = descriptor
        return True

    def _open_directory(self, parent: int, name: str) -> int:
        """A descriptor, or -1 after saying why there is none."""
        if len(self._path) + len(name) > _LONGEST_PATH:
            self._problem(name, "lies too deep: no restore takes a path of more than 64 KiB; all in it is missing")
            return -1
        try:
            if self._device is not None:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if status.st_dev != self._device and stat.S_ISDIR(status.st_mode):
                    self._write_directory(name.encode(_ENCODING, _ENCODING_ERRORS), status)
                    self._exclusion.as_mounted(self._known_as(name))
                    return -1
            descriptor = self._open(name, _O_DIRECTORY, parent)
            if self._own_inodes and self._is_own(os.fstat(descriptor)):
                os.close(descriptor)
                self._exclusion.as_own(self._known_as(name))
                return -1
            return descriptor
        except OSError as refusal:
            try:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except OSError:
                self._problem(name, _VANISHED)
                return -1
            if stat.S_ISDIR(status.st_mode):
                self._write_directory(name.encode(_ENCODING, _ENCODING_ERRORS), status)
                self._problem(name, f"cannot be read, and all in it is missing: {reason(refusal)}")
            else:
                self._problem(name, _OTHER_KIND)
            return -1

    def _write_directory(self, name: bytes, status: os.stat_result) -> None:
        # The first member tells our reader that every file with more names to come bears this mark.
        mark = b"" if self._path else LINKED_COMMENT
        self._output.add(member(self._path, name + b"/", DIRECTORY, status, self._owners, comment=mark))
        self._directories += 1

    def _list(self, descriptor: int, patterns: ignore_patterns.Level | None) -> tuple[list[str], list[str], list[str]]:
        """The names of files, of subdirectories and of all else, sorted, without what is excluded."""
        files: list[str] = []
        subdirectories: list[str] = []
        others: list[str] = []
        is_own = self._exclusion.own_names(self._path.partition(b"/")[2])
        marked = self._exclusion.kept_alone(descriptor)
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
                        self._exclusion.by_pattern(self._known_as(name), number)
                    elif is_own is not None and is_own(name):
                        self._exclusion.as_own(self._known_as(name))
                    else:
                        kind.append(name)
        except OSError as error:
            self._problem("", f"cannot be listed: {reason(error)}")
        if marked is not None and some_left_out:
            self._exclusion.as_content(self._known_as(""), marked[0])
        files.sort()
        subdirectories.sort()
        others.sort()
        return files, subdirectories, others

    # -- files ---------------------------------------------------------------------------------------------------------

    def _write_files(self, parent: int, names: list[str]) -> None:
        headers = Headers(self._path, self._owners)
        for name in names:
            try:
                descriptor = os.open(name, _O_FILE | self._flags, dir_fd=parent)
            except OSError as error:
                descriptor = self._open_again(name, parent, error)
                if descriptor < 0:
                    continue
            try:
                self._write_file(descriptor, name, name.encode(_ENCODING, _ENCODING_ERRORS), headers)
            finally:
                os.close(descriptor)

    def _open_again(self, name: str, parent: int, refusal: OSError) -> int:
        """A descriptor, or -1 after saying why there is none."""
        try:
            if not isinstance(refusal, PermissionError):
                raise refusal
            return self._open(name, _O_FILE, parent)
        except FileNotFoundError:
            self._problem(name, _VANISHED)
        except OSError as error:
            try:
                is_file = stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
            except OSError:
                is_file = True
            self._problem(name, reason(error) if is_file else _OTHER_KIND)
        return -1

    def _open(self, name: str, flags: int, parent: int) -> int:
        if self._flags:
            try:
                return os.open(name, flags | self._flags, dir_fd=parent)
            except PermissionError:
                descriptor = os.open(name, flags, dir_fd=parent)
                # It is somebody else's, then; where one is, others are: do not try each one twice.
                self._flags = 0
                return descriptor
        return os.open(name, flags, dir_fd=parent)

    def _write_file(self, descriptor: int, name: str, path: bytes, headers: Headers) -> None:
        """`path`: the name as a member has it. What is small is read before its header is written, so that nothing
        need be made up if it cannot be read."""
        data = first = b""
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode):
                self._problem(name, _OTHER_KIND)
                return
            if status.st_ino in self._own_inodes and name and self._is_own(status):
                self._exclusion.as_own(self._known_as(name))
                return
            if self._is_limited and name and self._is_beyond(name, status):
                return
            if status.st_nlink > 1:
                first = self._first_name(status)
            if size <= _SMALL and not first:
                data = os.read(descriptor, size + 1)
                while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
                    data += more
                after = os.fstat(descriptor)
        except OSError as error:
            self._problem(name, reason(error))
            return
        self._files += 1
        stretches = None
        if size > _SMALL and status.st_blocks * 512 < size and not first:  # in units of 512 bytes, whatever a block is
            stretches = stretches_of(descriptor, size)
        if first:
            self._output.add(member(self._path, path, HARD_LINK, status, self._owners, link=first))
            return
        if status.st_nlink > 1:
            self._links[status.st_dev, status.st_ino] = (self._path + path, status.st_nlink - 1)
        if stretches is not None:
            comment = LINKED_COMMENT if status.st_nlink > 1 or not self._path else b""
            self._write_sparse(descriptor, name, path, status, stretches, comment)
            return
        if status.st_nlink > 1 or not self._path:
            header = member(self._path, path, FILE, status, self._owners, size=size, comment=LINKED_COMMENT)
        else:
            header = headers.file(path, status)
        if size > _SMALL:
            self._output.add(header)
            self._stream(descriptor, name, status, array("q", (0, size)))
            self._output.end_file(size)
            return
        if len(data) != size or after.st_mtime_ns != status.st_mtime_ns or after.st_size != size:
            self._problem(name, _CHANGED)
            data = data[:size].ljust(size, b"\0")
        self._output.add_file(header, data)

    def _write_sparse(
        self,
        descriptor: int,
        name: str,
        path: bytes,
        status: os.stat_result,
        stretches: array[int],
        comment: bytes,
    ) -> None:
        head = map_of(stretches)
        stored = len(head) + sum(stretches[1::2])
        self._output.add(
            member(
                self._path,
                path,
                FILE,
                status,
                self._owners,
                size=stored,
                comment=comment,
                real_size=status.st_size,
            )
        )
        self._output.add(head)
        self._stream(descriptor, name, status, stretches)
        self._output.end_file(stored)

    def _stream(self, descriptor: int, name: str, status: os.stat_result, stretches: array[int]) -> None:
        """The content of a large file in these stretches, given by offset and length in turn. Its header is out, so
        that all of it must come."""
        if self._buffer is None:
            self._buffer = memoryview(bytearray(_BUFFER))
        buffer = self._buffer
        trouble = ""
        for offset, left in zip(stretches[::2], stretches[1::2], strict=True):
            try:
                if left and offset and not trouble:
                    os.lseek(descriptor, offset, os.SEEK_SET)
                while left and not trouble:
                    count = os.readv(descriptor, (buffer[:left] if left < _BUFFER else buffer,))
                    if not count:
                        trouble = "shrank while it was read; the rest of it is zeros"
                        break
                    self._output.stream(buffer[:count])
                    left -= count
            except OSError as error:
                trouble = f"{reason(error)}; the rest of it is zeros"
            self._output.fill(left)
        if not trouble:
            try:
                after = os.fstat(descriptor)
                if after.st_mtime_ns != status.st_mtime_ns or after.st_size != status.st_size:
                    trouble = _CHANGED
            except OSError as error:
                trouble = reason(error)
        if trouble:
            self._problem(name, trouble)

    def _first_name(self, status: os.stat_result) -> bytes:
        """The member that holds this very file already; empty if there is none."""
        identity = (status.st_dev, status.st_ino)
        first, more = self._links.get(identity, (b"", 0))
        if more > 1:
            self._links[identity] = (first, more - 1)
        elif first:
            del self._links[identity]
        return first

    # -- all else ------------------------------------------------------------------------------------------------------

    def _write_other(self, parent: int, name: str) -> None:
        link = b""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFLNK:
                link = os.fsencode(os.readlink(name, dir_fd=parent))
        except FileNotFoundError:
            self._problem(name, _VANISHED)
            return
        except OSError as error:
            self._problem(name, reason(error))
            return
        if kind in _MEMBER_KINDS:
            path = name.encode(_ENCODING, _ENCODING_ERRORS)
            self._output.add(member(self._path, path, _MEMBER_KINDS[kind], status, self._owners, link=link))
            self._others += 1
        elif kind == stat.S_IFSOCK:
            self._notices.add(self._shown(name), "is a socket, which no backup can hold; it is left out")
        else:
            self._problem(name, _OTHER_KIND)

    def _problem(self, name: str, why: str) -> None:
        self._problems.add(self._shown(name), why)

    def _is_beyond(self, name: str, status: os.stat_result) -> bool:
        """Whether a file is too large, or on another file system; it is counted then."""
        limit = self._exclusion.larger_than
        if limit is not None and status.st_size > limit:
            self._exclusion.as_large(self._known_as(name))
        elif self._device is not None and status.st_dev != self._device:
            self._exclusion.as_mounted(self._known_as(name))
        else:
            return False
        return True

    def _is_own(self, status: os.stat_result) -> bool:
        return (status.st_dev, status.st_ino) in self._exclusion.own_identities

    def _shown(self, name: str) -> str:
        return printable(self._known_as(name))

    def _known_as(self, name: str) -> str:
        """The path that a user knows, of something in the directory that the walk is in."""
        within = os.fsdecode(self._path.partition(b"/")[2]) + name
        return os.path.join(self._source, within.removesuffix("/")) if within else str(self._source)


class _Survey(_Walk):
    """Goes the same way, and opens directories only."""

    def _write_files(self, parent: int, names: list[str]) -> None:
        for name in names:
            try:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                self._problem(name, _VANISHED if isinstance(error, FileNotFoundError) else reason(error))
                continue
            if status.st_ino in self._own_inodes and self._is_own(status):
                self._exclusion.as_own(self._known_as(name))
                continue
            if self._is_limited and self._is_beyond(name, status):
                continue
            self._files += 1
            if status.st_nlink > 1:
                if self._first_name(status):
                    continue
                self._links[status.st_dev, status.st_ino] = (self._path + os.fsencode(name), status.st_nlink - 1)
            self._output.content += status.st_size
