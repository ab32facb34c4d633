"""`LocalObjectStore`: objects as files of a folder, such as a second disk or a network mount."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from bakthat.adapters.filesystem.folder_listing import keys_below
from bakthat.adapters.filesystem.folders import make_folders
from bakthat.adapters.filesystem.home import expand_home
from bakthat.adapters.filesystem.whole_file import (
    NEW_FILE,
    TEMPORARY,
    FileCalls,
    WholeFile,
    leftovers_in,
    remove_leftovers,
    remove_unlocked,
    sync_folder,
)
from bakthat.adapters.streams import write_all
from bakthat.domain.callbacks import ignore
from bakthat.domain.object_key import check_key
from bakthat.domain.objects import Leftover, ObjectInfo
from bakthat.errors import AccessDenied, ObjectExists, ObjectNotFound, StoreError, StoreUnavailable
from bakthat.ports.byte_ranges import check_range, check_version
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.streams import fill

_MARK = ".bakthat-store"
"""An empty file in every folder that `put` has used. An empty folder without it may be the mount point of a disk that
is not mounted, and `sync` would mark every backup as deleted."""
_COPY = 1024 * 1024

_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""One day before the largest `datetime`, so that every time zone can show it."""


class LocalObjectStore(ObjectStore):
    """A key is a path below `folder`. An object gets its name only when it is complete and synced, and never replaces
    another, with or without hard links (`WholeFile`). A completely empty folder, even without the hidden mark of an
    earlier `put`, is refused for reading: its disk may not be mounted."""

    def __init__(self, folder: Path, *, calls: FileCalls | None = None, notice: Callable[[str], None] = ignore) -> None:
        """`folder` may not exist yet; the first `put` creates it, readable only by its owner. `~` is expanded; raises
        `ConfigInvalid` without a home directory. `calls`: system calls that a file system may lack. `notice`: called
        with what a listing skips: unreadable folders, and paths longer than a key may be."""
        whole = expand_home(folder, "local_path", instead="set `local_path` to an absolute path")
        self._folder = Path(os.path.abspath(whole))
        self._notice = notice
        self._calls = calls if calls is not None else FileCalls()
        self.location = self._folder.as_uri()

    def __repr__(self) -> str:
        return f"LocalObjectStore({str(self._folder)!r})"

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        path = self._path(key)
        with self._translated(key):
            if not replace and os.path.lexists(path):
                raise ObjectExists(f"{path} already exists")
            make_folders(str(path.parent))
        self._mark()
        folder = self._open_folder(path.parent)
        try:
            with contextlib.ExitStack() as stack:
                with self._translated(key):
                    file = stack.enter_context(WholeFile(folder, self._calls))
                    remove_leftovers(folder, self._calls, os.fstat(file.fd).st_mtime)
                size = 0
                for piece in iter(lambda: body.read(_COPY), b""):
                    with self._translated(key):
                        write_all(file.fd, piece)
                    size += len(piece)
                with self._translated(key):
                    file.publish(path.name, replace=replace)
                    modified = os.fstat(file.fd).st_mtime
        finally:
            os.close(folder)
        return ObjectInfo(key=key, size=size, modified=_moment(modified))

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self._reader(key, 0, None, None)

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        check_range(start, stop)
        return self._reader(key, start, stop, expected)

    def _reader(self, key: str, start: int, stop: int | None, expected: ObjectInfo | None) -> io.BufferedReader:
        path = self._path(key)
        with self._translated(key):
            self._check_folder()
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                found = _info(key, _checked(os.fstat(fd), path))
                check_version(found, expected, str(path))
                os.lseek(fd, min(start, found.size), os.SEEK_SET)
            except BaseException:
                os.close(fd)
                raise
        size = max(0, (found.size if stop is None else min(stop, found.size)) - start)
        return io.BufferedReader(_ObjectFile(fd, path, size), max(1, min(size, _COPY)))

    def stat(self, key: str) -> ObjectInfo:
        path = self._path(key)
        with self._translated(key):
            self._check_folder()
            return _info(key, _checked(path.lstat(), path))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        # Key order is not directory order (`a.b` < `a/b` < `a0`), so the names are collected before they are sorted.
        with self._translated(prefix):
            self._check_folder()
            keys = keys_below(str(self._folder), prefix, _is_own, self._notice)
        out_of_reach: list[StoreError] = []
        for key in sorted(keys):
            try:
                found = os.lstat(f"{self._folder}/{key}")
            except FileNotFoundError:
                continue  # deleted meanwhile
            except OSError as error:
                out_of_reach.append(_translation(error, self._folder / key))
                continue
            if stat.S_ISREG(found.st_mode):
                yield _info(key, found)
        if out_of_reach:
            more = f", and {len(out_of_reach) - 1} more" if len(out_of_reach) > 1 else ""
            self._notice(f"not listed{more}: {out_of_reach[0]}")

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._translated(key):
            self._check_folder()
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            folder = self._open_folder(path.parent)
            try:
                sync_folder(folder)
            finally:
                os.close(folder)

    def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
        """The hidden files of writers. Where the system has files without names, killed writers leave none."""
        with self._translated(prefix):
            self._check_folder()
        for path, found in leftovers_in(str(self._folder)):
            name = os.path.relpath(path, self._folder)
            if name.startswith(prefix):
                changed = _moment(found.st_mtime)
                yield Leftover(
                    key=os.fsencode(name).decode("utf-8", "backslashreplace"),
                    upload_id=path,
                    started=changed,
                    latest=changed,
                    size=found.st_size,
                    is_of_bakthat=True,
                )

    def remove_leftover(self, leftover: Leftover) -> bool:
        with self._translated(leftover.key):
            return remove_unlocked(leftover.upload_id, self._calls)

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    def _check_folder(self) -> None:
        if not self._folder.is_dir():
            raise StoreUnavailable(f"the folder {self._folder} does not exist; is its disk mounted?")
        with os.scandir(self._folder) as entries:
            if next(entries, None) is None:
                raise StoreUnavailable(f"the folder {self._folder} is empty; is its disk mounted?")

    def _mark(self) -> None:
        with self._translated(_MARK), contextlib.suppress(FileExistsError):
            os.close(os.open(self._folder / _MARK, NEW_FILE, 0o600))

    def _open_folder(self, path: Path) -> int:
        with self._translated(str(path)):
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @contextlib.contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _translation(error, self._folder / key) from error


