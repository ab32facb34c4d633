"""The verb `find`: in which backups a file is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from attrs import field, frozen

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.origin import Origin, origins
from bakthat.domain.payload import Keys
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query, newest_first
from bakthat.errors import (
    BackupNotFound,
    BakthatError,
    NotEncrypted,
    ObjectNotFound,
    PayloadError,
    RetrievalPending,
    UsageError,
)
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.tools import Tools

ListBackup = Callable[[Backup, Keys], AbstractContextManager[Iterable[IndexEntry]]]
"""Opens the list of a backup's entries, with paths below its root."""


@frozen(kw_only=True)
class FindRequest:
    """What is looked for, and where.

    patterns: gitignore patterns, relative to the backup's root. series: only backups of exactly this series. since:
    only those that are at most so old. host: only those of this host. all_versions: also where the same version was
    found in a newer backup of the same origin. allow_plain: also plain backups of a series that is encrypted. keys:
    called for each encrypted backup.
    """

    patterns: tuple[str, ...]
    destination: str
    series: str | None = None
    since: timedelta | None = None
    host: str | None = None
    all_versions: bool = False
    allow_plain: bool = False
    keys: Callable[[Backup], Keys] = field(default=lambda _: Keys(), repr=False)


@frozen(kw_only=True)
class FoundFile:
    """A file, or anything else with a name, in a backup. Its path is below the backup's root."""

    backup: Backup
    entry: IndexEntry


def find(
    request: FindRequest,
    list_backup: ListBackup,
    tools: Tools,
    *,
    on_unopened: Callable[[Backup, BakthatError], None],
) -> Iterator[FoundFile]:
    """Yield what the patterns name, from the newest backup to the oldest.

    Args:
        request: What, and where.
        list_backup: Lists one of the backups.
        tools: Of the verbs.
        on_unopened: Called with each backup that could not be opened, and why. The search goes on.

    Raises:
        UsageError: The patterns name nothing.
        BackupNotFound: There is no backup to look into.
        StoreError: The store failed.
    """
    rules = IgnoreRules([PatternList("PATTERN", list(request.patterns))])
    if not rules:
        raise UsageError("the pattern is empty, or a comment; give the name of a file, such as report.pdf or *.jpg")
    destination = tools.destination(request.destination)
    backups = _backups(request, destination, tools)
    guard = PlainGuard(destination, tools)
    origin_of = _origins(backups)
    seen: set[tuple[object, ...]] = set()
    for number, backup in enumerate(backups):
        tools.progress(Progress(stage="finding", done=number, total=len(backups), unit="backups"))
        try:
            if not request.allow_plain:
                guard.check(backup)
            keys = request.keys(backup) if backup.is_encrypted else Keys()
            with list_backup(backup, keys) as entries:
                for entry in _named(entries, rules):
                    version = (
                        backup.filename,
                        origin_of[id(backup)],
                        entry.path,
                        entry.kind,
                        entry.size,
                        entry.mtime_ns,
                    )
                    if request.all_versions or version not in seen:
                        seen.add(version)
                        yield FoundFile(backup=backup, entry=entry)
        except (PayloadError, NotEncrypted, ObjectNotFound, RetrievalPending) as error:
            on_unopened(backup, error)


def _backups(request: FindRequest, destination: Destination, tools: Tools) -> list[Backup]:
    query = Query(filename=request.series, backend=destination.name, owners=(destination.owner,))
    found = [backup for backup in tools.repo.find(query) if request.host in (None, backup.host)]
    if not found:
        of = f" of {request.series}" if request.series is not None else ""
        where = f" of host {request.host}" if request.host is not None else ""
        raise BackupNotFound(
            f"there is no backup{of}{where} in {destination.name} ({destination.owner.location}); "
            "`bakthat show` lists the backups"
        )
    if request.since is not None:
        begin = tools.clock() - request.since
        found = [backup for backup in found if backup.when >= begin]
    return sorted(found, key=newest_first, reverse=True)


def _origins(backups: Iterable[Backup]) -> dict[int, Origin]:
    """Return the origin of each backup, by its `id`."""
    by_series: dict[str, list[Backup]] = {}
    for backup in backups:
        by_series.setdefault(backup.filename, []).append(backup)
    return {
        id(backup): origin for series in by_series.values() for origin, members in origins(series) for backup in members
    }


def _named(entries: Iterable[IndexEntry], rules: IgnoreRules) -> Iterator[IndexEntry]:
    return (entry for entry in entries if rules.selects_itself(entry.path, entry.kind == "directory"))
