"""Reads files of gitignore patterns: a source's own, and those that a user names.

All have the same form: UTF-8, with or without a byte order mark; lines end at `\\n` or `\\r\\n` only. No error shows
    the
content of a file: it may be named, or linked to, by mistake or on purpose.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.writing.source import O_READ, reason
from bakthat.domain.callbacks import ignore
from bakthat.domain.ignore_patterns import PatternList
from bakthat.errors import SourceError, UsageError

OWN_FILE = ".bakthatexclude"
GITIGNORE = ".gitignore"

_MAX_BYTES = 16 * 1024 * 1024


def source_patterns(
    source: Path, gitignore: bool = True, *, notice: Callable[[str], None] = ignore
) -> PatternList | None:
    """The patterns in `.bakthatexclude` at the top of the directory `source`; if there is none, those in `.gitignore`,
    unless `gitignore` is False. None if neither exists; anything but a regular file counts as absent.

    The owner of the source controls these names, so symbolic links are not followed. A `.gitignore` that is a link is
    ignored, as in git, with a call of `notice`. Raises `SourceError` for a `.bakthatexclude` that is a link, and for a
    file
    that cannot be read or is not text: storing what should be left out is worse than an error.
    """
    for name in (OWN_FILE, GITIGNORE) if gitignore else (OWN_FILE,):
        path = os.path.join(source, name)
        shown = printable(path)
        try:
            content = _content(path, O_READ | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO):
                continue
            if os.path.islink(path):
                is_link = f"{shown} is a symbolic link, which is not followed"
                if name == OWN_FILE:
                    raise SourceError(
                        f"{is_link}; put the file itself there, or name it with `exclude_from=`"
                    ) from error
                notice(f"{is_link}, as in git; name the file with `exclude_from=`, or use `gitignore=False`")
                return None
            raise SourceError(f"{shown} (what to leave out) cannot be read: {reason(error)}") from error
        if content is None:
            continue
        try:
            return PatternList(name, _lines(content), place=shown)
        except ValueError as error:
            raise SourceError(f"{shown} (what to leave out) {error}") from None
    return None


def named_patterns(path: Path) -> PatternList:
    """The patterns in a file that the user names; it may be a link or a pipe. Raises `UsageError`."""
    shown = printable(str(path))
    try:
        content = _content(os.fspath(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY, only_regular=False)
        assert content is not None  # noqa: S101 - of any kind
        return PatternList("--exclude-from", _lines(content), place=shown)
    except OSError as error:
        raise UsageError(f"`exclude_from=`: {shown}: {reason(error)}") from error
    except ValueError as error:
        raise UsageError(f"`exclude_from=`: {shown} {error}") from None


def _content(path: str, flags: int, *, only_regular: bool = True) -> bytes | None:
    """The content, up to slightly more than the limit; None for anything but a regular file."""
    descriptor = os.open(path, flags)
    try:
        if only_regular and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        pieces: list[bytes] = []
        size = 0
        while size <= _MAX_BYTES and (piece := os.read(descriptor, 1024 * 1024)):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _lines(content: bytes) -> list[str]:
    """Raises ValueError, whose text follows the file's name, if this is not a list of patterns."""
    if len(content) > _MAX_BYTES:
        raise ValueError("is larger than 16 MiB, the limit for a list of patterns")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = error.start
    else:
        bad = text.find("\0")
        if bad < 0:
            return [line.removesuffix("\r") for line in text.split("\n")]
        bad = len(text[:bad].encode())
    line = content.count(b"\n", 0, bad) + 1
    raise ValueError(f"is not UTF-8 text (line {line}); save it as UTF-8")
