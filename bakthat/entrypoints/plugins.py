"""Third-party stores: packages that register a factory in the entry-point group `bakthat.stores`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bakthat.domain.profile import Profile
from bakthat.entrypoints.stopping import StoppedBySignal
from bakthat.errors import BakthatError, ConfigInvalid
from bakthat.ports.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

log = logging.getLogger("bakthat")

GROUP = "bakthat.stores"


def store_names() -> list[str]:
    """The names under which installed packages offer stores."""
    return sorted({point.name for point in _entry_points()})


def open_store(name: str, profile: Profile) -> ObjectStore | None:
    """The store that an installed package offers under this name, None if none does. Its factory is called with the
    profile; what the profile's `stores` section holds under the name is for it to read.

    Where it tries to end the program (`sys.exit`), that is an error of the store. Raises `ConfigInvalid`, which names
    the package, if two packages claim the name, or the factory fails or gives no
    `ObjectStore`; an error that the factory raises on purpose (`BakthatError`) comes out as it is.
    """
    points = [point for point in _entry_points() if point.name == name]
    if not points:
        return None
    if len(points) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise ConfigInvalid(f"two packages offer a store named {name!r}: {packages}; uninstall one of them")
    point = points[0]
    which = f"the store {name!r} of the package {_package(point)}"
    try:
        store = point.load()(profile)
    except BakthatError:
        raise
    except StoppedBySignal:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigInvalid(f"{which} could not be opened: {reason}") from error
    if not isinstance(store, ObjectStore):
        raise ConfigInvalid(f"{which} is a {type(store).__name__}, not a bakthat ObjectStore; it cannot be used")
    if not isinstance(getattr(store, "location", None), str):
        raise ConfigInvalid(f"{which} has no location, a text such as 'sftp://host/folder'; it cannot be used")
    from bakthat.entrypoints.guarded_store import guarded

    return guarded(store, which)


def _entry_points() -> Iterable[EntryPoint]:
    """As `importlib.metadata.entry_points`, but for packages whose list cannot be read: one of those, which may have
    nothing to do with stores, would be the end of every command."""
    # Imported here, since it takes 15 ms, and most calls name no such store.
    from importlib import metadata

    seen: set[str] = set()
    for package in metadata.distributions():
        try:
            points = package.entry_points.select(group=GROUP)
            name = package.name.lower().replace("_", "-") if points else ""
        except Exception as error:  # noqa: BLE001 - whatever a parser of odd text raises
            log.debug("the entry points of a package cannot be read: %s", error)
            continue
        if name not in seen:  # one that is found twice is the first one, as it is for an import
            seen.update([name] if name else [])
            yield from points


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
