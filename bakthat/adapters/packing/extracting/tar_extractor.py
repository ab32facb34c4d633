"""`extract_tar`: the files of a tar archive, all of them or none, and nothing outside of the target directory.

An archive is hostile until proved otherwise: it may hold a symbolic link and then a file "below" it, names with `..`,
sizes of exabytes. So every directory is reached part by part through descriptors (`O_NOFOLLOW`), symbolic links are
made when everything else is there, and all of it happens in a private directory:

    open a staging directory beside the target
    for each member of the archive:
        its path, without dots; one that leaves the target ends it all
        is it selected?     no: make it in the unselected tree, in case a hard link needs it
        an earlier member of the same path makes room
        file                make it, write it, set its attributes (`attributes`)
        directory           make it; its attributes wait
        symbolic link       waits
        hard link           link to the earlier member, in either tree
        device              a notice
    at the end of the stream, which every check below it has then passed:
        make the symbolic links
        set the attributes of directories, the innermost first
        commit: everything that was selected gets its final name
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from attrs import evolve

from bakthat.adapters.filesystem.dir_fd import SEARCH, opened
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.extracting.attributes import Attributes, AttributeSetter
from bakthat.adapters.packing.extracting.base_checks import must_be_full
from bakthat.adapters.packing.extracting.extraction_tree import ExtractionTree, PendingSymlink, UnselectedTree
from bakthat.adapters.packing.extracting.file_content import CREATE, MIN_HOLE, write_content, write_extents
from bakthat.adapters.packing.extracting.hard_link import Links
from bakthat.adapters.packing.extracting.long_names import LongNames
from bakthat.adapters.packing.extracting.notices import Notices
from bakthat.adapters.packing.extracting.selection import Selection
from bakthat.adapters.packing.tar_format.safe_path import safe_path
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.adapters.streams import write_all
from bakthat.domain.parameter import parameter
from bakthat.domain.payload import Problem, UnpackReport
from bakthat.errors import PayloadDamaged, TargetError, UsageError
from bakthat.ports.streams import chunk_reader

_MAX_SYMLINK = 4095
"""Bytes: PATH_MAX of limits.h, less the NUL at the end."""

_DOTS = frozenset({b"", b".", b".."})
_FILE, _DIRECTORY = Kind.FILE, Kind.DIRECTORY
_LINKS = Links()
_NO_SYMLINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors of symlink(2) on exFAT and FAT, on CIFS, on FUSE."""


def extract_tar(
    packed: BinaryIO,
    into: Path,
    *,
    overwrite: bool = False,
    root: str | None = None,
    root_is_guess: bool = False,
    only: Sequence[str] = (),
    xattrs: bool = True,
    links: Links = _LINKS,
) -> UnpackReport:
    """Restore the archive into the directory `into`, as `Packer.unpack` promises.

    With `only`, what the patterns select is restored, with the directories that lead to it. Where such a directory is
    there already, it stays as it is, and what was asked for is put into it; so nothing else in there is lost.

    Devices are never made: they come as notices, as do owners and permissions that the system refuses. A member of the
    same name as an earlier one replaces it. Memory grows by 300 to 400 bytes for each directory and symbolic link,
    however long their names, and not with files.

    Args:
        overwrite: replace what is there under the name `root`, and nothing else (None: whatever the archive holds).
        root_is_guess: replace it only if the archive holds nothing beside it.
        xattrs: whether to restore extended attributes, access control lists, file capabilities and SELinux labels. If
            not, or where the system does not permit it, permissions are narrowed, so that nobody gets more rights.
        links: the calls for links; where the file system has no hard links, copies take their place, with a notice.
    """
    stream = CallersStream(packed)
    staging = StagingDirectory(into, overwrite=overwrite, root=root)
    selection = Selection(staging, only, root_is_guess=root_is_guess)
    with staging:
        extraction = Extraction(staging, selection, xattrs, links)
        try:
            with contextlib.closing(extraction):
                extraction.run(TarReader(cast(BinaryIO, stream), check_base=must_be_full))
        except OSError as error:
            if error is stream.error:
                raise
            raise target_error(error, os.path.join(into, os.fsdecode(extraction.current))) from error
        selection.require_something()
        staging.commit(list(selection.units))
    return extraction.report(staging.notices)


