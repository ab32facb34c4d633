"""What `show` lists: one profile's backups, or those of every profile, from as many databases as they name."""

from __future__ import annotations

from bakthat.domain.backup import Backup, split_tags
from bakthat.domain.query import Query, newest_first
from bakthat.entrypoints.wiring import open_repo, owners_of
from bakthat.ports.config_source import ConfigSource
from bakthat.usecases.show import show


def list_backups(
    source: ConfigSource, profile: str | None, *, query: str = "", destination: str | None = None, tags: str = ""
) -> list[Backup]:
    """The backups of one profile's stores; without a profile, everything in every profile's database. Newest first."""
    names = [profile] if profile is not None else source.names() or ["default"]
    profiles = [source.load(name) for name in names]
    owners = owners_of(profiles[0]) if profile is not None else None
    wanted = Query(text=query, backend=destination, tags=split_tags(tags), owners=owners)
    found: list[Backup] = []
    for database in dict.fromkeys(one.database for one in profiles):
        found += show(wanted, open_repo(database))
    return sorted(found, key=newest_first, reverse=True)
