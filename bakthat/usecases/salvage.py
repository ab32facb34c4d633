"""`restore --salvage`: what can be had of a damaged archive, into a new directory beside it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast

from attrs import frozen

from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.domain.salvage import SalvageReport
from bakthat.errors import BakthatError, PayloadDamaged, PayloadError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.salvage import Part, Verdict, parts_of
from bakthat.usecases.choose_to_open import Chosen, backup_of_object, choose_to_open, keys_of
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.index_copy import read_index_copy
from bakthat.usecases.inside.only_file import name_of_file
from bakthat.usecases.inside.ranged_archive import naming, open_by_ranges
from bakthat.usecases.streams.archive_stream import packer_of
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class SalvageRequest(Chosen):
    """Which backup, and where to. only: gitignore patterns, relative to the backup's root. tier, wait: where the backup
    must be retrieved first."""

    target: Path
    only: tuple[str, ...] = ()
    tier: Tier | None = None
    wait: bool = False


@frozen(kw_only=True)
class Salvaged:
    """A backup, and what came out of its archive."""

    backup: Backup
    report: SalvageReport


def salvage(request: SalvageRequest, tools: Tools) -> Salvaged:
    """Write what can be read of an archive to `NAME.salvaged` in the target, and report what is damaged or missing.

    The archive is read whole, past every damage. Damage is no error, but where nothing can be decrypted. Raises
    `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`,
    `TargetExists`, `RetrievalPending`, `StoreError`; nothing has changed on disk then.
    """
    backup, keys = choose_to_open(request, tools)
    destination = tools.destination(request.destination)
    index = _index(backup, keys, destination, tools)
    stored = opened_when_ready(backup, destination, tools, tier=request.tier, wait=request.wait)
    return _salvage(stored, backup, keys, index, request, tools)


def salvage_stored(objects: ObjectStore, key: str, request: SalvageRequest, tools: Tools) -> Salvaged:
    """Salvage an object by its key alone, as `restore_stored` restores it."""
    backup = backup_of_object(objects, key)
    return _salvage(objects.open(key), backup, keys_of(backup, request.keys), None, request, tools)


def _salvage(
    opened: AbstractContextManager[BinaryIO],
    backup: Backup,
    keys: Keys,
    index: ArchiveIndex | None,
    request: SalvageRequest,
    tools: Tools,
) -> Salvaged:
    format_ = backup.format
    with naming(backup), ExitStack() as chain:
        reader = _Hashing(chain.enter_context(opened))
        if backup.is_encrypted:
            parts = chain.enter_context(tools.cipher.salvaging(cast(BinaryIO, reader), keys))
        else:
            parts = _judged(parts_of(cast(BinaryIO, reader)), reader, backup)
        if format_.compression is not Compression.NONE:
            parts = tools.compressors[format_.compression].salvaging(parts, index)
        report = packer_of(format_, tools).salvage(
            parts, request.target, name=name_of_file(backup), only=request.only, index=index
        )
    for notice in report.notices:
        tools.notice(f"{notice.path}: {notice.reason}")
    return Salvaged(backup=backup, report=report)


class _Hashing(io.RawIOBase):
    """Passes the stored bytes on, and computes their SHA-256."""

    def __init__(self, stored: BinaryIO) -> None:
        self._stored = stored
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stored.read(size)
        self._hash.update(chunk)
        return chunk

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            chunk = self.read(len(view))
            view[: len(chunk)] = chunk
        return len(chunk)


def _judged(parts: Iterator[Part], reader: _Hashing, backup: Backup) -> Iterator[Part]:
    """The parts, and at their end what the record's SHA-256 says of them. One that differs says nothing of a single
    part, which may have a checksum of its own."""
    yield from parts
    if backup.sha256 == reader.sha256:
        yield Verdict.GOOD


def _index(backup: Backup, keys: Keys, destination: Destination, tools: Tools) -> ArchiveIndex | None:
    """The index, as far as it can be read; it is a help, not a need."""
    try:
        archive = open_by_ranges(backup, keys, destination, tools)
        if archive is not None:
            return archive.index
        return read_index_copy(backup, keys, destination, tools)
    except PayloadDamaged:
        return None
    except PayloadError:
        raise  # no key, or a wrong one
    except BakthatError as error:
        tools.notice(f"{backup.stored_filename}: its index cannot be read: {error}")
        return None
