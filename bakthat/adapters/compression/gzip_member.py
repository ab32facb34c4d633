"""One member of a gzip stream (RFC 1952 §2.2) as bakthat writes it: at most 1 MiB of input, and its length in front.

The header has an extra field with the subfield `BK`, whose four bytes are the length of the whole member, in
little-endian order, as BGZF has it. So a reader knows where the next member begins before it decompresses this one. All
other programs ignore the field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol, cast

from isal import igzip_lib, isal_zlib

from bakthat.adapters.compression.block_sizes import GZIP_BLOCK
from bakthat.errors import PayloadDamaged

BLOCK = GZIP_BLOCK
"""Bytes of input in a member, at most."""

LONGEST_MEMBER = BLOCK + BLOCK // 8
"""Bytes of a member that states its length, at most; a longer one is damaged. A block that cannot be compressed grows a
little, and stays within this."""

SHORTEST_MEMBER = 20 + 2 + 8

TRAILER = struct.Struct("<II")
"""CRC-32 and length of the input."""

_HEADER = struct.Struct("<4sIBBH2sHI")
"""Magic, method and flags; time (0); extra flags (0); system (255, unknown); the extra field's length; its one
subfield: id, length, the member's whole length."""

HEADER_SIZE = _HEADER.size
"""Bytes of a header."""

_EXTENDED_HEADER = struct.Struct("<4sIBBH2sHI2sH")
"""The same, and the head of a second subfield."""

EXTRA_SIZE = 8 + 4
"""Bytes of an extra field beside the content of its second subfield."""

_MAGIC = b"\x1f\x8b\x08\x04"
_SUBFIELD = struct.Struct("<2sH")
_LENGTH = struct.Struct("<I")
_STORED = struct.Struct("<BHH")
_LONGEST_STORED = 0xFFFF
_EMPTY = b"\x03\0"
"""A deflate stream of nothing."""

_SAMPLE = 512
_SAMPLES_APART = 5 / 87
"""As a part of the block. A block is sampled at 17 places, which takes a hundredth of the time of deflating it, and
overlooks no 64 KiB of something else amidst noise. The distance is not a multiple of a power of two, as the beginnings
of pages and clusters are."""

_SMALL = 16 * 1024
"""Bytes of a block below which samples would be the whole."""

_LEAST_GAIN = 64
"""Store a block uncompressed unless deflate saves at least 1/64 of it."""

DeflateError = cast(type[Exception], isal_zlib.error)
"""What ISA-L raises for compressed bytes that are damaged."""

Deflate = Callable[[memoryview], bytes]
"""Compresses a block to one whole raw deflate stream, and releases the interpreter's lock meanwhile."""


def deflate(block: memoryview) -> bytes:
    """Compress with ISA-L at level 2; docs/decisions/0010 gives the reasons."""
    return isal_zlib.compress(block, 2, -15)


def data_member(block: memoryview, deflate: Deflate = deflate) -> bytes:
    """Return the member that contains this block."""
    deflated = _deflated(block, deflate)
    length = _HEADER.size + len(deflated) + TRAILER.size
    header = _HEADER.pack(_MAGIC, 0, 0, 255, 8, b"BK", 4, length)
    return b"".join((header, deflated, TRAILER.pack(isal_zlib.crc32(block), len(block))))


def empty_member(name: bytes, content: bytes | memoryview) -> bytes:
    """Return a member that contains nothing, and carries this content in a subfield of its header."""
    length = empty_member_size(len(content))
    header = _EXTENDED_HEADER.pack(_MAGIC, 0, 0, 255, EXTRA_SIZE + len(content), b"BK", 4, length, name, len(content))
    return b"".join((header, content, _EMPTY, TRAILER.pack(0, 0)))


def empty_member_size(content: int) -> int:
    """Return the length of a member that contains nothing and carries this many bytes."""
    return _EXTENDED_HEADER.size + content + len(_EMPTY) + TRAILER.size


