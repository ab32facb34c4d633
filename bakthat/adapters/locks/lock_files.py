"""`LockFiles`: a lock is an empty file, locked by flock(2)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator

from bakthat.adapters.filesystem.folders import make_folders
from bakthat.errors import ConfigError
from bakthat.ports.job_locks import JobLocks


class LockFiles(JobLocks):
    """The kernel gives a lock back when its process ends, also by kill -9; so the files stay, and mean nothing."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Name the folder, which is created with the first lock."""
        self._folder = os.fspath(folder)

    def __repr__(self) -> str:
        return f"LockFiles({self._folder!r})"

    @contextlib.contextmanager
    def hold(self, name: str, scope: str = "") -> Iterator[bool]:
        try:
            make_folders(self._folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(os.path.join(self._folder, _file_name(name, scope)), flags, 0o600)
        except OSError as error:
            raise self._cannot_lock(error) from error
        try:
            try:
                # flock and not POSIX locks: those belong to the process, so that two threads would both get one.
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_ours = False
            except OSError as error:
                raise self._cannot_lock(error) from error
            else:
                is_ours = True
            yield is_ours
        finally:
            os.close(descriptor)

    def _cannot_lock(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"no lock for the job in {self._folder}: {error.strerror}; set XDG_STATE_HOME to a folder that is writable"
        )


def _file_name(name: str, scope: str) -> str:
    """A name that tells a person which lock it is, and differs for each lock."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
    distinct = hashlib.sha256(f"{name}\0{scope}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{readable}-{distinct}.lock"
