"""From a stream of content to an archive in a store, its catalog entry and its record.

for each second from now on, until a name is free:
    claim the name in the database
    pack -> compress -> encrypt -> pipe -> SHA-256 -> store     (a thread on the left of the pipe)
    write the copy of its index, if it must be retrieved before it can be read
    write the catalog entry
    add the row
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from attrs import evolve, field, frozen

from bakthat.domain.archive_format import StorageForm
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata, Facts
from bakthat.domain.callbacks import ignore
from bakthat.domain.catalog import CatalogEntry
from bakthat.domain.payload import AGE_MAGIC, Keys, PackReport
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query
from bakthat.domain.stored_name import StoredName
from bakthat.errors import BakthatError, DuplicateBackup, ObjectExists, StoreError
from bakthat.ports.payload import IndexedWriter
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.storing.counted_total import CountedTotal
from bakthat.usecases.storing.facts import facts_of, report_notices
from bakthat.usecases.storing.index_copy import write_index_copy
from bakthat.usecases.storing.name_claims import NameClaims
from bakthat.usecases.storing.neighbours import tell_of_neighbours
from bakthat.usecases.streams.archive_stream import writing
from bakthat.usecases.streams.hashing import RecordedReader
from bakthat.usecases.streams.pipe import flowing
from bakthat.usecases.tools import Tools

_SECONDS_TRIED = 60
"""The number of seconds that are tried for a free name."""


@frozen(kw_only=True)
class NewArchive:
    """A backup before its first byte.

    series, form, keys, tags: see `Backup` and `StorageForm`.
    facts: the facts about the source for the record.
    produce: writes the content, which is compressed and encrypted afterwards, to the stream of its first argument, and
        what the archive's index should list; calls the second with the number of bytes read since the last call.
    is_repeatable: whether `produce` can be called again, for another name.
    later_than: the date of the backup that this one continues: its own is a later one.
    stop: called from another thread if the backup fails, so that a blocked `produce` returns early.
    size_hint: a size in bytes that the archive will not exceed by much.
    count: counts, without reading a file, how many bytes `produce` will read; None where nobody knows. Called from
        another thread, if somebody watches the progress.
    """

    series: str
    form: StorageForm
    destination: Destination
    produce: Callable[[IndexedWriter, Callable[[int], None]], PackReport]
    facts: Facts
    keys: Keys = field(factory=Keys)
    tags: tuple[str, ...] = ()
    size_hint: int | None = None
    count: Callable[[], int] | None = None
    is_repeatable: bool = True
    later_than: datetime | None = None
    stop: Callable[[], None] = lambda: None

    def name(self, when: datetime) -> StoredName:
        """The name of the archive, if it is made at this time."""
        return StoredName(series=self.series, when=when, suffix=self.form.suffix, encrypted=bool(self.keys))

    def draft(self, when: datetime) -> Backup:
        """The record as far as it is known before the first byte."""
        owner = self.destination.owner
        return Backup(
            backend=self.destination.name,
            backend_hash=owner.backend_hash,
            backup_date=when,
            filename=self.series,
            stored_filename=str(self.name(when)),
            size=0,
            tags=self.tags,
            last_updated=when,
            metadata=BackupMetadata.of(is_enc=bool(self.keys), location=owner.location).changed(**self.facts),
        )


def store_new(archive: NewArchive, tools: Tools) -> Backup:
    """Store the archive completely or not at all, then its catalog entry, then its record; return the record.

    Raises errors of `archive.produce`, `StoreError`, `DatabaseError`, and `DuplicateBackup` if there is a backup for
    every second of the next minute.
    """
    now = whole_seconds(tools.clock())
    if archive.later_than is not None:
        now = max(now, whole_seconds(archive.later_than) + timedelta(seconds=1))
    tell_of_neighbours(archive.draft(now), archive.destination, tools)
    claims = NameClaims(tools)
    for seconds in range(_SECONDS_TRIED):
        when = now + timedelta(seconds=seconds)
        if not claims.claim(archive.name(when)):
            continue
        try:
            return _store(archive, archive.draft(when), tools)
        except (ObjectExists, DuplicateBackup) as error:
            # Another machine, with another database, was faster in the same second.
            if not archive.is_repeatable:
                raise DuplicateBackup(f"{error}; the input was already read, so make the backup again") from error
    last = archive.name(now + timedelta(seconds=_SECONDS_TRIED))
    raise DuplicateBackup(
        f"{last}: there is already a backup of this name for every second of the last minute; try again"
    )


def _store(archive: NewArchive, draft: Backup, tools: Tools) -> Backup:
    destination = archive.destination
    read = 0

    def on_bytes(count: int) -> None:
        nonlocal read
        read += count
        all_of_it = total.value()
        if all_of_it is not None:
            all_of_it = max(all_of_it, read)
        tools.progress(Progress(stage="backing up", done=read, total=all_of_it))

    def produce(into: BinaryIO) -> tuple[PackReport, IndexedWriter]:
        with writing(into, archive.form.format, archive.keys, tools) as writer:
            report = archive.produce(writer, on_bytes)
        return report, writer

    total = CountedTotal(archive.count if tools.progress is not ignore else None)
    with total, flowing(produce) as flow, _stopping(archive):
        body = RecordedReader(flow.reader, must_start=AGE_MAGIC if archive.keys else b"")
        stored = destination.store(draft, cast(BinaryIO, body), size_hint=archive.size_hint)
        if not body.ended:
            # A store that breaks its contract now has a partial backup under the name of a complete one.
            _discard(evolve(draft, metadata=draft.metadata.changed(archive_id=stored.archive_id)), destination, tools)
            if flow.error is not None:
                raise flow.error
            raise StoreError(
                f"{draft.stored_filename}: the store {destination.owner.location} stopped reading after {body.size} "
                "bytes, so there is no backup; this is a bug of the store"
            )
        report, writer = flow.result()

    report_notices(draft.stored_filename, report, tools)
    if writer.omitted:
        tools.notice(f"{draft.stored_filename} has no index: {writer.omitted}")
    if writer.index is not None and destination.keeps_index_copies:
        write_index_copy(draft.stored_filename, writer.index, archive.keys, destination, tools)
    made = evolve(
        draft,
        size=body.size,
        last_updated=whole_seconds(tools.clock()),
        metadata=draft.metadata.changed(sha256=body.sha256).changed(**stored.as_facts()).changed(**facts_of(report)),
    )
    _record(made, destination, tools)
    return made


@contextmanager
def _stopping(archive: NewArchive) -> Iterator[None]:
    try:
        yield
    except BaseException:
        archive.stop()
        raise


def _discard(half: Backup, destination: Destination, tools: Tools) -> None:
    try:
        destination.remove(half)
    except BakthatError as error:
        tools.notice(f"a partial backup may be left in {destination.owner.location}, {half.stored_filename}: {error}")


def _record(made: Backup, destination: Destination, tools: Tools) -> None:
    """Catalog entry first, row last: a crash in between leaves an archive that `sync` finds, never a row alone."""
    try:
        destination.write_entry(CatalogEntry(backup=made))
    except BakthatError as error:
        tools.notice(f"{made.stored_filename} is stored, but its catalog entry is not: {error}")
    try:
        tools.repo.add(made)
    except DuplicateBackup:
        if not _listed_meanwhile(made, tools):
            raise
        tools.repo.replace(made)
    except BakthatError as error:
        way_out = "" if "bakthat sync" in str(error) else "; run `bakthat sync`"
        raise type(error)(f"{made.stored_filename} is stored, but not in the database: {error}{way_out}") from error


def _listed_meanwhile(made: Backup, tools: Tools) -> bool:
    """Whether the existing row is for this archive: a sync of another process with the same database has found it in
    the store before it was recorded here."""
    rows = [row for row in tools.repo.find(Query(stored_filename=made.stored_filename)) if row.same_backup_as(made)]
    return any(row.sha256 == made.sha256 or (row.is_from_listing and row.size == made.size) for row in rows)
