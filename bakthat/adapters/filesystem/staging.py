"""`Landing`: restored files grow in a private directory beside their final place, and appear there all at once."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field

from bakthat.adapters.filesystem.dir_fd import (
    LIST,
    NO_DIRECTORY,
    SEARCH,
    allow,
    descended,
    empty,
    exists,
    identity,
    opened,
    set_mode,
)
from bakthat.adapters.filesystem.linux import (
    EXCHANGE,
    NO_SUCH_CALL,
    NOREPLACE,
    RenameWithFlags,
    mounts_below,
    rename_with_flags,
    sync_file_system,
)
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.whole_file import sync_folder
from bakthat.domain.payload import Problem
from bakthat.errors import TargetError, TargetExists

_PREFIX = ".bakthat-restore-"
_OURS = re.compile(re.escape(_PREFIX) + "[0-9a-f]{16}")
_INSIDE = re.compile("new|scratch|names|old|replaced|[0-9a-f]{16}-[0-9]+")
"""All that a directory of that name may hold; the last form is what `empty` leaves when it is killed."""
_RESCUED = "bakthat-rescued-"

_WAY_OUT = {
    errno.ENOSPC: "make room there, or restore elsewhere with --target",
    errno.EDQUOT: "make room there, or restore elsewhere with --target",
    errno.EACCES: "restore elsewhere with --target, or as a user who may write there",
    errno.EPERM: "restore elsewhere with --target, or as a user who may write there",
    errno.ENAMETOOLONG: "this file system cannot hold such a name, restore elsewhere with --target",
    errno.EFBIG: "this file system cannot hold so large a file, restore elsewhere with --target",
    errno.ENOTDIR: "name a directory with --target",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


MakeDirectory = Callable[[bytes, int, int], None]
"""Name, mode, and the directory to make it in. Raises OSError."""


def _mkdir(name: bytes, mode: int, directory: int) -> None:
    os.mkdir(name, mode, dir_fd=directory)


def target_error(error: OSError, path: Path | str) -> TargetError:
    """What the disk answered about this path, as one line with the way out."""
    way_out = _WAY_OUT.get(error.errno or 0, "restore elsewhere with --target")
    return TargetError(f"{printable(os.fspath(path))}: {error.strerror or error}; nothing was restored: {way_out}")


class Landing:
    """A context in which files grow unseen, until `commit` gives them their final names in the directory `into`.

    Inside the context `path` is a new, empty directory on the file system of `into`, below one of mode 0700; `fd` is
    its descriptor, for `dir_fd=`; `default_mode` is the mode that a new directory gets here (0777 less the umask, and
    what `into` hands down); `umask_bars_owner` says that its owner cannot fill it as it is. Leaving the context
    removes whatever was not committed, or was replaced; and `into` itself, if it was created here and holds nothing.

    After kill -9 the target holds the old files or the new ones. What was left behind is removed by the next Landing
    in this directory, which tells by a lock (flock) what another process is using. On a file system without such
    locks it stays.

    Raises `TargetError` where the disk refuses.
    """

    path: Path
    fd: int
    default_mode: int
    umask_bars_owner: bool

    def __init__(
        self,
        into: Path,
        *,
        overwrite: bool = False,
        root: str | None = None,
        rename: RenameWithFlags = rename_with_flags,
        mkdir: MakeDirectory = _mkdir,
    ) -> None:
        """root: the one name in `into` that, if it is there already, may be replaced (`overwrite`) or added to; bytes
        that are not UTF-8 are written as `\\xff`. None: any name."""
        self._target = Path(into)
        self._overwrite = overwrite
        self._root = root
        self._several_roots = False
        self._rename = rename
        self._mkdir = mkdir
        self._name = ""
        self._into = self._private = self.fd = self._base = -1
        self._missing: list[bytes] = []
        self._created: list[int] = []
        self._keep = False
        self.notices: list[Problem] = []
        """After leaving the context: what was replaced and could not be removed."""

    def __enter__(self) -> Self:
        try:
            self._open()
            return self
        except BaseException as error:
            self._leave(committed=False)
            if isinstance(error, OSError):
                raise target_error(error, self._target) from error
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(committed=kind is None)

    def check(self, path: str | bytes) -> None:
        """Early, before anything is written: raises `TargetExists` if `commit` of this path would."""
        path = os.fsencode(path)
        if not self._is_root(path):
            path = path.partition(b"/")[0]
        elif self._overwrite:
            return
        with contextlib.suppress(OSError):
            os.stat(path, dir_fd=self._into, follow_symlinks=False)
            raise self._taken(path)

    def replace_nothing(self) -> None:
        """The archive holds several roots, and which one is its own is only a guess: from now on none is."""
        self._several_roots = True

    def scratch(self) -> int:
        """A second directory, for what is never committed: a descriptor of it, which the caller closes."""
        os.mkdir("scratch", 0o700, dir_fd=self._private)
        return os.open("scratch", LIST, dir_fd=self._private)

    def scratch_file(self) -> int:
        """A file without a name, which is gone when it is closed: a descriptor of it, which the caller closes."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open("names", flags, 0o600, dir_fd=self._private)
        os.unlink("names", dir_fd=self._private)
        return fd

    def commit(self, paths: Sequence[str | bytes]) -> None:
        """Give these files and directories, relative to `path`, the same names in the target: all of them or none.

        A path with slashes goes into the directory that is there already; where such a directory lacks, it comes
        along from here. No symbolic link is gone through.

        Raises `TargetExists` if the name of one is taken and may not be replaced. Otherwise the old one is replaced
        whole by an exchange of the names, and removed on leaving the context; but nothing is replaced before all of
        the new files are on the disk, and nothing is removed before the exchange is.
        """
        current = b""
        try:
            moves = [
                _Move(path, number, self.fd, self._into, self._private, self._may_replace(path), self._rename)
                for number, path in enumerate(self._units([os.fsencode(path) for path in paths]))
            ]
            foreign = {os.fsencode(path).partition(b"/")[0] for path in paths if not self._is_root(os.fsencode(path))}
            taken = [move.path for move in moves if move.is_taken()]
            for path in [*(name for name in sorted(foreign) if exists(name, self._into)), *taken]:
                if not self._may_replace(path):
                    raise self._taken(path)
            if taken:
                self._refuse_mounts(taken)
                sync_file_system(self._private)
            begun: list[_Move] = []
            try:
                for move in moves:
                    current = move.path
                    begun.append(move)  # first, so that an interruption inside is undone, too
                    move.do()
                if taken:
                    # The exchange, before what was replaced is removed: a disk may keep a later change and lose it
                    sync_file_system(self._private)
            except BaseException:
                self._undo(begun)
                raise
        except FileExistsError:
            raise self._taken(current) from None
        except OSError as error:
            raise target_error(error, self._path_of(current)) from error

    # Opening

    def _open(self) -> None:
        self._open_target()
        self._sweep()
        while not self._make_and_lock():
            pass
        os.mkdir("new", 0o777, dir_fd=self._private)
        self.fd = os.open("new", SEARCH, dir_fd=self._private)
        self.umask_bars_owner = allow(self.fd, 0o700) is not None
        self.default_mode = stat.S_IMODE(os.fstat(self.fd).st_mode)
        self.path = self._target / self._name / "new"

    def _open_target(self) -> None:
        """What lacks of the target is created, step by step from a directory that is held open: a symbolic link that
        somebody puts in its place meanwhile is not gone through."""
        path = self._target
        while not os.path.lexists(path):
            self._missing.insert(0, os.fsencode(path.name))
            path = path.parent
        self._into = os.open(path, SEARCH & ~os.O_NOFOLLOW)
        if self._missing:
            self._base = os.dup(self._into)
        for depth, part in enumerate(self._missing):
            self._created.append(depth)
            try:
                self._mkdir(part, 0o777, self._into)
            except FileExistsError:  # another process was faster; then it is not ours to remove
                self._created.remove(depth)
            above, self._into = self._into, -1
            try:
                self._into = os.open(part, SEARCH, dir_fd=above)
            finally:
                os.close(above)

    def _make_and_lock(self) -> bool:
        self._name = _PREFIX + os.urandom(8).hex()
        self._mkdir(os.fsencode(self._name), 0o700, self._into)
        # Until the lock is ours, the sweep of another restore may take this directory for a remainder, and remove it
        try:
            with opened(self._name, SEARCH, self._into) as fd:
                self._require_private(fd)
                allow(fd, 0o700)  # whatever the umask
                self._private = os.open(".", LIST, dir_fd=fd)
        except FileNotFoundError:
            return False
        with os.scandir(self._private) as entries:
            if next(entries, None) is not None:
                fd, self._private = self._private, -1
                os.close(fd)
                raise self._intruder()
        try:
            fcntl.flock(self._private, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            locked = False
        except OSError:
            return True  # no locks on this file system: nobody can sweep, either
        else:
            status = os.fstat(self._private)
            locked = identity(os.fsencode(self._name), self._into) == (status.st_dev, status.st_ino)
        if not locked:
            fd, self._private = self._private, -1
            os.close(fd)
        return locked

    def _require_private(self, fd: int) -> None:
        """Whoever may write into the target can rename what was made there, and put something else in its place before
        it is opened. So what was opened must be ours, and for nobody else. Raises `TargetError`."""
        if not self._is_private(fd):
            raise self._intruder()

    def _is_private(self, fd: int) -> bool:
        """Whether it is ours, and for nobody else."""
        status = os.fstat(fd)
        if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return True
        # Some file systems have no owners (FAT), or other ones (NFS, for root): then a new file shows it
        name = _PREFIX + os.urandom(8).hex()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with opened(name, flags, self._into, mode=0o600) as probe:
            usual = os.fstat(probe)
            os.unlink(name, dir_fd=self._into)
        return status.st_uid == usual.st_uid and not status.st_mode & ~usual.st_mode & 0o066

    def _intruder(self) -> TargetError:
        return TargetError(
            f"{printable(self._path_of(os.fsencode(self._name)))}: another user has put something in the place of "
            "bakthat's own directory; nothing was restored: restore into a directory where only you may write"
        )

    # Leaving

    def _leave(self, *, committed: bool) -> None:
        try:
            self._clear(committed)
        except KeyboardInterrupt:
            # An impatient one, for there is a lot to remove: nothing half shall stay, so only the second one counts
            self._clear(committed)
            raise

    def _clear(self, committed: bool) -> None:
        try:
            if self._private >= 0 and not self._keep:
                self._remove_private(committed)
            elif self._into >= 0 and self._name and not self._keep:
                # Interrupted between making the directory and opening it
                with contextlib.suppress(OSError):
                    os.rmdir(self._name, dir_fd=self._into)
        finally:
            if self.fd >= 0:
                fd, self.fd = self.fd, -1
                os.close(fd)
            if self._private >= 0:
                fd, self._private = self._private, -1
                os.close(fd)
            if self._into >= 0:
                fd, self._into = self._into, -1
                os.close(fd)
            for depth in reversed(self._created):
                # Goes only if it is empty, that is, if nothing was committed
                with contextlib.suppress(OSError), descended(self._base, self._missing[:depth]) as above:
                    os.rmdir(self._missing[depth], dir_fd=above)
            if self._base >= 0:
                fd, self._base = self._base, -1
                os.close(fd)

    def _remove_private(self, committed: bool) -> None:
        failure: OSError | None = None
        try:
            _retire_old(self._private)
            failure = empty(self._private)
            os.rmdir(self._name, dir_fd=self._into)
        except OSError as error:
            failure = failure or error
        if failure is not None and committed:
            self.notices.append(
                Problem(
                    printable(self._path_of(os.fsencode(self._name))),
                    f"what was replaced could not be removed completely ({failure.strerror}); it is left to you",
                )
            )

    def _sweep(self) -> None:
        """Remove what restores that were killed left here. It is never a reason for this one to fail."""
        try:
            with opened(".", LIST, self._into) as here, os.scandir(here) as entries:
                names = [entry.name for entry in entries if _OURS.fullmatch(entry.name)]
        except OSError:
            return
        for name in names:
            with contextlib.suppress(OSError), opened(name, LIST, self._into) as fd:
                # Somebody else's directory of such a name, in /tmp for instance, may have been made to mislead us
                if not self._is_private(fd):
                    continue
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with os.scandir(fd) as entries:
                    # One of our own directories that somebody has given such a name
                    if not all(_INSIDE.fullmatch(entry.name) for entry in entries):
                        continue
                self._give_back(fd)
                _retire_old(fd)
                if empty(fd) is None:
                    os.rmdir(name, dir_fd=self._into)

    def _give_back(self, private: int) -> None:
        """Where names cannot be exchanged, a killed restore may have taken the old thing away and not yet put the new
        one there: the old one goes back. Raises OSError if it cannot, and then nothing must be removed."""
        if not exists(b"old", private):
            return
        with opened("old", LIST, private) as old:
            with os.scandir(old) as entries:
                numbers = [os.fsencode(entry.name) for entry in entries if entry.name.isdigit()]
            for number in numbers:
                *parents, name = _noted_path(number, old).split(b"/")
                with descended(self._into, parents) as target:
                    if not exists(name, target):
                        os.rename(number, name, src_dir_fd=old, dst_dir_fd=target)

    # Committing

    def _units(self, paths: list[bytes]) -> list[bytes]:
        """What is to move: each path, or the topmost directory on its way that the target lacks."""
        whole = set(paths)
        return list(dict.fromkeys(self._unit(path.split(b"/"), whole) for path in paths))

    def _unit(self, parts: list[bytes], whole: set[bytes]) -> bytes:
        if parts[0].startswith(os.fsencode(_PREFIX)):
            raise TargetError(
                f"{printable(parts[0])} is a name that bakthat keeps for its own temporary directories; "
                "extract this archive with tar"
            )
        with contextlib.ExitStack() as on_the_way:
            directory = self._into
            for depth, part in enumerate(parts[:-1], start=1):
                above = b"/".join(parts[:depth])
                if above in whole:
                    return above
                try:
                    directory = on_the_way.enter_context(opened(part, SEARCH, directory))
                except OSError as error:
                    if error.errno not in NO_DIRECTORY:
                        raise
                    # Nothing there; or a file or a symbolic link, which can be replaced but not gone through
                    return above
        return b"/".join(parts)

    def _refuse_mounts(self, paths: list[bytes]) -> None:
        """What is mounted in a directory would move away with it."""
        target = os.path.realpath(self._target)
        for mount in mounts_below(target):
            for path in paths:
                if not (mount + "/").startswith(os.path.join(target, os.fsdecode(path), "")):
                    continue
                raise TargetError(
                    f"{printable(self._path_of(path))} is not replaced, since something is mounted there "
                    f"({printable(mount)}): unmount it, or restore elsewhere with --target"
                )

    def _undo(self, moves: list[_Move]) -> None:
        for move in reversed(moves):
            try:
                move.undo()
            except OSError as error:
                # The old files are in our directory, which must not be removed now, nor swept up by the next restore
                self._keep = True
                rescued = self._name.replace(_PREFIX, _RESCUED)
                os.rename(self._name, rescued, src_dir_fd=self._into, dst_dir_fd=self._into)
                raise TargetError(
                    f"{printable(self._path_of(move.path))} was replaced and cannot be put back ({error.strerror}); "
                    f"move it back by hand: it is in {printable(self._path_of(os.fsencode(rescued)))}"
                ) from error

    def _may_replace(self, path: bytes) -> bool:
        return self._overwrite and self._is_root(path)

    def _is_root(self, path: bytes) -> bool:
        if self._root is None or self._several_roots:
            return not self._several_roots
        root = path.partition(b"/")[0]
        return os.fsencode(self._root) == root or self._root == root.decode("utf-8", "backslashreplace")

    def _taken(self, path: bytes) -> TargetExists:
        there = f"{printable(self._path_of(path))} exists already"
        if self._several_roots:
            return TargetExists(
                f"{there}; the backup holds several names, and which is its own is not recorded, so that it replaces "
                "none: restore elsewhere with --target DIR"
            )
        if not self._is_root(path):
            return TargetExists(
                f"{there}, and this backup may replace nothing but {printable(self._root or '')}: restore elsewhere "
                "with --target DIR"
            )
        return TargetExists(f"{there}; --overwrite replaces it, --target DIR restores elsewhere")

    def _path_of(self, path: bytes) -> str:
        return os.path.join(self._target, os.fsdecode(path)) if path else os.fspath(self._target)


def _retire_old(private: int) -> None:
    """What is still in `old` has been replaced for good. In one step, before any of it is removed, so that a sweep
    after a kill does not take the rest for something to give back."""
    with contextlib.suppress(FileNotFoundError):
        os.rename("old", "replaced", src_dir_fd=private, dst_dir_fd=private)


_NOTE = b".path"
"""What follows the number of a thing that was taken away, in the name of the note that says where from."""


def _note_path(path: bytes, number: bytes, old: int) -> None:
    """Note where this thing comes from, on disk before it is taken away. A file: some file systems have no symbolic
    links, and those that can exchange no names are among them (exFAT)."""
    with opened(number + _NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, old, 0o600) as fd:
        view = memoryview(path)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)


