"""Extended attributes as pax records of a tar archive, as GNU tar, star and libarchive write and read them.

| Linux | record |
|---|---|
| `system.posix_acl_access` | `SCHILY.acl.access`, as text |
| `system.posix_acl_default` | `SCHILY.acl.default`, as text |
| `security.selinux` | `RHT.security.selinux`, without the NUL at its end |
| any other `NAME` | `SCHILY.xattr.NAME`; `%` and `=` in a name are written `%25` and `%3D` |

Read besides: `LIBARCHIVE.xattr.NAME` (base64), and all of them as `SCHILY.xattr.NAME`, the lists in their binary form.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from attrs import define, field

SELINUX = "security.selinux"
CAPABILITY = "security.capability"

ACL_ACCESS = b"SCHILY.acl.access"
ACL_DEFAULT = b"SCHILY.acl.default"
_SELINUX_RECORD = b"RHT.security.selinux"
_SCHILY = b"SCHILY.xattr."
_LIBARCHIVE = b"LIBARCHIVE.xattr."
_ACL = b"SCHILY.acl."
_PREFIXES = (_SCHILY, _LIBARCHIVE, _ACL, _SELINUX_RECORD)


def is_extended(key: bytes) -> bool:
    """Whether a pax record with this key is one of those here."""
    return key.startswith(_PREFIXES)


def record_of(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return key and value of the record for an attribute that is not an access control list."""
    if name == SELINUX.encode():
        return _SELINUX_RECORD, value.rstrip(b"\0")
    return _SCHILY + name.replace(b"%", b"%25").replace(b"=", b"%3D"), value


@define
class ExtendedRecords:
    """What the records of one member say. `xattrs`: by name, without access control lists. `acl_access`, `acl_default`:
    a list as text; `binary_access`, `binary_default`: the same as Linux gives it, from an archive that has no text.
    `other_acl`: whether there is a list of another kind, such as NFSv4's."""

    xattrs: dict[bytes, bytes] = field(factory=dict)
    acl_access: bytes | None = None
    acl_default: bytes | None = None
    other_acl: bool = False
    binary_access: bytes | None = None
    binary_default: bytes | None = None


def parse_extended(records: bytes) -> ExtendedRecords:
    """Parse records of this kind, one after the other as they stand in a pax header. What is not well formed is passed
    over."""
    found = ExtendedRecords()
    from_libarchive: dict[bytes, bytes] = {}
    label: bytes | None = None
    for key, value in _split(records):
        if key == ACL_ACCESS:
            found.acl_access = value
        elif key == ACL_DEFAULT:
            found.acl_default = value
        elif key.startswith(_ACL):
            found.other_acl = True
        elif key == _SELINUX_RECORD:
            label = value + b"\0"
        elif key.startswith(_SCHILY):
            found.xattrs[unquote_to_bytes(key[len(_SCHILY) :])] = value
        elif key.startswith(_LIBARCHIVE):
            try:
                decoded = binascii.a2b_base64(value + b"=" * (-len(value) % 4))
            except binascii.Error:
                continue
            from_libarchive[unquote_to_bytes(key[len(_LIBARCHIVE) :])] = decoded
    found.xattrs = {**from_libarchive, **found.xattrs}
    if label is not None:
        found.xattrs[SELINUX.encode()] = label
    found.binary_access = found.xattrs.pop(b"system.posix_acl_access", None)
    found.binary_default = found.xattrs.pop(b"system.posix_acl_default", None)
    return found


def _split(records: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(records):
        space = records.index(b" ", at)
        end = at + int(records[at:space])
        key, _, value = records[space + 1 : end - 1].partition(b"=")
        yield key, value
        at = end
