"""`backup`: a file or a directory becomes one archive in a store."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from attrs import evolve, field, frozen

from bakthat.domain.archive_format import Compression, Container, StorageForm, storage_form
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata, Facts
from bakthat.domain.catalog import CatalogEntry
from bakthat.domain.excluded import OWN
from bakthat.domain.name_claim import NameClaim
from bakthat.domain.payload import AGE_MAGIC, Keys, PackReport, SourceKind
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query
from bakthat.domain.stored_name import StoredName, check_series, series_of
from bakthat.errors import BakthatError, DatabaseError, DuplicateBackup, ObjectExists, SourceError, StoreError
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.exclusions import ExclusionRequest, exclusions_for
from bakthat.usecases.neighbours import tell_of_neighbours
from bakthat.usecases.streams.archive_stream import packer_of, writing
from bakthat.usecases.streams.hashing import RecordedReader
from bakthat.usecases.streams.pipe import flowing
from bakthat.usecases.tools import Tools

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.exclusions import Exclusions

_SECONDS_TRIED = 60
"""How many seconds on a free name is looked for before a backup gives up."""

_PROBLEMS_RECORDED = 20


@frozen(kw_only=True)
class BackupRequest:
    """What to back up. `name`: of the series, by default the source's base name. `keys`: what seals it, none for a
    plain backup. `exclusions`: what to leave out. `on_excluded`: called with the path of each entry that is left out,
    and with what leaves it out. `compression`: NONE stores a file as it is, a directory as bare tar.
    `recorded_source`: what the record says that the files come from, by default the source's path; "" for nothing: the
    path of a temporary directory tells nothing, and is another one each time."""

    source: Path
    destination: str
    name: str | None = None
    tags: tuple[str, ...] = ()
    keys: Keys = field(factory=Keys)
    exclusions: ExclusionRequest = field(factory=ExclusionRequest)
    on_excluded: Callable[[str, str], None] | None = None
    compression: Compression = Compression.GZIP
    recorded_source: str | None = None


def backup(request: BackupRequest, tools: Tools) -> Backup:
    """Store the source as one archive, then its catalog entry, then its record; give back the record.

    Nothing is stored if anything fails before the archive is whole. Files that could not be read as they were are
    named through `tools.notice`, and the record says `incomplete`. Raises `SourceError`, `InvalidName`, `StoreError`,
    `ConfigError`; `DatabaseError` says whether the archive is stored already.
    """
    kind = tools.examine(request.source)
    form = storage_form(kind, request.compression)
    series = series_for(request, form)
    exclusions = exclusions_for(request.exclusions, request.source, kind, request.destination, tools)
    destination = tools.destination(request.destination)
    name = StoredName(
        series=series, when=whole_seconds(tools.clock()), suffix=form.suffix, encrypted=bool(request.keys)
    )
    tell_of_neighbours(_draft(request, name, form, destination, tools), destination, tools)
    last = name.when + timedelta(seconds=_SECONDS_TRIED)
    claims = _Claims(tools)
    while name.when < last:
        if claims.claim(str(name)):
            try:
                made = _store(request, name, kind, form, exclusions, destination, tools)
            except (ObjectExists, DuplicateBackup):
                # Another machine, which does not share this database, was faster in the same second.
                pass
            else:
                return made
        name = StoredName(
            series=series, when=name.when + timedelta(seconds=1), suffix=name.suffix, encrypted=name.encrypted
        )
    raise DuplicateBackup(f"{name}: every second of the last minute holds a backup of this name already; try again")


def _absolute(source: Path) -> Path:
    try:
        return Path(os.path.abspath(source))
    except FileNotFoundError:
        raise SourceError("the current directory is not there any more; change into another one") from None


def series_for(request: BackupRequest, form: StorageForm) -> str:
    """The series of the backup. Raises `InvalidName`."""
    if request.name is not None:
        return check_series(request.name)
    base_name = _absolute(request.source).name
    if form.packed_by_source:
        # As 2013 did: dump.tar.gz becomes dump.20130305193615.tgz.
        base_name = re.sub(r"\.(tgz|tar\.gz)$", "", base_name) or base_name
    return series_of(base_name)


def _most_bytes(source: Path, kind: SourceKind, form: StorageForm) -> int | None:
    """About how many bytes the archive of a file has at most; None for a directory, which nobody has counted, and for a
    sparse file, whose size says nothing."""
    if kind is SourceKind.DIRECTORY:
        return None
    try:
        status = source.stat()
    except OSError:
        return None  # it has just vanished, which the packer will tell
    if form.format.container is Container.TAR and status.st_blocks * 512 < status.st_size:
        return None
    return int(status.st_size * 1.001) + 65_536


class _Claims:
    """Claims names in the database, so that two backups of one second have different names before either is stored.

    A database that cannot be used stops no backup: then only the store can refuse a name that is taken, as for
    machines without a common database.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._usable = True

    def claim(self, stored_filename: str) -> bool:
        """Whether the name is free, in whatever destination: several may keep their catalog in one bucket."""
        tools = self._tools
        if not self._usable:
            return True
        claim = NameClaim(stored_filename=stored_filename, host=tools.host(), pid=tools.pid(), claimed_at=tools.clock())
        try:
            return tools.repo.claim_name(claim)
        except DatabaseError as error:
            self._usable = False
            tools.notice(f"{error}; the backup goes on without the database")
            return True


