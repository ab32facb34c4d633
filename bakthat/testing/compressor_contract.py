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

from bakthat.domain.archive_index import IndexEntry
from bakthat.errors import PayloadDamaged
from bakthat.ports.payload import Compressor
from bakthat.ports.random_access import BytesAccess
from bakthat.ports.salvage import Hole
from bakthat.testing.streams import FullSink, StreamFailed, good_runs, short_reads, some_bytes, write_in_pieces


class CompressorContract:
    """Subclass it, and override the fixture `compressor`."""

    large = 3_500_000
    """A size in bytes that does not fit into one buffer of the compressor."""

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

    def compressed_with_index(self, compressor: Compressor, content: bytes, entries: list[IndexEntry]) -> bytes:
        into = io.BytesIO()
        with compressor.compressing_with_index(into) as writer:
            write_in_pieces(writer.stream, content)
            for entry in entries:
                writer.on_entry(entry)
        return into.getvalue()

    def entry(self, number: int) -> IndexEntry:
        path = f"root/{'é' * (number % 7)}{number}"
        return IndexEntry(path, "file", number, 10**18 + number, None, number, 0o644, 0, 0, "", number * 512)

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
        assert came != some_bytes(self.large)  # whole parts of what was written may be there, but not all of it

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

    @pytest.mark.parametrize("size", [0, 1, 65_536, None])
    def test_an_index_is_none_of_the_content_and_leads_to_any_range(
        self, compressor: Compressor, size: int | None
    ) -> None:
        content = some_bytes(size if size is not None else self.large)
        entries = [self.entry(number) for number in range(len(content) // 512)]
        packed = self.compressed_with_index(compressor, content, entries)
        assert self.decompressed(compressor, io.BytesIO(packed)) == content
        index = compressor.read_index(BytesAccess(packed))
        if index is None:
            return
        assert list(index.entries()) == entries
        assert list(compressor.load_index(index.packed).entries()) == entries
        access = compressor.random_access(BytesAccess(packed), index)
        assert access.size == len(content)
        for offset in (0, 1, len(content) // 2, 65_535, 2**20 - 1, 2**20, len(content), len(content) + 1):
            for length in (0, 1, 65_536, len(content)):
                assert access.read_at(offset, length) == content[offset : offset + length]

    def test_a_range_of_what_was_altered_is_damaged(self, compressor: Compressor) -> None:
        content = some_bytes(100_000)
        packed = self.compressed_with_index(compressor, content, [self.entry(0)])
        index = compressor.read_index(BytesAccess(packed))
        if index is None:
            return
        for at in range(0, index.header.packed_size, 997):
            altered = bytearray(packed)
            altered[at] ^= 1
            try:
                found = compressor.random_access(BytesAccess(bytes(altered)), index).read_at(0, len(content))
            except PayloadDamaged:
                continue
            assert found == content

    def test_an_index_that_was_altered_is_damaged(self, compressor: Compressor) -> None:
        entries = [self.entry(number) for number in range(100)]
        packed = self.compressed_with_index(compressor, bytes(60_000), entries)
        index = compressor.read_index(BytesAccess(packed))
        if index is None:
            return
        for at in range(index.header.packed_size, len(packed), 11):
            altered = bytearray(packed)
            altered[at] ^= 1
            try:
                found = compressor.read_index(BytesAccess(bytes(altered)))
            except PayloadDamaged:
                continue
            assert found is None or list(found.entries()) == entries

    def test_salvaging_a_whole_stream_gives_all_of_it_as_good(self, compressor: Compressor) -> None:
        content = some_bytes(self.large)
        parts = list(compressor.salvaging(iter([self.compressed(compressor, content)])))
        assert b"".join(run for _, run in good_runs(parts)) == content
        assert not any(isinstance(part, Hole) for part in parts)

    @pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 1.0])
    def test_salvaging_calls_nothing_good_that_is_wrong(self, compressor: Compressor, place: float) -> None:
        content = some_bytes(self.large)
        packed = bytearray(self.compressed(compressor, content))
        packed[int(place * (len(packed) - 1))] ^= 0x10
        parts = list(compressor.salvaging(iter([bytes(packed)])))
        for start, run in good_runs(parts):
            assert run == content[start : start + len(run)] if start is not None else run in content

    @pytest.mark.parametrize("kept", [0.0, 0.4, 0.9])
    def test_salvaging_a_truncated_stream_says_that_something_is_missing(
        self, compressor: Compressor, kept: float
    ) -> None:
        content = some_bytes(self.large)
        packed = self.compressed(compressor, content)
        parts = list(compressor.salvaging(iter([packed[: int(kept * len(packed))]])))
        assert any(isinstance(part, Hole) for part in parts)
        assert content.startswith(b"".join(run for _, run in good_runs(parts)))

    def test_no_thread_is_left_whatever_happened(self, compressor: Compressor) -> None:
        before = set(threading.enumerate())
        packed = self.compressed(compressor, some_bytes(self.large))
        with compressor.decompressing(io.BytesIO(packed)) as reader:
            reader.read(1)
        with pytest.raises(StreamFailed), compressor.compressing(io.BytesIO()) as writer:
            writer.write(some_bytes(self.large))
            raise StreamFailed
        assert set(threading.enumerate()) <= before
