"""The members of an archive, and of the chain of an incremental one: by the index, by the copy of that, or by reading
it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from bakthat.usecases.chain import chain_for, keys_for, needed_by
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.chain_tree import ChainTree
from bakthat.usecases.inside.index_copy import read_index_copy
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
) -> MembersOf:
    """Return how the members of a destination's backups are listed: see `list_tree`. `ask`: the keys of what an
    incremental backup needs, if they are others than its own."""
    list_one = partial(list_members, destination=destination, tools=tools, tier=tier, wait=wait, retrieve=retrieve)
    return partial(list_tree, list_one=list_one, ask=ask, destination=destination, tools=tools)


@contextmanager
def list_tree(
    backup: Backup,
    keys: Keys,
    *,
    list_one: MembersOf,
    ask: Callable[[Backup], Keys],
    destination: Destination,
    tools: Tools,
) -> Iterator[Members]:
    """List what a restore of the backup gives: of an incremental one the whole tree, by its chain. The entries of a
    chain are sorted, unless they are too many, and their offsets are those of different archives.

    Raises as `list_members`, and `ChainBroken`.
    """
    if not backup.is_incremental:
        with list_one(backup, keys) as members:
            yield members
        return
    chain = chain_for(backup, destination, tools)[::-1]
    all_keys = keys_for(chain[::-1], keys, ask)[::-1]
    archives = [partial(list_one, one, its_keys) for one, its_keys in zip(chain, all_keys, strict=True)]
    with archives[0]() as newest, naming(backup), needed_by(backup):
        tree = ChainTree([lambda: nullcontext(newest), *archives[1:]])
        shown = (entry for found_member in tree.tree_members() for entry in found_member.shown)
        first = sorted(islice(shown, _SORTED_UP_TO), key=_by_path)
        yield Members(
            iter(first) if len(first) < _SORTED_UP_TO else chained(first, shown), is_indexed=newest.is_indexed
        )


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
