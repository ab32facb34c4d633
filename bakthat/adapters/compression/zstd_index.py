"""What follows the data of a zstd archive: its index and the seek table, in skippable frames.

Every program that decompresses zstd skips them. The index is one frame, with `BKTI` before it. A footer of a fixed size
says where it begins; its content starts with `BKTF`. Last comes the seek table of zstd's *seekable format*
(`contrib/seekable_format/zstd_seekable_compression_format.md` of zstd), which lists every frame before it, also the
skippable ones, with a content of 0: a reader that adds up the lengths refuses the file otherwise.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator

from bakthat.adapters.compression.index_codec import PackedIndex, check_index, unpack_index
from bakthat.adapters.compression.zstd_frame import SKIPPABLE_HEAD, skippable_head
from bakthat.domain.archive_index import PACKED_LIMIT, PLAIN_LIMIT, ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import RandomAccess

VERSION = 1

_OURS = 0xB
"""Our kind of the sixteen of skippable frames. `pzstd` writes 0, the seek table is 14."""

_INDEX_TAG, _FOOTER_TAG = b"BKTI", b"BKTF"

_FOOTER = struct.Struct("<4sHHQQQI")
"""Tag, version, flags (0), position of the index frame, compressed and plain length of the index, CRC-32 of the plain
index."""

FOOTER_SIZE = SKIPPABLE_HEAD + _FOOTER.size
"""Bytes of the footer's frame."""

_SEEK_TABLE = 0xE
_SEEK_ENTRY = struct.Struct("<II")
"""Compressed and plain bytes of a frame."""
_SEEK_FOOTER = struct.Struct("<IBI")
"""Number of frames, descriptor (0: no checksums, since each frame has its own), magic."""
_SEEK_MAGIC = 0x8F92EAB1
_SEEK_CHECKSUMS = 0x80
_MOST_FRAMES = 0x8000000
"""In a seek table. Ours are 512 TiB; a longer stream has none."""

_TAIL = 4096
"""Bytes that are read first: the seek table of 2 GB, and the footer."""

_DAMAGED_BYTES = 4
"""How many of the 16 known bytes of a footer may differ, so that it is a damaged one rather than none at all."""

_HEAD_OF_FOOTER = skippable_head(_OURS, _FOOTER.size) + struct.pack("<4sHH", _FOOTER_TAG, VERSION, 0)


def index_frames(index: PackedIndex, position: int) -> Iterator[bytes]:
    """Yield the frames that carry the index, of which the first one is written at this position of the stream."""
    head = skippable_head(_OURS, len(_INDEX_TAG) + len(index.content)) + _INDEX_TAG
    yield b"".join((head, index.content))
    footer = _FOOTER.pack(_FOOTER_TAG, VERSION, 0, position, len(index.content), index.plain_size, index.crc)
    yield skippable_head(_OURS, _FOOTER.size) + footer


def seek_table(lengths: array[int], plain_size: int, skippable: list[int], *, block_size: int) -> bytes:
    """Return the frame with the seek table; nothing for a stream with more frames than it can list.

    Args:
        lengths: Compressed bytes of each frame with data.
        plain_size: Plain bytes of all of them: of each `block_size`, and of the last one the rest.
        skippable: Bytes of the skippable frames behind them.
    """
    count = len(lengths) + len(skippable)
    if count > _MOST_FRAMES:
        return b""
    table = array("I")
    for length in lengths:
        table.extend((length, min(block_size, plain_size)))
        plain_size -= min(block_size, plain_size)
    entries = b"".join(_SEEK_ENTRY.pack(*table[at : at + 2]) for at in range(0, len(table), 2))
    others = b"".join(_SEEK_ENTRY.pack(length, 0) for length in skippable)
    content = len(entries) + len(others) + _SEEK_FOOTER.size
    return b"".join((skippable_head(_SEEK_TABLE, content), entries, others, _SEEK_FOOTER.pack(count, 0, _SEEK_MAGIC)))


def read_zstd_index(packed: RandomAccess) -> ArchiveIndex | None:
    """Return the index at the end of an archive; None if it has no index, or one of a version that is not known.

    Raises:
        PayloadDamaged: There is an index, and it is damaged.
    """
    tail_size = min(packed.size, _TAIL)
    tail = packed.read_at(packed.size - tail_size, tail_size)
    table = _seek_table_size(tail)
    if table + FOOTER_SIZE > packed.size:
        return None
    start = packed.size - table - FOOTER_SIZE
    if table + FOOTER_SIZE > len(tail):
        tail = packed.read_at(start, FOOTER_SIZE + SKIPPABLE_HEAD)
    else:
        tail = tail[len(tail) - table - FOOTER_SIZE :]
    if table and tail[FOOTER_SIZE : FOOTER_SIZE + SKIPPABLE_HEAD] != skippable_head(
        _SEEK_TABLE, table - SKIPPABLE_HEAD
    ):
        raise PayloadDamaged("the archive's seek table is damaged")
    return _index_of_footer(packed, start, tail[:FOOTER_SIZE])


def _seek_table_size(tail: bytes) -> int:
    """Bytes of the frame with the seek table that ends here; 0 if none does."""
    if len(tail) < _SEEK_FOOTER.size:
        return 0
    count, descriptor, magic = _SEEK_FOOTER.unpack(tail[-_SEEK_FOOTER.size :])
    if magic != _SEEK_MAGIC or count > _MOST_FRAMES:
        return 0
    entry = _SEEK_ENTRY.size + (4 if descriptor & _SEEK_CHECKSUMS else 0)
    return int(SKIPPABLE_HEAD + count * entry + _SEEK_FOOTER.size)


def _index_of_footer(packed: RandomAccess, start: int, footer: bytes) -> ArchiveIndex | None:
    """The index that this frame, which begins at `start`, describes; None if it is another frame."""
    differing = sum(byte != known for byte, known in zip(footer, _HEAD_OF_FOOTER, strict=False))
    if differing > _DAMAGED_BYTES:
        return None
    _, version, flags, position, size, plain_size, crc = _FOOTER.unpack(footer[SKIPPABLE_HEAD:])
    is_other_version = (version, flags) != (VERSION, 0)
    if is_other_version and footer[: SKIPPABLE_HEAD + 4] == _HEAD_OF_FOOTER[: SKIPPABLE_HEAD + 4]:
        return None
    frame = SKIPPABLE_HEAD + len(_INDEX_TAG) + size
    if differing or not 0 < size <= PACKED_LIMIT or plain_size > PLAIN_LIMIT or position + frame != start:
        raise PayloadDamaged("the footer of the archive's index is damaged")
    content = packed.read_at(position, frame)
    head = skippable_head(_OURS, len(_INDEX_TAG) + size) + _INDEX_TAG
    if len(content) != frame or not content.startswith(head):
        raise PayloadDamaged("the archive's index is damaged")
    index = PackedIndex(content[len(head) :], plain_size, crc)
    check_index(index)
    found = unpack_index(index.content)
    if found.header.packed_size != position:
        raise PayloadDamaged("the archive's index belongs to another archive; it is damaged")
    return found
