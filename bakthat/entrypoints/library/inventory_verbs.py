"""The inventory of Glacier's archives: `Bakthat.glacier_inventory`."""

from __future__ import annotations

from collections.abc import Mapping

from bakthat.domain.objects import ArchiveId
from bakthat.entrypoints.library.opened_profile import OpenedProfile
from bakthat.usecases.glacier_inventory import (
    backup_inventory,
    restore_inventory,
    show_local_inventory,
    show_saved_inventory,
)
from bakthat.usecases.tools import Tools

_DESTINATION = "glacier"


class VaultInventory:
    """The archive ids of `glacier`, by stored filename: in the database, and their copy in the bucket.

    Vaults know archives by ids only, and take hours to list them. Each of the two can be rebuilt from the other.
    """

    def __init__(self, tools: Tools) -> None:
        """`Bakthat.glacier_inventory` makes one."""
        self._tools = tools

    def show(self) -> Mapping[str, ArchiveId]:
        """Return the copy in the bucket.

        Raises:
            ConfigInvalid: The profile names no bucket.
            PayloadDamaged: The copy cannot be read.
            StoreError: The bucket cannot be read.
        """
        return show_saved_inventory(_DESTINATION, self._tools)

    def show_local(self) -> Mapping[str, ArchiveId]:
        """Return what the database has. Raises `DatabaseError`."""
        return show_local_inventory(self._tools)

    def save(self) -> Mapping[str, ArchiveId]:
        """Write the copy in the bucket: what the database has, and what the previous copy had besides.

        Returns:
            The new copy.

        Raises:
            ConfigInvalid, StoreError: The previous copy is unchanged.
        """
        return backup_inventory(_DESTINATION, self._tools)

    def load(self) -> Mapping[str, ArchiveId]:
        """Add the copy in the bucket to the database. What only the database knows is kept.

        Returns:
            What was added.

        Raises:
            ConfigInvalid, PayloadDamaged, StoreError: As `show`.
        """
        return restore_inventory(_DESTINATION, self._tools)


class InventoryVerbs(OpenedProfile):
    """The inventory of Glacier's archives."""

    @property
    def glacier_inventory(self) -> VaultInventory:
        """The inventory of the profile's `glacier`: `show()`, `show_local()`, `save()`, `load()`."""
        return VaultInventory(self.tools)
