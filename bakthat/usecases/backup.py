"""`backup`: stores a file or a directory as one archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bakthat.domain.archive_format import Container, StorageForm, storage_form
from bakthat.domain.backup import Backup
from bakthat.domain.payload import PackReport, SourceKind
from bakthat.ports.file_states import Changes
from bakthat.ports.payload import IndexedWriter
from bakthat.usecases.backup_request import BackupRequest, facts_of_source, series_for
from bakthat.usecases.exclusions import exclusions_for
from bakthat.usecases.storing.new_archive import NewArchive, store_new
from bakthat.usecases.streams.archive_stream import packer_of
from bakthat.usecases.tools import Tools

__all__ = ["BackupRequest", "backup"]


def backup(request: BackupRequest, tools: Tools) -> Backup:
    """Store the source as one archive, then its catalog entry, then its record; return the record.

    Nothing is stored if anything fails before the archive is complete. Files that could not be read, or changed while
    they were read, are named through `tools.notice`, and the record says `incomplete`. An incremental backup that has
    nothing to continue is a full one, and a notice says why. Raises `SourceError`, `InvalidName`, `StoreError`,
    `ConfigError`; `DatabaseError` says whether the archive is stored already.
    """
    kind = tools.examine(request.source)
    form = storage_form(kind, request.compression)
    series = series_for(request, form)
    exclusions = exclusions_for(request.exclusions, request.source, kind, request.destination, tools)

    def pack(into: IndexedWriter, on_bytes: Callable[[int], None]) -> PackReport:
        return packer_of(form.format, tools).pack(
            request.source,
            into.stream,
            exclusions=exclusions,
            on_excluded=request.on_excluded,
            on_bytes=on_bytes,
            on_entry=into.on_entry,
            xattrs=request.xattrs,
        )

    archive = NewArchive(
        series=series,
        form=form,
        destination=tools.destination(request.destination),
        produce=pack,
        facts=facts_of_source(request, form, tools),
        keys=request.keys,
        tags=request.tags,
        size_hint=_size_hint(request.source, kind, form),
        count=lambda: packer_of(form.format, tools).survey(request.source, exclusions=exclusions).size,
    )
    if request.incremental is None or kind is not SourceKind.DIRECTORY:
        return store_new(archive, tools)

    from bakthat.usecases.incremental_archive import store_incremental

    def pack_changes(into: IndexedWriter, on_bytes: Callable[[int], None], changes: Changes) -> PackReport:
        return tools.tar.pack_changes(
            request.source,
            into.stream,
            changes,
            exclusions=exclusions,
            on_excluded=request.on_excluded,
            on_bytes=on_bytes,
            on_entry=into.on_entry,
            xattrs=request.xattrs,
        )

    return store_incremental(
        archive, pack_changes, tools, policy=request.incremental, full=request.full, xattrs=request.xattrs
    )


def _size_hint(source: Path, kind: SourceKind, form: StorageForm) -> int | None:
    """The approximate maximum size of the archive of a file in bytes; None for a directory, whose size is unknown, and
    for a sparse file, whose size is not meaningful."""
    if kind is SourceKind.DIRECTORY:
        return None
    try:
        status = source.stat()
    except OSError:
        return None  # it has just disappeared; the packer reports it
    if form.format.container is Container.TAR and status.st_blocks * 512 < status.st_size:
        return None
    return int(status.st_size * 1.001) + 65_536
