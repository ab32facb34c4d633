"""The readers that watch the stored bytes."""

from __future__ import annotations

import hashlib
import io

import pytest

from bakthat.errors import PayloadDamaged
from bakthat.usecases.streams.hashing import CheckedReader, RecordedReader

CONTENT = bytes(range(256)) * 10


def read_in_pieces(reader: io.RawIOBase, size: int) -> bytes:
    return b"".join(iter(lambda: reader.read(size), b""))


def test_a_recorded_reader_knows_size_and_hash() -> None:
    reader = RecordedReader(io.BytesIO(CONTENT))
    assert read_in_pieces(reader, 100) == CONTENT
    assert (reader.size, reader.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_stream_that_must_start_so_and_does_passes(size: int) -> None:
    assert read_in_pieces(RecordedReader(io.BytesIO(b"magic rest"), must_start=b"magic"), size) == b"magic rest"


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("content", [b"", b"mag", b"magik rest", b"plain"])
def test_a_stream_that_must_start_so_and_does_not_is_refused(content: bytes, size: int) -> None:
    with pytest.raises(PayloadDamaged, match="not encrypted"):
        read_in_pieces(RecordedReader(io.BytesIO(content), must_start=b"magic"), size)


def test_a_checked_reader_passes_what_was_recorded() -> None:
    reader = CheckedReader(io.BytesIO(CONTENT), size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    assert read_in_pieces(reader, 7) == CONTENT


def test_a_checked_reader_without_a_record_checks_nothing() -> None:
    assert read_in_pieces(CheckedReader(io.BytesIO(CONTENT)), 7) == CONTENT


def test_a_checked_reader_is_right_when_the_caller_fills_its_own_buffer() -> None:
    reader = CheckedReader(io.BytesIO(CONTENT), size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    buffer = bytearray(1000)
    got = b"".join(bytes(buffer[:count]) for count in iter(lambda: reader.readinto(buffer), 0))
    assert got == CONTENT


def test_all_of_a_changed_stream_at_once_is_refused() -> None:
    reader = CheckedReader(io.BytesIO(CONTENT[1:]), sha256=hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(PayloadDamaged, match="SHA-256"):
        reader.read()


def test_a_changed_byte_is_refused_at_the_end() -> None:
    changed = CONTENT[:-1] + b"x"
    reader = CheckedReader(io.BytesIO(changed), size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(PayloadDamaged, match="SHA-256"):
        read_in_pieces(reader, 1000)


def test_missing_bytes_are_refused_even_without_a_hash() -> None:
    with pytest.raises(PayloadDamaged, match="2559 bytes"):
        read_in_pieces(CheckedReader(io.BytesIO(CONTENT[:-1]), size=len(CONTENT)), 1000)


def test_a_recorded_reader_knows_whether_it_was_read_to_its_end() -> None:
    reader = RecordedReader(io.BytesIO(CONTENT))
    reader.read(len(CONTENT))
    assert not reader.ended
    reader.read(1)
    assert reader.ended


def test_a_stream_that_gives_few_bytes_at_a_time_is_not_damage() -> None:
    class Dripping(io.BytesIO):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:7])

        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(7)

    reader = CheckedReader(Dripping(CONTENT), size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    assert read_in_pieces(reader, 1000) == CONTENT
