"""Rows that an earlier version recorded with another location of the same store."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.errors import PayloadDamaged
from bakthat.usecases.destinations.base import Destination, Found
from bakthat.usecases.tools import Tools


def rewrite_former(
    rows: Mapping[str, Backup],
    archives: Mapping[str, Found],
    destination: Destination,
    tools: Tools,
    *,
    dry_run: bool,
) -> tuple[Backup, ...]:
    """Move rows from a former location of the store to the current one, if the archive is there with the same size.

    Returns the new records; the former ones are marked as deleted. `rows`: rows of the current location, by stored
    filename. `archives`: the contents of the store. A second call, after a crash, completes the work.
    """
    owner = destination.owner
    former = tuple(evolve(owner, location=location, formerly=()) for location in owner.formerly)
    if not former:
        return ()
    rewritten = []
    for row in tools.repo.find(Query(backend=destination.name, owners=former)):
        found = archives.get(row.stored_filename)
        # A row of 2013 has no location, and also belongs to the current one.
        if row.location is None or found is None or _size_of(found, destination) != row.known_size:
            continue
        metadata = row.metadata.changed(location=owner.location)
        today = evolve(row, backend_hash=owner.backend_hash, metadata=metadata)
        if row.stored_filename not in rows:
            rewritten.append(today)
        if dry_run:
            continue
        if row.stored_filename not in rows:
            tools.repo.put_all([today])
        tools.repo.replace(row.deleted(tools.clock()))
    return tuple(rewritten)


def _size_of(found: Found, destination: Destination) -> int:
    """The size of an archive in bytes, from its catalog entry if the listing has none; 0 if it is unknown."""
    if found.size is not None:
        return found.size
    try:
        entry = destination.read_entry(found.stored_filename)
    except PayloadDamaged:
        return 0
    return entry.backup.size if entry is not None else 0
