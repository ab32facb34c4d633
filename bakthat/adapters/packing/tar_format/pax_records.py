"""Records of pax extended headers (IEEE Std 1003.1-2017, `pax`, "pax Extended Header"): `LENGTH key=value\\n` each."""

from __future__ import annotations

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.tar_format.dumpdir import BASE, BASE_SHA256, DUMPDIR
from bakthat.adapters.packing.tar_format.tar_header import LINKED_COMMENT
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_stream import TarStream
from bakthat.adapters.packing.tar_format.xattr_records import is_extended

Records = dict[bytes, bytes]
"""The records of a pax header that a restore can use."""

EXTENDED = b"extended"
"""The key in `Records` of the records for `xattr_records`, concatenated as in the archive."""

_USED = frozenset(
    {b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid", b"uname", b"gname", b"comment"}
    | {BASE, BASE_SHA256, DUMPDIR}
    | {b"GNU.sparse." + key for key in (b"major", b"minor", b"name", b"realsize", b"size", b"map")}
)
"""A restore ignores atime, ctime and the like, and also `hdrcharset`, because names are used as raw bytes."""

_NANOSECONDS = 10**9
_LARGEST = 2**63 - 1
_LONGEST_NUMBER = 20
"""Digits."""
_LONGEST_OWNER = 256
"""Bytes of the name of a user or a group: LOGIN_NAME_MAX of limits.h."""

WITHOUT_CONTENT = frozenset({b"2", b"3", b"4", b"5", b"6"})
"""Types of members without content, whatever size their headers give: POSIX lets a directory's say how much room to
reserve for it."""

_LINKS = (Kind.SYMLINK, Kind.HARDLINK)


def parse_records(stream: TarStream, content: bytes, earlier: Records) -> Records:
    """Return the records of a pax header, on top of those that an earlier one gave. Raises PayloadDamaged."""
    records = earlier.copy()
    stretches: list[bytes] = []
    extended = bytearray(records.get(EXTENDED, b""))
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        length = content[at:space]
        if space < 0 or not length.isdigit():
            raise stream.damage("a record of an extended header has no length")
        end = at + int(length)
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if end <= space + 1 or content[end - 1 : end] != b"\n" or not equals:
            raise stream.damage("a record of an extended header does not add up")
        if key in _USED:
            records[key] = value
        elif key == b"GNU.sparse.offset" or key == b"GNU.sparse.numbytes":
            stretches.append(value)
        elif is_extended(key):
            extended += content[at:end]
        at = end
    if extended:
        records[EXTENDED] = bytes(extended)
    if stretches:
        # The format 0.0 repeats records where 0.1 has a list in one
        records[b"GNU.sparse.map"] = b",".join(stretches)
    return records


def apply_records(stream: TarStream, member: Member, records: Records) -> None:
    """Apply these records, which override the member's own header. Raises PayloadDamaged."""
    for key, value in records.items():
        if not value:
            continue  # POSIX: cancels the value of a global header
        if key == b"mtime":
            member.mtime_ns = _time(stream, value)
        elif key == b"path":
            member.name = whole_name(stream, value)
        elif key == b"linkpath":
            if member.kind in _LINKS:
                member.link = whole_name(stream, value)
        elif key == b"size":
            if member.typeflag not in WITHOUT_CONTENT:
                member.size = decimal(stream, value)
                stream.begin(member.size)
        elif key == b"uid":
            member.uid = _owner_number(stream, value)
        elif key == b"gid":
            member.gid = _owner_number(stream, value)
        elif key == b"uname":
            member.uname = value if len(value) <= _LONGEST_OWNER else b""
        elif key == b"gname":
            member.gname = value if len(value) <= _LONGEST_OWNER else b""
        elif key == b"comment":
            member.linked = value == LINKED_COMMENT or None
        elif key == EXTENDED:
            member.extended = value
        elif key == DUMPDIR:
            member.dumpdir = value


def whole_name(stream: TarStream, value: bytes) -> bytes:
    """Return the name that a record gives. Raises PayloadDamaged if it has a NUL byte."""
    if b"\0" in value:
        raise stream.damage(f"a name with a NUL byte: {printable(value[:200])}")
    return value


def decimal(stream: TarStream, text: bytes) -> int:
    """Return the number that a record gives. Raises PayloadDamaged if it is invalid, or has more than 63 bits."""
    if not text.isdigit() or len(text) > _LONGEST_NUMBER or int(text) > _LARGEST:
        raise stream.damage(f"{printable(text[:40])} is not a valid number")
    return int(text)


def _owner_number(stream: TarStream, text: bytes) -> int:
    """The number of a user or a group; bsdtar on a Mac writes negative ones, such as -2 for nobody."""
    return -decimal(stream, text[1:]) if text[:1] == b"-" else decimal(stream, text)


def _time(stream: TarStream, text: bytes) -> int:
    """Seconds as a decimal fraction, to nanoseconds."""
    negative = text[:1] == b"-"
    whole, _, fraction = text[negative:].partition(b".")
    digits = whole + fraction
    if digits.isdigit() and len(whole) <= 18:
        if len(fraction) != 9:
            digits = whole + (fraction + b"000000000")[:9]
        return -int(digits) if negative else int(digits)
    try:  # Python's tarfile writes str() of a float, such as 1e-05
        return int(float(text if len(text) <= 40 else "") * _NANOSECONDS)
    except (ValueError, OverflowError):
        raise stream.damage(f"{printable(text[:40])} is not a valid time") from None
