"""Settings from the environment: `BAKTHAT_<KEY>` for every key of a profile that has a single value.

The variables come from the fields of `Profile`: a new key has its variable by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import fields, fields_dict

from bakthat.domain.profile import Profile, implied_destination, lacks_place, overlaid
from bakthat.domain.rotation import policy_from
from bakthat.domain.selector import nearest
from bakthat.domain.settings import from_text, has_text
from bakthat.errors import ConfigError, ConfigInvalid, UsageError

PREFIX = "BAKTHAT_"

PROFILE_VARIABLE = "BAKTHAT_PROFILE"
CONFIG_VARIABLE = "BAKTHAT_CONFIG"
PASSWORD_VARIABLE = "BAKTHAT_PASSWORD"  # noqa: S105 - the variable's name
PASSWORD_FILE_VARIABLE = "BAKTHAT_PASSWORD_FILE"  # noqa: S105 - the variable's name
PAGER_VARIABLE = "BAKTHAT_PAGER"

_KEYS = tuple(setting.name for setting in fields(Profile) if setting.name not in {"name", "extra", "password_file"})
"""`BAKTHAT_PASSWORD_FILE` does not set a key: it also stands before `password_command` of the file."""

VARIABLES: Mapping[str, str] = {f"{PREFIX}{key.upper()}": key for key in _KEYS if has_text(fields_dict(Profile)[key])}
"""The key that each variable sets."""

OTHER_VARIABLES = (PROFILE_VARIABLE, CONFIG_VARIABLE, PASSWORD_VARIABLE, PASSWORD_FILE_VARIABLE, PAGER_VARIABLE)
"""Variables that set no key of a profile."""

_ONLY_IN_FILES = {f"{PREFIX}{key.upper()}": key for key in _KEYS} | {f"{PREFIX}EXTRA": "extra", f"{PREFIX}NAME": "name"}

_NEVER_EMPTY = frozenset({"recipients", "recipients_file", "password_command"})
"""An empty variable is not set, except for these: the backup would not be encrypted, because a command that should have
filled the variable failed."""

_DESTINATIONS: Mapping[str, tuple[str, ...]] = {
    "s3": ("s3_bucket", "s3_prefix", "endpoint_url"),
    "glacier": ("glacier_vault", "glacier_storage_class", "s3_bucket", "s3_prefix", "endpoint_url", "region_name"),
    "local": ("local_path",),
}
"""The keys that say where the backups of a destination are."""


def set_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables of the environment that set a key."""
    return [name for name in VARIABLES if environment.get(name)]


def with_environment(profile: Profile, environment: Mapping[str, str]) -> Profile:
    """Return the profile with the settings of the environment, which stand before its own.

    An empty variable counts as not set.

    Raises:
        ConfigInvalid: A value is invalid. The message names each variable, and no value.
    """
    found: dict[str, Any] = {}
    wrong = []
    for name, key in VARIABLES.items():
        text = environment.get(name)
        if text is None or (not text and key not in _NEVER_EMPTY):
            continue
        if not text.strip() and key in _NEVER_EMPTY:
            wrong.append(f"{name} is set, but empty; unset it, or give it a value")
            continue
        try:
            found[key] = from_text(fields_dict(Profile)[key], text)
        except (ValueError, UsageError) as error:
            wrong.append(f"{name}: {error}")
            continue
        if key == "rotation":  # in a file, only `rotate_backups` looks at it, whose message names the file
            try:
                policy_from(found[key], where=name)
            except (ConfigError, UsageError) as error:
                wrong.append(str(error))
    if wrong:
        raise ConfigInvalid("; ".join(wrong))
    if not found:
        return profile
    try:
        return overlaid(profile, found)
    except ConfigInvalid as error:
        reason = str(error).split(": ", 1)[-1]
    names = ", ".join(name for name, key in VARIABLES.items() if environment.get(name) and key in reason)
    raise ConfigInvalid(f"profile {profile.name!r} with {names} of the environment: {reason}")


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable `BAKTHAT_…` that sets nothing, with the most similar one that does."""
    known = (*VARIABLES, *OTHER_VARIABLES)
    lines = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known:
            continue
        if name in _ONLY_IN_FILES:
            lines.append(f"{name}: {_ONLY_IN_FILES[name]!r} cannot be set by the environment, only in the file")
            continue
        # Without the prefix, which would make any two of them alike.
        near = nearest(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], most=1)
        hint = f" (did you mean {PREFIX}{near[0]}?)" if near else ""
        lines.append(f"{name}: unknown variable{hint}; it is not used")
    return lines


def replaced_destination(before: Profile, after: Profile) -> list[str]:
    """Return the variables that replace where the profile `before` has its backups.

    A variable that adds a destination, which the profile did not have, replaces none.
    """
    # The first place that a profile gets is its default destination; nothing is replaced
    is_implied = lacks_place(before) and after.default_destination == implied_destination(after)
    keys = [] if is_implied else ["default_destination"]
    for destination in _used(before):
        keys += _DESTINATIONS[destination]
    changed = [key for key in dict.fromkeys(keys) if getattr(before, key) != getattr(after, key)]
    return [f"{PREFIX}{key.upper()}" for key in changed]


def _used(profile: Profile) -> list[str]:
    """Return the destinations of bakthat's own that the profile names."""
    used = []
    if profile.s3_bucket:
        used.append("s3")
    if profile.glacier_vault or (profile.glacier_storage_class and profile.s3_bucket):
        used.append("glacier")
    if profile.default_destination == "local" or profile.local_path != Profile().local_path:
        used.append("local")
    return used
