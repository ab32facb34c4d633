"""The copy of an archive's index beside it, for archives that must be retrieved before they can be read."""

from __future__ import annotations

import io

from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import PACKED_LIMIT, ArchiveIndex
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.errors import ObjectArchived, ObjectNotFound, PayloadDamaged, WrongPassword
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.missing_key import wrong_key
from bakthat.usecases.tools import Tools

_OVERHEAD = 1024 * 1024
"""Bytes that encryption adds at most."""


def read_index_copy(backup: Backup, keys: Keys, destination: Destination, tools: Tools) -> ArchiveIndex | None:
    """Read the copy; None if there is none, or it cannot be used, which is a notice. Raises `WrongPassword`,
    `StoreError`."""
    compression = backup.format.compression
    if compression is Compression.NONE:
        return None
    try:
        stored = destination.read_index_copy(backup.stored_filename, limit=PACKED_LIMIT + _OVERHEAD)
    except (ObjectNotFound, ObjectArchived):
        return None
    if stored is None:
        return None
    try:
        if backup.is_encrypted:
            with tools.cipher.unsealing(io.BytesIO(stored), keys) as reader:
                stored = reader.read()
        return tools.compressors[compression].load_index(stored)
    except WrongPassword as error:
        raise wrong_key(backup, error) from error
    except PayloadDamaged as error:
        tools.notice(f"{backup.stored_filename}: the copy of its index cannot be used: {error}")
        return None
