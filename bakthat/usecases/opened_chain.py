"""The archives of a chain, opened one after the other, for a restore: all of each, or what the tree needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.errors import BackupNotFound, ChainBroken, InvalidName, ObjectNotFound, RetrievalPending
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import ChainedArchive
from bakthat.usecases.chain import chain_for, keys_for
from bakthat.usecases.choose_to_open import Chosen, backup_of_object
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.chain_ranges import spans_of_chain
from bakthat.usecases.inside.members import rules_of
from bakthat.usecases.inside.ranged_archive import RangedArchive, joined, naming, open_by_ranges, parts_with_progress
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools


def recorded_chain(
    backup: Backup, keys: Keys, chosen: Chosen, tools: Tools, *, tier: Tier | None = None, wait: bool = False
) -> list[ChainedArchive]:
    """The chain of a backup by the records. Where its archives must be retrieved first, all of them are requested.

    Raises `ChainBroken`, `ObjectNotFound` for an archive that is gone, `NotEncrypted`, `PasswordNeeded`; when it is
    read, `RetrievalPending` without `wait`, and what else a store says.
    """
    destination = tools.destination(chosen.destination)
    chain = chain_for(backup, destination, tools)
    all_keys = keys_for(chain, keys, chosen.keys)
    _request_all(chain, destination, tier)
    return [
        _opened(opened_when_ready(one, destination, tools, tier=tier, wait=wait), one, its_keys, tools)
        for one, its_keys in zip(chain, all_keys, strict=True)
    ]


def thinned_chain(
    backup: Backup, keys: Keys, chosen: Chosen, tools: Tools, *, only: Sequence[str] = ()
) -> list[ChainedArchive] | None:
    """The chain of a backup by the records, and of each archive only what the tree needs, by ranges; all of it where
    that is most of the archive. None if an archive cannot be read in parts: it has no index, or must be retrieved.

    Args:
        only: Which paths are restored; none means all.

    Raises as `recorded_chain`, `PayloadDamaged` if the indexes do not fit each other, `UsageError`.
    """
    destination = tools.destination(chosen.destination)
    chain = chain_for(backup, destination, tools)
    all_keys = keys_for(chain, keys, chosen.keys)
    by_ranges: list[RangedArchive] = []
    for one, its_keys in zip(chain, all_keys, strict=True):
        with _saying_what_needs_it(backup):
            archive = open_by_ranges(one, its_keys, destination, tools)
            if archive is None or not archive.is_readable:
                return None
        by_ranges.append(archive)
    with naming(backup):
        needed = spans_of_chain([archive.index for archive in by_ranges[::-1]], rules_of(only, "`only=`"))[::-1]
    opened: list[ChainedArchive] = []
    for one, its_keys, archive, spans in zip(chain, all_keys, by_ranges, needed, strict=True):
        parts = None if spans is None else list(joined(spans, tools.worth_a_request))
        if parts is None or archive.packed_bytes(parts) > archive.index.header.packed_size * tools.worth_parts:
            opened.append(
                _opened(opened_when_ready(one, destination, tools, tier=None, wait=False), one, its_keys, tools)
            )
        else:
            stream = parts_with_progress(archive, parts, one, tools)
            opened.append(ChainedArchive(one.stored_filename, stream, is_thinned=True))
    return opened


def stored_chain(objects: ObjectStore, key: str, keys: Keys, tools: Tools) -> list[ChainedArchive]:
    """The chain of an object by what the archives say themselves, beside each other in a store, all with the same keys.

    Raises `ChainBroken` if one is missing, or says something impossible; `StoreError`, `PayloadError`.
    """
    prefix = key.removesuffix(backup_of_object(objects, key).stored_filename)
    found: list[ChainedArchive] = []
    name = key.removeprefix(prefix)
    while name:
        try:
            backup = backup_of_object(objects, prefix + name)
        except BackupNotFound as gone:
            raise ChainBroken(f"{key} is incremental and needs {name}: {gone}") from gone
        opened = objects.open(prefix + name)
        with open_archive(opened, backup, keys, tools, stage="looking for the base") as plain:
            base = tools.tar.base_of(plain)
        found.append(_opened(objects.open(prefix + name), backup, keys, tools))
        if base and not _is_older(base, name):
            raise ChainBroken(f"{name} says that it continues {base!a}, which cannot be")
        name = base
    return found[::-1]


def _is_older(base: str, name: str) -> bool:
    """Whether this is the name of an older backup, so that no chain is endless."""
    try:
        return "/" not in base and stored_name.parse(base).when < stored_name.parse(name).when
    except InvalidName:
        return False


def _opened(stored: AbstractContextManager[BinaryIO], backup: Backup, keys: Keys, tools: Tools) -> ChainedArchive:
    return ChainedArchive(
        backup.stored_filename, open_archive(stored, backup, keys, tools, stage=f"restoring {backup.stored_filename}")
    )


def _request_all(chain: Sequence[Backup], destination: Destination, tier: Tier | None) -> None:
    for one in chain:
        with _saying_what_needs_it(chain[-1]):
            if destination.open_ranges(one, {}) is None:
                with suppress(RetrievalPending), destination.open(one, tier=tier):
                    pass


@contextmanager
def _saying_what_needs_it(backup: Backup) -> Iterator[None]:
    """Errors about an archive of its chain that is gone name the backup."""
    try:
        yield
    except ObjectNotFound as gone:
        advice = "`bakthat sync` updates the database from the store"
        text = str(gone).removesuffix(f"; {advice}")
        raise ObjectNotFound(f"{text}; {backup.stored_filename} needs it; {advice}") from gone
