"""`sync`: makes the database agree with the store. On an empty database it is the disaster recovery.

It never writes to the store and never deletes from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.object_key import check_key
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BakthatError, InvalidName, PayloadError, StoreError, StoreUnavailable
from bakthat.usecases.destinations.base import Destination, Found
from bakthat.usecases.syncing.entry_reader import EntryReader
from bakthat.usecases.syncing.former_location import rewrite_former
from bakthat.usecases.syncing.found_rows import RowChanges, changed_row, new_row, wants_reading
from bakthat.usecases.tools import Tools

_MOST_TOLD = 20
"""Lines about archives that are odd, before the rest is only counted."""

_LONGEST_LINE = 400


@frozen(kw_only=True)
class SyncReport:
    """What a sync changed, or would change. `updated`: their catalog entry was newer than the row, or the
    row had a former location of the store."""

    added: tuple[Backup, ...] = ()
    vanished: tuple[Backup, ...] = ()
    updated: tuple[Backup, ...] = ()
    unreadable: tuple[str, ...] = field(default=())
    """Archives whose catalog entry cannot be read, or does not fit: they are listed from name, size and date alone, or
    their record stays as it is."""


@define(kw_only=True)
class Synced:
    """What syncing several destinations changed, by their names, and why it could not."""

    reports: dict[str, SyncReport] = field(factory=dict)
    failures: dict[str, BakthatError] = field(factory=dict)


def sync(destination_name: str, tools: Tools, *, dry_run: bool = False) -> SyncReport:
    """Add archives that the database does not know, mark those that are gone as deleted, take newer catalog entries.

    An archive that another machine is still uploading is neither there yet nor in the database; one that it stores
    meanwhile is found the next time. An archive or an entry that is odd costs itself, and `tools.notice`
    is called with it. Raises `StoreError`, `DatabaseError`, `RetrievalPending` (a vault's list).
    """
    destination = tools.destination(destination_name)
    # The rows first, the listing after: a row whose archive is not in a later listing is gone indeed, while an archive
    # that is stored in between is at worst met twice.
    query = Query(backend=destination.name, owners=(destination.owner,), deleted=True)
    rows = {row.stored_filename: row for row in tools.repo.find(query)}
    with _Complaints(tools.notice) as complain:
        run = _Run(destination=destination, tools=tools, query=query, dry_run=dry_run, complain=complain)
        archives = _backups_among(run, rows)
        rewritten = rewrite_former(rows, archives, destination, tools, dry_run=dry_run)
        rows |= {row.stored_filename: row for row in rewritten}
        taken = _take_in(run, list(archives.values()), rows)
        vanished = _mark_vanished(run, rows, archives)
    return SyncReport(
        added=taken.added,
        vanished=vanished,
        updated=(*rewritten, *taken.updated),
        unreadable=taken.unreadable,
    )


@frozen(kw_only=True)
class SyncedSeries:
    """A series as its store and the database have it now, newest first. `nameless`: archives that have no readable
    catalog entry; they are not in the database, and only their names say that they belong to the series."""

    backups: tuple[Backup, ...]
    nameless: tuple[Backup, ...] = ()


def sync_series(filename: str, destination: Destination, tools: Tools, *, dry_run: bool = False) -> SyncedSeries:
    """Make the database agree with the store for exactly this series: one listing by prefix, and one read for each
    archive that the database does not know. Unlike `sync`, it takes in only archives that have a catalog entry, and
    never waits for a list.

    Raises `AccessDenied` where the credentials may not list, `StoreError`, `DatabaseError`.
    """
    query = Query(text=filename, backend=destination.name, owners=(destination.owner,), deleted=True)
    rows = {row.stored_filename: row for row in tools.repo.find(query)}
    prefix = f"{filename}."
    archives = {
        found.stored_filename: found
        for found in destination.found(prefix)
        if _is_of_series(filename, found, rows.get(found.stored_filename))
    }
    unknown = [found for found in archives.values() if _is_unknown(rows.get(found.stored_filename))]
    ours = {name: row for name, row in rows.items() if row.filename == filename}
    listed = {name: row for name, row in ours.items() if name.startswith(prefix) and destination.lists_archives}
    with _Complaints(tools.notice) as complain:
        run = _Run(destination=destination, tools=tools, query=query, dry_run=dry_run, complain=complain)
        taken = _take_in(run, unknown, rows, by_name_alone=False)
        vanished = _mark_vanished(run, listed, archives)
    for row in (*taken.added, *taken.updated, *vanished):
        ours[row.stored_filename] = row
    live = [row for row in ours.values() if not row.is_deleted and row.filename == filename]
    return SyncedSeries(
        backups=tuple(sorted(live, key=newest_first, reverse=True)),
        nameless=tuple(sorted(taken.nameless, key=newest_first, reverse=True)),
    )


def _is_of_series(filename: str, found: Found, row: Backup | None) -> bool:
    if row is not None:
        return row.filename == filename
    try:
        return stored_name.parse(found.stored_filename).series == filename
    except InvalidName:
        return False


def _is_unknown(row: Backup | None) -> bool:
    """Whether the database knows no more of an archive than its name, or thinks that it is gone."""
    return row is None or row.is_deleted or row.is_from_listing


@frozen(kw_only=True)
class _Taken:
    """What a sync took in. `nameless`: what it left out, since no catalog entry says what it is."""

    added: tuple[Backup, ...]
    updated: tuple[Backup, ...]
    unreadable: tuple[str, ...]
    nameless: tuple[Backup, ...]


class _Complaints:
    """Names what is odd, one line each; beyond some lines only how many there are."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._count = 0

    def __enter__(self) -> _Complaints:
        return self

    def __exit__(self, *_: object) -> None:
        if self._count > _MOST_TOLD:
            self._notice(f"and {self._count - _MOST_TOLD} more archives or entries like these")

    def __call__(self, line: str) -> None:
        self._count += 1
        if self._count <= _MOST_TOLD:
            # A name may be as long as whoever wrote it likes.
            short = len(line) <= _LONGEST_LINE
            self._notice(line if short else f"{line[: _LONGEST_LINE // 2]}…{line[-_LONGEST_LINE // 2 :]}")


@frozen(kw_only=True)
class _Run:
    """One sync. `query`: gives every row that it may change. `complain`: takes a line about what is odd."""

    destination: Destination
    tools: Tools
    query: Query
    dry_run: bool
    complain: Callable[[str], None]

    def changes(self) -> RowChanges:
        """Where rows are added and changed."""
        return RowChanges(self.tools.repo, self.query, dry_run=self.dry_run)


def _take_in(run: _Run, archives: Sequence[Found], rows: Mapping[str, Backup], *, by_name_alone: bool = True) -> _Taken:
    """Read the entries of these archives, and add or update their rows. `by_name_alone`: also add what has none."""
    unreadable: list[str] = []
    nameless: list[Backup] = []
    destination, tools = run.destination, run.tools
    elsewhere = _Elsewhere(destination, tools)
    wanted = [
        found
        for found in archives
        if wants_reading(found, row := rows.get(found.stored_filename))
        and not (row is None and found.is_cold and found.stored_filename in elsewhere)
    ]
    with run.changes() as changes:
        for done, read in enumerate(EntryReader(destination).read(wanted), start=1):
            tools.progress(Progress(stage="syncing", done=done, total=len(wanted), unit="backups"))
            name, problem = read.found.stored_filename, read.problem
            row = rows.get(name)
            if row is None and (read.foreign or (problem and name in elsewhere)):
                continue
            if row is not None:
                changed, problem = changed_row(row, read, destination)
                outcome = "its record stays as it is"
                if changed != row:
                    changes.change(row, changed)
            elif read.entry is None and not by_name_alone:
                nameless.append(new_row(read, destination))
                outcome = "it is left alone until `bakthat sync` takes it in"
            else:
                changes.add(new_row(read, destination))
                outcome = "listed from its name, size and date alone"
            if problem:
                unreadable.append(name)
                run.complain(f"{name}: {problem}; {outcome}")
    return _Taken(
        added=tuple(changes.added),
        updated=tuple(changes.updated),
        unreadable=tuple(unreadable),
        nameless=tuple(nameless),
    )


class _Elsewhere:
    """The archives that this database knows as those of another destination in the same place: of `glacier`, whose
    archives may lie in the same bucket. Asked for when it is first needed."""

    def __init__(self, destination: Destination, tools: Tools) -> None:
        self._destination = destination
        self._tools = tools
        self._names: frozenset[str] | None = None

    def __contains__(self, stored_filename: str) -> bool:
        if self._names is None:
            here = self._destination
            self._names = frozenset(
                row.stored_filename
                for row in self._tools.repo.find(Query(deleted=True))
                if row.backend != here.name and row.location == here.owner.location and row.metadata.claims_archive
            )
        return stored_filename in self._names


def _mark_vanished(run: _Run, rows: Mapping[str, Backup], archives: Mapping[str, Found]) -> tuple[Backup, ...]:
    """Mark the rows whose archives are gone as deleted."""
    with run.changes() as changes:
        for row in rows.values():
            if row.stored_filename in archives or row.is_deleted:
                continue
            try:
                # Asked once more by name: a listing that is empty by mistake must not empty the database.
                gone = run.destination.is_gone(row)
            except StoreUnavailable:
                raise
            except (StoreError, PayloadError, InvalidName) as error:
                run.complain(
                    f"{row.stored_filename}: not listed, and the store does not say whether it is there: {error}"
                )
                continue
            if gone:
                changes.change(row, row.deleted(run.tools.clock()))
    return tuple(changes.updated)


def _backups_among(run: _Run, rows: Mapping[str, Backup]) -> dict[str, Found]:
    """The archives of a listing by name: what is known, or has an entry, or bears a stored filename as its name."""
    archives: dict[str, Found] = {}
    for found in run.destination.found():
        name = found.stored_filename
        if name not in rows:
            if found.entry_modified is None and found.record is None and not _is_of_backup(name):
                continue
            try:
                check_key(name)
            except InvalidName as error:
                run.complain(f"left out: {error}")
                continue
        archives[name] = found
    return archives


def _is_of_backup(name: str) -> bool:
    return "/" not in name and stored_name.is_stored_name(name)
