"""A generator of bytes as a stream."""

from __future__ import annotations

import io
from collections.abc import Generator

import pytest

from bakthat.adapters.streams import piecewise, reader_of
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
