"""`MemberWriter`: writes the entries of a walk as members of an archive."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable

from attrs import evolve

from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.tar_format.dumpdir import DUMPDIR, Contents
from bakthat.adapters.packing.tar_format.tar_header import (
    BLOCK_DEVICE,
    CHARACTER_DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    HARD_LINK,
    LINKED_COMMENT,
    SYMBOLIC_LINK,
    Headers,
    member,
    record,
)
from bakthat.adapters.packing.writing.exclusion_filter import ExclusionFilter
from bakthat.adapters.packing.writing.hard_link_names import FirstNames
from bakthat.adapters.packing.writing.place import CHANGED, O_FILE, OTHER_KIND, VANISHED, Place, encoded
from bakthat.adapters.packing.writing.source import reason
from bakthat.adapters.packing.writing.source_walk import Listing
from bakthat.adapters.packing.writing.sparse import map_of, stretches_of
from bakthat.adapters.packing.writing.tar_output import TarOutput
from bakthat.adapters.packing.writing.xattr_source import Extended, XattrSource
from bakthat.domain.archive_index import EntryKind, IndexEntry

_SMALL = 64 * 1024
"""Bytes: a file up to this size is read in one call, a larger one through a reused buffer."""
_BUFFER = 256 * 1024

OnEntry = Callable[[IndexEntry], object]

_KINDS: dict[int, tuple[bytes, EntryKind]] = {
    stat.S_IFLNK: (SYMBOLIC_LINK, "symlink"),
    stat.S_IFIFO: (FIFO, "fifo"),
    stat.S_IFCHR: (CHARACTER_DEVICE, "char"),
    stat.S_IFBLK: (BLOCK_DEVICE, "block"),
}


class MemberWriter:
    """The visitor of a walk that packs. A small file costs one open, one read, two fstat and one close.

    A file that shrinks while it is read is padded with zeros to the length that its header says, one that grows is cut
    there; both are problems, as is whatever cannot be read. A directory that cannot be read keeps its entry.
    """

    def __init__(
        self,
        output: TarOutput,
        place: Place,
        exclusion: ExclusionFilter,
        *,
        xattrs: bool,
        on_entry: OnEntry | None = None,
    ) -> None:
        self._output = output
        self._place = place
        self._exclusion = exclusion
        self._own_inodes = exclusion.own_inodes
        self._accounts = Accounts()
        self._xattrs = XattrSource(self._accounts, keep=xattrs, problem=place.problem)
        self.first_names = FirstNames()
        self._on_entry = on_entry
        self._buffer: memoryview | None = None
        self.file_count = self.directory_count = self.other_count = 0

    def only_file(self, descriptor: int, name: bytes) -> None:
        """Write a source that is a file itself."""
        self._write_file(descriptor, "", name, Headers(b"", self._accounts))

    def directory(self, descriptor: int, name: bytes, status: os.stat_result, listing: Listing) -> None:
        self.write_directory(name, status, self.extended_of(descriptor, name, status))

    def closed_directory(
        self, parent: int, name: str, status: os.stat_result, contents: Contents | None = None
    ) -> None:
        self.write_directory(encoded(name), status, self._xattrs.of_entry(parent, name, status), contents)

    def left(self) -> None: ...

    def extended_of(self, descriptor: int, name: bytes, status: os.stat_result) -> Extended | None:
        """What the member of an open directory needs beside its status."""
        return self._xattrs.of_open(descriptor, os.fsdecode(name), status)

    def write_directory(
        self, name: bytes, status: os.stat_result, extended: Extended | None, contents: Contents | None = None
    ) -> None:
        """Write the member of a directory in the current one. `contents`: for an incremental archive."""
        # The first member tells our reader that every file with further names has this mark.
        mark = b"" if self._place.path else LINKED_COMMENT
        if self._on_entry is not None:
            self._note(name, "directory", status, extended, contents=contents)
        if contents is not None:
            known = Extended(status.st_mode, b"") if extended is None else extended
            extended = evolve(known, records=known.records + record(DUMPDIR, contents.dumpdir))
        self._output.add(self._member(name + b"/", DIRECTORY, status, extended, comment=mark))
        self.directory_count += 1

    def files(self, parent: int, names: list[str]) -> None:
        headers = self.headers()
        for name in names:
            self.file(parent, name, headers)

    def headers(self) -> Headers:
        """The headers of the files in the current directory."""
        return Headers(self._place.path, self._accounts)

    def file(self, parent: int, name: str, headers: Headers) -> None:
        """Write a file of the current directory."""
        try:
            descriptor = os.open(name, O_FILE | self._place.flags, dir_fd=parent)
        except OSError as error:
            descriptor = self._open_again(name, parent, error)
            if descriptor < 0:
                return
        try:
            self._write_file(descriptor, name, encoded(name), headers)
        finally:
            os.close(descriptor)

    def other(self, parent: int, name: str) -> None:
        found = self._place.look_at_other(name, parent)
        if found is None:
            return
        status, link = found
        kind, entry_kind = _KINDS[stat.S_IFMT(status.st_mode)]
        extended = self._xattrs.of_entry(parent, name, status)
        if self._on_entry is not None:
            self._note(encoded(name), entry_kind, status, extended, link=link)
        self._output.add(self._member(encoded(name), kind, status, extended, link=link))
        self.other_count += 1

    def _open_again(self, name: str, parent: int, refusal: OSError) -> int:
        """A descriptor, or -1 after reporting why there is none."""
        try:
            if not isinstance(refusal, PermissionError):
                raise refusal
            return self._place.open(name, O_FILE, parent)
        except FileNotFoundError:
            self._place.problem(name, VANISHED)
        except OSError as error:
            try:
                is_file = stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
            except OSError:
                is_file = True
            self._place.problem(name, reason(error) if is_file else OTHER_KIND)
        return -1

    def _write_file(self, descriptor: int, name: str, path: bytes, headers: Headers) -> None:
        """`path`: the name of the member. A small file is read before its header is written, so that no content must be
        invented if it cannot be read."""
        place, exclusion = self._place, self._exclusion
        data = first = b""
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode):
                place.problem(name, OTHER_KIND)
                return
            if status.st_ino in self._own_inodes and name and exclusion.is_own(status):
                exclusion.as_own(place.known_as(name))
                return
            if exclusion.is_limited and name and exclusion.leaves_out(status, place.known_as(name)):
                return
            if status.st_nlink > 1:
                first = self.first_names.find(status)
            if size <= _SMALL and not first:
                data = os.read(descriptor, size + 1)
                while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
                    data += more
                after = os.fstat(descriptor)
        except OSError as error:
            place.problem(name, reason(error))
            return
        self.file_count += 1
        if first:
            if self._on_entry is not None:
                self._note(path, "hardlink", status, None, link=first)
            self._output.add(self._member(path, HARD_LINK, status, None, link=first))
            return
        extended = self._xattrs.of_open(descriptor, name, status)
        if status.st_nlink > 1:
            self.first_names.add(status, place.path + path)
        comment = LINKED_COMMENT if status.st_nlink > 1 or not place.path else b""
        if self._on_entry is not None:
            self._note(path, "file", status, extended, size=size)
        if size > _SMALL:
            self._write_large(descriptor, name, path, status, comment, headers, extended)
            return
        if len(data) != size or after.st_mtime_ns != status.st_mtime_ns or after.st_size != size:
            place.problem(name, CHANGED)
            data = data[:size].ljust(size, b"\0")
        self._output.add_file(self._header(path, status, comment, headers, extended), data)

    def _note(
        self,
        name: bytes,
        kind: EntryKind,
        status: os.stat_result,
        extended: Extended | None,
        *,
        size: int = 0,
        link: bytes = b"",
        contents: Contents | None = None,
    ) -> None:
        """Report the member whose header comes next."""
        assert self._on_entry is not None  # noqa: S101 - checked by the caller
        mode = status.st_mode if extended is None else extended.mode
        self._on_entry(
            IndexEntry(
                (self._place.path + name).decode("utf-8", "surrogateescape"),
                kind,
                size,
                status.st_mtime_ns,
                status.st_ctime_ns,
                status.st_ino,
                mode & 0o7777,
                status.st_uid,
                status.st_gid,
                link.decode("utf-8", "surrogateescape") if link else "",
                self._output.position,
                None if contents is None else contents.unchanged.decode("utf-8", "surrogateescape"),
            )
        )

    def _header(
        self, path: bytes, status: os.stat_result, comment: bytes, headers: Headers, extended: Extended | None
    ) -> bytes:
        if not comment:
            if extended is None:
                return headers.file(path, status)
            return headers.file(path, status, extended.mode, extended.records)
        return self._member(path, FILE, status, extended, size=status.st_size, comment=comment)

    def _member(
        self,
        path: bytes,
        kind: bytes,
        status: os.stat_result,
        extended: Extended | None,
        *,
        size: int = 0,
        link: bytes = b"",
        comment: bytes = b"",
        real_size: int | None = None,
    ) -> bytes:
        return member(
            self._place.path,
            path,
            kind,
            status,
            self._accounts,
            size=size,
            link=link,
            comment=comment,
            real_size=real_size,
            mode=None if extended is None else extended.mode,
            extended=b"" if extended is None else extended.records,
        )

    def _write_large(
        self,
        descriptor: int,
        name: str,
        path: bytes,
        status: os.stat_result,
        comment: bytes,
        headers: Headers,
        extended: Extended | None,
    ) -> None:
        size = status.st_size
        stretches = None
        if status.st_blocks * 512 < size:  # in units of 512 bytes, independent of the block size
            stretches = stretches_of(descriptor, size)
        if stretches is None:
            self._output.add(self._header(path, status, comment, headers, extended))
            self._stream(descriptor, name, status, array("q", (0, size)))
            self._output.end_file(size)
            return
        head = map_of(stretches)
        stored = len(head) + sum(stretches[1::2])
        self._output.add(self._member(path, FILE, status, extended, size=stored, comment=comment, real_size=size))
        self._output.add(head)
        self._stream(descriptor, name, status, stretches)
        self._output.end_file(stored)

    def _stream(self, descriptor: int, name: str, status: os.stat_result, stretches: array[int]) -> None:
        """Write the content of a large file in these extents, given by offset and length, alternating. Its header is
        already written, so the full length must follow."""
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
                    trouble = CHANGED
            except OSError as error:
                trouble = reason(error)
        if trouble:
            self._place.problem(name, trouble)
