"""The composition root: the only place that builds the tools of the verbs.

Adapters are imported when they are first built, so that `show` pays neither for boto3 nor for cryptography.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakthat import __version__
from bakthat.adapters.rate_limit import Limits, RateLimit
from bakthat.domain.archive_format import Compression
from bakthat.domain.callbacks import ignore
from bakthat.domain.profile import Profile
from bakthat.domain.progress import Progress
from bakthat.entrypoints.destination_type import Parts
from bakthat.entrypoints.destinations import Destinations
from bakthat.entrypoints.own_places import cache_folder, lock_folder, own_things
from bakthat.entrypoints.pings import Pings
from bakthat.errors import ConfigInvalid
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.file_states import FileStates, NoStates
from bakthat.ports.job_locks import JobLocks
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import Cipher
from bakthat.ports.pinger import Pinger
from bakthat.ports.range_cache import NoCache, RangeCache
from bakthat.usecases.tools import Tools

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.ignore_patterns import PatternList


def utc_now() -> datetime:
    """Return the time, as aware UTC."""
    return datetime.now(UTC)


def profile_from(
    settings: Mapping[str, Any], *, name: str = "default", notice: Callable[[str], None] = ignore
) -> Profile:
    """Return the profile in a dict of settings, under the keys of the configuration file. `notice` is called with keys
    of 2013. Raises `ConfigInvalid`, also for an unknown key."""
    from bakthat.adapters.config.profile_schema import profile_of_dict

    return profile_of_dict(settings, name=name, where="conf", notice=notice)


def open_repo(database: str) -> MetadataRepo:
    """Return the database at this path or URL. Nothing is opened before the first call."""
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
    profiles: Callable[[], Iterable[Profile]] = tuple,
) -> Tools:
    """Return the tools of the verbs for one profile. What the caller does not pass is built from the profile.

    Args:
        profiles: All profiles of the configuration; no backup contains their folders and databases.
    """
    from bakthat.adapters.compression.gzip_compressor import GzipCompressor
    from bakthat.adapters.compression.zstd_compressor import ZstdCompressor
    from bakthat.adapters.encryption.detecting import DetectingCipher
    from bakthat.adapters.packing.single_file import SingleFilePacker
    from bakthat.adapters.packing.tar_packer import TarPacker
    from bakthat.adapters.packing.writing.source import examine

    chosen_repo = repo if repo is not None else open_repo(profile.database)
    return Tools(
        destination=Destinations(
            Parts(
                profile=profile,
                stores=stores or {},
                archives=archives,
                repo=chosen_repo,
                clock=clock,
                notice=notice,
                limits=limits_of(profile, sleep=sleep),
            )
        ),
        repo=chosen_repo,
        tar=TarPacker(),
        plain=SingleFilePacker(),
        compressors={Compression.GZIP: GzipCompressor(), Compression.ZSTD: ZstdCompressor()},
        cipher=cipher if cipher is not None else DetectingCipher(),
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
        range_cache=range_cache(),
        states=file_states(),
    )


def limits_of(profile: Profile, *, sleep: Callable[[float], None] = time.sleep) -> Limits:
    """Return the limits of the bytes that the profile's stores send and receive."""
    up, down = profile.limit_upload, profile.limit_download
    return Limits(
        upload=RateLimit(up, sleep=sleep) if up is not None else None,
        download=RateLimit(down, sleep=sleep) if down is not None else None,
    )


def range_cache() -> RangeCache:
    """Return the cache of what was read of archives, in the user's cache folder; none without a home directory."""
    from bakthat.adapters.cache.range_files import RangeFiles

    folder = cache_folder()
    return NoCache() if folder is None else RangeFiles(folder)


def file_states() -> FileStates:
    """Return the states of sources, in the user's cache folder; nothing is kept without a home directory."""
    from bakthat.adapters.cache.state_files import StateFiles

    folder = cache_folder()
    if folder is None:
        return NoStates("there is no home directory for the cache; set XDG_CACHE_HOME to a folder that is writable")
    return StateFiles(folder / "states")


def source_patterns(source: Path, gitignore: bool, notice: Callable[[str], None]) -> PatternList | None:
    """Return the patterns in the source's own file: `Tools.source_patterns`."""
    from bakthat.adapters.packing.writing import pattern_files

    return pattern_files.source_patterns(source, gitignore, notice=notice)


def named_patterns(path: Path) -> PatternList:
    """Return the patterns in a file that the user names: `Tools.named_patterns`."""
    from bakthat.adapters.packing.writing import pattern_files

    return pattern_files.named_patterns(path)


def absolute_path(path: str) -> str:
    """Return a path of the configuration file as the system has it. Raises `ConfigInvalid`."""
    from bakthat.adapters.filesystem.home import expand_home

    return os.path.abspath(expand_home(path, "a path"))


def lock_files() -> JobLocks:
    """Return the locks of jobs, in the user's folder for state. Raises `ConfigInvalid` without a home directory."""
    from bakthat.adapters.locks.lock_files import LockFiles

    folder = lock_folder()
    if folder is None:
        raise ConfigInvalid("there is no home directory for the locks of jobs; set HOME or XDG_STATE_HOME")
    return LockFiles(folder)


def pings_of(
    profile: Profile, verbs: frozenset[str], whose: str, pinger: Pinger | None, notice: Callable[[str], None]
) -> Pings | None:
    """Return what reports to the profile's monitoring service; None if it names none."""
    if profile.ping is None:
        return None

    def built() -> Pinger:
        from bakthat.adapters.http.pinger import HttpPinger

        return HttpPinger()

    return Pings(url=profile.ping, verbs=verbs, whose=whose, pinger=lambda: pinger or built(), notice=notice)
