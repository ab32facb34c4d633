"""`extract_tar`: the files of a tar archive, all of them or none, and nothing outside of the target directory.

An archive is hostile until proved otherwise: it may hold a symbolic link and then a file "below" it, names with `..`,
sizes of exabytes. So every directory is reached part by part through descriptors (`O_NOFOLLOW`), symbolic links are
made when everything else is there, and all of it happens in a private directory, which `Landing` puts in place.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from attrs import define

from bakthat.adapters.filesystem.dir_fd import ENTRY, LIST, NO_DIRECTORY, SEARCH, allow, opened, set_mode
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import Landing, target_error
from bakthat.adapters.packing.file_process import (
    CREATE,
    KEEP,
    MAKE,
    MODE,
    OWNER,
    SET_ID,
    TIME,
    Again,
    Attributes,
    Failed,
    FileMaker,
    make_file,
    number_of,
    set_attributes,
    write,
)
from bakthat.adapters.packing.hard_link import Links
from bakthat.adapters.packing.long_names import LongNames
from bakthat.adapters.packing.tar_reader import Kind, Member, TarReader
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.payload import Problem, UnpackReport
from bakthat.errors import BackupNotFound, BakthatError, PayloadDamaged, TargetError, UsageError
from bakthat.ports.streams import chunk_reader

# Descriptors are few (1,024 by default), and most archives stay in one directory for a while
_OPEN_DIRECTORIES = 64
# Paths of up to 64 KiB: sixteen times what Linux takes in one call, and a bound for what hostile names can cost
_LONGEST_NAME = 64 * 1024
# PATH_MAX of limits.h, less the NUL at the end
_LONGEST_LINK = 4095
# What patterns ask for is remembered by its path, and so many bytes of long ones are no honest archive's
_LONG_UNIT = 1024
_LONG_UNITS = 32 * 1024 * 1024
# How often a caller hears of progress
_REPORT_EVERY = 256 * 1024
_NOTICES_LIMIT = 100
# From here on, zeros come back as a hole
_SMALLEST_HOLE = 64 * 1024
_ZEROS = memoryview(bytes(1024 * 1024))
_DOTS = frozenset({b"", b".", b".."})
_FILE, _DIRECTORY = Kind.FILE, Kind.DIRECTORY
# What is kept for the case that a hard link needs it takes at most this part of the free space
_KEPT_PART = 4
# So many small files are made before a second process is asked to help: fewer are done before it has started
_FEW = 200
# What the second process is told: chown(2) takes numbers up to this, and a time must fit into 64 bits
_LARGEST_ID = 2**32 - 1
_LARGEST_TIME = 2**63
_ATTRIBUTES = {OWNER: "the owner", MODE: "permissions", TIME: "the time"}

_LINKS = Links()
_NO_SYMLINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What symlink(2) says on exFAT and FAT, on CIFS, on FUSE."""

StartMaker = Callable[[Failed, Again], FileMaker]
"""How the second process is started: as `FileMaker`. Raises OSError where that cannot be."""


