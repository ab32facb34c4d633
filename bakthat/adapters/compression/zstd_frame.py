"""Frames of a zstd stream (RFC 8878): one of at most 4 MiB of input, as bakthat writes it, and skippable ones.

Nothing in a frame states how long it is, but each of its blocks does (§3.1.1.2). So a reader finds the end of a frame
without decompressing it, and can decompress several at once.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable

from attrs import frozen

from bakthat.adapters.compression.block_sizes import ZSTD_BLOCK
from bakthat.adapters.compression.zstd_engine import zstd
from bakthat.errors import PayloadDamaged

BLOCK = ZSTD_BLOCK
"""Bytes of input in a frame, at most."""

LONGEST_FRAME = BLOCK + BLOCK // 64
"""Bytes of a frame that is decompressed at once, at most. zstd adds some 110 to 4 MiB that cannot be compressed."""

SHORTEST_FRAME = 13
"""Bytes of a frame of nothing, with its checksum."""

MAGIC = b"\x28\xb5\x2f\xfd"

LONGEST_HEADER = 18

LARGEST_WINDOW_LOG = 27
"""128 MiB, as what `zstd -d` believes without `--memory` or `--long`; also what `--long` writes by itself."""

_MOST_BLOCKS = 4096
"""Of a frame that is decompressed at once. 4 MiB are 32 blocks; some programs write smaller ones."""

_WINDOW_LOG = BLOCK.bit_length() - 1
"""The whole frame. Level 3 would look back 2 MiB only: small files get 1.2 % larger, and nothing gets faster."""

_SKIPPABLE = struct.Struct("<II")
_SKIPPABLE_MAGIC = 0x184D2A50
"""The first of sixteen (§3.1.2)."""

SKIPPABLE_HEAD = _SKIPPABLE.size
"""Bytes before the content of a skippable frame."""

BIG_TABLES_LEVEL = 10
"""From this level on, zstd's own tables take up to 70 MiB in each thread."""

_TABLE_LOG = 21
"""Of those levels: 2^21 entries in each table, 23 MiB in each thread, so that a backup at any level stays within 256
MiB. A frame of 4 MiB gets 0.1 to 0.9 % larger."""

_UNLIKELY_LEVEL = 10
"""From this level on, level 1 is tried first: what it cannot make smaller, no other level can, in 200 times the
time."""

_LEAST_GAIN = 64
"""Of that, less than 1/64 is not smaller."""

_CHECKSUM, _RESERVED, _SINGLE_SEGMENT = 4, 8, 32


@frozen
class FrameHeader:
    """length: of the header, in bytes. content: plain bytes of the frame, None if it does not say. window: bytes before
    the current ones that a decompressor must keep."""

    length: int
    content: int | None
    window: int
    has_checksum: bool
    has_dictionary: bool

    @property
    def is_small(self) -> bool:
        """Whether the frame may be decompressed at once."""
        return self.content is not None and self.content <= BLOCK


def parse_header(head: bytes) -> FrameHeader | None:
    """Return the header (§3.1.1.1) out of a frame's first bytes; None if they are something else, or are cut short."""
    if len(head) < 6 or not head.startswith(MAGIC) or head[4] & _RESERVED:
        return None
    flags = head[4]
    is_single = bool(flags & _SINGLE_SEGMENT)
    window_size = 0 if is_single else 1
    id_size = (0, 1, 2, 4)[flags & 3]
    content_size = (1 if is_single else 0, 2, 4, 8)[flags >> 6]
    length = 5 + window_size + id_size + content_size
    if len(head) < length:
        return None
    content = None
    if content_size:
        content = int.from_bytes(head[length - content_size : length], "little") + (256 if content_size == 2 else 0)
    if is_single:
        window = content or 0
    else:
        base = 1 << (10 + (head[5] >> 3))
        window = base + (base >> 3) * (head[5] & 7)
    dictionary = head[5 + window_size : 5 + window_size + id_size]
    return FrameHeader(length, content, window, bool(flags & _CHECKSUM), bool(dictionary.strip(b"\0")))


