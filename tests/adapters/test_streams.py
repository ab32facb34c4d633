"""Chunks as a stream, and writing until everything is written."""

from __future__ import annotations

import os
import resource
from collections.abc import Generator
from pathlib import Path

import pytest

from bakthat.adapters.streams import reader_of, write_all
from bakthat.errors import StoreUnavailable


def chunks(*sizes: int, closed: list[bool] | None = None) -> Generator[bytes, None, None]:
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
    with reader_of(chunks(*sizes)) as reader:
        got = list(iter(lambda: reader.read(read), b""))
    assert b"".join(got) == b"".join(chunks(*sizes))
    assert {len(chunk) for chunk in got[:-1]} <= {read}


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
    with reader_of(chunks(10_000, 10_000, closed=closed)) as reader:
        reader.read(1)
    assert closed == [True]


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
