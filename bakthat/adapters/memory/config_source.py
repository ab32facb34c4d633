"""`MemoryConfig`: profiles in memory, for tests and for scripts with their own settings."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from attrs import evolve

from bakthat.domain.profile import Profile
from bakthat.domain.selector import nearest
from bakthat.errors import ProfileNotFound
from bakthat.ports.config_source import ConfigSource


class MemoryConfig(ConfigSource):
    """Profiles by name."""

    def __init__(self, profiles: Iterable[Profile] = ()) -> None:
        """`profiles`: the initial profiles."""
        self._lock = threading.Lock()
        self._profiles = {profile.name: profile for profile in profiles}

    def __repr__(self) -> str:
        return f"MemoryConfig({self.names()})"

    def names(self) -> list[str]:
        with self._lock:
            return list(self._profiles)

    def load(self, profile: str) -> Profile:
        with self._lock:
            known = self._profiles.get(profile)
            names = list(self._profiles)
        if known is not None:
            return known
        if profile == "default":
            return Profile()
        near = nearest(profile, names, most=1)
        suggestion = f", did you mean {near[0]!r}?" if near else ""
        raise ProfileNotFound(f"there is no profile {profile!r}{suggestion} (there are: {', '.join(names) or 'none'})")

    def save(self, profile: Profile) -> None:
        with self._lock:
            before = self._profiles.get(profile.name)
            extra = {**(before.extra if before is not None else {}), **profile.extra}
            self._profiles[profile.name] = evolve(profile, extra=extra)
