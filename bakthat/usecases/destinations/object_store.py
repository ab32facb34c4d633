"""`ObjectDestination`: backups in an object store, which returns them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from itertools import chain
from typing import BinaryIO

from bakthat.domain import glacier_inventory
from bakthat.domain.backup import Backup, Owner
from bakthat.domain.catalog import PREFIX, stored_filename_of
from bakthat.domain.objects import ArchiveId, Leftover, Lock, ObjectInfo, Tier
from bakthat.domain.retrieval import Wait
from bakthat.errors import ObjectArchived, ObjectNotFound, PayloadDamaged, StoreError, StoreUnavailable
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.base import Destination, Found, Stored, lock_in_force
from bakthat.usecases.destinations.retrievals import Retrievals
from bakthat.usecases.destinations.stored_ranges import StoredRanges

_SKEW = timedelta(hours=1)
"""How far the clock of a store may be ahead of that of a machine."""


class ObjectDestination(Destination):
    """Archives are objects with their stored filenames as keys; their catalog entries are in the same store."""

    def __init__(
        self,
        owner: Owner,
        objects: ObjectStore,
        *,
        catalog: ObjectStore | None = None,
        values: ObjectStore | None = None,
        retrievals: Callable[[], Retrievals] | None = None,
        keeps_index_copies: bool = False,
    ) -> None:
        """catalog: the same place with a storage class that can be read at any time, for entries; None: as for
        archives. values: the same place for values, which are replaced, and so never locked; None: as for archives.
        retrievals: makes the retrievals of objects that a lifecycle rule has moved to an archive class; None
        if there are no such classes. keeps_index_copies: the archives are stored in an archive class."""
        self.keeps_index_copies = keeps_index_copies
        self.owner = owner
        self.objects = objects
        self.catalog = catalog if catalog is not None else objects
        self.values = values if values is not None else objects
        self._retrievals = retrievals

    def store(self, draft: Backup, body: BinaryIO, *, size_hint: int | None = None) -> Stored:
        return _stored(self.objects.put(draft.stored_filename, body, size_hint=size_hint))

    def copy_from(self, backup: Backup, source: Destination) -> Stored | None:
        if not isinstance(source, ObjectDestination):
            return None
        there = source.as_recorded(backup)
        made = self.objects.copy_from(there.key, source.objects, expected=there) if there is not None else None
        return None if made is None else _stored(made)

    def as_recorded(self, backup: Backup) -> ObjectInfo | None:
        """The object of a backup; None if it was stored again since it was recorded, so that it may be another one:
        only its SHA-256 shows that. Raises `PayloadDamaged` for one of another size, `ObjectNotFound`."""
        key = backup.stored_filename
        there = self.objects.stat(key)
        if backup.known_size not in (None, there.size):
            raise PayloadDamaged(f"{key}: the store has {there.size} bytes of it, the record says {backup.size}")
        return None if there.modified > (backup.stored_at or backup.last_updated) + _SKEW else there

    @contextmanager
    def open(self, backup: Backup, *, tier: Tier | None = None) -> Iterator[BinaryIO]:
        with ExitStack() as stack:
            try:
                reader = stack.enter_context(self.objects.open(backup.stored_filename))
            except ObjectArchived:
                if self._retrievals is None:
                    raise
                name = backup.stored_filename
                reader = stack.enter_context(self._retrievals().opened(name, ArchiveId(name), tier))
            yield reader

    def open_ranges(self, backup: Backup, known: Mapping[int, bytes]) -> StoredRanges | None:
        key, size = backup.stored_filename, backup.known_size
        if known and size is not None:
            return StoredRanges(self.objects, key, info=None, size=size, known=known)
        info = self.objects.stat(key)
        if info.is_cold:
            return None
        if size not in (None, info.size):
            raise PayloadDamaged(f"{key}: the store has {info.size} bytes of it, the record says {size}")
        return StoredRanges(self.objects, key, info=info, size=info.size, known={})

    def usual_wait(self, tier: Tier | None) -> Wait | None:
        return self._retrievals().usual_wait(tier) if self._retrievals is not None else None

    def is_gone(self, backup: Backup) -> bool:
        try:
            self.objects.stat(backup.stored_filename)
        except ObjectNotFound:
            return True
        return False

    def size_of(self, backup: Backup) -> int | None:
        return self.objects.stat(backup.stored_filename).size

    def remove(self, backup: Backup) -> None:
        self.objects.delete(backup.stored_filename)

    def lock_of(self, backup: Backup, now: datetime) -> Lock | None:
        key = backup.stored_filename
        return lock_in_force(
            backup, now, seen=lambda: self.objects.stat(key).lock, asked=lambda: self.objects.lock_of(key)
        )

    def extend_lock(self, backup: Backup, until: datetime) -> None:
        self.objects.extend_lock(backup.stored_filename, until)

    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        return self.objects.leftovers(details=details)

    def remove_leftover(self, leftover: Leftover) -> bool:
        return self.objects.remove_leftover(leftover)

    def _claimed_keys(self) -> set[str]:
        """The keys that the copy of the inventory claims as archives of `glacier` in the same bucket."""
        try:
            with self.objects.open(glacier_inventory.KEY) as reader:
                archives = glacier_inventory.loads(reader.read(glacier_inventory.MOST_BYTES + 1)).archives
        except StoreUnavailable:
            raise
        except (StoreError, PayloadDamaged):
            return set()  # no evidence; each archive's own entry decides
        return {key for name, key in archives.items() if name == key}

    def found(self, prefix: str = "") -> Iterator[Found]:
        archives: list[ObjectInfo] = []
        entries: dict[str, datetime] = {}
        # The entries are beside the archives: without a prefix one listing contains both.
        for info in chain(self.objects.list(prefix), self.objects.list(f"{PREFIX}{prefix}") if prefix else ()):
            described = stored_filename_of(info.key)
            if described is not None:
                entries[described] = info.modified
            elif not info.key.startswith(PREFIX) and info.key != glacier_inventory.KEY:
                archives.append(info)
        claimed = self._claimed_keys() if any(info.is_cold for info in archives) else set()
        for info in archives:
            yield Found(
                stored_filename=info.key,
                size=info.size,
                modified=info.modified,
                stored_at=info.modified,
                entry_modified=entries.get(info.key),
                is_cold=info.is_cold,
                claimed=info.is_cold and info.key in claimed,
            )


def _stored(info: ObjectInfo) -> Stored:
    return Stored(locked_until=info.lock.until if info.lock is not None else None)
