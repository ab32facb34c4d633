"""`GzipCompressor`: gzip in members that are compressed and decompressed in parallel, and an index behind them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from bakthat.ports.payload import Compressor

if TYPE_CHECKING:
    from bakthat.adapters.compression.gzip_member import Deflate


class GzipCompressor(Compressor):
    """Writes what any `gzip -d` reads, and reads any gzip. What it needs is imported when a stream is opened.

    Args:
        threads: How many compress, or decompress, at the same time.
        deflate: Compresses a block; ISA-L by default.
    """

    def __init__(self, *, threads: int = 2, deflate: Deflate | None = None) -> None:
        self._threads = threads
        self._deflate = deflate

    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        from bakthat.adapters.compression.gzip_member import deflate
        from bakthat.adapters.compression.gzip_writer import GzipWriter

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bakthat-deflate")
        writer = GzipWriter(into, pool, ahead=self._threads + 6, deflate=self._deflate or deflate)
        try:
            yield cast(BinaryIO, writer)
            writer.finish()
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