def frame_length(header: FrameHeader, fill: Callable[[int], int], peek: Callable[[int, int], bytes]) -> int | None:
    """Return the bytes of the frame that comes next; None if they are more than `LONGEST_FRAME`, or in too many blocks.

    Args:
        header: Of this frame.
        fill: Reads ahead until there are this many bytes, and returns how many there are: fewer only at the end.
        peek: Returns the bytes between two distances, of those that were read.

    Raises:
        EOFError: The stream ends before the frame does.
        PayloadDamaged: A block of it is of a kind that the format does not define.
    """
    at = header.length
    for _ in range(_MOST_BLOCKS):
        if fill(at + 3) < at + 3:
            raise EOFError
        block = int.from_bytes(peek(at, at + 3), "little")
        kind, size = block >> 1 & 3, block >> 3
        if kind == 3:
            raise garbled()
        at += 3 + (1 if kind == 1 else size)
        if at > LONGEST_FRAME:
            return None
        if block & 1:
            at += 4 if header.has_checksum else 0
            if fill(at) < at:
                raise EOFError
            return at
    return None


def skippable_content(head: bytes) -> int | None:
    """Return the bytes behind the eight of a skippable frame's head; None if it is anything else."""
    if len(head) < SKIPPABLE_HEAD:
        return None
    magic, size = _SKIPPABLE.unpack_from(head)
    return int(size) if magic & 0xFFFFFFF0 == _SKIPPABLE_MAGIC else None


def skippable_head(number: int, content: int) -> bytes:
    """Return the head of a skippable frame of the kind `number` (0 to 15) with this many bytes of content."""
    return _SKIPPABLE.pack(_SKIPPABLE_MAGIC + number, content)


class FrameMaker:
    """Compresses blocks to frames with their content size and checksum, in any number of threads."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._of_thread = threading.local()

    def __call__(self, block: memoryview) -> bytes:
        if self._level >= _UNLIKELY_LEVEL:
            quick = self._compressor(1).compress(block, zstd.ZstdCompressor.FLUSH_FRAME)
            if len(quick) > len(block) - len(block) // _LEAST_GAIN:
                return quick
        return self._compressor(self._level).compress(block, zstd.ZstdCompressor.FLUSH_FRAME)

    def _compressor(self, level: int) -> zstd.ZstdCompressor:
        """The one of this thread, whose tables are some MiB: they are made once."""
        known: dict[int, zstd.ZstdCompressor] | None = getattr(self._of_thread, "known", None)
        if known is None:
            known = self._of_thread.known = {}
        if level not in known:
            options: dict[int, int] = {
                zstd.CompressionParameter.compression_level: level,
                zstd.CompressionParameter.checksum_flag: 1,
                zstd.CompressionParameter.window_log: _WINDOW_LOG,
            }
            if level >= BIG_TABLES_LEVEL:
                options[zstd.CompressionParameter.hash_log] = _TABLE_LOG
                options[zstd.CompressionParameter.chain_log] = _TABLE_LOG
            known[level] = zstd.ZstdCompressor(options=options)
        return known[level]


def decompressor() -> zstd.ZstdDecompressor:
    """Return a decompressor of one frame, whose window may be 128 MiB."""
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: LARGEST_WINDOW_LOG})


def read_frame(frame: bytes | memoryview, size: int) -> bytes:
    """Decompress a whole frame of this many plain bytes.

    Raises:
        PayloadDamaged: It is anything else, or does not match its checksum.
    """
    frames = decompressor()
    try:
        # With one byte more than there should be, the end of the frame is recognised, and a bomb is not expanded.
        plain = frames.decompress(frame, size + 1)
    except zstd.ZstdError as error:
        raise garbled() from error
    if not frames.eof or frames.unused_data or len(plain) != size:
        raise PayloadDamaged("a zstd frame does not have the length that it states; the archive is damaged")
    return plain


def garbled() -> PayloadDamaged:
    return PayloadDamaged(
        "the compressed bytes cannot be decompressed, or do not match their checksum; the archive is damaged"
    )