def extract_tar(
    packed: BinaryIO,
    into: Path,
    *,
    overwrite: bool = False,
    root: str | None = None,
    root_is_guess: bool = False,
    only: Sequence[str] = (),
    on_bytes: Callable[[int], None] | None = None,
    start_maker: StartMaker | None = None,
    few: int = _FEW,
    links: Links = _LINKS,
) -> UnpackReport:
    """Restore the archive into the directory `into`, as `Packer.unpack` promises.

    With `only`, what the patterns fit is restored, with the directories that lead to it. Where such a directory is
    there already, it stays as it is, and what was asked for is put into it; so nothing else in there is lost.

    `overwrite`: replace what is there under the name `root`, and nothing else (None: whatever the archive holds).
    `root_is_guess`: only if the archive holds nothing beside it.

    Devices are never made: they come as notices, as do owners and permissions that the system refuses. A member of the
    same name as an earlier one replaces it. Memory grows by 300 to 400 bytes for each directory and symbolic link,
    however long their names, and not with files.

    `links`: the calls for links; where the file system has no hard links, copies take their place, with a notice.

    `start_maker`: after the first `few` small files, a second process makes part of them.
    """
    outside = _Outside(packed, on_bytes)
    wanted = IgnoreRules([PatternList("--only", only)]) if only else None
    if wanted is not None and not wanted:
        raise UsageError("--only: these patterns ask for nothing; leave the option out to restore everything")
    landing = Landing(into, overwrite=overwrite, root=root)
    with landing:
        # A pattern that takes something back (`!`) makes that directories are not restored whole, nor replaced whole
        whole = not any(pattern.startswith("!") for pattern in only)
        extraction = _Extraction(landing, wanted, whole, root_is_guess, outside.on_bytes, start_maker, few, links)
        try:
            with contextlib.closing(extraction):
                extraction.run(TarReader(cast(BinaryIO, outside)))
        except OSError as error:
            if error is outside.error:
                raise
            raise target_error(error, os.path.join(into, os.fsdecode(extraction.current))) from error
        if not extraction.units:
            if wanted is not None and extraction.seen:
                asked = printable(" ".join(only))
                raise BackupNotFound(f"nothing in this backup fits {asked}; patterns start below its root")
            raise PayloadDamaged("the tar archive holds nothing that could be restored")
        landing.commit(list(extraction.units))
    return extraction.report(landing.notices)


class _Outside:
    """What the caller gave: an error of it is the caller's, and comes out as it is."""

    def __init__(self, packed: BinaryIO, on_bytes: Callable[[int], None] | None) -> None:
        self._read = chunk_reader(packed)
        self._on_bytes = on_bytes
        self.error: OSError | None = None

    def read(self, size: int) -> bytes:
        try:
            return self._read(size)
        except OSError as error:
            self.error = error
            raise

    def on_bytes(self, count: int) -> None:
        if self._on_bytes is None:
            return
        try:
            self._on_bytes(count)
        except OSError as error:
            self.error = error
            raise


