"""`SalvagedFiles`: puts what was salvaged in its place, under its own name or one that says what is wrong with it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator

from attrs import evolve

from bakthat.adapters.filesystem.dir_fd import ENTRY, SEARCH, exists, opened
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.packing.extracting.attributes import Attributes, AttributeSetter
from bakthat.adapters.packing.extracting.extraction_tree import ExtractionTree, PendingSymlink
from bakthat.adapters.packing.extracting.file_content import CREATE
from bakthat.adapters.packing.extracting.hard_link import Links
from bakthat.adapters.packing.extracting.long_names import LongNames
from bakthat.adapters.packing.extracting.notices import Notices
from bakthat.adapters.packing.salvaging.judgement import (
    NESTED,
    PARTIAL,
    SUFFIXES,
    TWICE,
    UNVERIFIED,
    Judgement,
    free_name,
    harmless,
    make_harmless,
    rename,
    unverified,
)
from bakthat.adapters.packing.salvaging.salvage_journal import Journal
from bakthat.adapters.packing.tar_format.tar_member import Member
from bakthat.domain.salvage import Lister
from bakthat.errors import PayloadDamaged

_LONGEST_SYMLINK = 4095
"""Bytes: PATH_MAX of limits.h, less the NUL at the end."""

_NO_SYMLINK = frozenset({errno.EEXIST, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What symlink(2) says of a name that is taken, and where there are none: on exFAT and FAT, on CIFS, on FUSE."""

_REFUSED = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EFBIG})
"""What the system says of a name, or a size, that it cannot hold."""

_REMEMBERED = 100_000
"""Paths that are remembered, since a hard link, or another file, may need them."""


