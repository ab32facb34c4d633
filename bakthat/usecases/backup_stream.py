"""`backup_stream`: stores the bytes of a pipe, a program or another stream as one archive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO

from attrs import field, frozen

from bakthat.domain.archive_format import ArchiveFormat, Compression, Container, StorageForm
from bakthat.domain.backup import Backup
from bakthat.domain.backup_metadata import Facts
from bakthat.domain.payload import Keys, PackReport
from bakthat.domain.stored_name import check_series
from bakthat.errors import SourceError, UsageError
from bakthat.ports.payload import IndexedWriter
from bakthat.ports.streams import chunk_reader, write_whole
from bakthat.usecases.storing.new_archive import NewArchive, store_new
from bakthat.usecases.tools import Tools

STREAM = "-"
"""The source in the record of a stream, so that the streams of a name have one origin per host."""

_CHUNK = 1024 * 1024


@frozen(kw_only=True)
class StreamRequest:
    """A stream to back up.

    name: of the series, and of the file that a restore writes.
    content: opened once; its reader is read to the end, and raises if the stream is not complete.
    command: the base name of the program that writes it.
    stop: called from another thread if the backup fails, so that a blocked read returns.
    """

    name: str
    destination: str
    content: AbstractContextManager[BinaryIO]
    command: str | None = None
    stop: Callable[[], None] = lambda: None
    tags: tuple[str, ...] = ()
    keys: Keys = field(factory=Keys)
    compression: Compression = Compression.GZIP


def backup_stream(request: StreamRequest, tools: Tools) -> Backup:
    """Store the stream as one archive, then its catalog entry, then its record; return the record.

    Nothing is stored unless the stream is read to its end without an error. Raises `InvalidName`, `SourceError`,
    `UsageError`, `StoreError`, `ConfigError`; `DatabaseError` says whether the archive is stored already.
    """
    form = StorageForm(format=ArchiveFormat(Container.STREAM, request.compression))
    series = check_series(request.name)
    facts: Facts = {
        "client": tools.host(),
        "root": series,
        "tool": tools.tool,
        "compression": str(form.format.compression),
        "container": str(form.format.container),
        "source": STREAM,
        "command": request.command,
        "encryption": request.keys.as_metadata() if request.keys else None,
    }
    destination = tools.destination(request.destination)
    with request.content as stream:

        def copy(into: IndexedWriter, on_bytes: Callable[[int], None]) -> PackReport:
            return PackReport(files=1, size=_copied(stream, into.stream, on_bytes))

        made = store_new(
            NewArchive(
                series=series,
                form=form,
                destination=destination,
                produce=copy,
                facts=facts,
                keys=request.keys,
                tags=request.tags,
                is_repeatable=False,
                stop=request.stop,
            ),
            tools,
        )
    if not (made.metadata.counts or {}).get("bytes"):
        tools.notice(f"{made.stored_filename}: the stream was empty, so this is a backup of 0 bytes")
    return made


def _copied(stream: BinaryIO, into: BinaryIO, on_bytes: Callable[[int], None]) -> int:
    """Copy the stream to its end; return the number of bytes."""
    read = chunk_reader(stream)
    size = 0
    while True:
        try:
            chunk: object = read(_CHUNK)
        except OSError as error:
            raise SourceError(f"the stream cannot be read: {error.strerror or error}; nothing was stored") from error
        if not isinstance(chunk, bytes | bytearray | memoryview):
            if chunk is None:
                raise SourceError("the stream is non-blocking and has no bytes at the moment; open it in blocking mode")
            raise UsageError(f"the stream returns {type(chunk).__name__}, not bytes; open it in binary mode")
        if not chunk:
            return size
        write_whole(into, bytes(chunk))
        size += len(chunk)
        on_bytes(len(chunk))
