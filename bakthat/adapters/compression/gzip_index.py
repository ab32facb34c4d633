"""The index of a gzip archive: members of nothing behind the data, which carry it in their extra fields.

Every program that decompresses gzip takes such members for empty files. An extra field has 65,535 bytes at most, but
BusyBox refuses more than 16,384, so each carries 15,988 bytes of the index in the subfield `BI`. The last member is the
footer, with the subfield `BF`: it has a fixed size, and says where the index begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bakthat.adapters.compression.gzip_member import EXTRA_SIZE, empty_member, empty_member_size
from bakthat.adapters.compression.index_codec import PackedIndex, check_index, unpack_index
from bakthat.domain.archive_index import PACKED_LIMIT, PLAIN_LIMIT, ArchiveIndex
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import RandomAccess

VERSION = 1

LONGEST_EXTRA = 16_000
"""Bytes of an extra field."""

_PER_MEMBER = LONGEST_EXTRA - EXTRA_SIZE
"""Bytes of the index in each member but the last."""

_FOOTER = struct.Struct("<HHQQQI")
"""Version, flags (0), position of the first index member, compressed and plain length of the index, CRC-32 of the plain
index."""

FOOTER_SIZE = empty_member_size(_FOOTER.size)
"""Bytes of the last member."""

_MEMBERS_AT_ONCE = 256

_DAMAGED_BYTES = 8
"""How many of the 34 known bytes of a footer may differ, so that it is a damaged one rather than none at all."""


def index_members(index: PackedIndex, position: int) -> Iterator[bytes]:
    """Yield the members that carry the index, of which the first one is written at this position of the stream."""
    content = memoryview(index.content)
    for start in range(0, len(content), _PER_MEMBER):
        yield empty_member(b"BI", content[start : start + _PER_MEMBER])
    yield empty_member(b"BF", _FOOTER.pack(VERSION, 0, position, len(content), index.plain_size, index.crc))


def read_gzip_index(packed: RandomAccess) -> ArchiveIndex | None:
    """Return the index at the end of an archive; None if there is none, or one of a version that is not known.

    Raises:
        PayloadDamaged: There is an index, and it is damaged.
    """
    footer = packed.read_at(max(0, packed.size - FOOTER_SIZE), FOOTER_SIZE)
    if len(footer) < FOOTER_SIZE:
        return None
    content = footer[-_FOOTER.size - 10 : -10]
    # Beside its content, all of a footer is known. What differs in a few bytes is a damaged one.
    differing = sum(byte != known for byte, known in zip(footer, empty_member(b"BF", content), strict=True))
    if differing > _DAMAGED_BYTES:
        return None
    version, flags, position, size, plain_size, crc = _FOOTER.unpack(content)
    if not differing and (version, flags) != (VERSION, 0):
        return None
    last = packed.size - FOOTER_SIZE
    if differing or not 0 < size <= PACKED_LIMIT or plain_size > PLAIN_LIMIT or position + _members_size(size) != last:
        raise PayloadDamaged("the footer of the archive's index is damaged")
    index = PackedIndex(_content(packed, position, size), plain_size, crc)
    check_index(index)
    found = unpack_index(index.content)
    if found.header.packed_size != position:
        raise PayloadDamaged("the archive's index belongs to another archive; it is damaged")
    return found


def _members_size(size: int) -> int:
    """Bytes of the members that carry an index of this size."""
    whole, rest = divmod(size, _PER_MEMBER)
    return whole * empty_member_size(_PER_MEMBER) + (empty_member_size(rest) if rest else 0)


def _content(packed: RandomAccess, position: int, size: int) -> bytes:
    """Read the members, and put together what they carry."""
    content = bytearray()
    member_size = empty_member_size(_PER_MEMBER)
    while len(content) < size:
        missing = min(size - len(content), _MEMBERS_AT_ONCE * _PER_MEMBER)
        members = memoryview(packed.read_at(position, _members_size(missing)))
        position += _members_size(missing)
        if len(members) != _members_size(missing):
            raise PayloadDamaged("the archive's index is cut short")
        for start in range(0, len(members), member_size):
            member = members[start : start + member_size]
            part = member[member_size - _PER_MEMBER - 10 : -10]
            if member != empty_member(b"BI", part):
                raise PayloadDamaged("the archive's index is damaged")
            content += part
    return bytes(content)
