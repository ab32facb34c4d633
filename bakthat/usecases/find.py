"""The verb `find`: in which backups a file is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import field, frozen

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
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
from bakthat.usecases.choose_to_open import keys_of
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.listing import members_in
from bakthat.usecases.inside.members import below_root, path_below_root
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.tools import Tools

if TYPE_CHECKING:  # patterns cost some milliseconds, also of commands that have none
    from bakthat.domain.ignore_patterns import IgnoreRules


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
    request: FindRequest, tools: Tools, *, on_unopened: Callable[[Backup, BakthatError], None]
) -> Iterator[FoundFile]:
    """Yield what the patterns name, from the newest backup to the oldest.

    Only indexes are read, where there are any. Nothing is retrieved from an archive store.

    Args:
        request: What, and where.
        tools: Of the verbs.
        on_unopened: Called with each backup that could not be opened, and why. The search goes on.

    Raises:
        UsageError: The patterns name nothing.
        BackupNotFound: There is no backup to look into.
        StoreError: The store failed, now or while the result is read.
    """
    from bakthat.domain.ignore_patterns import IgnoreRules, PatternList

    rules = IgnoreRules([PatternList("PATTERN", list(request.patterns))])
    if not rules or all(rules.takes_back):
        raise UsageError("PATTERN names nothing: give the name of a file, or a pattern such as *.jpg")
    destination = tools.destination(request.destination)
    return _found(request, rules, _backups(request, destination, tools), destination, tools, on_unopened)


def _found(
    request: FindRequest,
    rules: IgnoreRules,
    backups: list[Backup],
    destination: Destination,
    tools: Tools,
    on_unopened: Callable[[Backup, BakthatError], None],
) -> Iterator[FoundFile]:
    members_of = members_in(destination, tools, ask=request.keys, retrieve=False, selects=_selecting(rules))
    guard = PlainGuard(destination, tools)
    origin_of = _origins(backups)
    seen: set[tuple[object, ...]] = set()
    for number, backup in enumerate(backups):
        tools.progress(Progress(stage="finding", done=number, total=len(backups), unit="backups"))
        try:
            if not request.allow_plain:
                guard.check(backup)
            with members_of(backup, keys_of(backup, request.keys)) as members:
                for entry in _named(members, rules):
                    file = (entry.path, entry.kind, entry.size, entry.mtime_ns)
                    version = (backup.filename, origin_of[id(backup)], *file)
                    if request.all_versions or version not in seen:
                        seen.add(version)
                        yield FoundFile(backup=backup, entry=entry)
        except (PayloadError, NotEncrypted, ObjectNotFound, RetrievalPending) as error:
            on_unopened(backup, error)
    tools.progress(Progress(stage="finding", done=len(backups), total=len(backups), unit="backups"))


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


def _selecting(rules: IgnoreRules) -> Callable[[str, bool], bool]:
    """What the patterns name, by its path in an archive."""

    def selects(path: str, is_directory: bool) -> bool:
        below = below_root(path) or ("" if is_directory else path)
        return bool(below) and rules.selects_itself(below, is_directory)

    return selects


def _named(members: Iterable[IndexEntry], rules: IgnoreRules) -> Iterator[IndexEntry]:
    for member in members:
        path = path_below_root(member)
        if path and rules.selects_itself(path, member.kind == "directory"):
            yield member._replace(path=path)
