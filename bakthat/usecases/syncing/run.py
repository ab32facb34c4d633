"""One sync: records archives in the database, and marks missing ones as deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query
from bakthat.errors import InvalidName, PayloadError, StoreError, StoreUnavailable
from bakthat.usecases.destinations.base import Destination, Found
from bakthat.usecases.syncing.entry_reader import EntryReader
from bakthat.usecases.syncing.found_rows import RowChanges, changed_row, new_row, wants_reading
from bakthat.usecases.tools import Tools

_MOST_LINES = 20
"""The number of notices about archives; further ones are counted."""

_LONGEST_LINE = 400


@frozen(kw_only=True)
class Taken:
    """The result of a sync. `nameless`: archives that were not recorded, because they have no catalog entry."""

    added: tuple[Backup, ...]
    updated: tuple[Backup, ...]
    unreadable: tuple[str, ...]
    nameless: tuple[Backup, ...]


class Complaints:
    """Gives one notice per problem, up to a limit; the rest is counted."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._count = 0

    def __enter__(self) -> Complaints:
        return self

    def __exit__(self, *_: object) -> None:
        if self._count > _MOST_LINES:
            self._notice(f"and {self._count - _MOST_LINES} more archives or entries like these")

    def __call__(self, line: str) -> None:
        self._count += 1
        if self._count <= _MOST_LINES:
            # A name in a store can have any length.
            short = len(line) <= _LONGEST_LINE
            self._notice(line if short else f"{line[: _LONGEST_LINE // 2]}…{line[-_LONGEST_LINE // 2 :]}")


@frozen(kw_only=True)
class SyncRun:
    """One sync. `query`: finds every row that it may change. `complain`: called with one line per problem."""

    destination: Destination
    tools: Tools
    query: Query
    dry_run: bool
    complain: Callable[[str], None]

    def changes(self) -> RowChanges:
        """The rows to add and change."""
        return RowChanges(self.tools.repo, self.query, dry_run=self.dry_run)


def take_in(
    run: SyncRun, archives: Sequence[Found], rows: Mapping[str, Backup], *, by_name_alone: bool = True
) -> Taken:
    """Read the entries of these archives, and add or update their rows. `by_name_alone`: also add archives without an
    entry."""
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
                outcome = "it is not recorded until you run `bakthat sync`"
            else:
                changes.add(new_row(read, destination))
                outcome = "listed from its name, size and date alone"
            if problem:
                unreadable.append(name)
                run.complain(f"{name}: {problem}; {outcome}")
    return Taken(
        added=tuple(changes.added),
        updated=tuple(changes.updated),
        unreadable=tuple(unreadable),
        nameless=tuple(nameless),
    )


class _Elsewhere:
    """The archives that this database knows as those of another destination in the same place: of `glacier`, whose
    archives may be in the same bucket. Loaded on first use."""

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


def mark_vanished(run: SyncRun, rows: Mapping[str, Backup], archives: Mapping[str, Found]) -> tuple[Backup, ...]:
    """Mark rows as deleted whose archives are gone."""
    with run.changes() as changes:
        for row in rows.values():
            if row.stored_filename in archives or row.is_deleted:
                continue
            try:
                # Each is looked up by name: a listing that is empty by mistake must not empty the database.
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
