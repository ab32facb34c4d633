"""What may be asked of any byte stream between two ports, whatever it is made of.

A `BinaryIO` may be raw: a read may return fewer bytes before the end, and a write may take fewer than it is given. A
reader may lack `readinto`, and may have `read_chunk(limit)`, which returns the next available bytes without copying.
The functions here hide these differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO


def chunk_reader(stream: BinaryIO) -> Callable[[int], bytes]:
    """Return the function that reads the stream's next chunk.

    It returns at most as many bytes as its argument says; `b""` means end of stream. It is the stream's own
    `read_chunk`, which saves a copy, else its `read`.
    """
    read: Callable[[int], bytes] = getattr(stream, "read_chunk", stream.read)
    return read


def fill(stream: BinaryIO, view: memoryview) -> int:
    """Fill the view from the stream; return the number of bytes read, which is smaller only at the end of the stream.

    Raises:
        BlockingIOError: The stream is non-blocking and has no bytes yet.
    """
    readinto: Callable[[memoryview], int | None] | None = getattr(stream, "readinto", None)
    filled = 0
    while filled < len(view):
        rest = view[filled:]
        if readinto is not None:
            count = readinto(rest)
        else:
            data = stream.read(len(rest))
            count = len(data)
            rest[:count] = data
        if count is None:
            raise BlockingIOError(
                "the stream has no bytes at the moment; a stream that is read here must wait for them"
            )
        if not count:
            break
        filled += count
    return filled


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes; fewer only at the end of the stream."""
    chunks = []
    while size and (chunk := stream.read(size)):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def write_whole(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of the data, also to a raw stream, which may take only a part of it at a time.

    Raises:
        BlockingIOError: The stream is non-blocking and takes nothing at the moment.
    """
    taken = stream.write(data)
    if taken == len(data):
        return
    rest = memoryview(data)
    while taken:
        rest = rest[taken:]
        if not rest:
            return
        taken = stream.write(rest)
    if rest:
        raise BlockingIOError("the stream that is written to takes nothing")
