"""Examines and opens a source, without waiting for a fifo or changing access times."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.payload import SourceKind
from bakthat.errors import SourceError

O_NOATIME = getattr(os, "O_NOATIME", 0)
"""Do not change the access time; allowed for a file's owner and root (0 if the system does not support it)."""

O_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""Flags for reading. Non-blocking: opening a fifo without a writer would wait forever."""

_BLOCK = 512
_LOOK = 64 * 1024
"""The part of a packed file that is examined: a gzip header with a name and a comment, and the first tar member."""


def examine(path: Path) -> SourceKind:
    """The kind of the source; a symbolic link is followed. A file is packed if its *content* is a gzipped tar, whatever
    its name; only its beginning is read.

    Raises `SourceError` if the source does not exist, cannot be read, or is neither a file nor a directory.
    """
    status = status_of(path)
    if stat.S_ISDIR(status.st_mode):
        os.close(open_directory(path))
        return SourceKind.DIRECTORY
    descriptor, _ = open_file(path)
    try:
        return SourceKind.PACKED_FILE if _is_packed(descriptor) else SourceKind.FILE
    except OSError as error:
        raise refused(path, error) from error
    finally:
        os.close(descriptor)


def status_of(path: Path) -> os.stat_result:
    """The status of the source; a symbolic link is followed. Raises `SourceError` if it is neither a file nor a
    directory."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise SourceError(
                f"{printable(str(path))} is a symbolic link to {printable(os.readlink(path))}, which does not exist"
            ) from error
        raise refused(path, error) from error
    except OSError as error:
        raise refused(path, error) from error
    except ValueError as error:  # a NUL in it
        raise SourceError(f"{printable(str(path))}: not a valid path") from error
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
        raise SourceError(f"{printable(str(path))} is {_kind(status.st_mode)}; back up its directory, or a file")
    return status


def open_file(path: Path) -> tuple[int, os.stat_result]:
    """A descriptor of the source file, and its status. Raises `SourceError`."""
    status_of(path)
    try:
        descriptor = _open(path, O_READ)
        status = os.fstat(descriptor)
    except OSError as error:
        raise refused(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise SourceError(f"{printable(str(path))} is {_kind(status.st_mode)}, not a file")
    return descriptor, status


def open_directory(path: Path) -> int:
    """A descriptor of the source directory. Raises `SourceError`."""
    try:
        return _open(path, O_READ | os.O_DIRECTORY)
    except OSError as error:
        raise refused(path, error) from error


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | O_NOATIME)
    except PermissionError:
        return os.open(path, flags)


def refused(path: Path, error: OSError) -> SourceError:
    """The error for a source that the system refuses."""
    return SourceError(f"{printable(str(path))} cannot be backed up: {reason(error)}")


def reason(error: OSError) -> str:
    """The system's error text, as the end of a line: `no such file or directory`."""
    text = error.strerror or str(error) or type(error).__name__
    return text if text.startswith("I/O") else text[:1].lower() + text[1:]


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a fifo", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _is_packed(descriptor: int) -> bool:
    plain = b""
    inflater = zlib.decompressobj(31)
    packed = os.read(descriptor, _LOOK)
    try:
        while packed and len(plain) < _BLOCK:
            plain += inflater.decompress(packed, _BLOCK - len(plain))
            if not inflater.eof:
                break
            packed = inflater.unused_data
            inflater = zlib.decompressobj(31)
    except zlib.error:
        return False
    return len(plain) == _BLOCK and _is_tar_header(plain)


def _is_tar_header(block: bytes) -> bool:
    """Whether the checksum is right: the sum of all bytes, with its own eight as spaces. Old tars have no magic
    number."""
    try:
        stated = int(block[148:156].strip(b" \0") or b"-", 8)
    except ValueError:
        return False
    others = block[:148] + block[156:]
    unsigned = sum(others) + 8 * ord(" ")
    # Some old tars summed signed characters.
    return block[0] != 0 and stated in (unsigned, unsigned - 256 * sum(byte > 127 for byte in others))
