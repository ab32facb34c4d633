"""The tree that an incremental backup stands for, out of the members of the archives of its chain.

    the newest archive      all its members are in the tree; its directories list the names that are unchanged
    each one before it      the members of names that are still looked for; the newest archive that has one counts

A hard link of an older archive is in the tree as a hard link if what it stands for is in the tree, too, and has not
changed since; else it shows that file's size and time under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from attrs import Factory, define, field, frozen

from bakthat.domain.archive_index import IndexEntry
from bakthat.errors import PayloadDamaged
from bakthat.usecases.inside.members import plain_path

OpenArchive = Callable[[], AbstractContextManager[Iterable[IndexEntry]]]
"""Lists the members of an archive, each time anew."""

Selects = Callable[[str, bool], bool]
"""Whether a path of the archive is meant; the second argument: it is a directory."""

PathsIn = Callable[[str, str], Sequence[str]]
"""Of the names that a directory lists as unchanged, joined by slashes, the paths that are meant."""

_MOST_LINKS = 40
"""Hard links to hard links that are followed, as many as Linux follows of symbolic ones."""


@frozen
class TreeMember:
    """A member that the tree needs.

    archive: 0 for the newest, 1 for its base, and so on. member: as that archive has it. shown: what a list of the tree
    shows for it, with paths as in an archive.
    """

    archive: int
    member: IndexEntry
    shown: tuple[IndexEntry, ...]


class SelectedPaths:
    """Finds the paths that are meant among unchanged names.

    Args:
        selects: What is meant.
        remembers: Characters of names whose result is remembered: from one backup to the next, most directories stay as
            they are.
    """

    def __init__(self, selects: Selects, *, remembers: int = 0) -> None:
        self._selects = selects
        self._most = remembers
        self._size = 0
        self._known: dict[tuple[str, str], list[str]] = {}

    def __call__(self, directory: str, names: str) -> Sequence[str]:
        found = self._known.get((directory, names))
        if found is None:
            paths = [f"{directory}/{name}" for name in names.split("/")] if names else []
            found = [path for path in paths if self._selects(path, False)]
            self._size += len(directory) + len(names)
            if self._size <= self._most:
                self._known[directory, names] = found
        return found


@define
class ChainTree:
    """Finds the members of a tree.

    archives: the newest first. selects: what is meant of the tree; everything by default. is_lenient: whether it is no
    error if no archive has an unchanged name. paths_in: finds what `selects` means among unchanged names; one that
    remembers may be used for several trees.
    """

    archives: Sequence[OpenArchive]
    selects: Selects = field(default=lambda _path, _is_directory: True)
    is_lenient: bool = False
    paths_in: PathsIn = field(default=Factory(lambda tree: SelectedPaths(tree.selects).__call__, takes_self=True))
    _wanted: dict[str, bool] = field(factory=dict, init=False)
    """The paths that are looked for in the next archive: whether they are in the tree, or only stood for."""
    _stand_ins: dict[str, list[str]] = field(factory=dict, init=False)
    """Paths that are looked for, and the hard links that show their content."""

    def looked_for(self) -> list[str]:
        """The paths of the tree that were not found yet; after `tree_members`, those that no archive has."""
        return [path for path, is_in_tree in self._wanted.items() if is_in_tree] + [
            path for paths in self._stand_ins.values() for path in paths
        ]

    def tree_members(self) -> Iterator[TreeMember]:
        """Yield the members, those of the newest archive first, in the order of each archive.

        Raises:
            PayloadDamaged: A name is unchanged in every archive; not if `is_lenient`.
        """
        yield from self._newest()
        for number in range(1, len(self.archives)):
            if not self._wanted:
                return
            yield from self._older(number)
        left = () if self.is_lenient else self._wanted.items()
        missing = [path for path, is_in_tree in left if is_in_tree or self._stand_ins.get(path)]
        if missing:
            others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
            raise PayloadDamaged(
                f"an incremental archive lists {missing[0]}{others} as unchanged, and none before it has them"
            )

    def _newest(self) -> Iterator[TreeMember]:
        unchanged: dict[str, str] = {}
        links: dict[str, bool] = {}
        with self.archives[0]() as members:
            for member in members:
                path = plain_path(member.path)
                is_directory = member.kind == "directory"
                if member.unchanged is not None:
                    unchanged[path] = member.unchanged  # of a directory that is there twice, the second one counts
                if self.selects(path, is_directory):
                    if member.kind == "hardlink":
                        links[plain_path(member.link)] = False
                    yield TreeMember(0, member, (member,))
        for directory, names in unchanged.items():
            self._wanted.update(dict.fromkeys(self.paths_in(directory, names), True))
        by_directory: dict[str, list[str]] = {}
        for path in links:
            by_directory.setdefault(path.rpartition("/")[0], []).append(path)
        for directory, paths in by_directory.items():
            there = set(unchanged.get(directory, "").split("/"))
            for path in paths:
                if path not in self._wanted and path.rpartition("/")[2] in there:
                    self._wanted[path] = False

    def _older(self, number: int) -> Iterator[TreeMember]:
        here: dict[str, IndexEntry] = {}
        with self.archives[number]() as members:
            for member in members:
                path = plain_path(member.path)
                if path in self._wanted and member.kind != "directory":
                    here[path] = member
        found = {path: self._wanted.pop(path) for path in here}
        targets: dict[str, int] = {}
        for path, member in here.items():
            is_in_tree = found[path]
            shown = [path] if is_in_tree else []
            shown += self._stand_ins.pop(path, [])
            if member.kind != "hardlink":
                yield TreeMember(number, member, _shown_as(member, shown))
                continue
            target = plain_path(member.link)
            remains = self._wanted.get(target, False) or found.get(target, False)
            if remains and shown == [path]:
                yield TreeMember(number, member, _shown_as(member, shown))
            else:
                yield TreeMember(number, member, ())
                self._stand_ins.setdefault(target, []).extend(shown)
            if target in found:
                # It comes out of this archive anyway, before or after its link in this loop.
                yield from self._late(number, target, here, targets)
            elif target not in self._wanted:
                targets[target] = max(member.offset, targets.get(target, 0))
        yield from self._targets(number, targets)

    def _late(
        self, number: int, target: str, here: dict[str, IndexEntry], targets: dict[str, int]
    ) -> Iterator[TreeMember]:
        """Show what stands for a member of this archive that may have been yielded before its link was met."""
        for _ in range(_MOST_LINKS):
            if here[target].kind != "hardlink" or plain_path(here[target].link) not in here:
                break
            following = plain_path(here[target].link)
            self._stand_ins.setdefault(following, []).extend(self._stand_ins.pop(target, []))
            target = following
        stand_ins = self._stand_ins.pop(target, [])
        if here[target].kind != "hardlink":
            if stand_ins:
                yield TreeMember(number, here[target], _shown_as(here[target], stand_ins))
        elif stand_ins:
            following = plain_path(here[target].link)
            self._stand_ins.setdefault(following, []).extend(stand_ins)
            if following not in self._wanted:
                targets[following] = max(here[target].offset, targets.get(following, 0))

    def _targets(self, number: int, targets: dict[str, int]) -> Iterator[TreeMember]:
        """Find what hard links of this archive stand for: in it, before them, or in one of those before it."""
        for _ in range(_MOST_LINKS):
            if not targets:
                return
            found: dict[str, IndexEntry] = {}
            with self.archives[number]() as members:
                for member in members:
                    path = plain_path(member.path)
                    if path in targets and member.offset < targets[path] and member.kind != "directory":
                        found[path] = member
            following: dict[str, int] = {}
            for path in targets:
                target = found.get(path)
                if target is None:
                    self._wanted.setdefault(path, False)
                    continue
                stand_ins = self._stand_ins.pop(path, [])
                if target.kind == "hardlink":
                    link = plain_path(target.link)
                    self._stand_ins.setdefault(link, []).extend(stand_ins)
                    following[link] = max(target.offset, following.get(link, 0))
                    yield TreeMember(number, target, ())
                else:
                    yield TreeMember(number, target, _shown_as(target, stand_ins))
            targets = following
        raise PayloadDamaged("an incremental archive has a chain of too many hard links")


def _shown_as(member: IndexEntry, paths: Iterable[str]) -> tuple[IndexEntry, ...]:
    return tuple(member if path == member.path else member._replace(path=path) for path in paths)
