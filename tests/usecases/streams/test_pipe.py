"""The pipe carries bytes, and errors of either side, and never more than its limit."""

from __future__ import annotations

import threading
from typing import BinaryIO

import pytest

from bakthat.usecases.streams.pipe import flowing


class Broken(Exception):
    pass


def test_a_writer_may_reuse_its_buffer() -> None:
    def produce(into: BinaryIO) -> None:
        buffer = bytearray(3)
        for value in range(5):
            buffer[:] = bytes([value]) * 3
            into.write(buffer)

    with flowing(produce) as flow:
        assert flow.reader.read() == b"".join(bytes([value]) * 3 for value in range(5))


def test_an_error_of_the_producer_comes_out_of_read_as_it_is() -> None:
    error = Broken("first")

    def produce(into: BinaryIO) -> None:
        into.write(b"some")
        raise error

    with flowing(produce) as flow, pytest.raises(Broken) as caught:
        flow.reader.read()
    assert caught.value is error


def test_an_error_of_the_producer_comes_after_its_last_byte() -> None:
    def produce(into: BinaryIO) -> None:
        into.write(b"some")
        raise Broken

    with flowing(produce) as flow:
        assert flow.reader.read(4) == b"some"
        with pytest.raises(Broken):
            flow.reader.read(1)


def test_who_waits_for_the_first_byte_hears_of_a_producer_that_gives_none() -> None:
    def produce(into: BinaryIO) -> None:
        raise Broken

    with flowing(produce) as flow, pytest.raises(Broken):
        flow.begin()


def test_who_waits_for_the_first_byte_still_has_it_to_read() -> None:
    with flowing(lambda into: into.write(b"some")) as flow:
        flow.begin()
        assert flow.reader.read() == b"some"


def test_a_chunk_is_what_was_written_and_not_a_copy() -> None:
    written = bytes(1000)
    with flowing(lambda into: into.write(written)) as flow:
        assert flow.reader.read_chunk(1000) is written  # type: ignore[attr-defined]
        assert flow.reader.read_chunk(1000) == b""  # type: ignore[attr-defined]


def test_a_chunk_is_cut_where_less_is_requested() -> None:
    with flowing(lambda into: into.write(b"abcde")) as flow:
        assert [flow.reader.read_chunk(3), flow.reader.read_chunk(3)] == [b"abc", b"de"]  # type: ignore[attr-defined]


def test_lines_are_written_in_one_call() -> None:
    with flowing(lambda into: into.writelines([b"ab", b"", b"cde"])) as flow:
        assert flow.reader.read() == b"abcde"


def test_a_producer_that_hangs_is_not_waited_for_longer_than_one_has_patience() -> None:
    go_on = threading.Event()
    ended = threading.Event()

    def produce(into: BinaryIO) -> None:
        into.write(b"first")
        go_on.wait(60)
        ended.set()

    with flowing(produce, patience=0.01) as flow:
        assert flow.reader.read(5) == b"first"
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(60)


def test_a_producer_that_hangs_does_not_keep_an_error_from_coming_out() -> None:
    go_on = threading.Event()
    ended = threading.Event()

    def produce(into: BinaryIO) -> None:
        go_on.wait(60)
        ended.set()

    with pytest.raises(Broken), flowing(produce, patience=0.01):
        raise Broken
    assert not ended.is_set()
    go_on.set()


def test_an_error_of_the_reader_ends_the_producer_and_comes_out() -> None:
    ended = threading.Event()

    def produce(into: BinaryIO) -> None:
        try:
            while True:
                into.write(bytes(1000))
        finally:
            ended.set()

    with pytest.raises(Broken), flowing(produce, limit=5000) as flow:
        flow.reader.read(10)
        raise Broken
    assert ended.is_set()


def test_the_producer_waits_when_the_pipe_is_full() -> None:
    written = 0
    full = threading.Event()

    def produce(into: BinaryIO) -> None:
        nonlocal written
        for _ in range(100):
            if written == 5:
                full.set()
            into.write(bytes(10))
            written += 1

    with flowing(produce, limit=50) as flow:
        assert full.wait(60)
        seen = written
        assert flow.reader.read() == bytes(1000)
    assert seen == 5
