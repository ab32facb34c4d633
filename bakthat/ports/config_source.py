"""`ConfigSource`: where profiles come from and are saved."""

from __future__ import annotations

from abc import ABC, abstractmethod

from bakthat.domain.profile import Profile
from bakthat.errors import ConfigError


class ConfigSource(ABC):
    """Profiles by name. No call creates anything but `save`."""

    @abstractmethod
    def names(self) -> list[str]:
        """The profiles' names, in the order of the source; empty if there is no configuration yet."""

    @abstractmethod
    def load(self, profile: str) -> Profile:
        """The settings of one profile. `default` exists always: without a configuration it has only defaults.

        Raises `ProfileNotFound`, and `ConfigInvalid` naming source, profile and key.
        """

    def readable_profiles(self) -> list[Profile]:
        """Every profile that can be loaded. The others are left out; nobody is notified of them or their keys."""
        found: list[Profile] = []
        for name in self.names():
            try:
                found.append(self.load(name))
            except ConfigError:
                continue
        return found

    @abstractmethod
    def save(self, profile: Profile) -> None:
        """Save a profile under its name, atomically; other profiles and keys that bakthat does not know are kept, and
        a setting that has its default is written only if the source had it. Readable by its owner only (0600)."""
