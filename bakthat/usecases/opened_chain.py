"""The archives of a chain, opened one after the other, for a restore: all of each, or what the tree needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO, cast

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.chain import is_known_by_dependent
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys, NamedBase
from bakthat.errors import BackupNotFound, ChainBroken, RetrievalPending
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import ChainedArchive
from bakthat.usecases.chain import needed_by, said_base
from bakthat.usecases.choose_to_open import backup_of_object
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.chain_ranges import spans_of_chain
from bakthat.usecases.inside.members import rules_of
from bakthat.usecases.inside.ranged_archive import (
    RangedArchive,
    Span,
    ThinnedStream,
    joined,
    naming,
    open_by_ranges,
    parts_with_progress,
)
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools

ChainWithKeys = Sequence[tuple[Backup, Keys]]
"""The backups of a chain, the full one first, each with its keys."""


def recorded_chain(
    chain: ChainWithKeys, destination: Destination, tools: Tools, *, tier: Tier | None = None, wait: bool = False
) -> list[ChainedArchive]:
    """Each archive of a chain. Where they must be retrieved first, all of them are requested.

    Raises `ObjectNotFound` for an archive that is gone; when it is read, `RetrievalPending` without `wait`, and what
    else a store says.
    """
    request_all([one for one, _ in chain], destination, tier)
    return [
        _opened(opened_when_ready(one, destination, tools, tier=tier, wait=wait), one, its_keys, tools)
        for one, its_keys in chain
    ]


def thinned_chain(
    chain: ChainWithKeys, destination: Destination, tools: Tools, *, only: Sequence[str] = ()
) -> list[ChainedArchive] | None:
    """Of each archive of a chain only what the tree needs, by ranges; all of it where that is most of the archive. None
    if an archive cannot be read in parts: it has no index, or must be retrieved.

    Args:
        only: Which paths are restored; none means all.

    Raises as `recorded_chain`, `PayloadDamaged` if the indexes do not fit each other, `UsageError`.
    """
    by_ranges: list[RangedArchive] = []
    for one, its_keys in chain:
        with needed_by(chain[-1][0]):
            archive = open_by_ranges(one, its_keys, destination, tools)
        if archive is None or not archive.is_readable:
            return None
        by_ranges.append(archive)
    with naming(chain[-1][0]):
        needed = spans_of_chain([archive.index for archive in by_ranges[::-1]], rules_of(only, "`only=`"))[::-1]
    opened: list[ChainedArchive] = []
    for (one, its_keys), archive, spans in zip(chain, by_ranges, needed, strict=True):
        most = archive.index.header.packed_size * tools.worth_parts
        is_compared = is_known_by_dependent(one)  # with a SHA-256, which parts do not have
        if spans is not None and not is_compared and archive.packed_bytes(joined(spans, tools.worth_a_request)) <= most:
            stream = parts_with_progress(archive, spans, one, tools, gap=tools.worth_a_request)
            opened.append(ChainedArchive(one.stored_filename, stream, is_thinned=True, sha256=one.sha256))
            continue
        whole = _opened(opened_when_ready(one, destination, tools, tier=None, wait=False), one, its_keys, tools)
        if spans is None:
            opened.append(whole)
        else:
            opened.append(evolve(whole, opened=_thinned(whole.opened, spans), is_thinned=True))
    return opened


@contextmanager
def _thinned(opened: AbstractContextManager[BinaryIO], spans: Sequence[Span]) -> Iterator[BinaryIO]:
    with opened as plain:
        yield cast(BinaryIO, ThinnedStream(plain, spans))


def stored_chain(objects: ObjectStore, key: str, keys: Keys, tools: Tools) -> list[ChainedArchive]:
    """The chain of an object by what the archives say themselves, beside each other in a store, all with the same keys.

    Raises `ChainBroken` if one is missing, or says something impossible; `StoreError`, `PayloadError`.
    """
    found = list(objects_of_chain(objects, key, keys, tools))[::-1]
    return [_opened(objects.open(name), backup, keys, tools) for name, backup in found]


def objects_of_chain(objects: ObjectStore, key: str, keys: Keys, tools: Tools) -> Iterator[tuple[str, Backup]]:
    """The archives of an object's chain by what they say, the newest first: the key of each, and all that is known of
    it. Raises as `stored_chain`."""
    prefix = key.removesuffix(backup_of_object(objects, key).stored_filename)
    named: NamedBase | None = NamedBase(key.removeprefix(prefix))
    while named is not None:
        try:
            backup = backup_of_object(objects, prefix + named.name)
        except BackupNotFound as gone:
            raise ChainBroken(f"{key} is incremental and needs {named.name}: {gone}") from gone
        if named.sha256 is not None:  # see `is_known_by_dependent`
            backup = evolve(backup, metadata=backup.metadata.changed(sha256=named.sha256, from_listing=True))
        yield prefix + named.name, backup
        with open_archive(
            objects.open(prefix + named.name), backup, keys, tools, stage="looking for the base"
        ) as plain:
            base = tools.tar.base_of(plain)
        named = None if base is None else said_base(named.name, base)


def _opened(stored: AbstractContextManager[BinaryIO], backup: Backup, keys: Keys, tools: Tools) -> ChainedArchive:
    plain = open_archive(stored, backup, keys, tools, stage=f"restoring {backup.stored_filename}")
    return ChainedArchive(backup.stored_filename, plain, sha256=backup.sha256)


def request_all(chain: Sequence[Backup], destination: Destination, tier: Tier | None) -> None:
    """Request all retrievals at once, where archives must be retrieved first. Raises `ObjectNotFound`."""
    with needed_by(chain[-1]):
        for one in chain:
            if destination.open_ranges(one, {}) is None:
                with suppress(RetrievalPending), destination.open(one, tier=tier):
                    pass
