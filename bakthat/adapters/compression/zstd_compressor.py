"""`ZstdCompressor`: zstd in frames that are compressed and decompressed in parallel, an index and a seek table."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from bakthat.adapters.compression.block_sizes import ZSTD_BLOCK, checked_block_size
from bakthat.domain.archive_index import PACKED_LIMIT
from bakthat.domain.compression_choice import ZSTD_LEVELS
from bakthat.errors import UsageError
from bakthat.ports.payload import Compressor, IndexedWriter
from bakthat.ports.streams import write_whole

if TYPE_CHECKING:
    from bakthat.adapters.compression.block_writer import BlockWriter
    from bakthat.domain.archive_index import ArchiveIndex
    from bakthat.ports.random_access import RandomAccess
    from bakthat.ports.salvage import Part

DEFAULT_LEVEL = 3
"""zstd's own."""


class ZstdCompressor(Compressor):
    """Writes what any `zstd -d` reads, and reads any zstd. What it needs is imported when a stream is opened.

    Args:
        threads: How many compress, or decompress, at the same time.
        level: From 1 to 19.
        index_limit: Bytes of the largest compressed index. An archive that needs a larger one gets none.
        block_size: Plain bytes of a frame, the most by default. With smaller frames, a small archive has many.
    """

    def __init__(
        self,
        *,
        threads: int = 2,
        level: int = DEFAULT_LEVEL,
        index_limit: int = PACKED_LIMIT,
        block_size: int = ZSTD_BLOCK,
    ) -> None:
        if level not in ZSTD_LEVELS:
            raise UsageError(f"zstd has the levels {ZSTD_LEVELS[0]} to {ZSTD_LEVELS[-1]}, and not {level}")
        self._threads = threads
        self._level = level
        self._index_limit = index_limit
        self._block_size = checked_block_size(block_size, ZSTD_BLOCK)

    def at_level(self, level: int) -> ZstdCompressor:
        return ZstdCompressor(
            threads=self._threads, level=level, index_limit=self._index_limit, block_size=self._block_size
        )

    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        from bakthat.adapters.compression.zstd_index import seek_table

        with self._writing(into) as writer:
            yield cast(BinaryIO, writer)
            writer.finish()
            write_whole(into, seek_table(writer.block_lengths, writer.plain_size, [], block_size=self._block_size))

    @contextmanager
    def compressing_with_index(self, into: BinaryIO) -> Iterator[IndexedWriter]:
        from bakthat.adapters.compression.index_codec import IndexBuilder
        from bakthat.adapters.compression.zstd_index import index_frames, seek_table

        builder = IndexBuilder(limit=self._index_limit)
        with self._writing(into) as writer:
            indexed = IndexedWriter(cast(BinaryIO, writer), builder.add)
            yield indexed
            writer.finish()
            lengths = writer.block_lengths
            index = builder.finish(block_size=self._block_size, block_lengths=lengths, plain_size=writer.plain_size)
            skippable = []
            if index is None:
                indexed.omitted = f"its index would be larger than {self._index_limit // 2**20} MiB"
            else:
                for frame in index_frames(index, sum(lengths)):
                    write_whole(into, frame)
                    skippable.append(len(frame))
                indexed.index = index.content
            write_whole(into, seek_table(lengths, writer.plain_size, skippable, block_size=self._block_size))

    @contextmanager
    def _writing(self, into: BinaryIO) -> Iterator[BlockWriter]:
        from bakthat.adapters.compression.block_writer import BlockWriter
        from bakthat.adapters.compression.zstd_frame import BIG_TABLES_LEVEL, FrameMaker

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-zstd")
        # With the larger tables of a high level, one block less waits: compressing is slower than anything else then.
        ahead = self._threads + (1 if self._level >= BIG_TABLES_LEVEL else 2)
        writer = BlockWriter(into, pool, FrameMaker(self._level), ahead=ahead, block_size=self._block_size)
        try:
            yield writer
        finally:
            writer.abandon()
            pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        from bakthat.adapters.compression.zstd_reader import ZstdReader

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-unzstd")
        reader = ZstdReader(packed, pool, ahead=self._threads + 1)
        try:
            yield cast(BinaryIO, reader)
        finally:
            reader.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def read_index(self, packed: RandomAccess) -> ArchiveIndex | None:
        from bakthat.adapters.compression.zstd_index import read_zstd_index

        return read_zstd_index(packed)

    def load_index(self, index: bytes) -> ArchiveIndex:
        from bakthat.adapters.compression.index_codec import unpack_index

        return unpack_index(index)

    def random_access(self, packed: RandomAccess, index: ArchiveIndex) -> RandomAccess:
        from bakthat.adapters.compression.block_access import BlockAccess, BlockFormat
        from bakthat.adapters.compression.zstd_frame import LONGEST_FRAME, SHORTEST_FRAME, read_frame

        frames = BlockFormat(
            block_size=ZSTD_BLOCK, shortest=SHORTEST_FRAME, longest=LONGEST_FRAME, decompress=read_frame
        )
        return BlockAccess(packed, index, frames)

    def salvaging(self, packed: Iterator[Part], index: ArchiveIndex | None = None) -> Iterator[Part]:
        from bakthat.adapters.compression.zstd_salvage import salvage_by_frames, salvage_by_index

        return salvage_by_frames(packed) if index is None else salvage_by_index(packed, index)