class CallersStream:
    """The stream of the caller. Its errors are passed on unchanged."""

    def __init__(self, packed: BinaryIO) -> None:
        self._read = chunk_reader(packed)
        self.error: OSError | None = None

    def read(self, size: int) -> bytes:
        try:
            return self._read(size)
        except OSError as error:
            self.error = error
            raise


class Extraction:
    """An archive on its way into a staging directory: what `run` does, step by step for several archives."""

    def __init__(self, staging: StagingDirectory, selection: Selection, xattrs: bool, links: Links = _LINKS) -> None:
        self._selection = selection
        self._links = links
        self._names = LongNames(staging.scratch_file)
        self._new = ExtractionTree(staging.fd, self._names, staging.default_mode, staging.umask_bars_owner)
        self._unselected = UnselectedTree(staging, self._names)
        self._notices = Notices()
        status = os.fstat(staging.fd)
        self._attributes = AttributeSetter(
            (status.st_uid, status.st_gid), self._notices, xattrs=xattrs, inherits_acl=staging.inherits_acl
        )
        self._skipped: set[bytes] = set()
        self._files = self._directories = self._others = self._size = 0
        self.current = b""
        """The path of the current member, for messages."""

    def run(self, reader: TarReader) -> None:
        self.make_members(reader)
        self.make_symlinks(self._new)
        self.finish_directories()

    def close(self) -> None:
        self._new.close()
        self._unselected.close()
        self._names.close()

    def report(self, more: Sequence[Problem]) -> UnpackReport:
        roots = dict.fromkeys(os.fsdecode(unit.partition(b"/")[0]) for unit in self._selection.units)
        return UnpackReport(
            roots=tuple(roots),
            files=self._files,
            directories=self._directories,
            others=self._others,
            size=self._size,
            notices=(*self._notices.problems(), *more),
        )

    def make_members(self, reader: TarReader) -> None:
        """Make all members but symbolic links, which wait."""
        here: bytes | None = None
        directory = -1
        for member in reader:
            self.current = path = member.name
            if here is not None and member.kind is _FILE:
                # Most files lie beside the one before, and what was found out for that holds for them
                parent, _, name = path.rpartition(b"/")
                if parent == here and name not in _DOTS:
                    self._file(self._new, directory, name, path, member, reader)
                    continue
            here = None
            path = safe_path(path)
            if not path:  # "./": the target itself
                if member.kind is not _DIRECTORY:
                    raise PayloadDamaged("the tar archive tries to replace the target itself")
                continue
            tree = self._tree_for(path, member)
            if tree is None:
                continue
            parent, _, name = path.rpartition(b"/")
            if member.kind is _FILE:
                directory = tree.directory(parent)
                self._file(tree, directory, name, path, member, reader)
                if parent and path == member.name and not self._selection.is_partial:
                    here = parent
            elif member.kind is _DIRECTORY:
                self._directory(tree, tree.directory(parent), name, path, member)
            elif member.kind is Kind.SYMLINK:
                self._symlink(tree, tree.directory(parent), name, path, member)
            elif member.kind is Kind.HARDLINK:
                self._hardlink(tree, parent, name, path, member)
            elif member.kind is Kind.FIFO:
                self._fifo(tree, tree.directory(parent), name, path, member)
            else:
                if parent and not self._selection.is_partial:
                    tree.directory(parent)  # the archive may have nothing else in it
                self._skip(path, member)
        if reader.trailing_junk:
            self._notices.add("extra bytes follow the end of the archive; they were ignored", b"")

    def _tree_for(self, path: bytes, member: Member) -> ExtractionTree | None:
        """The place for the member; None if it is not created."""
        is_directory = member.kind is _DIRECTORY
        if self._selection.selects(path, is_directory):
            return self._new
        if is_directory:
            # Perhaps on the way to something that is selected
            self._new.directories[self._names.keep(path)] = self._kept_attributes(member)
            return None
        return self._unselected.tree_for(member)

    def _file(
        self, tree: ExtractionTree, directory: int, name: bytes, path: bytes, member: Member, reader: TarReader
    ) -> None:
        try:
            fd = os.open(name, CREATE, 0o600, dir_fd=directory)
        except FileExistsError:
            # Not truncated: an existing file may have another name, whose content must stay
            tree.vacate(directory, name, path)
            fd = os.open(name, CREATE, 0o600, dir_fd=directory)
        try:
            size = member.size
            if member.content is not None and size < MIN_HOLE:
                if size:
                    write_all(fd, member.content)
            elif member.extents is None:
                write_content(fd, size, reader.read)
            else:
                size = write_extents(fd, size, member.extents, reader.read)
            self._attributes.set(fd, self._attributes.of(member), path)
        finally:
            os.close(fd)
        if tree.symlinks:
            tree.symlinks.pop(self._names.key(path), None)
        if tree is self._new:
            self._files += 1
            self._size += size

    def _directory(self, tree: ExtractionTree, parent: int, name: bytes, path: bytes, member: Member) -> None:
        if tree.is_symlink(path):
            tree.vacate(parent, name, path)
        try:
            tree.make(name, parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                tree.vacate(parent, name, path)
                tree.make(name, parent)
        tree.directories[self._names.keep(path)] = self._kept_attributes(member)
        self._directories += 1

    def _symlink(self, tree: ExtractionTree, parent: int, name: bytes, path: bytes, member: Member) -> None:
        if not member.link:
            raise PayloadDamaged(f"the tar archive has a symbolic link without a target: {printable(path)}")
        if len(member.link) > _MAX_SYMLINK:
            raise PayloadDamaged(
                f"the tar archive has a symbolic link of {len(member.link)} bytes, which no system accepts: "
                f"{printable(path[:1000])}"
            )
        tree.vacate(parent, name, path)
        tree.symlinks[self._names.keep(path)] = PendingSymlink(
            self._kept_attributes(member), self._names.keep(member.link)
        )
        if tree is self._new:
            self._others += 1

    def _fifo(self, tree: ExtractionTree, parent: int, name: bytes, path: bytes, member: Member) -> None:
        tree.vacate(parent, name, path)
        os.mkfifo(name, 0o600, dir_fd=parent)
        self._attributes.set_by_name(parent, name, self._attributes.of(member), path, has_mode=True)
        if tree is self._new:
            self._others += 1

    def _hardlink(self, tree: ExtractionTree, parent: bytes, name: bytes, path: bytes, member: Member) -> None:
        target = safe_path(member.link)
        holder = self._holder(target)
        if holder is None:
            if tree is self._new:
                self._without_target(target, path)
            return
        if target != path:
            tree.vacate(tree.directory(parent), name, path)
            if holder.is_symlink(target):
                tree.symlinks[self._names.keep(path)] = holder.symlinks[self._names.key(target)]
            else:
                self._link(holder, target, tree, parent, name)
        if tree is self._new:
            self._files += 1

    def _holder(self, path: bytes) -> ExtractionTree | None:
        """The tree that contains an earlier member with this path. Everything in a tree comes from this archive."""
        for tree in (self._new, self._unselected.tree):
            if tree is not None and tree.has(path):
                return tree
        return None

    def _link(self, holder: ExtractionTree, target: bytes, tree: ExtractionTree, parent: bytes, name: bytes) -> None:
        above, _, target_name = target.rpartition(b"/")
        with opened(".", SEARCH, holder.directory(above, make=False)) as source:
            directory = tree.directory(parent)
            if not self._links.link_or_copy(source, target_name, directory, name, self._attributes):
                self._notices.add(
                    "it was a hard link and is a copy now: this file system has no hard links", self.current
                )

    def _without_target(self, target: bytes, path: bytes) -> None:
        """A hard link without an earlier member: left out if that member was left out, an error otherwise."""
        if self._names.key(target) in self._skipped:
            self._leave_out(path, "it is a hard link to an entry that was left out, so it was also left out")
        elif self._unselected.is_incomplete and self._selection.is_left_out_by_pattern(target):
            raise UsageError(
                f"{printable(path)} is a hard link to {printable(target)}, which is not selected and too large to be "
                f"kept for it; select it too: {parameter('only', [printable(target.partition(b'/')[2])])}"
            )
        else:
            raise PayloadDamaged(
                f"the tar archive has a hard link to something that is not an earlier member: {printable(path)} to "
                f"{printable(target)}"
            )

    def _skip(self, path: bytes, member: Member) -> None:
        if member.device is not None:
            letter = "b" if member.typeflag == b"4" else "c"
            major, minor = member.device
            # A hostile archive could give everybody a way to the raw disk
            self._leave_out(path, f"devices are not restored; if you need it: mknod {letter} {major} {minor}")
        else:
            self._leave_out(path, f"a member of an unknown type ({printable(member.typeflag)}) was left out")

    def _leave_out(self, path: bytes, reason: str) -> None:
        for tree in (self._new, self._unselected.tree):
            if tree is not None:
                tree.discard(path)  # which is not what the archive has in the end
        self._skipped.add(self._names.key(path))
        self._selection.drop(path, reason)
        self._notices.add(reason, path)

    def make_symlinks(self, tree: ExtractionTree) -> None:
        """Make the symbolic links that wait."""
        for key, symlink in tree.symlinks.items():
            self.current = path = self._names.name(key)
            above, _, name = path.rpartition(b"/")
            parent = tree.directory(above)
            try:
                if symlink.made_at is None:
                    self._links.symlink(self._names.name(symlink.target), name, dir_fd=parent)
                    symlink.made_at = key
                    attributes = self._given_back(symlink.attributes)
                    self._attributes.set_by_name(parent, name, attributes, path, has_mode=False)
                else:
                    self._link(tree, self._names.name(symlink.made_at), tree, above, name)
            except FileExistsError:
                raise PayloadDamaged(
                    f"the tar archive has {printable(path)} twice, with names that this file system treats as one"
                ) from None
            except OSError as error:
                if error.errno not in _NO_SYMLINKS:
                    raise
                raise TargetError(
                    f"{printable(path)} is a symbolic link, which this file system does not support; nothing was "
                    "restored; restore elsewhere with `target=`"
                ) from error

    def finish_directories(self) -> None:
        """The innermost first, because the attributes of an outer one may block access to it."""
        tree = self._new
        # Keys of long paths, whose order says nothing, begin with NUL; what lies above a short path is short
        long = sorted((key for key in tree.directories if key[:1] == b"\0"), key=self._names.length, reverse=True)
        for key in (*long, *sorted((key for key in tree.directories if key[:1] != b"\0"), reverse=True)):
            self.current = path = self._names.name(key)
            try:
                fd = tree.directory(path, make=False)
            except FileNotFoundError:
                continue  # it was only known in case that something in it would be selected
            self._attributes.set(fd, self._given_back(tree.directories[key]), path)

    def _kept_attributes(self, member: Member) -> Attributes:
        """Attributes for later, in little memory."""
        attributes = self._attributes.of(member)
        attributes.extended = self._names.keep(attributes.extended)
        return attributes

    def _given_back(self, attributes: Attributes) -> Attributes:
        """What was kept for later."""
        return evolve(attributes, extended=self._names.name(attributes.extended)) if attributes.extended else attributes
