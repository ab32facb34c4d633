"""What differs between the contents of two archives."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from attrs import frozen

from bakthat.domain.archive_index import EntryKind, IndexEntry


class Change(enum.StrEnum):
    """What became of a path."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Facts(NamedTuple):
    """What is compared of an entry. Of a hard link, these are the facts of the file that it stands for."""

    kind: EntryKind
    size: int
    """Bytes."""
    mtime_ns: int
    """Nanoseconds since 1970; 0 for a directory, whose time only tells that something in it was added or removed."""
    mode: int
    link: str
    """What a symbolic link contains; else empty."""


@frozen(kw_only=True)
class Difference:
    """One path that is not the same in both archives.

    path: below the backup's root. fields: what changed, of `type`, `size`, `mtime`, `mode` and `link`; empty unless it
    is a change. before, after: the facts; None where the path is not there.
    """

    path: str
    change: Change
    fields: tuple[str, ...] = ()
    before: Facts | None = None
    after: Facts | None = None


_SECOND = 1_000_000_000
_ERROR = 1_000
"""Nanoseconds."""

_NAMES = ("type", "size", "mtime", "mode", "link")


def differences(before: Iterable[IndexEntry], after: Iterable[IndexEntry]) -> Iterator[Difference]:
    """Yield what differs, sorted by path.

    A path that an archive has twice counts as its last one, which is what a restore leaves. Which of a file's names is
    the hard link depends on the order in which they were read, and is not a difference. Takes about 350 bytes of memory
    for each path.

    Args:
        before: The entries of one archive, in its order, with paths below the backup's root.
        after: The entries of the other.
    """
    old: dict[str, Facts] = {}
    for entry in before:
        old[entry.path] = _facts(entry, old.get)
    same: dict[str, Facts] = {}
    new: dict[str, Facts] = {}

    def earlier(path: str) -> Facts | None:
        return new.get(path) or same.get(path)

    for entry in after:
        path, facts = entry.path, _facts(entry, earlier)
        was = old.pop(path, None) or same.pop(path, None)
        if was is not None and not _changed(was, facts):
            same[path] = was
            new.pop(path, None)
        else:
            new[path] = facts
            if was is not None:
                old[path] = was
    for path in sorted(new.keys() | old.keys()):
        yield _difference(path, old.get(path), new.get(path))


def _difference(path: str, before: Facts | None, after: Facts | None) -> Difference:
    if before is None:
        return Difference(path=path, change=Change.ADDED, after=after)
    if after is None:
        return Difference(path=path, change=Change.REMOVED, before=before)
    return Difference(path=path, change=Change.CHANGED, fields=_changed(before, after), before=before, after=after)


def _changed(before: Facts, after: Facts) -> tuple[str, ...]:
    """Return the names of what is not the same."""
    if before == after:
        return ()
    return tuple(
        name
        for name, old, new in zip(_NAMES, before, after, strict=True)
        if old != new and not (name == "mtime" and _same_time(before.mtime_ns, after.mtime_ns))
    )


def _same_time(one: int, other: int) -> bool:
    """Whether two times in nanoseconds may be one. Archives in the older formats have whole seconds, and Python's
    `tarfile` writes fractions with an error of some hundred nanoseconds."""
    has_whole_seconds = not one % _SECOND or not other % _SECOND
    return abs(one - other) < _ERROR or (has_whole_seconds and one // _SECOND == other // _SECOND)


def _facts(entry: IndexEntry, earlier: Callable[[str], Facts | None]) -> Facts:
    """Return what is compared. `earlier`: the facts of a path that came before, where the file of a hard link is."""
    if entry.kind == "hardlink":
        # The link names the file with the backup's root; a root that is a file has no slash.
        file = earlier(entry.link.partition("/")[2] or entry.link)
        if file is not None:
            return file
    is_directory = entry.kind == "directory"
    link = entry.link if entry.kind == "symlink" else ""
    return Facts(entry.kind, entry.size, 0 if is_directory else entry.mtime_ns, entry.mode, link)