def _draft(
    request: BackupRequest, name: StoredName, form: StorageForm, destination: Destination, tools: Tools
) -> Backup:
    """The record as far as it is known before the first byte."""
    return Backup(
        backend=destination.name,
        backend_hash=destination.owner.backend_hash,
        backup_date=name.when,
        filename=name.series,
        stored_filename=str(name),
        size=0,
        tags=request.tags,
        last_updated=name.when,
        metadata=BackupMetadata.of(is_enc=bool(request.keys), location=destination.owner.location).changed(
            **facts_of_source(request, form, tools)
        ),
    )


def _store(
    request: BackupRequest,
    name: StoredName,
    kind: SourceKind,
    form: StorageForm,
    exclusions: Exclusions,
    destination: Destination,
    tools: Tools,
) -> Backup:
    draft = _draft(request, name, form, destination, tools)
    read = 0

    def on_bytes(count: int) -> None:
        nonlocal read
        read += count
        tools.progress(Progress(stage="backing up", done=read))

    def produce(into: BinaryIO) -> PackReport:
        with writing(into, form.format, request.keys, tools) as sink:
            return packer_of(form.format, tools).pack(
                request.source, sink, exclusions=exclusions, on_excluded=request.on_excluded, on_bytes=on_bytes
            )

    with flowing(produce) as flow:
        body = RecordedReader(flow.reader, must_start=AGE_MAGIC if request.keys else b"")
        archive_id = destination.store(draft, cast(BinaryIO, body), size_hint=_most_bytes(request.source, kind, form))
        if not body.ended:
            # A store that breaks its contract holds half a backup now, under the name of a whole one.
            _discard(evolve(draft, metadata=draft.metadata.changed(archive_id=archive_id)), destination, tools)
            if flow.error is not None:
                raise flow.error
            raise StoreError(
                f"{draft.stored_filename}: the store {destination.owner.location} stopped reading after {body.size} "
                "bytes, so there is no backup; this is a bug of the store"
            )
        report = flow.result()

    tell_report(str(name), report, tools)
    made = evolve(
        draft,
        size=body.size,
        last_updated=whole_seconds(tools.clock()),
        metadata=draft.metadata.changed(sha256=body.sha256, archive_id=archive_id).changed(**facts_of(report)),
    )
    _record(made, destination, tools)
    return made


def tell_report(name: str, report: PackReport, tools: Tools) -> None:
    """Notices about what went, or would go, into the backup of this name."""
    for problem in report.problems + report.notices:
        tools.notice(f"{problem.path}: {problem.reason}")
    if not report.files:
        by = ", ".join(
            f"{count} of bakthat's own" if label == OWN else f"{count} by {label}"
            for label, count in report.excluded.by.items()
        )
        tools.notice(f"{name} holds no file" + (f"; left out were {by}" if by else ""))


def _discard(half: Backup, destination: Destination, tools: Tools) -> None:
    try:
        destination.remove(half)
    except BakthatError as error:
        tools.notice(f"half a backup may be left in {destination.owner.location}, {half.stored_filename}: {error}")


def facts_of_source(request: BackupRequest, form: StorageForm, tools: Tools) -> Facts:
    """What a record says of a backup before its first byte."""
    facts: Facts = {
        "client": tools.host(),
        "root": _printable(_absolute(request.source).name or "root"),
        "tool": tools.tool,
        "compression": str(form.format.compression),
    }
    source = request.recorded_source
    if source is None:
        source = os.path.abspath(request.source)
    if source:
        facts["source"] = _printable(source)
    if request.keys:
        facts["encryption"] = request.keys.as_metadata()
    if form.packed_by_source:
        facts["packed_by_source"] = True
    return facts


def facts_of(report: PackReport) -> Facts:
    """What a record says of it after the last one."""
    facts: Facts = {
        "counts": {
            "files": report.files,
            "directories": report.directories,
            "others": report.others,
            "bytes": report.size,
        },
    }
    if report.excluded.by:
        facts["excluded"] = report.excluded.as_metadata()
    if report.problems:
        facts["incomplete"] = True
        facts["problem_count"] = sum(problem.count for problem in report.problems)
        facts["problems"] = [
            f"{_printable(problem.path)}: {problem.reason}" for problem in report.problems[:_PROBLEMS_RECORDED]
        ]
    return facts


def _printable(path: str) -> str:
    """Text that JSON and every database take; bytes that are not UTF-8 are written as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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
    """Whether the row that is there is of this very archive: a sync of another process, which shares the database, has
    found it in the store before its maker could record it."""
    rows = [row for row in tools.repo.find(Query(stored_filename=made.stored_filename)) if row.same_backup_as(made)]
    return any(row.sha256 == made.sha256 or (row.is_from_listing and row.size == made.size) for row in rows)
