"""Chunks as a stream, a stream as chunks; reading until a buffer is full, and writing until all is written."""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from bakthat.adapters.streams import fill, piecewise, reader_of, write_all
from bakthat.errors import StoreUnavailable


def pieces(*sizes: int, closed: list[bool] | None = None) -> Generator[bytes, None, None]:
    try:
        for number, size in enumerate(sizes):
            yield bytes([number]) * size
    finally:
        if closed is not None:
            closed.append(True)


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (3, 0, 0, 100_000, 1), (20_000,) * 9])
@pytest.mark.parametrize("read", [1, 999, 8192, 50_000, -1])
def test_every_read_is_full_but_the_last(sizes: tuple[int, ...], read: int) -> None:
    if read == 1 and sum(sizes) > 10:
        sizes = (3, 0, 7)
    with reader_of(pieces(*sizes)) as reader:
        got = list(iter(lambda: reader.read(read), b""))
    assert b"".join(got) == b"".join(pieces(*sizes))
    assert {len(piece) for piece in got[:-1]} <= {read}


def test_what_the_generator_raises_comes_out_of_read() -> None:
    def breaking() -> Generator[bytes, None, None]:
        yield b"first"
        raise StoreUnavailable("broke off")

    with reader_of(breaking()) as reader:
        assert reader.read(5) == b"first"
        with pytest.raises(StoreUnavailable, match="broke off"):
            reader.read(1)


def test_leaving_early_closes_the_generator() -> None:
    closed: list[bool] = []
    with reader_of(pieces(10_000, 10_000, closed=closed)) as reader:
        reader.read(1)
    assert closed == [True]


def test_a_stream_without_pieces_of_its_own_is_read() -> None:
    next_piece = piecewise(io.BytesIO(b"abcde"))
    assert [next_piece(3), next_piece(3), next_piece(3)] == [b"abc", b"de", b""]


def test_a_stream_with_pieces_of_its_own_is_asked_for_them() -> None:
    class Lumpy(io.BytesIO):
        def read_piece(self, most: int) -> bytes:
            return self.read(min(most, 2))

    next_piece = piecewise(Lumpy(b"abc"))
    assert [next_piece(3), next_piece(3), next_piece(3)] == [b"ab", b"c", b""]


class _Short(io.RawIOBase):
    """A raw stream that returns two bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        found, self._rest = self._rest[: min(2, len(buffer))], self._rest[min(2, len(buffer)) :]
        buffer[: len(found)] = found
        return len(found)


class _OnlyRead:
    """A stream without `readinto`."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 3))


@pytest.mark.parametrize("stream", [_Short, _OnlyRead, io.BytesIO])
@pytest.mark.parametrize("size", [0, 1, 7, 20])
def test_a_buffer_is_filled_until_the_stream_ends(stream: Any, size: int) -> None:
    buffer = bytearray(size)
    assert fill(stream(b"0123456789"), memoryview(buffer)) == min(size, 10)
    assert bytes(buffer) == b"0123456789"[:size].ljust(size, b"\0")


def test_a_stream_that_will_not_wait_is_an_error_and_not_an_end() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(reading, "rb", buffering=0) as stream, pytest.raises(BlockingIOError):
        fill(stream, memoryview(bytearray(1)))  # type: ignore[arg-type]
    os.close(writing)


def test_a_write_that_takes_less_is_followed_by_another(tmp_path: Path) -> None:
    """The kernel writes up to the limit, and says so; only the next write fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(OSError, match="File too large"):
            write_all(fd, bytes(1500))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        os.close(fd)
    assert (tmp_path / "file").stat().st_size == 1000


def test_everything_is_written(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    write_all(fd, memoryview(b"0123456789")[2:])
    write_all(fd, bytearray(b"ab"))
    write_all(fd, b"")
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == b"23456789ab"
