"""The composition root: the only place that builds adapters, and where the whole machine is seen assembled.

Adapters are imported when they are first built, so that `show` pays neither for boto3 nor for cryptography.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from attrs import evolve

from bakthat import __version__
from bakthat.adapters.aws.settings import owner_of_glacier, owner_of_s3
from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Owner, backend_hash
from bakthat.domain.payload import Keys
from bakthat.domain.profile import DEFAULT_LOCAL_PATH, Profile
from bakthat.domain.progress import Progress
from bakthat.domain.selector import nearest
from bakthat.entrypoints.plugins import open_store, store_names
from bakthat.errors import BakthatError, ConfigInvalid, UnknownDestination, UsageError
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.config_source import ConfigSource
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import Cipher
from bakthat.usecases.destinations.archive_store import ArchiveDestination
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.destinations.retrievals import Appointments
from bakthat.usecases.tools import Tools

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.exclusions import OwnThings
    from bakthat.domain.ignore_patterns import PatternList

DEFAULT_CONFIG = "~/.bakthat.yml"


def utc_now() -> datetime:
    """The moment, aware UTC."""
    return datetime.now(UTC)


def ignore(_: object) -> None:
    """Tells nobody."""


def open_config(path: str | None = None, *, notice: Callable[[str], None] = ignore) -> ConfigSource:
    """The configuration file: `path`, which then must exist, or `~/.bakthat.yml`, which need not."""
    from bakthat.adapters.config.yaml_file import YamlConfig

    return YamlConfig(path or DEFAULT_CONFIG, must_exist=path is not None, notice=notice)


def profile_from(
    settings: Mapping[str, Any], *, name: str = "default", notice: Callable[[str], None] = ignore
) -> Profile:
    """The profile in a dict of settings, under the keys of the configuration file. Raises `ConfigInvalid`, for an
    unknown key as well; `notice` is called with 2013's own."""
    from bakthat.adapters.config.yaml_file import profile_of_dict

    return profile_of_dict(settings, name=name, where="conf", notice=notice)


def open_config_to_write(path: str | None = None, *, notice: Callable[[str], None] = ignore) -> ConfigSource:
    """The same file, which need not exist yet: for the dialogues that save settings."""
    from bakthat.adapters.config.yaml_file import YamlConfig

    return YamlConfig(path or DEFAULT_CONFIG, must_exist=False, notice=notice)


def open_repo(database: str) -> MetadataRepo:
    """The database of this path or URL; nothing is opened before the first call."""
    from bakthat.adapters.database.peewee_repo import open_repo as opened

    return opened(database)


def build_tools(
    profile: Profile,
    *,
    stores: Mapping[str, ObjectStore] | None = None,
    archives: ArchiveStore | None = None,
    repo: MetadataRepo | None = None,
    cipher: Cipher | None = None,
    clock: Callable[[], datetime] = utc_now,
    host: Callable[[], str] = socket.gethostname,
    sleep: Callable[[float], None] = time.sleep,
    notice: Callable[[str], None] = ignore,
    progress: Callable[[Progress], None] = ignore,
    second_process: bool = False,
    profiles: Callable[[], Iterable[Profile]] = tuple,
) -> Tools:
    """The tools of the verbs for one profile. Whatever is not handed in is built from the profile. `second_process`: as
    of `TarPacker`. `profiles`: all of the configuration, whose folders and databases no backup contains."""
    from bakthat.adapters.compression.gzip_writer import GzipCompressor
    from bakthat.adapters.packing.single_file import PlainFilePacker
    from bakthat.adapters.packing.source import examine
    from bakthat.adapters.packing.tar_packer import TarPacker

    chosen_repo = repo if repo is not None else open_repo(profile.database)
    return Tools(
        destination=Destinations(
            profile, stores or {}, archives=archives, repo=chosen_repo, clock=clock, notice=notice
        ),
        repo=chosen_repo,
        tar=TarPacker(second_process=second_process),
        plain=PlainFilePacker(),
        compressors={Compression.GZIP: GzipCompressor()},
        cipher=cipher if cipher is not None else LateCipher(),
        examine=examine,
        source_patterns=lambda source, gitignore: source_patterns(source, gitignore, notice),
        named_patterns=named_patterns,
        own_things=lambda source: own_things(source, profile, profiles(), stores or {}),
        clock=clock,
        host=host,
        pid=os.getpid,
        tool=f"bakthat {__version__}",
        sleep=sleep,
        notice=notice,
        progress=progress,
    )


