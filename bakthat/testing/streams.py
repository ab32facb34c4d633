"""Streams that behave as badly as a stream is allowed to, for the contract suites."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from bakthat.ports.salvage import Hole, Part, Verdict


class StreamFailed(Exception):
    """What these streams raise. No adapter can know it."""


class _ShortReads(io.RawIOBase):
    def __init__(self, content: bytes, fails: bool) -> None:
        self._rest = memoryview(content)
        self._fails = fails

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        if not self._rest and self._fails:
            raise StreamFailed
        view = memoryview(buffer).cast("B")
        # Never all at once: a short read is not an end.
        count = min(len(view), len(self._rest), 10_007)
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def short_reads(content: bytes, *, fails: bool = False) -> BinaryIO:
    """Return a stream that cannot seek and returns short reads.

    Args:
        content: Its bytes.
        fails: Raise `StreamFailed` at the end of the content.
    """
    return cast(BinaryIO, _ShortReads(content, fails))


class FullSink(io.RawIOBase):
    """A writer that takes this many bytes, and raises `StreamFailed` for more."""

    def __init__(self, takes: int) -> None:
        self._left = takes

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            raise StreamFailed
        return size


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Return bytes without a pattern: the same ones for the same size and seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - test data


def write_in_pieces(into: BinaryIO, content: bytes) -> None:
    """Write the content in chunks of odd sizes, from one buffer that is overwritten after each write."""
    sizes = random.Random(3)  # noqa: S311 - test data
    buffer = bytearray(70_000)
    at = 0
    while at < len(content):
        chunk = content[at : at + sizes.randrange(1, len(buffer))]
        buffer[: len(chunk)] = chunk
        into.write(memoryview(buffer)[: len(chunk)])
        buffer[: len(chunk)] = bytes(len(chunk))
        at += len(chunk)


def good_runs(parts: Iterable[Part]) -> list[tuple[int | None, bytes]]:
    """Return the bytes of a salvaged stream that have the verdict that they are good, and where they are.

    Args:
        parts: The stream.

    Returns:
        Position and bytes; the position is None behind a hole of unknown length.
    """
    found: list[tuple[int | None, bytes]] = []
    start: int | None = 0
    run: list[tuple[int | None, bytes]] = []
    for part in parts:
        if isinstance(part, bytes):
            run.append((start, part))
            start = None if start is None else start + len(part)
        elif isinstance(part, Hole):
            start = None if start is None or part.length is None else start + part.length
        else:
            found += run if part is Verdict.GOOD else []
            run = []
    return found
