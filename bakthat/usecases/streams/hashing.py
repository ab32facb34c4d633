"""Readers that hash the stored bytes: `RecordedReader` in a backup, `CheckedReader` in a restore."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any, BinaryIO

from bakthat.errors import PayloadDamaged
from bakthat.ports.streams import fill


class RecordedReader(io.RawIOBase):
    """Reads `body` and records the number of bytes (`size`), their SHA-256 (`sha256`), and whether the end was reached
    (`ended`).

    `must_start`: the required beginning of the stream. A stream that begins differently, or is too short, raises
    `PayloadDamaged`, so that the store drops it: plain bytes are never stored in place of encrypted ones.
    """

    def __init__(self, body: BinaryIO, *, must_start: bytes = b"") -> None:
        self.size = 0
        self.ended = False
        self._body = body
        self._hash = hashlib.sha256()
        self._must_start = must_start

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = self._body.readinto(view)  # type: ignore[attr-defined]
        assert isinstance(count, int)  # noqa: S101 - the pipe always returns a count
        if self._must_start:
            self._check_start(view[:count])
        self._hash.update(view[:count])
        self.size += count
        self.ended = self.ended or count < len(view)
        return count

    def _check_start(self, chunk: memoryview) -> None:
        expected = self._must_start[: len(chunk)]
        if not expected or chunk[: len(expected)] != expected:
            raise PayloadDamaged("the stream is not encrypted although encryption was requested; nothing was stored")
        self._must_start = self._must_start[len(expected) :]


class CheckedReader(io.RawIOBase):
    """Reads all of `stored`, and raises `PayloadDamaged` at its end if size or SHA-256 differ from the recorded ones
    (None: not recorded)."""

    def __init__(
        self,
        stored: BinaryIO,
        *,
        size: int | None = None,
        sha256: str | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self._stored = stored
        self._expected_size = size
        self._expected = sha256
        self._hash = hashlib.sha256() if sha256 is not None else None
        self._on_bytes = on_bytes
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = fill(self._stored, view)
        self._seen(view[:count])
        if count < len(view):
            self._check_end()
        return count

    def read(self, size: int = -1, /) -> bytes:
        """Return the next available bytes without a copy; fewer than `size` do not mean the end."""
        if size < 0:
            return self.readall()
        chunk = self._stored.read(size)
        self._seen(chunk)
        if not chunk and size:
            self._check_end()
        return chunk

    def _seen(self, chunk: memoryview | bytes) -> None:
        self.size += len(chunk)
        if self._hash is not None:
            self._hash.update(chunk)
        if self._on_bytes is not None and chunk:
            self._on_bytes(len(chunk))

    def _check_end(self) -> None:
        if self._expected_size is not None and self.size != self._expected_size:
            raise PayloadDamaged(f"the store has {self.size} bytes of it, the record says {self._expected_size}")
        if self._hash is not None and self._hash.hexdigest() != self._expected:
            raise PayloadDamaged("the stored bytes are not those that were written (their SHA-256 differs)")
