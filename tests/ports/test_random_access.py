"""Random access as a stream."""

from __future__ import annotations

import io

import pytest

from bakthat.ports.random_access import BytesAccess, RandomAccess, RangeReader

CONTENT = bytes(range(256)) * 10


class Watched(RandomAccess):
    """Knows which ranges have been read."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)
        self.ranges: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, length))
        return self._content[offset : offset + length]


@pytest.mark.parametrize(("offset", "length", "size"), [(0, 10, 10), (2550, 100, 10), (2560, 1, 0), (9999, 1, 0)])
def test_fewer_bytes_are_read_only_at_the_end(offset: int, length: int, size: int) -> None:
    assert BytesAccess(CONTENT).read_at(offset, length) == CONTENT[offset : offset + size]


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 0), (3, 1000), (100, 9999), (2560, None), (3000, None)])
@pytest.mark.parametrize("size", [1, 100, 5000])
def test_a_range_is_a_stream(start: int, stop: int | None, size: int) -> None:
    reader = RangeReader(BytesAccess(CONTENT), start, stop, read_ahead=300)
    assert b"".join(iter(lambda: reader.read(size), b"")) == CONTENT[start:stop]


def test_a_buffered_reader_can_be_laid_over_a_range() -> None:
    assert io.BufferedReader(RangeReader(BytesAccess(CONTENT), 5, 700, read_ahead=10)).read() == CONTENT[5:700]


def test_nothing_outside_of_the_range_is_requested() -> None:
    source = Watched(CONTENT)
    reader = RangeReader(source, 10, 700, read_ahead=300)
    while reader.read_chunk(100):
        pass
    assert source.ranges == [(10, 300), (310, 300), (610, 90)]
