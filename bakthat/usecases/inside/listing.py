"""The members of an archive, and of the chain of an incremental one: by the index, by the copy of that, or by reading
it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import chain as chained
from itertools import islice

from attrs import define

from bakthat.domain.archive_format import Container
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.errors import RetrievalPending
from bakthat.usecases.chain import ChainFinder, keys_for, needed_by
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.chain_tree import ChainTree, OpenArchive, SelectedPaths, Selects
from bakthat.usecases.inside.index_copy import read_index_copy
from bakthat.usecases.inside.members import plain_path
from bakthat.usecases.inside.only_file import only_entry
from bakthat.usecases.inside.ranged_archive import naming, open_bare_tar, open_by_ranges
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools

MembersOf = Callable[[Backup, Keys], AbstractContextManager["Members"]]
"""Lists a backup with its keys, while the context is open."""


@define
class Members:
    """The members of an archive, in its order, each once, with their paths in the archive. Going on may raise
    `PayloadDamaged`, `StoreError`. is_indexed: they come from the index, which was not compared with the archive."""

    _entries: Iterator[IndexEntry]
    is_indexed: bool = False

    def __iter__(self) -> Iterator[IndexEntry]:
        return self._entries


_REMEMBERED = 32 * 1024 * 1024
"""Characters of the unchanged names that a search over many backups remembers."""

_MOST_MEMBERS = 100_000
"""Members that such a search remembers."""

_SORTED_UP_TO = 100_000
"""Entries of a chain that are sorted by their paths: some 60 MB. More are in the order of the archives."""


def members_in(
    destination: Destination,
    tools: Tools,
    *,
    ask: Callable[[Backup], Keys] = lambda _: Keys(),
    tier: Tier | None = None,
    wait: bool = False,
    retrieve: bool = True,
    selects: Selects | None = None,
) -> MembersOf:
    """Return how the members of a destination's backups are listed: see `list_tree`. `ask`: the keys of what an
    incremental backup needs, if they are others than its own. `selects`: what is meant, if many backups are listed one
    after the other: of an incremental one nothing else is listed, and the archives of a chain are read once."""
    list_one = partial(list_members, destination=destination, tools=tools, tier=tier, wait=wait, retrieve=retrieve)
    list_base: MembersOf = list_one
    tree_of: Callable[[Sequence[OpenArchive]], ChainTree] = ChainTree
    if selects is not None:
        list_base = RememberedMembers(list_one, selects)
        paths_in = SelectedPaths(selects, remembers=_REMEMBERED)
        tree_of = partial(ChainTree, selects=selects, paths_in=paths_in)
    return partial(
        list_tree,
        list_one=list_one,
        list_base=list_base,
        tree_of=tree_of,
        finder=ChainFinder(destination, tools, ask, tier=tier, wait=wait, retrieve=retrieve),
    )


@contextmanager
def list_tree(
    backup: Backup,
    keys: Keys,
    *,
    list_one: MembersOf,
    list_base: MembersOf,
    tree_of: Callable[[Sequence[OpenArchive]], ChainTree],
    finder: ChainFinder,
) -> Iterator[Members]:
    """List what a restore of the backup gives: of an incremental one the whole tree, by its chain. The entries of a
    chain are sorted, unless they are too many, and their offsets are those of different archives.

    Raises as `list_members`, and `ChainBroken`.
    """
    if not backup.is_incremental:
        with list_one(backup, keys) as members:
            yield members
        return
    chain = finder.chain(backup, keys)[::-1]
    all_keys = keys_for(chain[::-1], keys, finder.ask_keys)[::-1]
    bases = [partial(list_base, one, its_keys) for one, its_keys in zip(chain[1:], all_keys[1:], strict=True)]
    with list_one(backup, keys) as newest, naming(backup), needed_by(backup):
        tree = tree_of([lambda: nullcontext(newest), *bases])
        shown = (entry for found_member in tree.tree_members() for entry in found_member.shown)
        first = sorted(islice(shown, _SORTED_UP_TO), key=_by_path)
        yield Members(
            iter(first) if len(first) < _SORTED_UP_TO else chained(first, shown), is_indexed=newest.is_indexed
        )


class RememberedMembers:
    """Lists archives of chains, and remembers of each what is meant and no directory, so that it is read once.

    Hard links among that may need any other member: then nothing is remembered.

    Args:
        list_one: Lists an archive.
        selects: What is meant.
    """

    def __init__(self, list_one: MembersOf, selects: Selects) -> None:
        self._list_one = list_one
        self._selects = selects
        self._known: dict[str, list[IndexEntry]] = {}
        self._count = 0

    @contextmanager
    def __call__(self, backup: Backup, keys: Keys) -> Iterator[Members]:
        known = self._known.get(backup.stored_filename)
        if known is not None:
            yield Members(iter(known), is_indexed=True)
            return
        with self._list_one(backup, keys) as members:
            yield Members(self._remembering(backup.stored_filename, members), is_indexed=members.is_indexed)

    def _remembering(self, name: str, members: Members) -> Iterator[IndexEntry]:
        meant: list[IndexEntry] | None = []
        for member in members:
            if meant is not None and member.kind != "directory" and self._selects(plain_path(member.path), False):
                meant.append(member)
                if member.kind == "hardlink" or self._count + len(meant) > _MOST_MEMBERS:
                    meant = None
            yield member
        if meant is not None:
            self._known[name] = meant
            self._count += len(meant)


def _by_path(entry: IndexEntry) -> str:
    return entry.path


@contextmanager
def list_members(
    backup: Backup,
    keys: Keys,
    *,
    destination: Destination,
    tools: Tools,
    tier: Tier | None = None,
    wait: bool = False,
    retrieve: bool = True,
) -> Iterator[Members]:
    """List a backup. With an index only that is read, and of an uncompressed tar the headers; else the archive is read
    whole, and `tools.notice` is called. A backup of one file or stream is one entry, without reading anything.

    `retrieve`: False raises `RetrievalPending` instead of requesting a retrieval, which costs money.

    Raises `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`, `RetrievalPending`, `StoreError`.
    """
    if backup.format.container is not Container.TAR:
        yield Members(iter([only_entry(backup)]))
        return
    archive = open_by_ranges(backup, keys, destination, tools)
    index = archive.index if archive is not None else read_index_copy(backup, keys, destination, tools)
    if index is not None:
        with naming(backup):
            yield Members(index.entries(), is_indexed=True)
        return
    if not retrieve and destination.open_ranges(backup, {}) is None:
        raise RetrievalPending(
            f"it has to be retrieved first, for it has no index: run `bakthat ls {backup.stored_filename}`"
        )
    bare = open_bare_tar(backup, keys, destination, tools)
    if bare is not None:
        with naming(backup):
            yield Members(tools.tar.entries(bare), is_indexed=True)
        return
    stored = opened_when_ready(backup, destination, tools, tier=tier, wait=wait)
    with open_archive(stored, backup, keys, tools, stage=f"listing {backup.stored_filename}") as plain:
        tools.notice(f"{backup.stored_filename} has no index; it is read from beginning to end, which takes longer")
        yield Members(tools.tar.entries(plain))
