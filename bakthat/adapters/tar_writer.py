"""Writes a tree of files as one tar stream.

Python's `tarfile` is right and slow: it spends some 50 µs on a small file, most of it on the header. This writer keeps
to what a backup needs, and reads a directory's files relative to its descriptor, each by one open, one read, two fstat
and one close.

Order: a directory, then what it holds that is no directory, then its subdirectories, each group by name. The same tree
gives the same bytes.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from attrs import define

from bakthat.adapters import excludes as exclude_rules
from bakthat.adapters.tar_header import (
    BLOCK,
    BLOCK_DEVICE,
    CHARACTER_DEVICE,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    SYMBOLIC_LINK,
    Headers,
    Owners,
    member,
)
from bakthat.domain.payload import PackReport, Problem
from bakthat.errors import SourceError

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

_ZEROS = bytes(_BUFFER)

# Not blocking: what was listed as a file may be a fifo by now. Not touching the access time is the owner's right only.
_O_NOATIME = getattr(os, "O_NOATIME", 0)
_O_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_O_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_DIRECTORY

_ENCODING = sys.getfilesystemencoding()
_ENCODING_ERRORS = sys.getfilesystemencodeerrors()

_SPECIAL = {stat.S_IFIFO: FIFO, stat.S_IFCHR: CHARACTER_DEVICE, stat.S_IFBLK: BLOCK_DEVICE}

_CHANGED = "changed while it was read"
_VANISHED = "vanished before it was read"
_OTHER_KIND = "was replaced by something of another kind while the backup ran"


def root_name(source: Path) -> str:
    """The name that the members of a source's package are under: the source's own base name, `root` for `/`.

    A name that is not UTF-8 has surrogates, as `os.fsdecode` makes them. A symbolic link gives its own name; `.` and
    `..` that of the directory that they stand for.
    """
    name = source.name
    if name in ("", "..", "."):
        name = os.path.basename(os.path.realpath(source))
    return name or "root"


def write_tar(
    source: Path,
    into: BinaryIO,
    *,
    excludes: Sequence[str] = (),
    on_bytes: Callable[[int], None] | None = None,
) -> PackReport:
    """Write the file or directory `source` into the stream, as `Packer.pack` promises.

    A source that is a symbolic link is followed; no link below it is. File systems mounted below it are entered. A file
    that shrinks while it is read is padded with zeros to the length that its header says, one that grows is cut there;
    both are problems of the report, as is whatever cannot be read. A directory that cannot be read keeps its entry.
    """
    try:
        status = os.stat(source)
    except OSError as error:
        raise SourceError(f"{source}: {reason(error)}") from error
    except ValueError as error:  # a NUL in it
        raise SourceError(f"{source!s}: this is no path: {error}") from error
    writer = _TarWriter(source, into, on_bytes)
    if stat.S_ISDIR(status.st_mode):
        writer.write_tree(exclude_rules.matcher(source, excludes))
    elif stat.S_ISREG(status.st_mode):
        writer.write_only_file()
    else:
        raise SourceError(f"{source}: only files and directories can be backed up; this is neither")
    return writer.finish()


def reason(error: OSError) -> str:
    """What the system says, as the end of a line: `no such file or directory`."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


@define
class _Level:
    """A directory on the way from the root to where the walk is. `descriptor` is -1 while it is not kept open."""

    descriptor: int
    device: int
    inode: int
    subdirectories: Iterator[str]
    name_length: int


