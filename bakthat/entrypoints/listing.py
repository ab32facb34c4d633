"""The backups that `show` lists: of one profile, or of every profile, from all of their databases."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from attrs import frozen

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


@frozen(kw_only=True)
class Wanted:
    """Which backups. query: a part of their names. since: not before it. host: that made them."""

    query: str = ""
    destination: str | None = None
    tags: Sequence[str] = ()
    since: datetime | None = None
    host: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether there is no condition."""
        return self == Wanted()


@frozen(kw_only=True)
class Listing:
    """The backups, newest first, and the profiles in whose databases they are. has_config: a configuration
    file has a profile, or variables have settings."""

    backups: list[Backup]
    profiles: list[Profile]
    has_config: bool

    @property
    def whose(self) -> str:
        """`profile work`, or `all profiles`."""
        return f"profile {self.profiles[0].name}" if len(self.profiles) == 1 else "all profiles"


def list_backups(
    source: ConfigSource,
    profile: str | None,
    wanted: Wanted,
    *,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = ignore,
) -> Listing:
    """The backups of one profile's stores; without a profile, everything in every profile's database.

    environment: names the profile if `profile` is None, and has settings of that profile (`chosen_profile`).
    notice: called with a profile that cannot be read, where others can, and with a store that cannot be opened.
    """
    named = profile is not None or bool(environment.get(PROFILE_VARIABLE))
    there = source.names()
    names = [] if named else there
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
    query = Query(text=wanted.query, backend=wanted.destination, tags=split_tags(list(wanted.tags)), owners=owners)
    found: list[Backup] = []
    for database in dict.fromkeys(one.database for one in profiles):
        found += show(query, open_repo(database), since=wanted.since, host=wanted.host)
    backups = sorted(found, key=newest_first, reverse=True)
    return Listing(backups=backups, profiles=profiles, has_config=bool(there or set_variables(environment)))
