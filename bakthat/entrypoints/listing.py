"""The backups that `show` lists: of one profile, or of every profile, from all of their databases."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence

from bakthat.domain.backup import Backup, split_tags
from bakthat.domain.callbacks import ignore
from bakthat.domain.environment_settings import PROFILE_VARIABLE, set_variables
from bakthat.domain.profile import Profile
from bakthat.domain.query import Query, newest_first
from bakthat.entrypoints.chosen_profile import chosen_profile
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
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = ignore,
) -> list[Backup]:
    """The backups of one profile's stores; without a profile, everything in every profile's database. Newest first.

    environment: names the profile if `profile` is None, and has settings of that profile (`chosen_profile`).
    notice: called with a profile that cannot be read, where others can, and with a store that cannot be opened.
    """
    named = profile is not None or bool(environment.get(PROFILE_VARIABLE))
    names = [] if named else source.names()
    loads = [functools.partial(source.load, name) for name in names if name != "default"]
    if named or "default" in names or not loads or set_variables(environment):
        loads.append(functools.partial(chosen_profile, source, profile, environment, notice=notice))
    profiles: list[Profile] = []
    for load in loads:
        try:
            profiles.append(load())
        except ConfigInvalid as error:
            if len(loads) == 1:
                raise
            notice(str(error))
    owners = owners_of(profiles[0], notice) if named else None
    wanted = Query(
        text=query, backend=destination, tags=split_tags(tags if isinstance(tags, str) else list(tags)), owners=owners
    )
    found: list[Backup] = []
    for database in dict.fromkeys(one.database for one in profiles):
        found += show(wanted, open_repo(database))
    return sorted(found, key=newest_first, reverse=True)
