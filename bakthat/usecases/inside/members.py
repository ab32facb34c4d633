"""Which members of an archive are meant: by patterns, as `restore --only` and `ls` take them, or by a path."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
from bakthat.errors import UsageError
from bakthat.usecases.inside.ranged_archive import Span

if TYPE_CHECKING:
    from bakthat.domain.ignore_patterns import IgnoreRules

_MOST_LINKS = 40
"""Hard links to hard links that are followed, as many as Linux follows of symbolic ones."""


def plain_path(path: str) -> str:
    """The path of a member without dots and double slashes, as an extraction has it."""
    if "//" in path or "/." in path or path[:1] == ".":
        return posixpath.normpath(path)
    return path


def below_root(path: str) -> str:
    """The path relative to the backup's root, as a person writes it; empty for the root itself."""
    return path.partition("/")[2]


def path_below_root(entry: IndexEntry) -> str:
    """Return the entry's path as a person names it: relative to the backup's root. A root that is a file has its own
    name; that of a directory is empty."""
    path = plain_path(entry.path)
    return below_root(path) or ("" if entry.kind == "directory" else path)


def relative(members: Iterable[IndexEntry], rules: IgnoreRules | None = None) -> Iterator[IndexEntry]:
    """Yield what the patterns select (None: everything), with paths relative to the root, which is left out."""
    made_of = IndexEntry._make  # half the time of `_replace`, for what may be a million entries
    for entry in members:
        if (rules is None or is_selected(entry, rules)) and (path := path_below_root(entry)):
            yield made_of((path, *entry[1:]))


def rules_of(patterns: Sequence[str], option: str) -> IgnoreRules | None:
    """The patterns as rules; None without any. `option` names them in the error. Raises `UsageError` if they select
    nothing."""
    from bakthat.domain.ignore_patterns import IgnoreRules, PatternList

    if not patterns:
        return None
    rules = IgnoreRules([PatternList(option, patterns)])
    if not rules:
        raise UsageError(f"{option}: these patterns select nothing; omit them to select everything")
    return rules


def is_selected(entry: IndexEntry, rules: IgnoreRules | None) -> bool:
    """Whether the patterns select this member. Patterns start below the root; if that is a file, they mean it."""
    if rules is None:
        return True
    is_directory = entry.kind == "directory"
    path = plain_path(entry.path)
    below = below_root(path)
    if not below:
        if is_directory:
            return False
        below = path
    return rules.selects(below, is_directory)


def with_ends(index: ArchiveIndex) -> Iterator[tuple[IndexEntry, int]]:
    """Each entry, and where the next one begins in the tar stream, or the stream ends."""
    entries = index.entries()
    entry = next(entries, None)
    while entry is not None:
        following = next(entries, None)
        yield entry, index.header.plain_size if following is None else following.offset
        entry = following


def spans_of_selected(index: ArchiveIndex, rules: IgnoreRules | None) -> list[Span]:
    """What an extraction of the selected members must see, in order: they, the directories above them, the members that
    they are hard links to, and the first member, which says something of all others."""
    spans: dict[int, int] = {}
    directories: dict[str, Span] = {}
    links: dict[str, int] = {}
    """Paths that hard links stand for, and where the last of these links begins."""
    for entry, end in with_ends(index):
        if not spans:
            spans[entry.offset] = end
        if entry.kind == "directory":
            directories[plain_path(entry.path)] = (entry.offset, end)
        if not is_selected(entry, rules):
            continue
        spans[entry.offset] = end
        if entry.kind == "hardlink":
            links[plain_path(entry.link)] = entry.offset
        for directory in above(plain_path(entry.path)):
            if directory in directories:
                start, stop = directories[directory]
                spans[start] = stop
    for _ in range(_MOST_LINKS):
        if not links:
            break
        links = _add_targets(index, links, spans)
    return sorted(spans.items())


def _add_targets(index: ArchiveIndex, links: dict[str, int], spans: dict[int, int]) -> dict[str, int]:
    """Add the members of these paths that come before their links; return the hard links among them."""
    more: dict[str, int] = {}
    for entry, end in with_ends(index):
        path = plain_path(entry.path)
        if path in links and entry.offset < links[path] and entry.offset not in spans:
            spans[entry.offset] = end
            if entry.kind == "hardlink":
                more[plain_path(entry.link)] = entry.offset
    return more


def above(path: str) -> Iterable[str]:
    """Yield the directories above a path, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path
