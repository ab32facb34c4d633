"""`BUILT_IN`: bakthat's own destinations. A new one is a row there.

Adapters are imported when a destination is opened, so that `show` pays neither for boto3 nor for cryptography.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from bakthat.adapters.aws.settings import owner_of_glacier, owner_of_s3
from bakthat.adapters.rate_limit import NO_LIMITS, Limits
from bakthat.domain.callbacks import ignore
from bakthat.domain.objects import COLD_CLASSES
from bakthat.domain.profile import DEFAULT_LOCAL_PATH, Profile
from bakthat.entrypoints.destination_type import DestinationType, Parts, destination_of
from bakthat.errors import ConfigInvalid, UsageError
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.archive_store import ArchiveDestination
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.destinations.retrievals import Retrievals


def _open_s3(parts: Parts) -> Destination:
    profile = parts.profile
    owner = owner_of_s3(profile)
    from bakthat.adapters.aws.s3 import S3ObjectStore

    objects = S3ObjectStore.from_profile(profile, notice=parts.notice, limits=parts.limits)
    # Entries are read at any time, so they never go into another storage class. They are rewritten, and never locked;
    # nor are values.
    catalog = _bucket(parts) if profile.storage_class or profile.object_lock else None
    values = None
    if profile.object_lock:
        free = evolve(profile, object_lock=None)
        values = S3ObjectStore.from_profile(free, notice=parts.notice, limits=parts.limits)

    def retrievals() -> Retrievals:
        """Return the retrievals of objects in the bucket that a lifecycle rule has moved to an archive class."""
        from bakthat.adapters.aws.s3_archive_class import S3ColdStore

        archives = S3ColdStore.of_bucket(profile, notice=parts.notice, limits=parts.limits)
        return Retrievals(archives, parts.repo, clock=parts.clock, notice=parts.notice)

    is_cold = profile.storage_class in COLD_CLASSES
    return ObjectDestination(
        owner, objects, catalog=catalog, values=values, retrievals=retrievals, keeps_index_copies=is_cold
    )


def _s3_object(url: str, profile: Profile) -> tuple[ObjectStore, str]:
    bucket, _, key = url[len("s3://") :].partition("/")
    if not bucket or not key:
        raise UsageError(f"{url!r} names no object; write s3://bucket/key")
    from bakthat.adapters.aws.s3 import S3ObjectStore

    return S3ObjectStore.from_profile(evolve(profile, s3_bucket=bucket, s3_prefix="")), key


def _open_glacier(parts: Parts) -> Destination:
    """Return the vault that the profile names, else the archive class of its bucket."""
    profile = parts.profile
    owner = owner_of_glacier(profile)
    archives = parts.archives
    if archives is not None:
        owner = evolve(owner, location=archives.location)
    elif profile.glacier_vault:
        from bakthat.adapters.aws.glacier import GlacierArchiveStore

        archives = GlacierArchiveStore.from_profile(profile, limits=parts.limits)
    else:
        from bakthat.adapters.aws.s3_archive_class import S3ColdStore

        archives = S3ColdStore.from_profile(profile, notice=parts.notice, limits=parts.limits)
    return ArchiveDestination(owner, archives, _bucket(parts), repo=parts.repo, clock=parts.clock, notice=parts.notice)


def _bucket(parts: Parts) -> ObjectStore | None:
    """Return the store for objects that must be readable at any time: catalog entries, and the copy of Glacier's
    inventory."""
    if "s3" in parts.stores:
        return parts.stores["s3"]
    if not parts.profile.s3_bucket:
        return None
    from bakthat.adapters.aws.s3 import S3ObjectStore

    free = evolve(parts.profile, storage_class=None, object_lock=None)
    return S3ObjectStore.from_profile(free, notice=parts.notice, limits=parts.limits)


def _local_folder(profile: Profile) -> Path | None:
    """Return the folder of `-d local`; None if the profile names none and there is no home directory for the default.
    Raises `ConfigInvalid` if it names one in a home directory that does not exist."""
    from bakthat.adapters.filesystem.home import expand_home

    try:
        return Path(expand_home(profile.local_path, "local_path", instead="set `local_path` to an absolute path"))
    except ConfigInvalid:
        if profile.local_path != DEFAULT_LOCAL_PATH:
            raise
        return None


def _local_folder_is_there(profile: Profile) -> bool:
    folder = _local_folder(profile)
    return folder is not None and folder.is_dir()


def _open_local(profile: Profile, notice: Callable[[str], None] = ignore, limits: Limits = NO_LIMITS) -> Destination:
    from bakthat.adapters.limited_store import limited
    from bakthat.adapters.local_folder import LocalObjectStore

    store = LocalObjectStore(Path(profile.local_path), notice=notice)
    return destination_of("local", limited(store, limits.upload, limits.download), profile)


def _file(place: str, _: Profile) -> tuple[ObjectStore, str]:
    from bakthat.adapters.filesystem.home import expand_home
    from bakthat.adapters.local_folder import LocalObjectStore

    path = Path(expand_home(place.removeprefix("file://"), "`place=`", instead="give the file as an absolute path"))
    if not path.name:
        raise UsageError(f"{place!r} names no file; write the path of a backup, or s3://bucket/key")
    return LocalObjectStore(path.parent), path.name


BUILT_IN: tuple[DestinationType, ...] = (
    DestinationType(
        name="s3",
        is_configured=lambda profile: bool(profile.s3_bucket),
        owner=owner_of_s3,
        open=_open_s3,
        schemes=("s3",),
        from_url=_s3_object,
    ),
    DestinationType(
        name="glacier",
        is_configured=lambda profile: bool(
            profile.glacier_vault or (profile.glacier_storage_class and profile.s3_bucket)
        ),
        owner=owner_of_glacier,
        open=_open_glacier,
    ),
    DestinationType(
        name="local",
        is_configured=lambda profile: _local_folder(profile) is not None,
        is_there=_local_folder_is_there,
        owner=lambda profile: _open_local(profile).owner,
        open=lambda parts: _open_local(parts.profile, parts.notice, parts.limits),
        schemes=("file",),
        from_url=_file,
    ),
)
"""bakthat's own destinations, in the order of messages. Packages cannot use their names."""