class _ObjectFile(io.FileIO):
    """The next `size` bytes of a file. A file that has become shorter is an error, not an end.

    Reading raises our errors, not the system's. Closing raises nothing, because the bytes were already read.
    """

    def __init__(self, fd: int, path: Path, size: int) -> None:
        super().__init__(fd, "rb")
        self._path = path
        self._left = size

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        try:
            count = super().readinto(view) or 0
        except OSError as error:
            raise _translation(error, self._path) from error
        if len(view) and not count:
            raise StoreError(f"{self._path} has become shorter while it was read; start again")
        self._left -= count
        return count

    def readall(self) -> bytes:
        content = bytearray(self._left)
        fill(cast(BinaryIO, self), memoryview(content))
        return bytes(content)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


def _translation(error: OSError, path: Path) -> StoreError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
        return ObjectNotFound(f"{path} does not exist")
    if error.errno in {errno.EEXIST, errno.EISDIR}:
        return ObjectExists(f"{path} already exists")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = ""
        with contextlib.suppress(OSError, StopIteration):
            there = next(parent for parent in path.parents if parent.is_dir())
            free = f", {shutil.disk_usage(there).free // 1_000_000} MB free"
        return StoreError(f"{path} could not be written: {reason}{free}; make room or choose another local_path")
    if error.errno == errno.EFBIG:
        return StoreError(
            f"{path}: its file system does not support files of this size (FAT: 4 GB); choose another local_path"
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return AccessDenied(f"{path}: {reason}; check who owns the folder and that it is not mounted read-only")
    return StoreError(f"{path}: {reason}")


def _checked(found: os.stat_result, path: Path) -> os.stat_result:
    """Raise `ObjectNotFound` unless it is a regular file."""
    if not stat.S_ISREG(found.st_mode):
        raise ObjectNotFound(f"{path} is not a file")
    return found


def _info(key: str, found: os.stat_result) -> ObjectInfo:
    etag = f"{found.st_ino:x}-{found.st_mtime_ns:x}"
    return ObjectInfo(key=key, size=found.st_size, modified=_moment(found.st_mtime), etag=etag)


def _moment(seconds: float) -> datetime:
    """Limit the date of a file, which may be in the year 10000, to the range of `datetime`."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return _LATEST if seconds > 0 else _EARLIEST


def _is_own(name: str) -> bool:
    return name.startswith((TEMPORARY, _MARK))
