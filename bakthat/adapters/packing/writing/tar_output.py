"""`TarOutput`: the stream of an archive, to which headers and small files go in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from bakthat.adapters.packing.tar_format.tar_header import BLOCK

_BATCH = 256 * 1024
"""The number of bytes that are buffered before they are written."""
_RECORD = 20 * BLOCK
"""tar pads a stream to whole records of 20 blocks."""
_ZEROS = bytes(256 * 1024)


class TarOutput:
    """Accepts headers and content.

    Args:
        on_bytes: called with the bytes of content that were taken since the last call.
    """

    def __init__(self, into: BinaryIO, on_bytes: Callable[[int], None] | None) -> None:
        self._write = into.write
        self._on_bytes = on_bytes
        self._parts: list[bytes] = []
        self._gathered = 0
        self._written = 0
        self._unreported = 0
        self.content = 0
        """Bytes of file content."""

    @property
    def position(self) -> int:
        """The position of the next byte in the stream."""
        return self._written + self._gathered

    def add(self, header: bytes) -> None:
        """Add a header or other bytes that are not file content."""
        self._parts.append(header)
        self._gathered += len(header)
        if self._gathered >= _BATCH:
            self._flush()

    def add_file(self, header: bytes, data: bytes) -> None:
        """Add a whole file."""
        size = len(data)
        padding = -size % BLOCK
        self._parts += (header, data, _ZEROS[:padding])
        self.content += size
        self._unreported += size
        self._gathered += len(header) + size + padding
        if self._gathered >= _BATCH:
            self._flush()

    def stream(self, chunk: memoryview) -> None:
        """Add a chunk of a large file's content, after its header; the caller may change the chunk afterwards."""
        self._flush()
        self._out(chunk)
        self.content += len(chunk)
        self._unreported += len(chunk)

    def fill(self, missing: int) -> None:
        """Add zeros in place of content."""
        self._flush()
        while missing:
            count = min(missing, len(_ZEROS))
            self._out(_ZEROS[:count])
            missing -= count

    def end_file(self, size: int) -> None:
        """Add the padding of a streamed file."""
        self.add(_ZEROS[: -size % BLOCK])

    def finish(self) -> None:
        """Add the end mark: two blocks of zeros, padded to a whole record."""
        self._flush()
        end = self._written + 2 * BLOCK
        self._out(bytes(2 * BLOCK + -end % _RECORD))

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts, self._gathered = self._parts, [], 0
            self._out(b"".join(parts))
        if self._unreported and self._on_bytes is not None:
            self._on_bytes(self._unreported)
            self._unreported = 0

    def _out(self, data: bytes | memoryview) -> None:
        self._written += len(data)
        self._write(data)
