"""The inventory of archives: the database's, and its copy in the bucket, each of which can be made from the other."""

from __future__ import annotations

from collections.abc import Mapping

from bakthat.domain.object_key import check_key
from bakthat.domain.objects import ArchiveId
from bakthat.errors import InvalidName, UsageError
from bakthat.usecases.destinations.archive_store import ArchiveDestination
from bakthat.usecases.tools import Tools


def show_local_inventory(tools: Tools) -> Mapping[str, ArchiveId]:
    """What the database knows: stored filename to archive id."""
    return tools.repo.archive_ids()


def show_saved_inventory(destination_name: str, tools: Tools) -> Mapping[str, ArchiveId]:
    """What the copy in the bucket says. Raises `ConfigInvalid` without a bucket, `PayloadDamaged`."""
    return _archives(destination_name, tools).inventory.read().archives


def backup_inventory(destination_name: str, tools: Tools) -> Mapping[str, ArchiveId]:
    """Write the copy from what the database knows and, where it can be read, from what the copy held already."""
    destination = _archives(destination_name, tools)
    inventory = destination.inventory.read_or_empty().merged(destination.names.inventory())
    destination.inventory.write(inventory)
    return inventory.archives


def restore_inventory(destination_name: str, tools: Tools) -> Mapping[str, ArchiveId]:
    """Load the copy into the database; what only the database knows stays. Gives what was new to it.
    A name that no archive can have is left out, with a notice."""
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
