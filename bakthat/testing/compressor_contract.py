"""What every `Compressor` must do, as a pytest class.

A compressor's own test is a subclass and a fixture:

    class TestMyCompressor(CompressorContract):
        @pytest.fixture
        def compressor(self):
            return MyCompressor(...)
"""

from __future__ import annotations

import io
import threading
from typing import BinaryIO

import pytest

from bakthat.errors import PayloadDamaged
from bakthat.ports.payload import Compressor
from bakthat.testing.streams import FullSink, StreamFailed, short_reads, some_bytes, write_in_pieces


class CompressorContract:
    """Subclass it, and override the fixture `compressor`."""

    large = 3_500_000
    """A size in bytes that the compressor cannot hold in one buffer."""

    @pytest.fixture
    def compressor(self) -> Compressor:
        raise AssertionError("override the fixture `compressor`")

    def compressed(self, compressor: Compressor, content: bytes) -> bytes:
        into = io.BytesIO()
        with compressor.compressing(into) as writer:
            write_in_pieces(writer, content)
        return into.getvalue()

    def decompressed(self, compressor: Compressor, packed: BinaryIO) -> bytes:
        with compressor.decompressing(packed) as reader:
            return b"".join(iter(lambda: reader.read(65_536), b""))

    @pytest.mark.parametrize("size", [0, 1, 65_536, None])
    def test_what_is_compressed_comes_back(self, compressor: Compressor, size: int | None) -> None:
        content = some_bytes(size if size is not None else self.large)
        packed = self.compressed(compressor, content)
        assert self.decompressed(compressor, io.BytesIO(packed)) == content
        assert self.decompressed(compressor, short_reads(packed)) == content

    def test_a_pattern_becomes_smaller(self, compressor: Compressor) -> None:
        assert len(self.compressed(compressor, b"all the same " * 100_000)) < 100_000

    def test_both_streams_stay_open(self, compressor: Compressor) -> None:
        into = io.BytesIO()
        with compressor.compressing(into) as writer:
            writer.write(b"content")
        into.write(b"")
        into.seek(0)
        assert self.decompressed(compressor, into) == b"content"
        assert not into.closed

    def test_the_reader_reads_what_is_packed_to_its_end(self, compressor: Compressor) -> None:
        packed = io.BytesIO(self.compressed(compressor, b"content") + bytes(100_000))
        assert self.decompressed(compressor, packed) == b"content"
        assert packed.read() == b""

    @pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999, 0.9999999])
    def test_a_stream_that_is_cut_short_is_damaged(self, compressor: Compressor, kept: float) -> None:
        packed = self.compressed(compressor, some_bytes(self.large))
        with pytest.raises(PayloadDamaged):
            self.decompressed(compressor, io.BytesIO(packed[: int(len(packed) * kept)]))

    @pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
    def test_a_stream_that_was_altered_is_damaged(self, compressor: Compressor, at: float) -> None:
        packed = bytearray(self.compressed(compressor, some_bytes(self.large)))
        packed[int(len(packed) * at)] ^= 1
        with pytest.raises(PayloadDamaged):
            self.decompressed(compressor, io.BytesIO(packed))

    @pytest.mark.parametrize("noise", [b"x", b"noise at the end", bytes(50) + b"x"])
    def test_what_follows_the_end_is_damage_unless_it_is_zeros(self, compressor: Compressor, noise: bytes) -> None:
        packed = self.compressed(compressor, b"content")
        with pytest.raises(PayloadDamaged):
            self.decompressed(compressor, io.BytesIO(packed + noise))

    def test_what_was_never_compressed_is_damaged(self, compressor: Compressor) -> None:
        with pytest.raises(PayloadDamaged):
            self.decompressed(compressor, io.BytesIO(b"plain text, and nothing else"))

    def test_an_error_inside_the_context_finishes_nothing(self, compressor: Compressor) -> None:
        into = io.BytesIO()
        with pytest.raises(StreamFailed), compressor.compressing(into) as writer:
            writer.write(some_bytes(self.large))
            raise StreamFailed
        try:
            came = self.decompressed(compressor, io.BytesIO(into.getvalue()))
        except PayloadDamaged:
            return
        assert came != some_bytes(self.large)  # whole pieces of what was written may be there, but not all of it

    @pytest.mark.parametrize("taken", [0.0, 0.5])
    def test_an_error_of_the_sink_comes_out_as_it_is(self, compressor: Compressor, taken: float) -> None:
        sink = FullSink(int(self.large * taken))
        with pytest.raises(StreamFailed), compressor.compressing(sink) as writer:  # type: ignore[arg-type]
            write_in_pieces(writer, some_bytes(self.large))

    @pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
    def test_an_error_of_the_source_comes_out_as_it_is(self, compressor: Compressor, kept: float) -> None:
        packed = self.compressed(compressor, some_bytes(self.large))
        with pytest.raises(StreamFailed):
            self.decompressed(compressor, short_reads(packed[: int(len(packed) * kept)], fails=True))

    def test_no_thread_is_left_whatever_happened(self, compressor: Compressor) -> None:
        before = set(threading.enumerate())
        packed = self.compressed(compressor, some_bytes(self.large))
        with compressor.decompressing(io.BytesIO(packed)) as reader:
            reader.read(1)
        with pytest.raises(StreamFailed), compressor.compressing(io.BytesIO()) as writer:
            writer.write(some_bytes(self.large))
            raise StreamFailed
        assert set(threading.enumerate()) <= before
