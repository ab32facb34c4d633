"""From the stored bytes of a damaged archive to the parts of what its packer wrote."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, cast

from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.progress import Progress
from bakthat.errors import WrongPassword
from bakthat.ports.salvage import Hole, Part, Verdict
from bakthat.ports.streams import read_up_to
from bakthat.usecases.missing_key import wrong_key
from bakthat.usecases.tools import Tools

_CHUNK = 1024 * 1024
_MOST_UNDECIDED = 16 * _CHUNK
"""Bytes that wait for their verdict: more than any compression gives between two."""


class StoredBytes(io.RawIOBase):
    """The stored bytes, at most as many as the record says. At the end, `faults` compares them with the record."""

    def __init__(self, stored: BinaryIO, backup: Backup, tools: Tools) -> None:
        self._stored = stored
        self._backup = backup
        self._tools = tools
        self._hash = hashlib.sha256()
        self._surplus = 0
        self.size = 0
        """Bytes that were read."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; fewer than `size` only at the end."""
        known = self._backup.known_size
        wanted = _CHUNK if size < 0 else size
        chunk = read_up_to(self._stored, wanted if known is None else min(wanted, known - self.size))
        self._hash.update(chunk)
        self.size += len(chunk)
        if chunk:
            self._tools.progress(Progress(stage="salvaging", done=self.size, total=self._backup.size))
        return chunk if size >= 0 or not chunk else chunk + self.read()

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def read_rest(self) -> None:
        """Read what nobody wanted."""
        while self.read(_CHUNK):
            pass
        while chunk := self._stored.read(_CHUNK):
            self._surplus += len(chunk)

    @property
    def missing(self) -> int:
        """Bytes that the record says there are more; 0 if it says nothing."""
        known = self._backup.known_size
        return max(0, known - self.size) if known is not None else 0

    @property
    def is_as_recorded(self) -> bool:
        """Whether their SHA-256 is that of the record."""
        return self._hash.hexdigest() == self._backup.sha256

    def faults(self) -> tuple[str, ...]:
        """What differs from the record."""
        faults = []
        if self.missing:
            faults.append(f"{self.missing} of {self._backup.size} stored bytes are missing at the end")
        if self._surplus:
            faults.append(f"{self._surplus} bytes follow that do not belong to the archive")
        if self._backup.sha256 is not None and not self.is_as_recorded and not self.missing:
            faults.append("the stored bytes are not those that were written (their SHA-256 differs)")
        return tuple(faults)


class GoodRun(io.RawIOBase):
    """The good bytes at the beginning of a stream with holes and verdicts, as a reader."""

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts
        self._good = bytearray()
        self._undecided = bytearray()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        while not self._good and not self._ended:
            part = next(self._parts, None)
            if isinstance(part, bytes):
                self._undecided += part
                self._ended = len(self._undecided) > _MOST_UNDECIDED
            elif part is Verdict.GOOD:
                self._good, self._undecided = self._undecided, bytearray()
            else:
                self._ended = True
        count = min(len(buffer), len(self._good))
        buffer[:count] = self._good[:count]
        del self._good[:count]
        return count


@contextmanager
def salvaged_parts(
    stored: StoredBytes, backup: Backup, keys: Keys, index: ArchiveIndex | None, tools: Tools
) -> Iterator[Iterator[Part]]:
    """What the packer wrote, as far as it can be read.

    Raises `PasswordNeeded`, `WrongPassword`, and `PayloadDamaged` if the header of the encryption is damaged.
    """
    with ExitStack() as chain:
        if backup.is_encrypted:
            try:
                decrypted = chain.enter_context(tools.cipher.salvaging(cast(BinaryIO, stored), keys))
            except WrongPassword as error:
                raise wrong_key(backup, error) from error
            parts = _judged(decrypted, stored)
        else:
            parts = _judged(_plain(stored), stored)
        compression = backup.format.compression
        if compression is not Compression.NONE:
            parts = tools.compressors[compression].salvaging(parts, index)
        yield parts


def _plain(stored: StoredBytes) -> Iterator[Part]:
    while chunk := stored.read(_CHUNK):
        yield chunk
    if stored.missing:
        yield Hole(stored.missing)


def _judged(parts: Iterator[Part], stored: StoredBytes) -> Iterator[Part]:
    """The parts, and if all stored bytes are those that were written, the verdict that says so."""
    yield from parts
    stored.read_rest()
    if stored.is_as_recorded:
        yield Verdict.GOOD