class _TarWriter:
    def __init__(self, source: Path, into: BinaryIO, on_bytes: Callable[[int], None] | None) -> None:
        self._source = source
        self._write_out = into.write
        self._on_bytes = on_bytes
        self._owners = Owners()
        self._flags = _O_NOATIME
        self._excluded: exclude_rules.Matcher | None = None
        self._path = b""  # of the directory that the walk is in, with a slash at its end
        self._parts: list[bytes] = []
        self._gathered = 0
        self._written = 0
        self._read = 0
        self._reported = 0
        self._buffer: memoryview | None = None
        self._links: dict[tuple[int, int], tuple[bytes, int]] = {}  # of files with more names to come
        self._files = self._directories = self._others = 0
        self._problems: list[Problem] = []
        self._notices: list[Problem] = []

    # -- the walk ------------------------------------------------------------------------------------------------------

    def write_only_file(self) -> None:
        try:
            descriptor = self._open(os.fspath(self._source), _O_FILE & ~os.O_NOFOLLOW, None)
        except OSError as error:
            raise SourceError(f"{self._source}: {reason(error)}") from error
        name = root_name(self._source)
        try:
            self._content(descriptor, os.fsencode(name), name, Headers(b"", self._owners))
        finally:
            os.close(descriptor)

    def write_tree(self, excluded: exclude_rules.Matcher | None) -> None:
        self._excluded = excluded
        root = root_name(self._source)
        try:
            descriptor = self._open(os.fspath(self._source), _O_DIRECTORY & ~os.O_NOFOLLOW, None)
        except OSError as error:
            raise SourceError(f"{self._source}: {reason(error)}") from error
        levels = [self._enter(descriptor, os.fsencode(root))]
        try:
            while levels:
                name = next(levels[-1].subdirectories, None)
                if name is None:
                    self._leave(levels)
                elif (below := self._open_directory(levels[-1].descriptor, name)) >= 0:
                    levels.append(self._enter(below, name.encode(_ENCODING, _ENCODING_ERRORS)))
                    if len(levels) > _OPEN_DIRECTORIES:
                        self._close(levels[-1 - _OPEN_DIRECTORIES])
        finally:
            for level in levels:
                self._close(level)

    def _enter(self, descriptor: int, name: bytes) -> _Level:
        """Write a directory and what it holds, but its subdirectories. Takes charge of the descriptor."""
        try:
            status = os.fstat(descriptor)
            self._add(member(self._path, name + b"/", DIRECTORY, status, self._owners))
            self._directories += 1
            self._path += name + b"/"
            files, subdirectories, others = self._list(descriptor)
            headers = Headers(self._path, self._owners)
            self._write_files(descriptor, files, headers)
            for other in others:
                self._write_other(descriptor, other)
        except BaseException:
            os.close(descriptor)
            raise
        return _Level(descriptor, status.st_dev, status.st_ino, iter(subdirectories), len(name) + 1)

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
            self._close(level)

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

    @staticmethod
    def _close(level: _Level) -> None:
        if level.descriptor >= 0:
            os.close(level.descriptor)
            level.descriptor = -1

    def _list(self, descriptor: int) -> tuple[list[str], list[str], list[str]]:
        """The names of files, of subdirectories and of all else, sorted, without what is excluded."""
        files: list[str] = []
        subdirectories: list[str] = []
        others: list[str] = []
        excluded = self._excluded
        within = os.fsdecode(self._path.partition(b"/")[2]) if excluded is not None else ""
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        kind = files
                    elif entry.is_dir(follow_symlinks=False):
                        kind = subdirectories
                    else:
                        kind = others
                    if excluded is None or not excluded(within + entry.name, kind is subdirectories):
                        kind.append(entry.name)
        except OSError as error:
            self._problem("", f"cannot be listed: {reason(error)}")
        files.sort()
        subdirectories.sort()
        others.sort()
        return files, subdirectories, others

    def _open_directory(self, parent: int, name: str) -> int:
        """A descriptor, or -1 after saying why there is none."""
        try:
            return self._open(name, _O_DIRECTORY, parent)
        except OSError as error:
            try:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except OSError:
                self._problem(name, _VANISHED)
                return -1
            if stat.S_ISDIR(status.st_mode):
                path = name.encode(_ENCODING, _ENCODING_ERRORS) + b"/"
                self._add(member(self._path, path, DIRECTORY, status, self._owners))
                self._directories += 1
                self._problem(name, f"cannot be read, and all in it is missing: {reason(error)}")
            else:
                self._problem(name, _OTHER_KIND)
            return -1

    def _write_files(self, parent: int, names: list[str], headers: Headers) -> None:
        open_file, content, close = os.open, self._content, os.close
        for name in names:
            try:
                descriptor = open_file(name, _O_FILE | self._flags, dir_fd=parent)
            except OSError as error:
                descriptor = self._open_again(name, parent, error)
                if descriptor < 0:
                    continue
            try:
                content(descriptor, name.encode(_ENCODING, _ENCODING_ERRORS), name, headers)
            finally:
                close(descriptor)

    def _open_again(self, name: str, parent: int, first: OSError) -> int:
        """A descriptor, or -1 after saying why there is none."""
        try:
            if not isinstance(first, PermissionError):
                raise first
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

    def _open(self, name: str, flags: int, parent: int | None) -> int:
        if self._flags:
            try:
                return os.open(name, flags | self._flags, dir_fd=parent)
            except PermissionError:
                descriptor = os.open(name, flags, dir_fd=parent)
                # It is somebody else's, then; where one file is, others are: do not try each one twice.
                self._flags = 0
                return descriptor
        return os.open(name, flags, dir_fd=parent)

    # -- one member ----------------------------------------------------------------------------------------------------

    def _content(self, descriptor: int, path: bytes, name: str, headers: Headers) -> None:
        """Write one file. What is small is read before its header is written, so that nothing of it need be made up
        if it cannot be read."""
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode):
                self._problem(name, _OTHER_KIND)
                return
            if status.st_nlink > 1 and self._is_written(path, status):
                return
            if size > _SMALL:
                self._add(headers.file(path, status))
                self._files += 1
                self._stream(descriptor, name, status)
                return
            data = os.read(descriptor, size + 1)
            while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
                data += more
            after = os.fstat(descriptor)
        except OSError as error:
            self._problem(name, reason(error))
            return
        if len(data) != size or after.st_mtime_ns != status.st_mtime_ns or after.st_size != size:
            self._problem(name, _CHANGED)
            data = data[:size].ljust(size, b"\0")
        self._files += 1
        self._read += size
        header = headers.file(path, status)
        self._parts += (header, data, _ZEROS[: -size % BLOCK])
        self._gathered += len(header) + size
        if self._gathered >= _BATCH:
            self._flush()

    def _stream(self, descriptor: int, name: str, status: os.stat_result) -> None:
        """Write a large file's content and its padding. Its header is out, so that all of it must come."""
        self._flush()
        if self._buffer is None:
            self._buffer = memoryview(bytearray(_BUFFER))
        buffer = self._buffer
        left = status.st_size
        trouble = ""
        while left:
            try:
                count = os.readv(descriptor, (buffer[:left] if left < _BUFFER else buffer,))
            except OSError as error:
                trouble = f"{reason(error)}; the rest of it is zeros"
                break
            if not count:
                trouble = f"{_CHANGED}: it shrank, and the rest of it is zeros"
                break
            self._out(buffer[:count])
            left -= count
            self._read += count
            self._report()
        while left:
            count = min(left, _BUFFER)
            self._out(_ZEROS[:count])
            left -= count
        if not trouble:
            try:
                after = os.fstat(descriptor)
                if after.st_mtime_ns != status.st_mtime_ns or after.st_size != status.st_size:
                    trouble = _CHANGED
            except OSError as error:
                trouble = reason(error)
        if trouble:
            self._problem(name, trouble)
        self._add(_ZEROS[: -status.st_size % BLOCK])

    def _is_written(self, path: bytes, status: os.stat_result) -> bool:
        """Write a link to the file's earlier member, if there is one; else remember this name for the next."""
        identity = (status.st_dev, status.st_ino)
        earlier = self._links.get(identity)
        if earlier is None:
            self._links[identity] = (self._path + path, status.st_nlink - 1)
            return False
        first, more = earlier
        self._add(member(self._path, path, HARD_LINK, status, self._owners, link=first))
        self._files += 1
        if more > 1:
            self._links[identity] = (first, more - 1)
        else:
            del self._links[identity]
        return True

    def _write_other(self, parent: int, name: str) -> None:
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
        path = name.encode(_ENCODING, _ENCODING_ERRORS)
        if kind == stat.S_IFLNK:
            self._add(member(self._path, path, SYMBOLIC_LINK, status, self._owners, link=link))
        elif kind in _SPECIAL:
            self._add(member(self._path, path, _SPECIAL[kind], status, self._owners))
        elif kind in (stat.S_IFREG, stat.S_IFDIR):
            self._problem(name, _OTHER_KIND)
            return
        else:
            self._notices.append(Problem(self._shown(name), "skipped: a socket cannot be backed up"))
            return
        self._others += 1

    # -- the stream ----------------------------------------------------------------------------------------------------

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self._gathered += len(part)
        if self._gathered >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts, self._gathered = self._parts, [], 0
            self._out(b"".join(parts))
        self._report()

    def _out(self, data: bytes | memoryview) -> None:
        self._written += len(data)
        self._write_out(data)

    def _report(self) -> None:
        if self._on_bytes is not None and self._read > self._reported:
            self._on_bytes(self._read - self._reported)
            self._reported = self._read

    def finish(self) -> PackReport:
        self._flush()
        end = self._written + 2 * BLOCK
        self._out(bytes(2 * BLOCK + -end % _RECORD))
        return PackReport(
            files=self._files,
            directories=self._directories,
            others=self._others,
            size=self._read,
            problems=tuple(self._problems),
            notices=tuple(self._notices),
        )

    def _problem(self, name: str, why: str) -> None:
        self._problems.append(Problem(self._shown(name), why))

    def _shown(self, name: str) -> str:
        """The path that a user knows, of something in the directory that the walk is in."""
        if not self._path:
            return str(self._source)
        within = os.fsdecode(self._path.partition(b"/")[2])
        return os.path.join(self._source, (within + name).removesuffix("/")).removesuffix("/") or "/"
