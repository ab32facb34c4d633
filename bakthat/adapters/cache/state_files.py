"""`StateFiles`: the states of origins in files, `~/.cache/bakthat/states` by default.

    magic                       16 bytes
    key                         32 random bytes, for the hashes
    for each directory:
        hash of its path        16 bytes
        number of entries       4 bytes, little-endian
        for each entry:         hash of its path, fingerprint: 16 bytes each
    hash of the backup          32 bytes: the state belongs to it
    SHA-256 of all before       32 bytes

The hashes are BLAKE2b with the key. No name is in the file, and none can be guessed without it. A file that was
truncated or altered counts as absent.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import stat
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from bakthat.adapters.streams import write_all
from bakthat.ports.file_states import FileStates, Fingerprints, KnownFiles, StateDraft

_MAGIC = b"bakthat state 1\n"
_KEY_SIZE = 32
_HASH = 16
_ENTRY = 2 * _HASH
_COUNT = struct.Struct("<I")
_OWNER_SIZE = 32
_TRAILER = _OWNER_SIZE + hashlib.sha256().digest_size
_HEAD = len(_MAGIC) + _KEY_SIZE

_SUFFIX = ".state"
_TEMPORARY = ".new-"
_ABANDONED_AFTER = 30 * 24 * 3600.0
"""Seconds after which a temporary file is the leftover of a process that was killed. A backup may take days."""
_UNUSED_AFTER = 400 * 24 * 3600.0
"""Seconds after which a state is removed: that of a source which no longer exists."""

_BUFFER = 1024 * 1024


class StateFiles(FileStates):
    """Files that only their owner can read, in a folder that only its owner can enter. Safe to delete at any time."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made by the first draft."""
        self._folder = folder

    def __repr__(self) -> str:
        return f"StateFiles({str(self._folder)!r})"

    def known(self, origin: str, backup: str) -> KnownFiles | None:
        try:
            if not self._is_ours():
                return None
            # O_NONBLOCK: a fifo of this name is damage, too, and does not block.
            descriptor = os.open(self._path(origin), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_size < _HEAD + _TRAILER:
                    return None
                content = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        except (OSError, ValueError):
            return None
        return _parsed(content, backup)

    @contextmanager
    def draft(self, origin: str) -> Iterator[StateDraft]:
        draft = _Draft(self._folder, self._path(origin), self._is_ours)
        try:
            yield draft
        finally:
            draft.close()

    def _path(self, origin: str) -> Path:
        return self._folder / (hashlib.sha256(origin.encode(errors="surrogatepass")).hexdigest() + _SUFFIX)

    def _is_ours(self) -> bool:
        """Whether the folder belongs to this user, and nobody else can enter it."""
        found = os.stat(self._folder)
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


class _Hashes:
    """The hashes of paths, with the key of a state."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_directory(self, path: bytes) -> bytes:
        return blake2b(path, key=self._key, digest_size=_HASH).digest()

    def block(self, directory: bytes, contained: Fingerprints) -> bytes:
        """The entries of a directory, as the file has them."""
        start = blake2b(directory, key=self._key, digest_size=_HASH, person=b"entry")
        parts: list[bytes] = []
        for name, fingerprint in contained.items():
            entry = start.copy()
            entry.update(name)
            parts += (entry.digest(), fingerprint)
        return b"".join(parts)

    def owner(self, backup: str) -> bytes:
        return blake2b(backup.encode(errors="surrogatepass"), key=self._key, digest_size=_OWNER_SIZE).digest()


class _Known(KnownFiles):
    """The state in a file, which stays mapped: its memory is the page cache's. `places`: of the blocks of directories,
    by the hashes of their paths."""

    def __init__(self, content: mmap.mmap, hashes: _Hashes, places: dict[bytes, tuple[int, int]]) -> None:
        self._content = content
        self._hashes = hashes
        self._places = places

    def unchanged(self, directory: bytes, found: Fingerprints) -> Set[bytes]:
        start, stop = self._places.get(self._hashes.of_directory(directory), (0, 0))
        if not found or start == stop:
            return frozenset()
        known = self._content[start:stop]
        block = self._hashes.block(directory, found)
        if block == known:
            return frozenset(found)
        fingerprints = {known[at : at + _HASH]: known[at + _HASH : at + _ENTRY] for at in range(0, len(known), _ENTRY)}
        return {
            name
            for number, (name, fingerprint) in enumerate(found.items())
            if fingerprints.get(block[number * _ENTRY : number * _ENTRY + _HASH]) == fingerprint
        }


class _Draft(StateDraft):
    """A state on its way into a file. An error of the disk ends it, and is raised by `keep`: it must not end the
    backup."""

    def __init__(self, folder: Path, path: Path, is_ours: Callable[[], bool]) -> None:
        self._folder = folder
        self._path = path
        self._is_ours = is_ours
        self._hashes = _Hashes(key := os.urandom(_KEY_SIZE))
        self._parts = [_MAGIC, key]
        self._size = 0
        self._digest = hashlib.sha256()
        self._error: OSError | None = None
        self._temporary = ""
        self._descriptor = -1

    def add(self, directory: bytes, contained: Fingerprints) -> None:
        if not contained or self._error is not None:
            return
        block = self._hashes.block(directory, contained)
        self._parts += (self._hashes.of_directory(directory), _COUNT.pack(len(contained)), block)
        self._size += len(block)
        if self._size >= _BUFFER:
            self._write()

    def keep(self, backup: str) -> None:
        try:
            self._keep(backup)
        except OSError as error:
            reason = f"{self._folder}: {error.strerror or error}; XDG_CACHE_HOME names another place"
            raise OSError(error.errno, reason) from error

    def _keep(self, backup: str) -> None:
        self._parts.append(self._hashes.owner(backup))
        self._write()
        if self._error is not None:
            raise self._error
        write_all(self._descriptor, self._digest.digest())
        os.fsync(self._descriptor)
        os.replace(self._temporary, self._path)
        self._temporary = ""
        self._remove_old()

    def close(self) -> None:
        """Remove what was not kept."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._temporary:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)

    def _write(self) -> None:
        content = b"".join(self._parts)
        self._parts, self._size = [], 0
        try:
            if self._error is None:
                self._digest.update(content)
                write_all(self._opened(), content)
        except OSError as error:
            self._error = error

    def _opened(self) -> int:
        if self._descriptor < 0:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_ours():
                raise OSError(errno.EPERM, "the folder is not for its owner alone", str(self._folder))
            self._descriptor, self._temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._folder)
        return self._descriptor

    def _remove_old(self) -> None:
        now = time.time()
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                age = now - entry.stat(follow_symlinks=False).st_mtime
                limit = _UNUSED_AFTER if entry.name.endswith(_SUFFIX) else _ABANDONED_AFTER
                if age > limit and (entry.name.endswith(_SUFFIX) or entry.name.startswith(_TEMPORARY)):
                    os.unlink(entry.path)


def _parsed(content: mmap.mmap, backup: str) -> KnownFiles | None:
    """Return the state in a file; None if it is damaged, or of another backup."""
    end = len(content) - _TRAILER
    hashes = _Hashes(content[len(_MAGIC) : _HEAD])
    with memoryview(content) as view:
        digest = hashlib.sha256(view[: -hashlib.sha256().digest_size]).digest()
    if content[: len(_MAGIC)] != _MAGIC or content[end:] != hashes.owner(backup) + digest:
        return None
    places: dict[bytes, tuple[int, int]] = {}
    at = _HEAD
    while at < end:
        start = at + _HASH + _COUNT.size
        stop = start + _COUNT.unpack_from(content, at + _HASH)[0] * _ENTRY
        places[content[at : at + _HASH]] = (start, stop)
        at = stop
    return _Known(content, hashes, places) if at == end else None
