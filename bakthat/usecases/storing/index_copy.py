"""Stores a copy of an archive's index beside it, if the archive must be retrieved before it can be read."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from bakthat.domain.payload import Keys
from bakthat.errors import BakthatError
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools


def write_index_copy(stored_filename: str, index: bytes, keys: Keys, destination: Destination, tools: Tools) -> None:
    """Store the compressed index, encrypted to the keys of the archive. A failure is a notice: the archive is stored,
    and can be listed once it has been retrieved."""
    try:
        content = _encrypted(index, keys, tools) if keys else index
        destination.write_index_copy(stored_filename, content)
    except BakthatError as error:
        tools.notice(f"{stored_filename} is stored, but the copy of its index is not: {error}")


def _encrypted(index: bytes, keys: Keys, tools: Tools) -> bytes:
    into = io.BytesIO()
    with tools.cipher.sealing(cast(BinaryIO, into), keys) as writer:
        writer.write(index)
    return into.getvalue()