@define(eq=False)
class _Attributes:
    """What a directory or a symbolic link gets when all else is done."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    link: bytes = b""
    """Where a symbolic link points, as `LongNames` keeps it."""
    made_at: bytes | None = None
    """For a symbolic link of several names: the path where it was made first, as `LongNames` keeps it."""


class _Tree:
    """A directory tree, made as it is needed. Its directories are opened relative to each other; a few stay open.
    `settle`: is called before a directory is removed, so that what belongs into it is there. `directories`, `symlinks`:
    what to do when all else is there, by the paths as `names` keeps them."""

    def __init__(
        self,
        root: int,
        names: LongNames,
        directory_mode: int,
        umask_bars_owner: bool,
        settle: Callable[[], None],
    ) -> None:
        self._root = root
        self._names = names
        self._directory_mode = directory_mode
        self._umask_bars_owner = umask_bars_owner
        self._settle = settle
        self._open: dict[bytes, int] = {}
        self.directories: dict[bytes, _Attributes] = {}
        self.symlinks: dict[bytes, _Attributes] = {}

    def directory(self, path: bytes, *, make: bool = True) -> int:
        """A descriptor of the directory, which stays good until the next call. What lacks on the way is made. Raises
        PayloadDamaged if something on the way is no directory; FileNotFoundError if it lacks and not `make`."""
        if not path:
            return self._root
        fd = self._open.get(path)
        if fd is not None:
            return fd
        known = path
        while known and known not in self._open:
            known = known.rpartition(b"/")[0]
        fd = self._open[known] if known else self._root
        for part in path[len(known) :].lstrip(b"/").split(b"/"):
            known = known + b"/" + part if known else part
            fd = self._remember(known, self._step(fd, part, known, make))
        return fd

    def _step(self, parent: int, part: bytes, path: bytes, make: bool) -> int:
        try:
            return os.open(part, LIST, dir_fd=parent)
        except OSError as error:
            if error.errno not in NO_DIRECTORY:
                raise
            if self.is_symlink(path) or not isinstance(error, FileNotFoundError):
                raise PayloadDamaged(
                    f"the tar archive tries to go through {printable(path)}, which is no directory in it"
                ) from None
            if not make:
                raise
        self.make(part, parent)
        return os.open(part, LIST, dir_fd=parent)

    def make(self, name: bytes, parent: int) -> None:
        """Make a directory that can be filled, whatever the umask says of the owner."""
        os.mkdir(name, self._directory_mode, dir_fd=parent)
        if self._umask_bars_owner:
            with opened(name, SEARCH, parent) as fd:
                allow(fd, 0o700)

    def is_symlink(self, path: bytes) -> bool:
        return bool(self.symlinks) and self._names.key(path) in self.symlinks

    def _remember(self, path: bytes, fd: int) -> int:
        if len(self._open) >= _OPEN_DIRECTORIES:
            oldest = next(iter(self._open))
            os.close(self._open.pop(oldest))
        self._open[path] = fd
        return fd

    def vacate(self, parent: int, name: bytes, path: bytes) -> None:
        """Make room where an earlier member of this name is. What it was is lost, as tar does it; but a directory with
        something in it stays, and the archive is refused."""
        key = self._names.key(path)
        self.symlinks.pop(key, None)
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except (IsADirectoryError, PermissionError):  # EPERM: what POSIX has for EISDIR
            self._settle()
            fd = self._open.pop(path, None)
            if fd is not None:
                os.close(fd)
            self.directories.pop(key, None)
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError:
                raise PayloadDamaged(
                    f"the tar archive has {printable(path)} as a directory with content, and as something else"
                ) from None

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])


class _Extraction:
    """One archive on its way into the private directory of a landing."""

    def __init__(
        self,
        landing: Landing,
        wanted: IgnoreRules | None,
        whole: bool,
        root_is_guess: bool,
        on_bytes: Callable[[int], None],
        start_maker: StartMaker | None,
        few: int,
        links: Links,
    ) -> None:
        self._landing = landing
        self._links = links
        self._wanted = wanted
        self._whole = whole
        self._root_is_guess = root_is_guess
        self._root: bytes | None = None
        self._long_units = 0
        self._on_bytes = on_bytes
        self._start_maker = start_maker
        self._few = few
        self._maker: FileMaker | None = None
        self._names = LongNames(landing.scratch_file)
        self._new = _Tree(landing.fd, self._names, landing.default_mode, landing.umask_bars_owner, self._settle)
        self._kept: _Tree | None = None
        self._kept_root = -1
        self._room = 0
        self._passed_by = False
        self._uid = os.geteuid()
        status = os.fstat(landing.fd)
        self._natural_owner = (status.st_uid, status.st_gid)
        self._owners: dict[tuple[int, int, bytes, bytes], tuple[int, int]] = {}
        self._skipped: set[bytes] = set()
        self._reasons: dict[str, tuple[bytes, int]] = {}
        self._more_notices = 0
        self._files = self._directories = self._others = 0
        self._size = self._reported = 0
        self.current = b""
        """The member at hand, for messages."""
        self.seen = False
        """Whether the archive has any member."""
        self.units: dict[bytes, None] = {}
        """What is to be committed, in the order of the archive."""

    def run(self, reader: TarReader) -> None:
        try:
            self._make_members(reader)
        except BakthatError:
            # A file before the damage that could not be made comes first
            self._settle()
            raise
        if reader.trailing_junk:
            self._notice("bytes that are no part of the archive follow its end; they were ignored", b"")
        self._settle()
        self._make_symlinks()
        self._finish_directories()
        self._report_bytes()

    def _make_members(self, reader: TarReader) -> None:
        here: bytes | None = None
        directory = -1
        for member in reader:
            self.current = path = member.name
            if here is not None and member.kind is _FILE:
                # Most files lie beside the one before, and what was found out for that holds for them
                parent, _, name = path.rpartition(b"/")
                if parent == here and name not in _DOTS:
                    self._file(self._new, directory, parent, name, member, reader)
                    continue
            here = None
            path = self._path(path)
            if not path:  # "./": the target itself
                if member.kind is not _DIRECTORY:
                    raise PayloadDamaged("the tar archive tries to replace the target itself")
                continue
            self.seen = True
            self._settle_before(path, member.kind)
            tree = self._new if self._is_wanted(path, member.kind) else self._tree_of_the_kept(path, member)
            if tree is None:
                continue
            parent, _, name = path.rpartition(b"/")
            if member.kind is _FILE:
                directory = tree.directory(parent)
                self._file(tree, directory, parent, name, member, reader)
                if self._wanted is None and parent and path == member.name:
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
                self._skip(path, member)

    def close(self) -> None:
        if self._maker is not None:
            self._maker.close()
        self._new.close()
        if self._kept is not None:
            self._kept.close()
        if self._kept_root >= 0:
            os.close(self._kept_root)
        self._names.close()

    def report(self, more: Sequence[Problem]) -> UnpackReport:
        roots = dict.fromkeys(os.fsdecode(unit.partition(b"/")[0]) for unit in self.units)
        notices = [
            Problem(printable(path), reason if count == 1 else f"{reason} (and {count - 1} more)")
            for reason, (path, count) in self._reasons.items()
        ]
        if self._more_notices:
            notices.append(Problem(notices[-1].path, f"and {self._more_notices} more notices, of other kinds"))
        return UnpackReport(
            roots=tuple(roots),
            files=self._files,
            directories=self._directories,
            others=self._others,
            size=self._size,
            notices=(*notices, *more),
        )

    # What is wanted, and where it goes

    def _path(self, name: bytes) -> bytes:
        """The name without empty parts and dots; empty for the target itself. Refuses what would leave the target."""
        if len(name) > _LONGEST_NAME:
            raise PayloadDamaged(f"the tar archive has a name of {len(name)} bytes; more than 64 KiB are not believed")
        between = b"/%b/" % name
        if not (b"//" in between or b"/./" in between or b"/../" in between):
            return name
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if name.startswith(b"/") or b".." in parts:
            raise PayloadDamaged(f"the tar archive tries to leave the target: {printable(name[:1000])}")
        return b"/".join(parts)

    def _is_wanted(self, path: bytes, kind: Kind) -> bool:
        root, _, below = path.partition(b"/")
        if root != self._root:
            self._meet_root(root)
        if self._wanted is None:
            if root not in self.units:
                self._landing.check(root)
                self.units[root] = None
            return True
        is_directory = kind is _DIRECTORY
        if not below:
            # Patterns start below the root; only if that is a file can it be meant itself
            if is_directory:
                return False
            below = root
        if not self._wanted.selects(os.fsdecode(below), is_directory):
            return False
        if not is_directory or self._whole:
            self._add_unit(path)
        return True

    def _meet_root(self, root: bytes) -> None:
        if self._root_is_guess and self._root is not None:
            self._landing.replace_nothing()
            for unit in self.units:
                self._landing.check(unit)
        self._root = root

    def _add_unit(self, path: bytes) -> None:
        if any(above in self.units for above in _upwards(path)):
            return
        self._landing.check(path)
        if len(path) > _LONG_UNIT:
            self._long_units += len(path)
            if self._long_units > _LONG_UNITS:
                raise UsageError(
                    "--only: these patterns fit too many things with names of more than a thousand bytes; name a "
                    "directory that they are in"
                )
        self.units[path] = None

    def _tree_of_the_kept(self, path: bytes, member: Member) -> _Tree | None:
        """Where to put what is not wanted: a hard link that is wanted may turn out to be another name of it, and it
        does not come a second time. None if that cannot be, or it is too much to keep."""
        if member.kind is _DIRECTORY:
            # Perhaps on the way to something that is wanted
            self._new.directories[self._names.keep(path)] = self._attributes(member)
            return None
        if member.kind in (Kind.DEVICE, Kind.OTHER):
            return None
        if member.linked is False:
            self._passed_by = True
            return None
        if self._kept is None:
            self._kept_root = self._landing.scratch()
            self._kept = _Tree(self._kept_root, self._names, 0o700, self._landing.umask_bars_owner, self._settle)
            space = os.fstatvfs(self._kept_root)
            self._room = space.f_bavail * space.f_frsize // _KEPT_PART
        if member.kind is _FILE:
            if member.size > self._room:
                self._passed_by = True
                return None
            self._room -= member.size
        return self._kept

    # With a second process

    def _hand_over(
        self,
        tree: _Tree,
        directory: int,
        parent: bytes,
        name: bytes,
        path: bytes,
        content: memoryview,
        attributes: Attributes,
    ) -> bool:
        """Have the second process make a small file, if there is one that has time for it."""
        maker = self._maker
        if maker is None:
            if self._start_maker is not None and self._files >= self._few:
                start, self._start_maker = self._start_maker, None
                # Two names that this file system takes for one must come in the order of the archive
                if not _takes_names_for_one(directory):
                    with contextlib.suppress(OSError):
                        self._maker = start(self._failed, self._again)
            return False
        _, uid, gid, mtime_ns = attributes
        if tree is not self._new or not (
            -1 <= uid < _LARGEST_ID and -1 <= gid < _LARGEST_ID and 0 <= mtime_ns < _LARGEST_TIME
        ):
            return False
        return maker.take(parent, directory, name, content, attributes)

    def _settle(self) -> None:
        """Wait until everything is there that comes earlier in the archive."""
        if self._maker is not None:
            self._maker.finish()

    def _settle_before(self, path: bytes, kind: Kind) -> None:
        """Before something is made at this path: wait for what it may replace, go through, or link to."""
        maker = self._maker
        if maker is None or not maker.pending:
            return
        if kind is Kind.HARDLINK or any(part in maker.pending for part in _upwards(path)):
            maker.finish()

    def _failed(self, path: bytes, what: int, number: int) -> None:
        if what == MAKE:
            self.current = path
            raise OSError(number, os.strerror(number))
        self._not_set(path, what, number)

    def _again(self, path: bytes, content: memoryview, attributes: Attributes) -> None:
        self.current = path
        parent, _, name = path.rpartition(b"/")
        self._make_small(self._new, self._new.directory(parent), name, path, content, attributes)

    # The kinds of members

    def _file(self, tree: _Tree, directory: int, parent: bytes, name: bytes, member: Member, reader: TarReader) -> None:
        path = parent + b"/" + name if parent else name
        if self._maker is not None and path in self._maker.pending:
            self._maker.finish()
        attributes = (*self._permitted(path, member.mode, self._owner(member)), member.mtime_ns)
        content = member.content
        if content is not None and member.size < _SMALLEST_HOLE:
            if not self._hand_over(tree, directory, parent, name, path, content, attributes):
                self._make_small(tree, directory, name, path, content, attributes)
            self._count(member.size, tree)
        else:
            fd = self._create(tree, directory, name, path)
            try:
                if member.extents is None:
                    self._write_content(fd, member.size, reader, tree)
                else:
                    self._write_sparse(fd, member, reader, tree)
                set_attributes(fd, attributes, self._not_set, path)
            finally:
                os.close(fd)
        if tree.symlinks:
            tree.symlinks.pop(self._names.key(path), None)
        if tree is self._new:
            self._files += 1

    def _create(self, tree: _Tree, directory: int, name: bytes, path: bytes) -> int:
        try:
            return os.open(name, CREATE, 0o600, dir_fd=directory)
        except FileExistsError:
            tree.vacate(directory, name, path)  # as `_make_small` does
            return os.open(name, CREATE, 0o600, dir_fd=directory)

    def _make_small(
        self, tree: _Tree, directory: int, name: bytes, path: bytes, content: memoryview, attributes: Attributes
    ) -> None:
        try:
            make_file(directory, name, content, attributes, self._not_set, path)
        except FileExistsError:
            # Not truncated: what is there may have another name, whose content must stay
            tree.vacate(directory, name, path)
            make_file(directory, name, content, attributes, self._not_set, path)

    def _write_content(self, fd: int, size: int, reader: TarReader, tree: _Tree) -> None:
        left = size
        holes = False
        while left:
            piece = reader.read()
            count = len(piece)
            left -= count
            if count >= _SMALLEST_HOLE and piece[0] == piece[-1] == 0 and piece == _ZEROS[:count]:
                # The archive does not tell holes from zeros; a disk image that had holes might not fit without
                os.lseek(fd, count, os.SEEK_CUR)
                holes = True
            else:
                write(fd, piece)
            self._count(count, tree)
        if holes:
            os.ftruncate(fd, size)

    def _write_sparse(self, fd: int, member: Member, reader: TarReader, tree: _Tree) -> None:
        extents = member.extents or ()
        os.ftruncate(fd, member.size)
        for offset, length in zip(extents[::2], extents[1::2], strict=True):
            os.lseek(fd, offset, os.SEEK_SET)
            while length:
                piece = reader.read(length)
                count = len(piece)
                write(fd, piece)
                length -= count
                self._count(count, tree)

    def _count(self, written: int, tree: _Tree) -> None:
        if tree is self._new:
            self._size += written
            if self._size - self._reported >= _REPORT_EVERY:
                self._report_bytes()

    def _directory(self, tree: _Tree, parent: int, name: bytes, path: bytes, member: Member) -> None:
        if tree.is_symlink(path):
            tree.vacate(parent, name, path)
        try:
            tree.make(name, parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                tree.vacate(parent, name, path)
                tree.make(name, parent)
        tree.directories[self._names.keep(path)] = self._attributes(member)
        self._directories += 1

    def _symlink(self, tree: _Tree, parent: int, name: bytes, path: bytes, member: Member) -> None:
        if not member.link:
            raise PayloadDamaged(f"the tar archive has a symbolic link to nowhere: {printable(path)}")
        if len(member.link) > _LONGEST_LINK:
            raise PayloadDamaged(
                f"the tar archive has a symbolic link of {len(member.link)} bytes, which no system takes: "
                f"{printable(path[:1000])}"
            )
        tree.vacate(parent, name, path)
        tree.symlinks[self._names.keep(path)] = self._attributes(member)
        if tree is self._new:
            self._others += 1

    def _fifo(self, tree: _Tree, parent: int, name: bytes, path: bytes, member: Member) -> None:
        tree.vacate(parent, name, path)
        os.mkfifo(name, 0o600, dir_fd=parent)
        self._finish_by_name(parent, name, path, self._attributes(member))
        if tree is self._new:
            self._others += 1

    def _hardlink(self, tree: _Tree, parent: bytes, name: bytes, path: bytes, member: Member) -> None:
        target = self._path(member.link)
        holder = self._holder(target)
        if holder is None:
            if tree is self._new:
                self._refuse_link(target, path)
            return
        if target != path:
            if holder.is_symlink(target):
                tree.vacate(tree.directory(parent), name, path)
                tree.symlinks[self._names.keep(path)] = holder.symlinks[self._names.key(target)]
            else:
                tree.vacate(tree.directory(parent), name, path)
                self._link(holder, target, tree, parent, name)
        if tree is self._new:
            self._files += 1

    def _holder(self, path: bytes) -> _Tree | None:
        """The tree that has an earlier member of this name. All that a tree has comes from this archive."""
        parent, _, name = path.rpartition(b"/")
        for tree in (self._new, self._kept):
            if tree is None:
                continue
            if tree.is_symlink(path):
                return tree
            try:
                kind = os.stat(name, dir_fd=tree.directory(parent, make=False), follow_symlinks=False).st_mode
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(kind):
                raise PayloadDamaged(f"the tar archive has a hard link to a directory: {printable(path)}")
            return tree
        return None

    def _link(self, holder: _Tree, target: bytes, tree: _Tree, parent: bytes, name: bytes) -> None:
        above, _, target_name = target.rpartition(b"/")
        with opened(".", SEARCH, holder.directory(above, make=False)) as source:
            directory = tree.directory(parent)
            if not self._links.link_or_copy(source, target_name, directory, name):
                self._notice("it was a hard link and is a copy now: this file system has no hard links", self.current)

    def _refuse_link(self, target: bytes, path: bytes) -> None:
        if self._names.key(target) in self._skipped:
            self._leave_out(path)
            self._notice("it is a hard link to something that was left out, so it was left out, too", path)
        elif (
            self._passed_by and self._wanted and not self._wanted.selects(os.fsdecode(target.partition(b"/")[2]), False)
        ):
            raise UsageError(
                f"{printable(path)} is a hard link to {printable(target)}, which is not asked for and too large to be "
                f"kept aside: name it too, --only {printable(target.partition(b'/')[2])}"
            )
        else:
            raise PayloadDamaged(
                f"the tar archive has a hard link to what is no earlier member of it: {printable(path)} to "
                f"{printable(target)}"
            )

    def _skip(self, path: bytes, member: Member) -> None:
        self._leave_out(path)
        if member.device is not None:
            letter = "b" if member.typeflag == b"4" else "c"
            major, minor = member.device
            # A hostile archive could give everybody a way to the raw disk
            self._notice(f"a device is not made from an archive; if you need it: mknod {letter} {major} {minor}", path)
        else:
            self._notice(f"a member of a type that is not known ({printable(member.typeflag)}) was left out", path)

    def _leave_out(self, path: bytes) -> None:
        self._skipped.add(self._names.key(path))
        self.units.pop(path, None)

    # When all else is there

    def _make_symlinks(self) -> None:
        tree = self._new
        for key, attributes in tree.symlinks.items():
            self.current = path = self._names.name(key)
            above, _, name = path.rpartition(b"/")
            parent = tree.directory(above)
            try:
                if attributes.made_at is None:
                    self._links.symlink(self._names.name(attributes.link), name, dir_fd=parent)
                    attributes.made_at = key
                    self._finish_by_name(parent, name, path, attributes)
                else:
                    self._link(tree, self._names.name(attributes.made_at), tree, above, name)
            except FileExistsError:
                raise PayloadDamaged(
                    f"the tar archive has {printable(path)} twice, in names that this file system takes for one"
                ) from None
            except OSError as error:
                if error.errno not in _NO_SYMLINKS:
                    raise
                raise TargetError(
                    f"{printable(path)} is a symbolic link, which this file system cannot hold; nothing was restored: "
                    "restore elsewhere with --target"
                ) from error

    def _finish_directories(self) -> None:
        """The innermost first, for the attributes of an outer one may bar the way to it."""
        tree = self._new
        # Keys of long paths, whose order says nothing, begin with NUL; what lies above a short path is short
        long = sorted((key for key in tree.directories if key[:1] == b"\0"), key=self._names.length, reverse=True)
        for key in (*long, *sorted((key for key in tree.directories if key[:1] != b"\0"), reverse=True)):
            self.current = path = self._names.name(key)
            attributes = tree.directories[key]
            try:
                fd = tree.directory(path, make=False)
            except FileNotFoundError:
                continue  # it was only known in case that something in it would be wanted
            permitted = self._permitted(path, attributes.mode, (attributes.uid, attributes.gid))
            set_attributes(fd, (*permitted, attributes.mtime_ns), self._not_set, path)

    # Attributes

    def _attributes(self, member: Member) -> _Attributes:
        return _Attributes(member.mode, *self._owner(member), member.mtime_ns, self._names.keep(member.link))

    def _permitted(self, path: bytes, mode: int, owner: tuple[int, int]) -> tuple[int, int, int]:
        """Permissions and owner to be set. Only root can give a file away, and set-id bits would be dangerous with the
        wrong owner."""
        if owner == self._natural_owner and not mode & 0o6000:
            return mode, KEEP, KEEP
        if self._uid == 0:
            return mode, *owner
        if owner[0] != self._uid:
            self._notice("it belonged to another user and is now yours; only root can give it back", path)
        if mode & 0o6000:
            self._not_set(path, SET_ID, 0)
        return mode & 0o1777, KEEP, KEEP

    def _not_set(self, path: bytes, what: int, number: int) -> None:
        if what == SET_ID:
            self._notice("its set-user-ID and set-group-ID bits were not restored; only root can do that", path)
            return
        why = "the number is too large" if number == errno.EOVERFLOW else os.strerror(number)
        self._notice(f"{_ATTRIBUTES[what]} cannot be restored here: {why}", path)

    def _finish_by_name(self, parent: int, name: bytes, path: bytes, attributes: _Attributes) -> None:
        mode, uid, gid = self._permitted(path, attributes.mode, (attributes.uid, attributes.gid))
        if uid != KEEP:
            try:
                os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
            except (OSError, OverflowError) as error:
                self._not_set(path, OWNER, number_of(error))
                if mode & 0o6000:
                    self._not_set(path, SET_ID, 0)
                mode &= 0o1777
        if not attributes.link:
            try:
                with opened(name, ENTRY, parent) as fd:
                    set_mode(fd, mode)
            except OSError as error:
                self._not_set(path, MODE, number_of(error))
        try:
            os.utime(name, ns=(attributes.mtime_ns,) * 2, dir_fd=parent, follow_symlinks=False)
        except (OSError, OverflowError) as error:
            self._not_set(path, TIME, number_of(error))

    def _owner(self, member: Member) -> tuple[int, int]:
        """Numbers of the user and the group; root, who can give files away, goes by their names, where this system
        knows them."""
        if self._uid:
            return member.uid, member.gid
        key = (member.uid, member.gid, member.uname, member.gname)
        owner = self._owners.get(key)
        if owner is None:
            if len(self._owners) >= 4096:
                self._owners.clear()
            owner = self._owners[key] = (_user(member.uname, member.uid), _group(member.gname, member.gid))
        return owner

    def _notice(self, reason: str, path: bytes) -> None:
        first, count = self._reasons.get(reason, (path, 0))
        if count or len(self._reasons) < _NOTICES_LIMIT:
            self._reasons[reason] = (first, count + 1)
        else:
            self._more_notices += 1

    def _report_bytes(self) -> None:
        if self._size > self._reported:
            self._on_bytes(self._size - self._reported)
            self._reported = self._size


def _upwards(path: bytes) -> Iterator[bytes]:
    """The path, and every directory above it."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def _takes_names_for_one(directory: int) -> bool:
    """Whether the file system may have one entry for names that differ in case, or in how Unicode writes them."""
    for name, twin in ((b".bakthat-case", b".BAKTHAT-CASE"), ("é".encode(), b"e\xcc\x81")):
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except OSError:
            return True
        try:
            os.stat(twin, dir_fd=directory, follow_symlinks=False)
            return True
        except FileNotFoundError:
            pass
        except OSError:
            return True
        finally:
            os.rmdir(name, dir_fd=directory)
    return False


def _user(name: bytes, number: int) -> int:
    try:
        return pwd.getpwnam(os.fsdecode(name)).pw_uid if name else number
    except (KeyError, ValueError):
        return number


def _group(name: bytes, number: int) -> int:
    try:
        return grp.getgrnam(os.fsdecode(name)).gr_gid if name else number
    except (KeyError, ValueError):
        return number
