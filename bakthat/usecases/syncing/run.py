"""One sync: takes archives into the database, and marks those that are gone."""

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
"""Lines about archives that are odd, before the rest is only counted."""

_LONGEST_LINE = 400


@frozen(kw_only=True)
class Taken:
    """What a sync took in. `nameless`: what it left out, since no catalog entry says what it is."""

    added: tuple[Backup, ...]
    updated: tuple[Backup, ...]
    unreadable: tuple[str, ...]
    nameless: tuple[Backup, ...]


class Complaints:
    """Names what is odd, one line each; beyond some lines only how many there are."""

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
            # A name in a store has any length.
            short = len(line) <= _LONGEST_LINE
            self._notice(line if short else f"{line[: _LONGEST_LINE // 2]}…{line[-_LONGEST_LINE // 2 :]}")


@frozen(kw_only=True)
class SyncRun:
    """One sync. `query`: gives every row that it may change. `complain`: takes a line about what is odd."""

    destination: Destination
    tools: Tools
    query: Query
    dry_run: bool
    complain: Callable[[str], None]

    def changes(self) -> RowChanges:
        """Where rows are added and changed."""
        return RowChanges(self.tools.repo, self.query, dry_run=self.dry_run)


def take_in(
    run: SyncRun, archives: Sequence[Found], rows: Mapping[str, Backup], *, by_name_alone: bool = True
) -> Taken:
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
    return Taken(
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


def mark_vanished(run: SyncRun, rows: Mapping[str, Backup], archives: Mapping[str, Found]) -> tuple[Backup, ...]:
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
