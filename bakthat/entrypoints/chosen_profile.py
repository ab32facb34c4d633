"""The profile that a program was started with: a name, the configuration, and the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bakthat.domain.callbacks import ignore
from bakthat.domain.environment_settings import (
    PROFILE_VARIABLE,
    replaced_destination,
    unknown_variables,
    with_environment,
)
from bakthat.domain.profile import Profile
from bakthat.errors import ProfileNotFound
from bakthat.ports.config_source import ConfigSource


def profile_name(given: str | None, environment: Mapping[str, str]) -> str:
    """Return the name of the profile: the given one, else that of `BAKTHAT_PROFILE`, else `default`."""
    return given or environment.get(PROFILE_VARIABLE) or "default"


def chosen_profile(
    source: ConfigSource,
    given: str | None,
    environment: Mapping[str, str],
    *,
    notice: Callable[[str], None] = ignore,
) -> Profile:
    """Return the profile with the settings of the environment.

    The variables apply to this profile only. One that a program uses besides comes from `source.load`.

    Args:
        source: The configuration.
        given: The name by an option or an argument; None leaves it to `profile_name`.
        environment: Its variables `BAKTHAT_<KEY>` stand before the keys of the profile.
        notice: Called with unknown variables, and with those that replace the destination of the `given` profile.

    Raises:
        ProfileNotFound: There is no such profile.
        ConfigInvalid: A value in the configuration or in the environment is invalid.
    """
    try:
        of_source = source.load(profile_name(given, environment))
    except ProfileNotFound as error:
        if given or not environment.get(PROFILE_VARIABLE):
            raise
        raise ProfileNotFound(f"{PROFILE_VARIABLE}: {error}") from None
    for line in unknown_variables(environment):
        notice(line)
    profile = with_environment(of_source, environment)
    if given and (replaced := replaced_destination(of_source, profile)):
        verb = "replaces" if len(replaced) == 1 else "replace"
        notice(f"{', '.join(replaced)} of the environment {verb} the destination of profile {given!r}")
    return profile
