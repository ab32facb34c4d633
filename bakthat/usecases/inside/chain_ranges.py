"""What a restore reads of each archive of a chain: only the newest member of each path, and what that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
from bakthat.usecases.inside.chain_tree import ChainTree, OpenArchive
from bakthat.usecases.inside.members import above, below_root, plain_path, spans_of_selected, with_ends
from bakthat.usecases.inside.ranged_archive import Span

if TYPE_CHECKING:
    from bakthat.domain.ignore_patterns import IgnoreRules


def spans_of_chain(indexes: Sequence[ArchiveIndex], rules: IgnoreRules | None) -> list[list[Span] | None]:
    """Return what is needed of each archive, in order; None for all of it.

    Besides the members of the tree these are: what their hard links stand for; the directories above them, which say
    what must not be there any more; and the first member, which says something of all others.

    Args:
        indexes: Of the archives, the newest first.
        rules: Which paths are restored; None means all.

    Raises:
        PayloadDamaged: The indexes do not fit each other.
    """
    needed: list[set[int]] = [set() for _ in indexes]
    for found_member in ChainTree([_listing(index) for index in indexes], selecting(rules)).tree_members():
        needed[found_member.archive].add(found_member.member.offset)
    of_newest = None if rules is None else _from_the_start(spans_of_selected(indexes[0], rules))
    return [of_newest, *map(_spans_of, indexes[1:], needed[1:])]


def _listing(index: ArchiveIndex) -> OpenArchive:
    @contextmanager
    def listing() -> Iterator[Iterable[IndexEntry]]:
        yield index.entries()

    return listing


def selecting(rules: IgnoreRules | None) -> Callable[[str, bool], bool]:
    """Whether a path of an archive, and whether it is a directory, is what the patterns mean; None means all."""
    if rules is None:
        return lambda _path, _is_directory: True
    return lambda path, is_directory: bool(below := below_root(path)) and rules.selects(below, is_directory)


def _spans_of(index: ArchiveIndex, needed: set[int]) -> list[Span]:
    spans: dict[int, int] = {}
    directories: dict[str, Span] = {}
    last_parent = None  # members of one directory follow each other
    for entry, end in with_ends(index):
        if not spans:
            spans[entry.offset] = end
        if entry.kind == "directory":
            directories[plain_path(entry.path)] = (entry.offset, end)
            last_parent = None
        if entry.offset in needed:
            spans[entry.offset] = end
            path = plain_path(entry.path)
            parent = path.rpartition("/")[0]
            if parent == last_parent:
                continue
            last_parent = parent
            for directory in above(path):
                if directory in directories:
                    start, stop = directories[directory]
                    spans[start] = stop
    return _from_the_start(sorted(spans.items()))


def _from_the_start(spans: list[Span]) -> list[Span]:
    """The same, with what is before the first member: it names the base."""
    return [(0, spans[0][1]), *spans[1:]] if spans else spans
