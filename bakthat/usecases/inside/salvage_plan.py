"""What is to be salvaged of each archive of a chain, so that no older version of a file is taken for the tree's.

The newest archive says which names the tree has. Each name is looked for from the newest archive to the full one, as
for a restore. Of an archive whose list is not whole, the damage may hide a newer version:

    its directory says that the name is unchanged      an older archive has the right version
    its directory says that it stores the name         the right version is lost with it
    nothing is known of its directory                  an older version is doubtful

Where an archive may be another one than that of the chain, what it has and what is older is doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from attrs import define, field

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.salvage import Lister
from bakthat.ports.payload import TreePath
from bakthat.usecases.inside.chain_tree import ChainTree, OpenArchive, Selects, TreeMember
from bakthat.usecases.inside.members import plain_path


@define
class KnownMembers:
    """What is known of an archive's members.

    name: its stored filename. members: lists them, each time anew, as far as they can be read. is_whole: whether that
    is all of them. doubt: why it may not be the archive of the chain at all; empty if it is.
    """

    name: str
    members: Callable[[], Iterable[IndexEntry]]
    is_whole: bool = True
    doubt: str = ""
    unchanged: dict[str, frozenset[str]] = field(factory=dict)
    """Of an archive whose list is not whole: the names that each directory lists as unchanged."""

    def __attrs_post_init__(self) -> None:
        if not self.is_whole:
            for member in self.members():
                if member.kind == "directory":
                    names = frozenset(member.unchanged.split("/")) if member.unchanged else frozenset()
                    self.unchanged[plain_path(member.path)] = names


class SalvagePlan:
    """What the members of each archive are good for.

    Args:
        archives: The newest first.
        selects: What is meant of the tree.
    """

    def __init__(self, archives: Sequence[KnownMembers], selects: Selects) -> None:
        self._archives = archives
        self._selects = selects
        self._tree_paths: list[dict[int, list[TreePath]]] = [{} for _ in archives]
        """Of each archive: what the member at a position is."""
        self._met: list[set[int]] = [set() for _ in archives]
        self._open: list[set[str]] = [set() for _ in archives]
        """Of each archive whose list is not whole: the paths that a member may be that it does not list."""
        self._lost: dict[str, str] = {}
        """Paths, and why there is no right version of them."""
        self._partial = [number for number, archive in enumerate(archives) if not archive.is_whole]
        self._tree = ChainTree([self._listing(number) for number in range(len(archives))], selects, is_lenient=True)
        for member in self._tree.tree_members():
            self._add(member)
        for path in self._tree.looked_for():
            self._lost[path] = "no archive that can be read has it"

    def _listing(self, number: int) -> OpenArchive:
        @contextmanager
        def listing() -> Iterator[Iterable[IndexEntry]]:
            if number and not self._archives[number].is_whole:
                self._open[number].update(self._tree.looked_for())
            yield self._archives[number].members()

        opened: Callable[[], AbstractContextManager[Iterable[IndexEntry]]] = listing
        return opened

    def _add(self, found: TreeMember) -> None:
        doubt, is_outdated = self._doubt(found.archive, plain_path(found.member.path))
        paths = [entry.path for entry in found.shown]
        if is_outdated:
            self._lost.update((path, doubt) for path in paths)
        elif paths:
            of_member = self._tree_paths[found.archive].setdefault(found.member.offset, [])
            of_member += [TreePath(path, doubt) for path in paths]

    def _doubt(self, number: int, path: str) -> tuple[str, bool]:
        """Why this may not be the version of the tree, and whether it certainly is not."""
        for archive in self._archives[: number + 1]:
            if archive.doubt:
                return archive.doubt, False
        parent, _, name = path.rpartition("/")
        for newer in self._partial:
            if not 0 < newer < number:
                continue
            archive = self._archives[newer]
            unchanged = archive.unchanged.get(parent)
            if unchanged is None:
                return f"a newer version may be lost in {archive.name}", False
            if name not in unchanged:
                return f"its version is lost in {archive.name}", True
        return "", False

    def tree_paths(self, number: int, path: str, position: int, is_directory: bool) -> Sequence[TreePath]:
        """What of the tree a member of this archive is: see `SalvageableArchive`."""
        self._met[number].add(position)
        of_member = self._tree_paths[number].get(position)
        if of_member is not None:
            return of_member
        if self._archives[number].is_whole:
            return ()
        if number == 0:
            return (TreePath(path),) if self._selects(path, is_directory) else ()
        if is_directory or path not in self._open[number]:
            return ()
        self._lost.pop(path, None)
        return (TreePath(path, self._doubt(number, path)[0]),)

    def missing(self) -> Lister:
        """After all archives were read: what no member was met of."""
        missing = Lister()
        for number, by_position in enumerate(self._tree_paths):
            for position, of_member in by_position.items():
                if position not in self._met[number]:
                    for one in of_member:
                        missing.add(one.path, f"it is lost in {self._archives[number].name}")
        for path, why in self._lost.items():
            missing.add(path, why)
        return missing
