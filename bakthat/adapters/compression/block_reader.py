"""`BlockReader`: what a caller asks of a decompressor, answered out of blocks of plain bytes."""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_NOTHING = memoryview(b"")


class BlockReader(io.BufferedIOBase):
    """The plain bytes of a compressed stream. `read` returns fewer bytes than asked for only at the end, and does not
    end before the stream has. After an error, every read raises it again.

    Args:
        blocks: Yields the plain bytes. It is closed with the reader.
    """

    def __init__(self, blocks: Generator[bytes, None, None]) -> None:
        self._blocks = blocks
        self._block = _NOTHING
        self._failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            parts = []
            while self._fill():
                parts.append(self._block)
                self._block = _NOTHING
            return b"".join(parts)
        if size <= len(self._block):
            return self._take(size).tobytes()
        parts = []
        while size and self._fill():
            parts.append(self._take(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def read_chunk(self, limit: int) -> bytes:
        """Return the next available bytes, at most `limit`; `b""` means end of stream. A whole block is not copied."""
        if not self._fill():
            return b""
        block = self._take(limit)
        whole = block.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(block) else block.tobytes()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            at = 0
            while at < len(view) and self._fill():
                part = self._take(len(view) - at)
                view[at : at + len(part)] = part
                at += len(part)
        return at

    def _take(self, size: int) -> memoryview:
        part, self._block = self._block[:size], self._block[size:]
        return part

    def _fill(self) -> bool:
        """Make sure of a block that is not empty; False at the end."""
        if self.closed:
            raise ValueError("read from a decompressor that is closed")
        if self._failure is not None:
            raise self._failure
        try:
            while not self._block:
                block = next(self._blocks, None)
                if block is None:
                    return False
                self._block = memoryview(block)
        except BaseException as error:
            self._failure = error
            raise
        return True

    def close(self) -> None:
        self._blocks.close()
        self._block = _NOTHING
        super().close()
