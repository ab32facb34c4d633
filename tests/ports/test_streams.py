"""The helpers that make any byte stream read and written whole."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO, cast

import pytest

from bakthat.ports.streams import chunk_reader, fill, read_up_to, write_whole
from bakthat.testing.streams import short_reads


class ReadOnly:
    """A reader without `readinto`, which returns two bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        return self._content.read(min(size, 2))


class FullPipe(io.RawIOBase):
    """A non-blocking stream that takes no bytes at the moment."""

    def write(self, data: Any) -> int | None:
        return None


class SmallWrites(io.RawIOBase):
    """A raw stream that takes three bytes at a time."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:3])
        return min(len(data), 3)


def test_a_stream_without_chunks_of_its_own_is_read() -> None:
    next_chunk = chunk_reader(io.BytesIO(b"abcde"))
    assert [next_chunk(3), next_chunk(3), next_chunk(3)] == [b"abc", b"de", b""]


def test_a_stream_with_chunks_of_its_own_is_asked_for_them() -> None:
    class Lumpy(io.BytesIO):
        def read_chunk(self, limit: int) -> bytes:
            return self.read(min(limit, 2))

    next_chunk = chunk_reader(Lumpy(b"abc"))
    assert [next_chunk(3), next_chunk(3), next_chunk(3)] == [b"ab", b"c", b""]


@pytest.mark.parametrize("size", [0, 3, 25_000, 30_000])
def test_a_view_is_filled_by_short_reads(size: int) -> None:
    content = bytes(range(250)) * 100
    view = memoryview(bytearray(size))
    assert fill(short_reads(content), view) == min(size, len(content))
    assert bytes(view) == content[:size].ljust(size, b"\0")


def test_a_view_is_filled_from_a_stream_that_can_only_be_read() -> None:
    view = memoryview(bytearray(6))
    assert fill(cast(BinaryIO, ReadOnly(b"abcde")), view) == 5
    assert bytes(view) == b"abcde\0"


def test_a_stream_that_will_not_wait_is_an_error_and_not_an_end() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with open(reading, "rb", buffering=0) as stream, pytest.raises(BlockingIOError, match="no bytes at the moment"):
        fill(cast(BinaryIO, stream), memoryview(bytearray(1)))
    os.close(writing)


@pytest.mark.parametrize(("size", "expected"), [(0, b""), (3, b"abc"), (9, b"abcde")])
def test_as_many_bytes_as_asked_for_are_read(size: int, expected: bytes) -> None:
    assert read_up_to(cast(BinaryIO, ReadOnly(b"abcde")), size) == expected


@pytest.mark.parametrize("content", [b"", b"abc", b"abcdefg"])
def test_all_is_written_to_a_stream_that_takes_a_little_at_a_time(content: bytes) -> None:
    into = SmallWrites()
    write_whole(cast(BinaryIO, into), content)
    assert into.taken == content


def test_a_stream_that_takes_nothing_is_an_error() -> None:
    with pytest.raises(BlockingIOError, match="takes nothing"):
        write_whole(cast(BinaryIO, FullPipe()), b"content")