def source_patterns(source: Path, gitignore: bool, notice: Callable[[str], None]) -> PatternList | None:
    """The patterns in the source's own file, as `Tools.source_patterns` gives them."""
    from bakthat.adapters.packing import pattern_files

    return pattern_files.source_patterns(source, gitignore, notice=notice)


def named_patterns(path: Path) -> PatternList:
    """The patterns in a file that the user names."""
    from bakthat.adapters.packing import pattern_files

    return pattern_files.named_patterns(path)


def own_things(
    source: Path, profile: Profile, others: Iterable[Profile], stores: Mapping[str, ObjectStore]
) -> OwnThings:
    """What is bakthat's own below or around the source: local destinations, databases and the cache."""
    from bakthat.adapters.packing.own_things import find_own_things

    folders = [(name, store.location) for name, store in stores.items() if store.location.startswith("file://")]
    folders.append(("" if "local" in stores else "local", profile.local_path))
    folders += [("", other.local_path) for other in others]
    databases = [_database_file(one.database) for one in (profile, *others)]
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return find_own_things(
        source,
        stores=[(name, path) for name, folder in folders if (path := _path(folder))],
        databases=[path for database in databases if database and (path := _path(database))],
        caches=[path / "bakthat" for path in [_path(cache)] if path],
    )


def _path(setting: str) -> Path | None:
    """None where `~` is written and nobody knows the home directory."""
    if setting.startswith("file://"):
        return Path(unquote(urlsplit(setting).path))
    try:
        return Path(setting).expanduser()
    except RuntimeError:
        return None


def _database_file(database: str) -> str:
    """The file of a SQLite database; empty for any other."""
    if database.startswith("sqlite://"):
        return database.removeprefix("sqlite://").removeprefix("/")
    return "" if "://" in database else database


class Destinations:
    """The profile's destinations by name, each built when it is first asked for."""

    def __init__(
        self,
        profile: Profile,
        stores: Mapping[str, ObjectStore],
        *,
        archives: ArchiveStore | None = None,
        repo: MetadataRepo,
        clock: Callable[[], datetime],
        notice: Callable[[str], None],
    ) -> None:
        self._profile = profile
        self._stores = stores
        self._archives = archives
        self._repo = repo
        self._clock = clock
        self._notice = notice
        self._built: dict[str, Destination] = {}

    def __call__(self, name: str) -> Destination:
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Destination:
        profile = self._profile
        if name in self._stores:
            return _handed_in(name, self._stores[name], profile)
        if name == "s3":
            return self._s3()
        if name == "glacier":
            return self._glacier()
        if name == "local":
            from bakthat.adapters.local_folder import LocalObjectStore

            return _handed_in(name, LocalObjectStore(Path(profile.local_path), notice=self._notice), profile)
        store = open_store(name, profile)
        if store is not None:
            return _handed_in(name, store, profile)
        known = ["s3", "glacier", "local", *self._stores, *store_names()]
        alike = nearest(name, known)
        hint = f"; did you mean {alike[0]}?" if alike else ""
        raise UnknownDestination(f"{name!r} is no destination; there are {', '.join(known)}{hint}")

    def _s3(self) -> Destination:
        owner = owner_of_s3(self._profile)
        from bakthat.adapters.aws.s3 import S3ObjectStore

        objects = S3ObjectStore.from_profile(self._profile, notice=self._notice)
        # Entries are read at any time, so they never go into another storage class.
        catalog = self._bucket() if self._profile.storage_class else None
        return ObjectDestination(owner, objects, catalog=catalog, thaw=self._thaw)

    def _thaw(self) -> Appointments:
        """How objects of the bucket are asked for that a lifecycle rule has frozen."""
        from bakthat.adapters.aws.s3_archive_class import S3ColdStore

        archives = S3ColdStore.of_bucket(self._profile, notice=self._notice)
        return Appointments(archives, self._repo, clock=self._clock, notice=self._notice)

    def _glacier(self) -> Destination:
        """The vault that the profile names, else the archive class of its bucket."""
        owner = owner_of_glacier(self._profile)
        archives = self._archives
        if archives is not None:
            owner = evolve(owner, location=archives.location)
        elif self._profile.glacier_vault:
            from bakthat.adapters.aws.glacier import GlacierArchiveStore

            archives = GlacierArchiveStore.from_profile(self._profile)
        else:
            from bakthat.adapters.aws.s3_archive_class import S3ColdStore

            archives = S3ColdStore.from_profile(self._profile, notice=self._notice)
        return ArchiveDestination(
            owner, archives, self._bucket(), repo=self._repo, clock=self._clock, notice=self._notice
        )

    def _bucket(self) -> ObjectStore | None:
        """The store for what must be readable at any time: catalog entries, and the copy of Glacier's inventory."""
        if "s3" in self._stores:
            return self._stores["s3"]
        if not self._profile.s3_bucket:
            return None
        from bakthat.adapters.aws.s3 import S3ObjectStore

        return S3ObjectStore.from_profile(evolve(self._profile, storage_class=None), notice=self._notice)


