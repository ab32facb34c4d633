"""The registry of destinations: what `-d NAME` and `restore --from URL` can mean.

bakthat's own are in `bakthat.entrypoints.built_in_destinations`; installed packages add theirs
(`bakthat.entrypoints.plugins`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bakthat.domain.backup import Owner
from bakthat.domain.callbacks import ignore
from bakthat.domain.profile import Profile
from bakthat.domain.selector import nearest
from bakthat.entrypoints.built_in_destinations import BUILT_IN
from bakthat.entrypoints.destination_type import DestinationType, Parts, destination_of
from bakthat.entrypoints.plugins import open_store, open_url, store_names, url_schemes
from bakthat.errors import BakthatError, UnknownDestination, UsageError
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.base import Destination


class Destinations:
    """The profile's destinations by name. Each is opened once, when it is first asked for."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._opened: dict[str, Destination] = {}

    def __call__(self, name: str) -> Destination:
        """Return the destination. Raises `UnknownDestination`, or another `ConfigError`."""
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> Destination:
        stores = self._parts.stores
        if name in stores:
            return self._limited(name, stores[name])
        for kind in BUILT_IN:
            if kind.name == name:
                return kind.open(self._parts)
        store = open_store(name, self._parts.profile)
        if store is not None:
            return self._limited(name, store)
        known = [*(kind.name for kind in BUILT_IN), *stores, *store_names()]
        similar = nearest(name, known)
        hint = f"; did you mean {similar[0]}?" if similar else ""
        if "/" in name:  # a folder, or a URL
            kind_of, key = ("bucket", "s3_bucket") if name.startswith("s3:") else ("folder", "local_path")
            hint = f"; a {kind_of} is the {key} of a profile"
        raise UnknownDestination(f"there is no destination {name!r}; there are {', '.join(known)}{hint}")

    def _limited(self, name: str, store: ObjectStore) -> Destination:
        from bakthat.adapters.limited_store import limited

        limits = self._parts.limits
        return destination_of(name, limited(store, limits.upload, limits.download), self._parts.profile)


def all_names() -> list[str]:
    """Return the name of every kind of destination that this installation has."""
    return [kind.name for kind in BUILT_IN] + store_names()


def destination_names(profile: Profile) -> list[str]:
    """Return the available destinations that the profile names, its default one first."""
    default = profile.default_destination
    names = [default, *(kind.name for kind in _configured(profile) if kind.is_there(profile))]
    if default == "s3" and not profile.s3_bucket and len(names) > 1:
        names.remove("s3")  # the default of a profile that has no bucket
    return list(dict.fromkeys(names))


def owners_of(profile: Profile, notice: Callable[[str], None] = ignore) -> tuple[Owner, ...]:
    """Return the owners of records whose backups are in a store that the profile names. Contacts no service.

    notice: called with a store of another package that cannot be opened, and is left out.
    """
    owners = [kind.owner(profile) for kind in BUILT_IN if kind.is_configured(profile)]
    for kind in _configured_plug_ins(profile):
        try:
            owners.append(kind.owner(profile))
        except BakthatError as error:
            notice(f"{error}; the backups in it are not shown")
    return tuple(owners)


def locate(place: str, profile: Profile) -> tuple[ObjectStore, str]:
    """Return the store and the key of a single object: of `s3://bucket/key`, of a file's path, or of a URL that an
    installed package understands. Raises `UsageError`, `ConfigError`."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", place)
    scheme = match[1].lower() if match else "file"
    readers = {one: kind.from_url for kind in BUILT_IN if kind.from_url is not None for one in kind.schemes}
    if scheme in readers:
        return readers[scheme](place, profile)
    known = url_schemes()
    if scheme in known:
        return open_url(scheme, place, profile)
    # Not the whole place: it may contain a password.
    others = "".join(f", {one}://…" for one in known)
    raise UsageError(f"no store reads {scheme}:// URLs; give the path of a file, s3://bucket/key{others}")


def _configured(profile: Profile) -> list[DestinationType]:
    return [kind for kind in BUILT_IN if kind.is_configured(profile)] + _configured_plug_ins(profile)


def _configured_plug_ins(profile: Profile) -> list[DestinationType]:
    built_in = {kind.name for kind in BUILT_IN}
    plug_ins = [_plug_in(name) for name in store_names() if name not in built_in]
    return [kind for kind in plug_ins if kind.is_configured(profile)]


def _plug_in(name: str) -> DestinationType:
    """Return the type of a destination that an installed package offers."""

    def opened(profile: Profile) -> Destination:
        store = open_store(name, profile)
        if store is None:
            raise UnknownDestination(f"no installed package offers a store {name!r}")
        return destination_of(name, store, profile)

    return DestinationType(
        name=name,
        is_configured=lambda profile: name in profile.stores or name == profile.default_destination,
        owner=lambda profile: opened(profile).owner,
        open=lambda parts: opened(parts.profile),
    )
