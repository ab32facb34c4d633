"""Stores of other packages, found by their entry points.

`bakthat.stores`: the name of a destination, and its factory. `bakthat.urls` (optional): the scheme of a URL, and what
opens the single object that such a URL names, for `restore --from`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bakthat.domain.profile import Profile
from bakthat.entrypoints.signals import StoppedBySignal
from bakthat.errors import BakthatError, ConfigInvalid, UsageError
from bakthat.ports.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

log = logging.getLogger("bakthat")

STORES = "bakthat.stores"
URLS = "bakthat.urls"


def store_names() -> list[str]:
    """Return the names under which installed packages offer stores."""
    return sorted({point.name for point in _entry_points(STORES)})


def open_store(name: str, profile: Profile) -> ObjectStore | None:
    """Return the store that an installed package offers under this name; None if none does.

    Its factory is called with the profile, and reads its own section of the profile's `stores`. A factory that tries to
    end the program (`sys.exit`) is an error of the store.

    Raises:
        ConfigInvalid: Two packages offer a store of this name, the factory fails, or it returns no `ObjectStore`. The
            message names the package.
        BakthatError: The factory raised it.
    """
    point = _only_entry_point(STORES, name, f"a store named {name!r}")
    if point is None:
        return None
    which = f"the store {name!r} of the package {_package(point)}"
    return _checked(_call(point, which, profile), which)


def url_schemes() -> list[str]:
    """Return the schemes of the URLs that installed packages understand."""
    return sorted({point.name for point in _entry_points(URLS)})


def open_url(scheme: str, url: str, profile: Profile) -> tuple[ObjectStore, str]:
    """Return the store and the key of the object at a URL whose scheme an installed package understands.

    What the package registered is called with the URL and the profile, and returns a store and a key.

    Raises:
        ConfigInvalid: As `open_store`.
        UsageError: The URL names no object.
        BakthatError: The package raised it.
    """
    point = _only_entry_point(URLS, scheme, f"to open {scheme}:// URLs")
    if point is None:
        raise UsageError(f"no installed package opens {scheme}:// URLs")
    which = f"what opens {scheme}:// URLs, of the package {_package(point)},"
    found = _call(point, which, url, profile)
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], str):
        raise ConfigInvalid(f"{which} returned a {type(found).__name__}, not a store and a key; it cannot be used")
    store, key = _checked(found[0], f"the store for {scheme}:// URLs of the package {_package(point)}"), found[1]
    if not key:
        # Not the URL: it may contain a password.
        raise UsageError(f"this {scheme}:// URL names no object; end it with the stored filename of a backup")
    return store, key


def _only_entry_point(group: str, name: str, what: str) -> EntryPoint | None:
    points = [point for point in _entry_points(group) if point.name == name]
    if len(points) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise ConfigInvalid(f"two packages offer {what}: {packages}; uninstall one of them")
    return points[0] if points else None


def _call(point: EntryPoint, which: str, *arguments: object) -> Any:
    """Return what the package's own code returns."""
    try:
        return point.load()(*arguments)
    except BakthatError:
        raise
    except StoppedBySignal:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigInvalid(f"{which} could not be opened: {reason}") from error


def _checked(store: object, which: str) -> ObjectStore:
    if not isinstance(store, ObjectStore):
        raise ConfigInvalid(f"{which} is a {type(store).__name__}, not a bakthat ObjectStore; it cannot be used")
    if not isinstance(getattr(store, "location", None), str):
        raise ConfigInvalid(f"{which} has no location, a text such as 'sftp://host/folder'; it cannot be used")
    from bakthat.entrypoints.exit_guard import exit_guarded

    return exit_guarded(store, which)


def _entry_points(group: str) -> Iterable[EntryPoint]:
    """As `importlib.metadata.entry_points`, but skips packages whose list cannot be read: otherwise an unrelated broken
    package would break every command."""
    # Imported here, because it takes 15 ms, and most calls use no such store.
    from importlib import metadata

    seen: set[str] = set()
    for package in metadata.distributions():
        try:
            points = package.entry_points.select(group=group)
            name = package.name.lower().replace("_", "-") if points else ""
        except Exception as error:  # noqa: BLE001 - whatever a parser of odd text raises
            log.debug("the entry points of a package cannot be read: %s", error)
            continue
        if name not in seen:  # a package that is found twice is the first one, as it is for an import
            seen.update([name] if name else [])
            yield from points


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
