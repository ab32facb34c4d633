"""`ConfigSource`: loads and saves profiles."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bakthat.domain.profile import Profile
from bakthat.errors import ConfigError


class ConfigSource(ABC):
    """Profiles by name. Only `save` creates or changes anything."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the profiles, in the order of the source; empty if there is no configuration yet."""

    @abstractmethod
    def load(self, profile: str) -> Profile:
        """Return the settings of one profile. `default` always exists: without a configuration it has only defaults.

        Raises:
            ProfileNotFound: There is no such profile.
            ConfigInvalid: A setting is invalid; the message names source, profile and key.
        """

    def where(self, profile: str) -> str:
        """Return where a person finds this profile, which begins messages about its settings: the source and its name.
        By default the name alone."""
        return f"profile {profile!r}"

    def readable_profiles(self) -> list[Profile]:
        """Return every profile that can be loaded. The others are skipped without a notice."""
        found: list[Profile] = []
        for name in self.names():
            try:
                found.append(self.load(name))
            except ConfigError:
                continue
        return found

    @abstractmethod
    def save(self, profile: Profile) -> None:
        """Save a profile under its name, atomically, readable only by its owner (0600).

        Other profiles and unknown keys are kept. A setting with its default value is written only if the source had it.
        """
