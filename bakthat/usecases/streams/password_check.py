"""Checks a password that a person has typed by the beginning of a backup, so that it may be corrected."""

from __future__ import annotations

import io

from bakthat.domain.payload import Keys
from bakthat.errors import BakthatError, WrongPassword
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.streams import read_up_to
from bakthat.usecases.tools import Tools

HEAD = 256 * 1024
"""Bytes that are enough for either format: age checks a password by its header, 2013's shows by the first plain bytes
that it was wrong."""


def head_of(objects: ObjectStore, key: str) -> bytes:
    """The first bytes of an object; empty if it has to be retrieved first. Raises `ObjectNotFound`, `StoreError`."""
    info = objects.stat(key)
    if info.is_cold:
        return b""
    with objects.open_range(key, 0, min(info.size, HEAD)) as reader:
        return read_up_to(reader, HEAD)


def opens(head: bytes, keys: Keys, tools: Tools) -> bool:
    """Whether the keys open the stored bytes that begin so. True where that cannot be said: the verb will say it."""
    try:
        with tools.cipher.unsealing(io.BytesIO(head), keys) as plain:
            plain.read(1)
    except WrongPassword:
        return False
    except BakthatError:  # such as an end that is missing
        return True
    return True