def locate(place: str, profile: Profile) -> tuple[ObjectStore, str]:
    """The store and the key of a single object: `s3://bucket/key`, or a file's path. Raises `UsageError`."""
    if place.startswith("s3://"):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        if not bucket or not key:
            raise UsageError(f"{place!r} is no object; write s3://bucket/key")
        from bakthat.adapters.aws.s3 import S3ObjectStore

        return S3ObjectStore.from_profile(evolve(profile, s3_bucket=bucket, s3_prefix="")), key
    from bakthat.adapters.filesystem.home import expand_home
    from bakthat.adapters.local_folder import LocalObjectStore

    path = Path(expand_home(place.removeprefix("file://"), "--from", instead="give the file as a whole path"))
    if not path.name:
        raise UsageError(f"{place!r} is no file; write the path of a backup, or s3://bucket/key")
    return LocalObjectStore(path.parent), path.name


def local_folder(profile: Profile) -> Path | None:
    """The folder of `-d local`; None if the profile names none and there is no home directory for the usual one.
    Raises `ConfigInvalid` if it names one in a home directory that is not there."""
    from bakthat.adapters.filesystem.home import expand_home

    try:
        return Path(expand_home(profile.local_path, "local_path", instead="give `local_path` as a whole path"))
    except ConfigInvalid:
        if profile.local_path != DEFAULT_LOCAL_PATH:
            raise
        return None


def destination_names(profile: Profile) -> list[str]:
    """The destinations that the profile names, its default one first; the local folder only if it is there."""
    names = [profile.default_destination]
    if profile.s3_bucket:
        names.append("s3")
    if profile.glacier_vault or (profile.glacier_storage_class and profile.s3_bucket):
        names.append("glacier")
    folder = local_folder(profile)
    if folder is not None and folder.is_dir():
        names.append("local")
    names += [name for name in store_names() if name in profile.stores]
    if profile.default_destination == "s3" and not profile.s3_bucket and len(names) > 1:
        names.remove("s3")  # the default of a profile that has no bucket
    return list(dict.fromkeys(names))


def owners_of(profile: Profile, notice: Callable[[str], None] = ignore) -> tuple[Owner, ...]:
    """Every store that the profile names, as the records of their backups are marked. Contacts none of them. `notice`
    is called with a store of another package that cannot be opened, which is left out."""
    from bakthat.adapters.local_folder import LocalObjectStore

    folder = local_folder(profile)
    owners = [] if folder is None else [_handed_in("local", LocalObjectStore(folder), profile).owner]
    if profile.s3_bucket:
        owners.append(owner_of_s3(profile))
    if profile.glacier_vault or (profile.glacier_storage_class and profile.s3_bucket):
        owners.append(owner_of_glacier(profile))
    for name in store_names():
        if name in profile.stores or name == profile.default_destination:
            try:
                store = open_store(name, profile)
            except BakthatError as error:
                notice(f"{error}; the backups in it are not shown")
                continue
            if store is not None:
                owners.append(_handed_in(name, store, profile).owner)
    return tuple(owners)


def _handed_in(name: str, store: ObjectStore, profile: Profile) -> Destination:
    owner = Owner(backend=name, location=store.location, backend_hash=backend_hash(profile.access_key, store.location))
    return ObjectDestination(owner, store)


class LateCipher(Cipher):
    """age for what is written, and whatever a stored file is sealed with for what is read; imported when needed."""

    def sealing(self, into: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        return self._cipher().sealing(into, keys)

    def unsealing(self, sealed: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        return self._cipher().unsealing(sealed, keys)

    def _cipher(self) -> Cipher:
        from bakthat.adapters.encryption.age import AgeCipher
        from bakthat.adapters.encryption.beefish import BeefishCipher
        from bakthat.adapters.encryption.detecting import EitherCipher

        return EitherCipher(AgeCipher(), BeefishCipher())
