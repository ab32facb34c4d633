"""The inventory of archives: in the database, and its copy in the bucket. Each can be rebuilt from the other."""

from __future__ import annotations

from collections.abc import Mapping

from bakthat.domain.object_key import check_key
from bakthat.domain.objects import ArchiveId
from bakthat.errors import InvalidName, UsageError
from bakthat.usecases.destinations.archive_store import ArchiveDestination
from bakthat.usecases.tools import Tools


def show_local_inventory(tools: Tools) -> Mapping[str, ArchiveId]:
    """The inventory of the database: stored filename to archive id."""
    return tools.repo.archive_ids()


def show_saved_inventory(destination_name: str, tools: Tools) -> Mapping[str, ArchiveId]:
    """The copy in the bucket. Raises `ConfigInvalid` without a bucket, `PayloadDamaged`."""
    return _archives(destination_name, tools).inventory.read().archives


def backup_inventory(destination_name: str, tools: Tools) -> Mapping[str, ArchiveId]:
    """Write the copy from the database and, if it can be read, the previous copy."""
    destination = _archives(destination_name, tools)
    inventory = destination.inventory.read_or_empty().merged(destination.names.inventory())
    destination.inventory.write(inventory)
    return inventory.archives


def restore_inventory(destination_name: str, tools: Tools) -> Mapping[str, ArchiveId]:
    """Load the copy into the database; archives that only the database knows are kept. Returns the new ones. An invalid
    name is left out, with a notice."""
    known = tools.repo.archive_ids()
    new: dict[str, ArchiveId] = {}
    for name, archive_id in _archives(destination_name, tools).inventory.read().archives.items():
        try:
            check_key(name)
        except InvalidName as error:
            tools.notice(f"left out of the inventory: {error}"[:400])
            continue
        if known.get(name) != archive_id:
            tools.repo.remember_archive(name, archive_id)
            new[name] = archive_id
    return new


def _archives(destination_name: str, tools: Tools) -> ArchiveDestination:
    destination = tools.destination(destination_name)
    if not isinstance(destination, ArchiveDestination):
        raise UsageError(f"{destination_name} has no inventory; only glacier does")
    return destination
