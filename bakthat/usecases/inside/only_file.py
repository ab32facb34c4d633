"""A backup of one file or stream, as an entry like those of a tar archive."""

from __future__ import annotations

from bakthat.domain.archive_format import Compression, Container
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup


def name_of_file(backup: Backup) -> str:
    """What a restore calls the file."""
    if backup.is_value:
        return backup.filename.rsplit("/", 1)[-1]
    return backup.root or backup.filename


def only_entry(backup: Backup) -> IndexEntry:
    """The file. Its size is that of the record; 0 where the record does not say it. Rights and owner are unknown."""
    moment = int(backup.when.timestamp()) * 10**9
    counted = (backup.metadata.counts or {}).get("bytes")
    size = counted if type(counted) is int and counted >= 0 else 0
    is_as_stored = backup.format.compression is Compression.NONE and not backup.is_encrypted
    if is_as_stored and backup.format.container is Container.FILE:
        size = backup.size
    return IndexEntry(name_of_file(backup), "file", size, moment, None, None, 0o644, 0, 0, "", 0)
