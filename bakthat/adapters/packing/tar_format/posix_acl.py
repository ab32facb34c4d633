"""POSIX access control lists: in Linux's form (an extended attribute), and in that of tar archives (text).

The binary form is that of the kernel's `include/uapi/linux/posix_acl_xattr.h`: a version, then eight bytes for each
entry. The text is that of acl(5), entries between commas or line feeds. Star and libarchive add the number of a user or
a group as a fourth field; GNU tar passes over that.

A restore without the list must not give more rights than the list did: see `narrowed`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"
"""The extended attributes of Linux that hold a list, and that of a directory which new files in it get."""

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
"""Tags, as in linux/posix_acl.h."""

_MAX_ENTRIES = 8191
"""What fits into an extended attribute of 64 KiB (XATTR_SIZE_MAX of linux/limits.h)."""
_VERSION = 2
_NO_ID = 0xFFFFFFFF
_HEAD = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_NAMED = (USER, GROUP)
_TAGS = {
    b"user": (USER_OBJ, USER),
    b"u": (USER_OBJ, USER),
    b"group": (GROUP_OBJ, GROUP),
    b"g": (GROUP_OBJ, GROUP),
    b"mask": (MASK, MASK),
    b"m": (MASK, MASK),
    b"other": (OTHER, OTHER),
    b"o": (OTHER, OTHER),
}
_WORDS = {USER_OBJ: b"user", USER: b"user", GROUP_OBJ: b"group", GROUP: b"group", MASK: b"mask", OTHER: b"other"}
_PERMISSIONS = re.compile(rb"[r-]?[w-]?[x-]?|[rwx]{1,3}")
_PLAIN_NAME = re.compile(rb"(?=.*[^0-9])[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class AclEntry(NamedTuple):
    """An entry: its tag, and the permissions as the sum of 4 (read), 2 (write) and 1 (execute). `id`: the number of the
    user or the group that a `USER` or `GROUP` entry names; 0 for the other tags."""

    tag: int
    id: int
    permissions: int


Acl = tuple[AclEntry, ...]
"""A valid list, sorted by tag and number: one entry for the owner, one for the group, one for all others, and a mask if
any entry names somebody."""

NameOf = Callable[[int], bytes]
"""Returns the name of a user or a group; empty if it has none here."""
IdOf = Callable[[bytes], int | None]
"""Returns the number of a user or a group by its name; None if it is unknown here."""


def decode(value: bytes) -> Acl:
    """Parse the binary form. Raises ValueError for anything else."""
    if len(value) < _HEAD.size or (len(value) - _HEAD.size) % _ENTRY.size or _HEAD.unpack_from(value) != (_VERSION,):
        raise ValueError("not a list of version 2")
    entries = _ENTRY.iter_unpack(value[_HEAD.size :])
    return _valid(AclEntry(tag, id_ if tag in _NAMED else 0, permissions) for tag, permissions, id_ in entries)


def encode(acl: Acl) -> bytes:
    """Write the binary form."""
    return _HEAD.pack(_VERSION) + b"".join(
        _ENTRY.pack(tag, permissions, id_ if tag in _NAMED else _NO_ID) for tag, id_, permissions in acl
    )


def to_text(acl: Acl, user_name: NameOf, group_name: NameOf) -> bytes:
    """Write the text form: names if they are known here and can be written in it, and always numbers."""
    lines = []
    for tag, id_, permissions in acl:
        rights = b"".join(letter if permissions & bit else b"-" for letter, bit in ((b"r", 4), (b"w", 2), (b"x", 1)))
        if tag not in _NAMED:
            lines.append(b"%b::%b" % (_WORDS[tag], rights))
            continue
        name = user_name(id_) if tag == USER else group_name(id_)
        if _PLAIN_NAME.fullmatch(name):
            lines.append(b"%b:%b:%b:%d" % (_WORDS[tag], name, rights, id_))
        else:
            lines.append(b"%b:%d:%b" % (_WORDS[tag], id_, rights))
    return b"\n".join(lines)


def from_text(text: bytes, user_id: IdOf, group_id: IdOf) -> Acl:
    """Parse the text form. A name takes precedence over the number that follows it.

    Raises ValueError for what is not a list; LookupError for a name that is not known here and has no number.
    """
    lines = re.split(rb"[,\n]", text)
    if len(lines) > _MAX_ENTRIES:
        raise ValueError("more entries than Linux supports")  # and each may be a question to a directory service
    entries = []
    for line in lines:
        line = line.partition(b"#")[0].strip()
        if line:
            entries.append(_entry_of(line.removeprefix(b"default:").split(b":"), user_id, group_id))
    return _valid(entries)


def is_minimal(acl: Acl) -> bool:
    """Whether the list is equivalent to the nine permission bits."""
    return len(acl) == 3


def narrowed(mode: int, acl: Acl, is_in_group: Callable[[int], bool]) -> int:
    """Return the mode that gives nobody more rights without the list than the list gives.

    The group bits of a file with a list are its mask, so they cannot stay: the group gets the rights of its own entry,
    limited by the mask. Others get no more than the weakest named entry, because without the list the named users are
    among the others. `is_in_group`: whether a user (a number) is in the file's group; without the list, this user would
    have the rights of the group.
    """
    mask = next((entry.permissions for entry in acl if entry.tag == MASK), 7)
    group = other = 7
    for tag, id_, permissions in acl:
        if tag == GROUP_OBJ:
            group &= permissions & mask
        elif tag == OTHER:
            other &= permissions
        elif tag in _NAMED:
            other &= permissions & mask
            if tag == USER and is_in_group(id_):
                group &= permissions & mask
    return mode & (0o7700 | group << 3 | other)


def _entry_of(fields: list[bytes], user_id: IdOf, group_id: IdOf) -> AclEntry:
    word = fields[0].strip()
    if word not in _TAGS:
        raise ValueError("an entry of an unknown kind")
    owner_tag, named_tag = _TAGS[word]
    if len(fields) == 2 and owner_tag in (MASK, OTHER):
        fields = [word, b"", fields[1]]
    if not 3 <= len(fields) <= 4:
        raise ValueError("an entry with too few or too many fields")
    name, rights = _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8) & 0xFF]), fields[1].strip()), fields[2].strip()
    if not _PERMISSIONS.fullmatch(rights) or len(set(rights.replace(b"-", b""))) != len(rights.replace(b"-", b"")):
        raise ValueError("permissions other than rwx")
    permissions = sum(bit for letter, bit in ((b"r", 4), (b"w", 2), (b"x", 1)) if letter in rights)
    if not name:
        return AclEntry(owner_tag, 0, permissions)
    if owner_tag == named_tag:
        raise ValueError("a mask, or all others, by name")
    if name.isdigit():
        return AclEntry(named_tag, _id(name), permissions)
    id_ = user_id(name) if named_tag == USER else group_id(name)
    if id_ is None and len(fields) == 4:
        id_ = _id(fields[3].strip())
    if id_ is None:
        raise LookupError("a user or a group that is not known here")
    return AclEntry(named_tag, id_, permissions)


def _id(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 10 or int(digits) >= _NO_ID:
        raise ValueError("a number that no user has")
    return int(digits)


def _valid(entries: Iterable[AclEntry]) -> Acl:
    found: dict[tuple[int, int], int] = {}
    for tag, id_, permissions in entries:
        if tag not in _WORDS or permissions > 7:
            raise ValueError("an entry of an unknown kind")
        # Two names may be those of one user here; he gets what both allow
        found[tag, id_] = found.get((tag, id_), 7) & permissions
    tags = [tag for tag, _ in found]
    if not all(tags.count(tag) == 1 for tag in (USER_OBJ, GROUP_OBJ, OTHER)):
        raise ValueError("not one entry each for the owner, the group and all others")
    if MASK not in tags and any(tag in tags for tag in _NAMED):
        raise ValueError("named entries without a mask")
    return tuple(AclEntry(tag, id_, permissions) for (tag, id_), permissions in sorted(found.items()))
