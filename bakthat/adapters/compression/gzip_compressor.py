"""`GzipCompressor`: gzip in members that are compressed and decompressed in parallel, and an index behind them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from bakthat.adapters.compression.block_sizes import GZIP_BLOCK, checked_block_size
from bakthat.domain.archive_index import PACKED_LIMIT
from bakthat.ports.payload import Compressor, IndexedWriter
from bakthat.ports.streams import write_whole

if TYPE_CHECKING:
    from bakthat.adapters.compression.block_writer import BlockWriter
    from bakthat.adapters.compression.gzip_member import Deflate
    from bakthat.domain.archive_index import ArchiveIndex
    from bakthat.ports.random_access import RandomAccess
    from bakthat.ports.salvage import Part


class GzipCompressor(Compressor):
    """Writes what any `gzip -d` reads, and reads any gzip. What it needs is imported when a stream is opened.

    Args:
        threads: How many compress, or decompress, at the same time.
        deflate: Compresses a block; ISA-L by default.
        index_limit: Bytes of the largest compressed index. An archive that needs a larger one gets none.
        block_size: Plain bytes of a member, the most by default; a salvage takes them for the size of one that is lost.
            With smaller members, a small archive has many.
    """

    def __init__(
        self,
        *,
        threads: int = 2,
        deflate: Deflate | None = None,
        index_limit: int = PACKED_LIMIT,
        block_size: int = GZIP_BLOCK,
    ) -> None:
        self._threads = threads
        self._deflate = deflate
        self._index_limit = index_limit
        self._block_size = checked_block_size(block_size, GZIP_BLOCK)

    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        with self._writing(into) as writer:
            yield cast(BinaryIO, writer)
            writer.finish()

    @contextmanager
    def compressing_with_index(self, into: BinaryIO) -> Iterator[IndexedWriter]:
        from bakthat.adapters.compression.gzip_index import index_members
        from bakthat.adapters.compression.index_codec import IndexBuilder

        builder = IndexBuilder(limit=self._index_limit)
        with self._writing(into) as writer:
            indexed = IndexedWriter(cast(BinaryIO, writer), builder.add)
            yield indexed
            writer.finish()
            lengths = writer.block_lengths
            index = builder.finish(block_size=self._block_size, block_lengths=lengths, plain_size=writer.plain_size)
            if index is None:
                indexed.omitted = f"its index would be larger than {self._index_limit // 2**20} MiB"
                return
            for member in index_members(index, sum(lengths)):
                write_whole(into, member)
            indexed.index = index.content

    @contextmanager
    def _writing(self, into: BinaryIO) -> Iterator[BlockWriter]:
        from bakthat.adapters.compression.block_writer import BlockWriter
        from bakthat.adapters.compression.gzip_member import data_member, deflate

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-deflate")
        compress = functools.partial(data_member, deflate=self._deflate or deflate)
        writer = BlockWriter(into, pool, compress, ahead=self._threads + 6, block_size=self._block_size)
        try:
            yield writer
        finally:
            writer.abandon()
            pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        from bakthat.adapters.compression.gzip_reader import GzipReader

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-inflate")
        reader = GzipReader(packed, pool, ahead=2 * self._threads)
        try:
            yield cast(BinaryIO, reader)
        finally:
            reader.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def read_index(self, packed: RandomAccess) -> ArchiveIndex | None:
        from bakthat.adapters.compression.gzip_index import read_gzip_index

        return read_gzip_index(packed)

    def load_index(self, index: bytes) -> ArchiveIndex:
        from bakthat.adapters.compression.index_codec import unpack_index

        return unpack_index(index)

    def random_access(self, packed: RandomAccess, index: ArchiveIndex) -> RandomAccess:
        from bakthat.adapters.compression.block_access import BlockAccess, BlockFormat
        from bakthat.adapters.compression.gzip_member import LONGEST_MEMBER, SHORTEST_MEMBER, read_member

        members = BlockFormat(
            block_size=GZIP_BLOCK, shortest=SHORTEST_MEMBER, longest=LONGEST_MEMBER, decompress=read_member
        )
        return BlockAccess(packed, index, members)

    def salvaging(self, packed: Iterator[Part], index: ArchiveIndex | None = None) -> Iterator[Part]:
        from bakthat.adapters.compression.gzip_salvage import salvage_by_headers, salvage_by_index

        if index is None:
            return salvage_by_headers(packed, block=self._block_size)
        return salvage_by_index(packed, index)
