"""The copy of an archive store's inventory in the bucket of the profile."""

from __future__ import annotations

import io
from collections.abc import Callable

from bakthat.domain import glacier_inventory
from bakthat.domain.glacier_inventory import GlacierInventory
from bakthat.errors import (
    BakthatError,
    ConfigInvalid,
    ObjectNotFound,
    PayloadDamaged,
    StoreError,
    StoreUnavailable,
)
from bakthat.ports.object_store import ObjectStore


class SavedInventory:
    """`catalog`: the bucket, None if the profile has none."""

    def __init__(self, catalog: ObjectStore | None, *, notice: Callable[[str], None]) -> None:
        self._catalog = catalog
        self._notice = notice

    def read(self) -> GlacierInventory:
        """The copy, empty if there is none. Raises `PayloadDamaged`, `ConfigInvalid` without a bucket."""
        copy = self._copy()
        return copy if copy is not None else GlacierInventory()

    def read_or_empty(self) -> GlacierInventory:
        """The copy, to be rewritten; empty, with a notice, if it is damaged."""
        try:
            return self.read()
        except PayloadDamaged as error:
            self._notice(f"{error}; it is rewritten from the database")
            return GlacierInventory()

    def readable(self) -> GlacierInventory:
        """The copy, for finding archives; empty, with a notice, if it cannot be read, because the entries have the same
        data."""
        catalog = self._bucket()
        try:
            inventory = self.read()
        except StoreUnavailable:
            raise
        except (StoreError, PayloadDamaged) as error:
            self._notice(f"{catalog.location}: the copy of the Glacier inventory cannot be read: {error}")
            return GlacierInventory()
        if inventory.left_out:
            self._notice(
                f"{catalog.location}: {inventory.left_out} elements of the Glacier inventory name no archive and are "
                "left out"
            )
        return inventory

    def write(self, inventory: GlacierInventory) -> None:
        """Write the copy, replacing the existing one. Raises `StoreError` if it would be too long to be read again."""
        content = inventory.dumps()
        if len(content) > glacier_inventory.MOST_BYTES:
            raise StoreError(f"{glacier_inventory.KEY} would be longer than {glacier_inventory.MOST_BYTES} bytes")
        self._bucket().put(glacier_inventory.KEY, io.BytesIO(content), replace=True)

    def update(self, change: Callable[[GlacierInventory | None], GlacierInventory]) -> None:
        """Write the result of `change` on the copy (None: there is none yet). Does nothing without a bucket; an error
        is a notice."""
        if self._catalog is None:
            return
        try:
            self.write(change(self._copy()))
        except BakthatError as error:
            self._notice(
                f"the copy of the Glacier inventory could not be saved: {error}; "
                "run `bakthat glacier-inventory save` when that is fixed"
            )

    def _copy(self) -> GlacierInventory | None:
        try:
            with self._bucket().open(glacier_inventory.KEY) as reader:
                return glacier_inventory.loads(reader.read(glacier_inventory.MOST_BYTES + 1))
        except ObjectNotFound:
            return None

    def _bucket(self) -> ObjectStore:
        if self._catalog is None:
            raise ConfigInvalid(
                "the copy of the Glacier inventory is stored in a bucket, and the profile has no s3_bucket; "
                "run `bakthat configure`"
            )
        return self._catalog
