"""`RangeFiles`: ranges of stored objects in files of a folder, `~/.cache/bakthat` by default.

A file is named by the hash of its identity. Its first line is the SHA-256 of all that follows, in hexadecimal; the
second one is JSON, and then come the ranges:

    {"format": "bakthat ranges", "version": 1, "identity": …, "ranges": [[offset, length], …]}

A file that was truncated, altered, or made for another identity counts as absent, so nothing needs to be synced to the
disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakthat.ports.range_cache import RangeCache

log = logging.getLogger("bakthat")

LIMIT = 512 * 1024 * 1024
"""Bytes of all files together; beyond that, those that were used least recently are removed. An index takes about 30
bytes for each file of the backup."""

_FORMAT, _VERSION = "bakthat ranges", 1
_SUFFIX = ".ranges"
_TEMPORARY = ".new-"
_ABANDONED_AFTER = 3600.0
"""Seconds after which a temporary file is the leftover of a process that was killed. Writing one takes far less."""


class RangeFiles(RangeCache):
    """Files that only their owner can read, in a folder that only its owner can enter. Safe to delete at any time."""

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        """`folder` is made by the first `save`. `limit`: bytes."""
        self._folder = folder
        self._limit = limit
        self._total: int | None = None
        """Bytes of all files, as far as this process knows; None before it has looked."""

    def __repr__(self) -> str:
        return f"RangeFiles({str(self._folder)!r})"

    def load(self, identity: str) -> Mapping[int, bytes]:
        path = self._path(identity)
        try:
            if not self._is_ours():
                return {}
            # O_NONBLOCK: a fifo of this name is damage, too, and does not block.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                found = _parsed(file.read(self._limit), identity)
            if found is not None:
                os.utime(path)  # used now
                return found
            path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            log.debug("the cache cannot be read: %s", error)
        return {}

    def save(self, identity: str, ranges: Mapping[int, bytes]) -> None:
        header = {
            "format": _FORMAT,
            "version": _VERSION,
            "identity": identity,
            "ranges": [[offset, len(content)] for offset, content in ranges.items()],
        }
        rest = b"\n".join((json.dumps(header).encode(), b"".join(ranges.values())))
        content = hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest
        if len(content) > self._limit // 2:
            return
        try:
            self._write(self._path(identity), content)
            self._shrink(len(content))
        except OSError as error:
            log.debug("the cache cannot be written: %s", error)

    def _path(self, identity: str) -> Path:
        return self._folder / (hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest() + _SUFFIX)

    def _is_ours(self) -> bool:
        """Whether the folder belongs to this user, and nobody else can enter it."""
        found = os.stat(self._folder)
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._is_ours():
            log.debug("the cache is not used: %s is not for its owner alone", self._folder)
            return
        descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _shrink(self, added: int) -> None:
        """Remove what was used least recently, if all files together are too large."""
        if self._total is not None:
            self._total += added
            if self._total <= self._limit:
                return
        found: list[tuple[float, int, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                about = entry.stat(follow_symlinks=False)
                if entry.name.endswith(_SUFFIX):
                    found.append((about.st_mtime, about.st_size, entry.path))
                elif entry.name.startswith(_TEMPORARY) and time.time() - about.st_mtime > _ABANDONED_AFTER:
                    os.unlink(entry.path)
        self._total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if self._total <= self._limit:
                return
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._total -= size


def _parsed(content: bytes, identity: str) -> dict[int, bytes] | None:
    """Return the ranges in a file; None if it is damaged, or holds those of another object."""
    digest, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        return None
    header, _, body = rest.partition(b"\n")
    try:
        about: Any = json.loads(header)
        if (about["format"], about["version"], about["identity"]) != (_FORMAT, _VERSION, identity):
            return None
        ranges: dict[int, bytes] = {}
        at = 0
        for offset, length in about["ranges"]:
            ranges[offset] = body[at : at + length]
            at += length
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return ranges
