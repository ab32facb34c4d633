"""What the layers of an archive pass to each other when a damaged one is salvaged: a stream with holes and verdicts.

A stream is an iterator of parts. Bytes follow each other; a `Hole` stands where bytes are missing; a `Verdict` is about
all bytes since the verdict before it. Bytes that no verdict follows are doubtful.

    stored bytes -> Cipher.salvaging -> Compressor.salvaging -> Packer.salvage -> files

Damage is not an error here: each layer passes on what it can read, and says what it cannot.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, cast

from attrs import frozen

from bakthat.errors import PayloadDamaged

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1024 * 1024

_SMALL_CHUNK = 16 * 1024
"""Bytes per read of a reader that may raise: Python's buffered readers drop what they have read of a larger chunk."""


@frozen
class Hole:
    """Missing bytes. length: their number, None if it is unknown; never 0."""

    length: int | None


class Verdict(enum.Enum):
    """What is known about the bytes since the last verdict. Holes between them are not bytes."""

    GOOD = "good"
    """They are what was written: they were authenticated, or match a checksum."""
    DOUBTFUL = "doubtful"
    """Some of them may be wrong: their checksum does not match, or nothing covers them."""


Part = bytes | Hole | Verdict


def parts_of(stream: BinaryIO, chunk_size: int = _CHUNK) -> Iterator[Part]:
    """The bytes of a stream, about which nothing is known."""
    while chunk := stream.read(chunk_size):
        yield chunk


def parts_until_damage(stream: BinaryIO) -> Iterator[Part]:
    """The bytes of a reader that raises `PayloadDamaged` at the first damage. They are good if it raises nothing."""
    try:
        yield from parts_of(stream, _SMALL_CHUNK)
    except PayloadDamaged:
        yield Verdict.DOUBTFUL
        yield Hole(None)
    else:
        yield Verdict.GOOD


def salvage_by_decompressing(
    parts: Iterator[Part], decompressing: Callable[[BinaryIO], AbstractContextManager[BinaryIO]]
) -> Iterator[Part]:
    """What a decompressor without a `salvaging` of its own gives before the first hole or damage."""
    try:
        with decompressing(cast(BinaryIO, FirstRun(parts))) as plain:
            yield from parts_until_damage(plain)
    except PayloadDamaged:  # on entry
        yield Verdict.DOUBTFUL
        yield Hole(None)


class FirstRun(io.RawIOBase):
    """The bytes of a stream with holes, up to its first hole, as a reader."""

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        while not self._rest and not self._ended:
            part = next(self._parts, None)
            if isinstance(part, bytes):
                self._rest = part
            elif part is None or isinstance(part, Hole):
                self._ended = True
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