class SalvagedFiles:
    """The new directory, with its descriptor `root`.

    What the extractor of a restore refuses is missing here, with the reason.
    """

    def __init__(self, staging: StagingDirectory, root: int, links: Links, *, xattrs: bool = True) -> None:
        self._links = links
        self._names = LongNames(staging.scratch_file)
        self._tree = ExtractionTree(root, self._names, staging.default_mode, staging.umask_bars_owner)
        self._undecided = Journal(staging.scratch_file())
        self._found = Journal(staging.scratch_file())
        self._run = 0
        """0 while members are in their places; then the number of the run that was found by a search."""
        self._runs = 0
        self._nested: set[int] = set()
        """The runs that belong to an archive inside this one."""
        self._found_paths: set[int] = set()
        self.met_twice = False
        """Whether something that was found by a search is there already, in the run at hand."""
        self._notices = Notices()
        status = os.fstat(root)
        self._attributes = AttributeSetter(
            (status.st_uid, status.st_gid), self._notices, xattrs=xattrs, inherits_acl=staging.inherits_acl
        )
        self._renamed: dict[bytes, bytes] = {}
        self.whole, self.partial, self.unverified, self.missing = Lister(), Lister(), Lister(), Lister()
        self.size = self.directories = self.others = 0
        self.current = b""
        """The path of the member at hand, for messages."""

    @property
    def notices(self) -> Notices:
        """What could not be set exactly."""
        return self._notices

    @contextlib.contextmanager
    def making(self, path: bytes) -> Iterator[None]:
        """While a member is made: what cannot be made is missing."""
        self.current = path
        try:
            yield
        except PayloadDamaged as error:
            self.miss(path, str(error))
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            self.miss(path, f"this file system cannot hold it: {os.strerror(error.errno or 0)}")
        except OverflowError:
            self.miss(path, "no file system can hold a file of this size")

    def miss(self, path: bytes, reason: str) -> None:
        """Count something as missing."""
        self.missing.add(printable(path), reason)

    def file(self, path: bytes, member: Member, write: Callable[[int], int], judge: Callable[[], Judgement]) -> None:
        """Make a file. `write` writes its content into the descriptor and returns its size; then `judge` says what it
        is worth."""
        parent, _, name = path.rpartition(b"/")
        directory = self._tree.directory(parent)
        taken = self._make_room(directory, name, path)
        made = name if taken is None else free_name(directory, name, UNVERIFIED)
        fd = os.open(made, CREATE, 0o600, dir_fd=directory)
        try:
            size = write(fd)
            judgement = judge() if taken is None else taken
            directory = self._tree.directory(parent)  # others may have been renamed meanwhile
            attributes = self._attributes.of(member)
            if judgement.suffix:
                attributes = harmless(attributes)
            self._attributes.set(fd, attributes, path)
        except BaseException:
            os.unlink(made, dir_fd=self._tree.directory(parent))  # it must not stay under this name
            raise
        finally:
            os.close(fd)
        if judgement.suffix:
            if taken is None:
                made = rename(directory, name, judgement.suffix)
            self._list(path, made, judgement)
        elif judgement.is_final:
            self._accept(path, size, self._run)
        else:
            self._undecided.add(path, size, self._run, False)

    def _make_room(self, directory: int, name: bytes, path: bytes) -> Judgement | None:
        """An earlier member of this path makes room, as in a restore. But what was found by a search may belong to an
        archive inside this one: it replaces nothing, and the judgement says so."""
        if name.endswith(SUFFIXES) and exists(name, directory):
            rename(directory, name, b"")  # it may be one of ours
        is_there = exists(name, directory) or self._tree.is_symlink(path)
        if not is_there:
            return None
        if not self._run:
            self._tree.vacate(directory, name, path)
            return None
        self.met_twice = True
        if hash(path) in self._found_paths or len(self._found_paths) >= _REMEMBERED:
            self._demote(path, self._tree.is_symlink(path), TWICE)
        return unverified(TWICE)

    def _accept(self, path: bytes, size: int, run: int, is_symlink: bool = False) -> None:
        """It is whole, and good; unless its run belongs to an archive inside this one, which may not be known yet."""
        if run in self._nested:
            self._demote(path, is_symlink, NESTED)
        elif run and run == self._run:
            self._found.add(path, size, run, is_symlink)
            if len(self._found_paths) < _REMEMBERED:
                self._found_paths.add(hash(path))
        elif not is_symlink:
            self._count(path, size)

    def _count(self, path: bytes, size: int) -> None:
        self.whole.add(printable(path))
        self.size += size

    def directory(self, path: bytes, member: Member) -> None:
        parent, _, name = path.rpartition(b"/")
        above = self._tree.directory(parent)
        if self._tree.is_symlink(path):
            raise PayloadDamaged("the archive has something else of this name")
        try:
            self._tree.make(name, above)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                raise PayloadDamaged("the archive has something else of this name") from None
        key = self._names.keep(path)
        if self._run and key in self._tree.directories:
            self.met_twice = True
            return
        self.directories += key not in self._tree.directories  # an incremental archive may have it twice
        self._tree.directories[key] = self._kept(member)

    def symlink(self, path: bytes, member: Member, judgement: Judgement) -> None:
        if not 0 < len(member.link) <= _LONGEST_SYMLINK:
            raise PayloadDamaged("it is a symbolic link that no system can hold")
        parent, _, name = path.rpartition(b"/")
        directory = self._tree.directory(parent)
        judgement = self._make_room(directory, name, path) or judgement
        if judgement.suffix:
            name = free_name(directory, name, judgement.suffix)
            self._list(path, name, judgement)
            path = parent + b"/" + name if parent else name
        elif judgement.is_final:
            self._accept(path, 0, self._run, True)
        else:
            self._undecided.add(path, 0, self._run, True)
        self._tree.symlinks[self._names.keep(path)] = PendingSymlink(self._kept(member), self._names.keep(member.link))
        self.others += not judgement.suffix

    def fifo(self, path: bytes, member: Member) -> None:
        parent, _, name = path.rpartition(b"/")
        directory = self._tree.directory(parent)
        if self._make_room(directory, name, path) is None:
            os.mkfifo(name, 0o600, dir_fd=directory)
            self._attributes.set_by_name(directory, name, self._attributes.of(member), path, has_mode=True)
            self.others += 1

    def hard_link(self, path: bytes, target: bytes, judgement: Judgement) -> None:
        """Make another name of what an earlier member has made, whole or not."""
        suffix = judgement.suffix
        if not self._tree.has(target):
            made = self._renamed.get(self._names.key(target))
            if made is None:
                raise PayloadDamaged(f"it is a hard link to {printable(target)}, which is missing")
            target = self._names.name(made)
            suffix = PARTIAL if PARTIAL in target.rpartition(b"/")[2] else UNVERIFIED
        parent, _, name = path.rpartition(b"/")
        directory = self._tree.directory(parent)
        taken = self._make_room(directory, name, path) if target != path else None
        if taken is not None:
            suffix = taken.suffix
        if suffix:
            reason = taken.reason if taken is not None else judgement.reason
            name = free_name(directory, name, suffix)
            self._list(path, name, Judgement(suffix, reason or f"it is a hard link to {printable(target)}"))
            path = parent + b"/" + name if parent else name
        if self._tree.is_symlink(target):
            self._tree.symlinks[self._names.keep(path)] = self._tree.symlinks[self._names.key(target)]
        elif target != path:
            self._link(target, path)
        if not suffix and judgement.is_final:
            self._accept(path, 0, self._run)
        elif not suffix:
            self._undecided.add(path, 0, self._run, False)

    def _link(self, target: bytes, path: bytes) -> None:
        above, _, target_name = target.rpartition(b"/")
        parent, _, name = path.rpartition(b"/")
        with opened(".", SEARCH, self._tree.directory(above, make=False)) as source:
            directory = self._tree.directory(parent)
            if not self._links.link_or_copy(source, target_name, directory, name, self._attributes):
                self._notices.add("it was a hard link and is a copy now: this file system has no hard links", path)

    def settle(self, is_good: bool, reason: str) -> None:
        """The verdict about everything that was made since the last one, and not judged finally."""
        for path, size, run, is_symlink in self._undecided.take():
            if is_good:
                self._accept(path, size, run, is_symlink)
            else:
                self._demote(path, is_symlink, reason)

    def begin_run(self) -> None:
        """What comes next was found by a search, not in its place."""
        self.end_run(is_own=True)
        self._runs += 1
        self._run = self._runs
        self.met_twice = False

    def begin_archive(self) -> None:
        """What comes next is of another archive."""
        self.end_run(is_own=True)
        self._run = 0
        self._found_paths.clear()

    def end_run(self, *, is_own: bool) -> None:
        """Whether what the search has found belongs to this archive; False may come before its end. What was in its
        place belongs to it in any case: an end mark amidst it is a damage."""
        if not is_own and self._run and len(self._nested) < _REMEMBERED:
            self._nested.add(self._run)
        for path, size, run, is_symlink in self._found.take():
            if run in self._nested:
                self._demote(path, is_symlink, NESTED)
            elif not is_symlink:
                self._count(path, size)

    def _demote(self, path: bytes, is_symlink: bool, reason: str) -> None:
        parent, _, name = path.rpartition(b"/")
        directory = self._tree.directory(parent)
        if is_symlink:
            pending = self._tree.symlinks.pop(self._names.key(path), None)
            if pending is not None:
                made = free_name(directory, name, UNVERIFIED)
                self._tree.symlinks[self._names.keep(parent + b"/" + made if parent else made)] = pending
                self.others -= 1
                self._list(path, made, unverified(reason))
        elif exists(name, directory):
            with opened(name, ENTRY, directory) as fd:
                make_harmless(fd)
            self._list(path, rename(directory, name, UNVERIFIED), unverified(reason))

    def _list(self, path: bytes, made: bytes, judgement: Judgement) -> None:
        parent = path.rpartition(b"/")[0]
        shown = parent + b"/" + made if parent else made
        lister = self.partial if judgement.suffix == PARTIAL else self.unverified
        lister.add(printable(shown), judgement.reason)
        if len(self._renamed) < _REMEMBERED:
            self._renamed[self._names.keep(path)] = self._names.keep(shown)

    def _kept(self, member: Member) -> Attributes:
        """Attributes for later, in little memory."""
        attributes = self._attributes.of(member)
        attributes.extended = self._names.keep(attributes.extended)
        return attributes

    def finish(self) -> None:
        """Make the symbolic links, and set the attributes of directories, the innermost first."""
        tree = self._tree
        for key, symlink in tree.symlinks.items():
            path = self._names.name(key)
            with self.making(path):
                above, _, name = path.rpartition(b"/")
                parent = tree.directory(above)
                try:
                    if symlink.made_at is not None:
                        self._link(self._names.name(symlink.made_at), path)
                        continue
                    self._links.symlink(self._names.name(symlink.target), name, dir_fd=parent)
                except OSError as error:
                    if error.errno not in _NO_SYMLINK:
                        raise
                    self.miss(path, f"this symbolic link cannot be made here: {os.strerror(error.errno or 0)}")
                    continue
                symlink.made_at = key
                attributes = self._given_back(symlink.attributes)
                self._attributes.set_by_name(parent, name, attributes, path, has_mode=False)
        long = sorted((key for key in tree.directories if key[:1] == b"\0"), key=self._names.length, reverse=True)
        for key in (*long, *sorted((key for key in tree.directories if key[:1] != b"\0"), reverse=True)):
            path = self._names.name(key)
            with self.making(path), contextlib.suppress(FileNotFoundError):
                fd = tree.directory(path, make=False)
                self._attributes.set(fd, self._given_back(tree.directories[key]), path)

    def _given_back(self, attributes: Attributes) -> Attributes:
        """What was kept for later."""
        return evolve(attributes, extended=self._names.name(attributes.extended)) if attributes.extended else attributes

    def close(self) -> None:
        self._tree.close()
        self._names.close()
        self._undecided.close()
        self._found.close()
