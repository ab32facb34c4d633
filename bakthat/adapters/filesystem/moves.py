"""`Move`: moves one restored file or directory to its final name, and back if necessary."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from attrs import define, field

from bakthat.adapters.filesystem.dir_fd import LIST, SEARCH, allow, descended, exists, identity, opened, set_mode
from bakthat.adapters.filesystem.linux import EXCHANGE, NO_SUCH_CALL, NOREPLACE, RenameWithFlags
from bakthat.adapters.filesystem.whole_file import sync_folder
from bakthat.adapters.streams import write_all

_NOTE = b".path"
"""The suffix of the note that records the origin of a moved entry; it follows the entry's number."""


def _note_path(path: bytes, number: bytes, old: int) -> None:
    """Record the origin of this entry, synced before it is moved. The note is a file, because some file systems that
    cannot exchange names have no symbolic links either (exFAT)."""
    with opened(number + _NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, old, 0o600) as fd:
        write_all(fd, path)
        os.fsync(fd)


def noted_path(number: bytes, old: int) -> bytes:
    """The recorded origin. Raises OSError if there is none."""
    try:
        return os.readlink(number + _NOTE, dir_fd=old)  # 1.0's form of the note
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
"""The maximum length in bytes, as of a path in an archive."""


@define
class Move:
    """Moves one entry from the private directory to its final place, and back if necessary.

    The progress is not remembered, but read from the file system, so an interruption at any instruction can be undone.
    """

    path: bytes
    number: int
    new: int
    into: int
    private: int
    overwrite: bool
    rename: RenameWithFlags
    moved: tuple[int, int] | None = field(default=None, init=False)
    """The identity of the moved entry."""

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
            # In two steps; another process may take the name in between
            if exists(name, target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)

    def _exchange(self, source: int, target: int, name: bytes) -> None:
        try:
            self.rename(source, name, target, name, EXCHANGE)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise
            # In two steps; if we are killed in between, the next restore puts the old one back by the note
            with contextlib.suppress(FileExistsError):
                os.mkdir("old", 0o700, dir_fd=self.private)
            with opened("old", LIST, self.private) as old:
                _note_path(self.path, b"%d" % self.number, old)
                # The note and its path must be synced first: a disk may keep a later change and lose it
                for directory in (old, self.private, self.into):
                    # A directory that may not be read cannot be synced, but can be used
                    with contextlib.suppress(PermissionError), opened(".", LIST, directory) as fd:
                        sync_folder(fd)
                os.rename(name, b"%d" % self.number, src_dir_fd=target, dst_dir_fd=old)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)

    @contextlib.contextmanager
    def _places(self) -> Iterator[tuple[int, int, bytes]]:
        """The source directory, the target directory, and the name."""
        *parents, name = self.path.split(b"/")
        with contextlib.ExitStack() as on_the_way:
            source = self.new
            for part in parents:
                source = on_the_way.enter_context(opened(part, SEARCH, source))
                allow(source, 0o700)  # this one stays here, with its mode
            yield source, on_the_way.enter_context(descended(self.into, parents)), name


@contextlib.contextmanager
def _movable(name: bytes, directory: int) -> Iterator[None]:
    """A directory's ".." changes when it moves, so the directory itself must be writable for a moment."""
    with contextlib.ExitStack() as afterwards:
        try:
            fd = afterwards.enter_context(opened(name, SEARCH, directory))
            mode = allow(fd, 0o200)
        except OSError:  # not a directory, or not ours; the move itself will fail
            mode = None
        if mode is not None:
            afterwards.callback(set_mode, fd, mode)
        yield
