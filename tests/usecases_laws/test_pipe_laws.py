"""What is written into the pipe is read from it, in chunks of any size."""

from __future__ import annotations

from typing import BinaryIO

from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.usecases.streams.pipe import flowing


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=50)), st.integers(1, 20), st.integers(1, 30))
def test_what_is_written_is_read_whatever_the_chunks(pieces: list[bytes], size: int, limit: int) -> None:
    def produce(into: BinaryIO) -> int:
        return sum(into.write(piece) for piece in pieces)

    with flowing(produce, limit=limit) as flow:
        got = list(iter(lambda: flow.reader.read(size), b""))
    whole = b"".join(pieces)
    assert b"".join(got) == whole
    assert all(len(piece) == size for piece in got[:-1])
    assert flow.result() == len(whole)
