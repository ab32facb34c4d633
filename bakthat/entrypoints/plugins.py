"""Third-party stores: packages that register a factory in the entry-point group `bakthat.stores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bakthat.domain.profile import Profile
from bakthat.errors import BakthatError, ConfigInvalid
from bakthat.ports.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

GROUP = "bakthat.stores"


def store_names() -> list[str]:
    """The names under which installed packages offer stores."""
    return sorted({point.name for point in _entry_points()})


def open_store(name: str, profile: Profile) -> ObjectStore | None:
    """The store that an installed package offers under this name, None if none does. Its factory is called with the
    profile; what the profile's `stores` section holds under the name is for it to read.

    Raises `ConfigInvalid`, which names the package, if two packages claim the name, or the factory fails or gives no
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
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigInvalid(f"{which} could not be opened: {reason}") from error
    if not isinstance(store, ObjectStore):
        raise ConfigInvalid(f"{which} is a {type(store).__name__}, not a bakthat ObjectStore; it cannot be used")
    if not isinstance(getattr(store, "location", None), str):
        raise ConfigInvalid(f"{which} has no location, a text such as 'sftp://host/folder'; it cannot be used")
    return store


def _entry_points() -> Iterable[EntryPoint]:
    # Imported here, since it takes 15 ms, and most calls name no such store.
    from importlib import metadata

    return metadata.entry_points(group=GROUP)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
