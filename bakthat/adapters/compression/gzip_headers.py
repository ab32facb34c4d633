"""Headers of gzip members, also damaged ones."""

from __future__ import annotations

import struct

from bakthat.adapters.compression.gzip_member import HEADER_SIZE, LONGEST_MEMBER, SHORTEST_MEMBER, stated_length

MAGIC = b"\x1f\x8b\x08"
"""What every member begins with: gzip, and deflate."""

OURS = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x08\0BK\x04\0"
"""What a header of ours begins with, before the length of the member."""

EXTRA_LENGTH = slice(10, 12)
"""Where the length of the extra field is. That of our members with data is the one in `OURS`."""

SECOND_SUBFIELD = slice(20, 22)
"""Where members of the index name what they carry."""

_DIFFERING = 4
"""Bytes of `OURS` that may be damaged, or be another length of the extra field, where a header should be."""

_FIXED = 10
_HAS_CRC, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0
_LENGTH = struct.Struct("<I")


def header_size(head: bytes) -> int:
    """The length of the gzip header that these bytes begin with; 0 if they do not, or it is longer than they are."""
    if len(head) < _FIXED or not head.startswith(MAGIC) or head[3] & _RESERVED:
        return 0
    flags = head[3]
    at = _FIXED
    if flags & _HAS_EXTRA:
        if len(head) < at + 2:
            return 0
        at += 2 + int(struct.unpack_from("<H", head, at)[0])
    for flag in (_HAS_NAME, _HAS_COMMENT):
        if flags & flag:
            at = head.find(b"\0", at) + 1
            if not at:
                return 0
    if flags & _HAS_CRC:
        at += 2
    return at if at <= len(head) else 0


def member_length(head: bytes) -> int:
    """The length that a member with this header states; 0 if it states none that is possible."""
    size = header_size(head)
    if not size or not head[3] & _HAS_EXTRA:
        return 0
    extra = head[_FIXED + 2 : _FIXED + 2 + int(struct.unpack_from("<H", head, _FIXED)[0])]
    length = stated_length(extra)
    return length if max(SHORTEST_MEMBER, size + 10) <= length <= LONGEST_MEMBER else 0


def length_in_place(head: bytes) -> int:
    """The length that a member states whose header should be here, and may be damaged; 0 if it states none."""
    if len(head) < HEADER_SIZE:
        return 0
    if not resembles_ours(head):
        return member_length(head)
    length = int(_LENGTH.unpack_from(head, len(OURS))[0])
    return length if SHORTEST_MEMBER <= length <= LONGEST_MEMBER else 0


def resembles_ours(head: bytes) -> bool:
    """Whether these bytes are a header of ours, perhaps a damaged one."""
    return len(head) >= len(OURS) and sum(map(int.__ne__, head, OURS)) <= _DIFFERING


def kind_of(head: bytes) -> bytes:
    """What the headers of one program have in common: flags, extra flags, system."""
    return head[3:4] + head[8:10]
