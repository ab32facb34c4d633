"""`Destination`: where a backup goes. The only place that knows how object stores and archive stores differ."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import BinaryIO

from attrs import frozen

from bakthat.domain import catalog
from bakthat.domain.backup import Backup, Owner
from bakthat.errors import ObjectNotFound
from bakthat.ports.object_store import ObjectStore


@frozen(kw_only=True)
class Destination:
    """A store under the name that a person gives it (`s3`, `local`, …). `owner` marks the records of what is in it."""

    owner: Owner
    objects: ObjectStore

    @property
    def name(self) -> str:
        return self.owner.backend

    def store(self, stored_filename: str, body: BinaryIO, *, size_hint: int | None = None) -> int:
        """Store an archive whole or not at all, and give its size in bytes. Raises `ObjectExists`."""
        return self.objects.put(stored_filename, body, size_hint=size_hint).size

    def open(self, backup: Backup) -> AbstractContextManager[BinaryIO]:
        """Read a backup's stored bytes. Raises `ObjectNotFound` and what else the store says."""
        return self.objects.open(backup.stored_filename)

    def remove(self, backup: Backup) -> None:
        """The archive is absent afterwards."""
        self.objects.delete(backup.stored_filename)

    def write_entry(self, entry: catalog.CatalogEntry) -> None:
        """Put the catalog entry next to its archive, in the place of an earlier one."""
        self.objects.put(catalog.key_of(entry.backup.stored_filename), io.BytesIO(entry.dumps()), replace=True)

    def read_entry(self, stored_filename: str) -> catalog.CatalogEntry | None:
        """The catalog entry of an archive, None if there is none. Raises `PayloadDamaged`."""
        try:
            with self.objects.open(catalog.key_of(stored_filename)) as reader:
                return catalog.loads(reader.read())
        except ObjectNotFound:
            return None

    def remove_entry(self, stored_filename: str) -> None:
        """The catalog entry is absent afterwards."""
        self.objects.delete(catalog.key_of(stored_filename))
