"""What a backup leaves out: patterns of the gitignore grammar, matched by `pathspec` (imported only if there are any).

As git does: the last pattern that fits decides, `!` takes a path back in, and nothing in a directory that is left out
comes back.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from bakthat.adapters.printable import printable
from bakthat.adapters.source import O_READ, reason
from bakthat.errors import SourceError, UsageError

Matcher = Callable[[str, bool], bool]
"""Whether the path is one of the pattern's: relative to the root, with slashes; and whether it is a directory."""

FILES = (".bakthatexclude", ".gitignore")
"""Where a source's own patterns are looked for, at its root; the first that is there counts."""

# pathspec's expressions take a newline for the end of a path, though a name may hold one. U+FDD0 is a noncharacter,
# which no name should hold.
_NEWLINE = "\ufdd0"

_MAX_BYTES = 16 * 1024 * 1024


def matcher(source: Path, patterns: Sequence[str] = ()) -> Matcher | None:
    """What decides what a backup of the directory `source` leaves out: the patterns of its `.bakthatexclude`, else of
    its `.gitignore`, then the given ones. None if there is not one pattern.

    Raises `SourceError` if the file is there and cannot be read, `UsageError` for what is no pattern.
    """
    own: list[tuple[str, str]] = []
    for name in FILES:
        path = os.path.join(source, name)
        lines = _lines(path)
        if lines is not None:
            own = [(f"{path}, line {number}", line) for number, line in enumerate(lines, 1)]
            break
    return _compile([*own, *(("exclude pattern", pattern) for pattern in patterns)])


def pattern_matcher(patterns: Sequence[str]) -> Matcher | None:
    """As `matcher`, for the given patterns alone."""
    return _compile([("pattern", pattern) for pattern in patterns])


def _compile(patterns: Sequence[tuple[str, str]]) -> Matcher | None:
    wanted = [(where, text) for where, text in patterns if text.strip() and not text.startswith("#")]
    if not wanted:
        return None
    from pathspec import GitIgnoreSpec

    for where, text in wanted:
        try:
            GitIgnoreSpec.from_lines([text])
        except ValueError as error:
            raise UsageError(f"{printable(where)}: {text!r} is no pattern of the gitignore grammar") from error
    fits = GitIgnoreSpec.from_lines([text.replace("\n", _NEWLINE) for _, text in wanted]).match_file

    def matches(path: str, is_directory: bool) -> bool:
        if "\n" in path:
            path = path.replace("\n", _NEWLINE)
        return fits(path + "/" if is_directory else path)

    return matches


def _lines(path: str) -> list[str] | None:
    """The file's lines; None if there is no such file (a directory or a fifo of that name is none)."""
    content = b""
    try:
        descriptor = os.open(path, O_READ)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            while len(content) <= _MAX_BYTES and (more := os.read(descriptor, _MAX_BYTES)):
                content += more
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO):
            return None
        raise SourceError(
            f"{printable(path)}, which says what to leave out, cannot be read: {reason(error)}"
        ) from error
    if len(content) > _MAX_BYTES:
        raise SourceError(f"{printable(path)} is longer than 16 MiB, and so no list of what to leave out")
    text = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf"))
    return [line.removesuffix("\r") for line in text.split("\n")]
