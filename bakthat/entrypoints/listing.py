"""The backups that `show` lists: of one profile, or of every profile, from all of their databases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bakthat.domain.backup import Backup, split_tags
from bakthat.domain.callbacks import ignore
from bakthat.domain.profile import Profile
from bakthat.domain.query import Query, newest_first
from bakthat.entrypoints.destinations import owners_of
from bakthat.entrypoints.wiring import open_repo
from bakthat.errors import ConfigInvalid
from bakthat.ports.config_source import ConfigSource
from bakthat.usecases.show import show


def list_backups(
    source: ConfigSource,
    profile: str | None,
    *,
    query: str = "",
    destination: str | None = None,
    tags: str | Sequence[str] = "",
    notice: Callable[[str], None] = ignore,
) -> list[Backup]:
    """The backups of one profile's stores; without a profile, everything in every profile's database. Newest first.

    notice: called with a profile that cannot be read, where others can, and with a store that cannot be opened.
    """
    names = [profile] if profile is not None else source.names() or ["default"]
    profiles: list[Profile] = []
    for name in names:
        try:
            profiles.append(source.load(name))
        except ConfigInvalid as error:
            if len(names) == 1:
                raise
            notice(str(error))
    owners = owners_of(profiles[0], notice) if profile is not None else None
    wanted = Query(
        text=query, backend=destination, tags=split_tags(tags if isinstance(tags, str) else list(tags)), owners=owners
    )
    found: list[Backup] = []
    for database in dict.fromkeys(one.database for one in profiles):
        found += show(wanted, open_repo(database))
    return sorted(found, key=newest_first, reverse=True)