def _noted_path(number: bytes, old: int) -> bytes:
    """Where it comes from. Raises OSError if nothing says so."""
    try:
        return os.readlink(number + _NOTE, dir_fd=old)  # as 1.0 noted it
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    with opened(number + _NOTE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, old) as fd:
        path = b""
        while piece := os.read(fd, _LONGEST_PATH):
            path += piece
            if len(path) > _LONGEST_PATH:
                break
    if not path or len(path) > _LONGEST_PATH:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return path


_LONGEST_PATH = 64 * 1024
"""Bytes, as of a path in an archive."""


@define
class _Move:
    """One thing on its way from the private directory to its final place, and back if need be.

    What has been done is never remembered, but looked at: so an interruption at any instruction can be undone.
    """

    path: bytes
    number: int
    new: int
    into: int
    private: int
    overwrite: bool
    rename: RenameWithFlags
    moved: tuple[int, int] | None = field(default=None, init=False)
    """The identity of what is moved."""

    def is_taken(self) -> bool:
        with self._places() as (_, target, name):
            return exists(name, target)

    def do(self) -> None:
        with self._places() as (source, target, name), _movable(name, source), _movable(name, target):
            self.moved = identity(name, source)
            try:
                self._put(source, target, name)
            except FileExistsError:
                if not self.overwrite:
                    raise
                self._exchange(source, target, name)

    def undo(self) -> None:
        with self._places() as (source, target, name), _movable(name, source), _movable(name, target):
            if self.moved is not None and identity(name, target) == self.moved:
                if exists(name, source):
                    self.rename(target, name, source, name, EXCHANGE)
                else:
                    os.rename(name, name, src_dir_fd=target, dst_dir_fd=source)
            with contextlib.suppress(FileNotFoundError), opened("old", SEARCH, self.private) as old:
                os.rename(b"%d" % self.number, name, src_dir_fd=old, dst_dir_fd=target)

    def _put(self, source: int, target: int, name: bytes) -> None:
        try:
            self.rename(source, name, target, name, NOREPLACE)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise
            # In two steps, which leave a moment for another process to take the name
            if exists(name, target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)

    def _exchange(self, source: int, target: int, name: bytes) -> None:
        try:
            self.rename(source, name, target, name, EXCHANGE)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise
            # In two steps; if we are killed in between, the next restore puts the old one back where the note says
            with contextlib.suppress(FileExistsError):
                os.mkdir("old", 0o700, dir_fd=self.private)
            with opened("old", LIST, self.private) as old:
                _note_path(self.path, b"%d" % self.number, old)
                # The note and the way to it come before what it is about: a disk may keep a later change and lose it
                for directory in (old, self.private, self.into):
                    # A directory that may not be read cannot be synced, and can be used all the same
                    with contextlib.suppress(PermissionError), opened(".", LIST, directory) as fd:
                        sync_folder(fd)
                os.rename(name, b"%d" % self.number, src_dir_fd=target, dst_dir_fd=old)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)

    @contextlib.contextmanager
    def _places(self) -> Iterator[tuple[int, int, bytes]]:
        """The directory from which and the one into which it moves, and its name."""
        *parents, name = self.path.split(b"/")
        with contextlib.ExitStack() as on_the_way:
            source = self.new
            for part in parents:
                source = on_the_way.enter_context(opened(part, SEARCH, source))
                allow(source, 0o700)  # this one stays behind, and its mode with it
            yield source, on_the_way.enter_context(descended(self.into, parents)), name


@contextlib.contextmanager
def _movable(name: bytes, directory: int) -> Iterator[None]:
    """A directory's ".." changes when it moves, so that the directory itself must be writable, for a moment."""
    with contextlib.ExitStack() as afterwards:
        try:
            fd = afterwards.enter_context(opened(name, SEARCH, directory))
            mode = allow(fd, 0o200)
        except OSError:  # no directory, or not ours; the move itself will tell
            mode = None
        if mode is not None:
            afterwards.callback(set_mode, fd, mode)
        yield