def read_member(member: memoryview, size: int) -> bytes:
    """Return the plain bytes, which must be as many as `size`, of a member as `data_member` makes it.

    Raises:
        PayloadDamaged: It is anything else.
    """
    return inflate(without_header(member, len(member)), size)


def without_header(member: memoryview, length: int) -> memoryview:
    """Return the deflate stream and the trailer of a member as `data_member` makes it, of this length.

    Raises:
        PayloadDamaged: It is anything else.
    """
    if len(member) != length or member[: _HEADER.size] != _HEADER.pack(_MAGIC, 0, 0, 255, 8, b"BK", 4, length):
        raise PayloadDamaged("a gzip member is not where the archive's index says; one of them is damaged")
    return member[_HEADER.size :]


def _deflated(block: memoryview, deflate: Deflate) -> bytes:
    """The block as a raw deflate stream, stored where deflate saves next to nothing, as of photographs, films, and what
    is encrypted. To inflate that would take longer than everything else that a restore does with it."""
    size = len(block)
    if size > _SMALL:
        step = int(size * _SAMPLES_APART)
        samples = b"".join([block[at : at + _SAMPLE] for at in range(0, size - _SAMPLE, step)])
        if len(deflate(memoryview(samples))) >= len(samples):
            return _stored(block)
    deflated = deflate(block)
    return deflated if len(deflated) <= size - size // _LEAST_GAIN else _stored(block)


def _stored(block: memoryview) -> bytes:
    """A deflate stream of stored blocks (RFC 1951 §3.2.4). zlib's level 0 gives the same, forty times slower."""
    parts: list[bytes | memoryview] = []
    for at in range(0, max(len(block), 1), _LONGEST_STORED):
        part = block[at : at + _LONGEST_STORED]
        last = at + _LONGEST_STORED >= len(block)
        parts += (_STORED.pack(last, len(part), len(part) ^ 0xFFFF), part)
    return b"".join(parts)


class Inflater(Protocol):
    """What a member is decompressed with, once."""

    crc: int
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


def inflate(deflated: bytes | memoryview, size: int | None = None) -> bytes:
    """Decompress one member without its header.

    ISA-L's decompressor for a whole stream takes room for all of the output at once, releases the interpreter's lock
    once, and computes the CRC-32 on the way.

    Args:
        deflated: The deflate stream and the trailer.
        size: Bytes that it contains; by default what its trailer states, which is at most `BLOCK`.

    Raises:
        PayloadDamaged: It is anything else than one deflate stream of this size with this checksum.
    """
    crc, stated = TRAILER.unpack_from(deflated, len(deflated) - TRAILER.size)
    if stated > BLOCK or size not in (None, stated):
        raise mismatched()
    inflater: Inflater = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP_NO_HDR)
    try:
        # With one byte more than there should be, the end of the stream is recognised, and a bomb is not expanded.
        plain = inflater.decompress(deflated, stated + 1)
    except DeflateError as error:
        raise garbled() from error
    if not inflater.eof or len(inflater.unused_data) != TRAILER.size:
        raise PayloadDamaged("a gzip member does not have the length that it states; the archive is damaged")
    if len(plain) != stated or inflater.crc != crc:
        raise mismatched()
    return plain


def stated_length(extra: bytes) -> int:
    """Return the member's length out of its extra field: 0 if there is none, -1 if it states 0."""
    at = 0
    while at + _SUBFIELD.size <= len(extra):
        name, size = _SUBFIELD.unpack_from(extra, at)
        if name == b"BK" and size == _LENGTH.size and at + 8 <= len(extra):
            return int(_LENGTH.unpack_from(extra, at + _SUBFIELD.size)[0]) or -1
        at += _SUBFIELD.size + size
    return 0


def garbled() -> PayloadDamaged:
    return PayloadDamaged("the compressed bytes cannot be decompressed; the archive is damaged")


def mismatched() -> PayloadDamaged:
    return PayloadDamaged("the decompressed bytes do not match their checksum; the archive is damaged")
