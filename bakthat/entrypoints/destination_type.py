"""`DestinationType`: one kind of destination, as the registry (`bakthat.entrypoints.destinations`) lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import field, frozen

from bakthat.adapters.rate_limit import NO_LIMITS, Limits
from bakthat.domain.backup import Owner, backend_hash
from bakthat.domain.callbacks import ignore
from bakthat.domain.profile import Profile
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.object_store import ObjectDestination


@frozen(kw_only=True)
class Parts:
    """The context in which destinations are opened.

    stores: object stores from the caller, by the name of the destination that each replaces or adds.
    archives: replaces the vault of `glacier`.
    limits: of the bytes that all destinations together send and receive.
    """

    profile: Profile
    stores: Mapping[str, ObjectStore] = field(factory=dict)
    archives: ArchiveStore | None = None
    repo: MetadataRepo
    clock: Callable[[], datetime]
    notice: Callable[[str], None] = ignore
    limits: Limits = NO_LIMITS


@frozen(kw_only=True)
class DestinationType:
    """One kind of destination.

    name: its name for `-d`.
    is_configured: whether the profile names such a destination.
    is_there: whether a `sync` of all destinations includes it. Contacts no service.
    owner: identifies the records of its backups. Contacts no service. Raises `ConfigError`.
    open: the destination of a profile. Contacts no service. Raises `ConfigError`.
    schemes: of the URLs that `from_url` understands; `file` is also a path without a scheme.
    from_url: the store and the key of the single object at a URL. Raises `UsageError`, `ConfigError`.
    """

    name: str
    is_configured: Callable[[Profile], bool]
    is_there: Callable[[Profile], bool] = lambda _: True
    owner: Callable[[Profile], Owner]
    open: Callable[[Parts], Destination]
    schemes: tuple[str, ...] = ()
    from_url: Callable[[str, Profile], tuple[ObjectStore, str]] | None = None


def destination_of(name: str, store: ObjectStore, profile: Profile) -> Destination:
    """Return the destination `name` that keeps its backups in this object store."""
    owner = Owner(backend=name, location=store.location, backend_hash=backend_hash(profile.access_key, store.location))
    return ObjectDestination(owner, store)
