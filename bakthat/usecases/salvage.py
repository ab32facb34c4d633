"""`salvage`: brings back what can be had of a damaged backup."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from bakthat.domain.archive_format import Compression, Container
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.domain.backup import Backup
from bakthat.domain.literal_names import literal_pattern
from bakthat.domain.objects import Tier
from bakthat.domain.parameter import parameter
from bakthat.domain.payload import Keys
from bakthat.domain.salvage import SalvageReport
from bakthat.errors import BackupNotFound, ChainBroken, ObjectNotFound, PayloadDamaged, StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.chain import ChainFinder, keys_for
from bakthat.usecases.choose_to_open import Chosen, backup_of_object, choose_to_open, keys_of
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.stored_ranges import StoredRanges
from bakthat.usecases.inside.index_copy import read_index_copy
from bakthat.usecases.inside.only_file import name_of_file
from bakthat.usecases.inside.ranged_archive import naming, open_by_ranges
from bakthat.usecases.opened_chain import objects_of_chain, request_all
from bakthat.usecases.salvage_chain import ChainSalvage, StoredArchive
from bakthat.usecases.streams.archive_stream import packer_of
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.streams.salvage_stream import StoredBytes, salvaged_parts
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class SalvageRequest(Chosen):
    """What to salvage, and where to; as of a restore."""

    target: Path
    only: tuple[str, ...] = ()
    tier: Tier | None = None
    wait: bool = False
    xattrs: bool = True


@frozen(kw_only=True)
class Salvaged:
    """What came back of a damaged backup.

    report: what is whole, partial, unverified and missing. faults: what the stored bytes have else than the record.
    """

    backup: Backup
    report: SalvageReport
    faults: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, and no damage was met."""
        return self.report.is_complete and not self.faults


def salvage(request: SalvageRequest, tools: Tools) -> Salvaged:
    """Write what can be had of a backup into a new directory of the target; see `Packer.salvage`.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `TargetExists`, `PasswordNeeded`, `WrongPassword`,
    `StoreError`, `RetrievalPending`, and `PayloadDamaged` if the header of the encryption is damaged; nothing has
    changed on disk then.
    """
    backup, keys = choose_to_open(request, tools)
    destination = tools.destination(request.destination)
    if backup.is_incremental:
        return _salvage_chain(*_recorded(backup, keys, request, destination, tools), request, tools)
    stored = opened_when_ready(backup, destination, tools, tier=request.tier, wait=request.wait)
    return _salvage(stored, backup, keys, _index_of(backup, keys, destination, tools), request, tools)


def salvage_stored(objects: ObjectStore, key: str, request: SalvageRequest, tools: Tools) -> Salvaged:
    """Salvage an object by its key alone, as `restore_stored` restores it."""
    backup = backup_of_object(objects, key)
    keys = keys_of(backup, request.keys)
    if backup.is_incremental:
        return _salvage_chain(*_beside(objects, key, keys, tools), request, tools)
    index = _index_of_object(objects, key, backup, keys, tools)
    return _salvage(objects.open(key), backup, keys, index, request, tools)


def _recorded(
    backup: Backup, keys: Keys, request: SalvageRequest, destination: Destination, tools: Tools
) -> tuple[list[StoredArchive], str]:
    """The chain by the records, the newest first, and why it has no beginning, if it has none."""
    finder = ChainFinder(destination, tools, request.keys, tier=request.tier, wait=request.wait)
    chain, broken = finder.known_part(backup, keys)
    all_keys = keys_for(chain, keys, request.keys)
    for one in chain:
        with contextlib.suppress(ObjectNotFound, PayloadDamaged):
            request_all([one], destination, request.tier)
    archives = [
        StoredArchive(
            one,
            its_keys,
            partial(opened_when_ready, one, destination, tools, tier=request.tier, wait=request.wait),
            partial(_index_of, one, its_keys, destination, tools),
        )
        for one, its_keys in zip(chain, all_keys, strict=True)
    ]
    return archives[::-1], broken


def _beside(objects: ObjectStore, key: str, keys: Keys, tools: Tools) -> tuple[list[StoredArchive], str]:
    """The same by what the archives say themselves, beside each other in a store."""
    found: list[tuple[str, Backup]] = []
    broken = ""
    try:
        for name_and_backup in objects_of_chain(objects, key, keys, tools):
            found.append(name_and_backup)
    except (ChainBroken, PayloadDamaged) as error:
        broken = f"{error}; what it continues is not known"
    archives = []
    for name, one in found or [(key, backup_of_object(objects, key))]:
        index = partial(_index_of_object, objects, name, one, keys, tools)
        archives.append(StoredArchive(one, keys, partial(objects.open, name), index))
    return archives, broken


def _salvage_chain(archives: Sequence[StoredArchive], broken: str, request: SalvageRequest, tools: Tools) -> Salvaged:
    chain = ChainSalvage(archives, broken, tools)
    report = chain.run(request.target, only=request.only, xattrs=request.xattrs)
    return _salvaged(archives[0].backup, report, tuple(chain.faults), request, tools)


def _index_of(backup: Backup, keys: Keys, destination: Destination, tools: Tools) -> ArchiveIndex | None:
    """The archive's index, or the copy of it, if it can be read; it is a help, not a need."""
    archive = None
    try:
        with contextlib.suppress(PayloadDamaged):
            archive = open_by_ranges(backup, keys, destination, tools)
        return archive.index if archive is not None else read_index_copy(backup, keys, destination, tools)
    except StoreError as error:
        tools.notice(f"{backup.stored_filename}: its index cannot be read: {error}")
        return None


def _index_of_object(objects: ObjectStore, key: str, backup: Backup, keys: Keys, tools: Tools) -> ArchiveIndex | None:
    if backup.format.container is not Container.TAR or backup.format.compression is Compression.NONE:
        return None
    stored = StoredRanges(objects, key, info=None, size=backup.size, known={})
    try:
        packed = tools.cipher.random_access(stored, keys) if backup.is_encrypted else stored
        return tools.compressors[backup.format.compression].read_index(packed) if packed is not None else None
    except PayloadDamaged:
        return None
    except StoreError as error:
        tools.notice(f"{backup.stored_filename}: its index cannot be read: {error}")
        return None


def _salvage(
    opened: AbstractContextManager[BinaryIO],
    backup: Backup,
    keys: Keys,
    index: ArchiveIndex | None,
    request: SalvageRequest,
    tools: Tools,
) -> Salvaged:
    with naming(backup), opened as reader:
        stored = StoredBytes(reader, backup, tools)
        with salvaged_parts(stored, backup, keys, index, tools) as parts:
            report = packer_of(backup.format, tools).salvage(
                parts,
                request.target,
                name=name_of_file(backup),
                only=request.only,
                index=index,
                xattrs=request.xattrs,
            )
        stored.read_rest()
    return _salvaged(backup, report, stored.faults(), request, tools)


def _salvaged(
    backup: Backup, report: SalvageReport, faults: tuple[str, ...], request: SalvageRequest, tools: Tools
) -> Salvaged:
    if request.only and report.is_empty and not faults:
        literal = literal_pattern(request.only)
        hint = f"; a backslash makes a bracket literal: {parameter('only', [literal])}" if literal else ""
        raise BackupNotFound(f"nothing in {backup.stored_filename} matches {', '.join(request.only)}{hint}")
    for notice in report.notices:
        tools.notice(f"{notice.path}: {notice.reason}")
    return Salvaged(backup=backup, report=report, faults=faults)
