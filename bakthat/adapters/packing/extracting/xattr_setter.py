"""`XattrSetter`: gives restored files their extended attributes and access control lists, where the system permits.

What it does not permit is a notice, one for each kind. A file whose access control list cannot be restored gets a mode
that gives nobody more rights (`posix_acl.narrowed`).
"""

from __future__ import annotations

import errno
import os

from attrs import frozen

from bakthat.adapters.packing.extracting.notices import Notices
from bakthat.adapters.packing.tar_format import posix_acl
from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.tar_format.posix_acl import Acl
from bakthat.adapters.packing.tar_format.xattr_records import CAPABILITY, SELINUX, ExtendedRecords, parse_extended

_MAX_CACHED = 256
_MAX_CACHED_SIZE = 4096
"""Bytes of records that are remembered once they are parsed: many files have the same list, or the same label."""

_ACL = "the access control list"
_KINDS = {
    SELINUX: "the SELinux label",
    CAPABILITY: "file capabilities",
    posix_acl.ACCESS: _ACL,
    posix_acl.DEFAULT: "the access control list for new files",
}
_NO_SUCH_ATTRIBUTE = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP})


def _unsupported(*_: object, **__: object) -> None:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


_set_xattr = getattr(os, "setxattr", _unsupported)
_remove_xattr = getattr(os, "removexattr", _unsupported)

Target = int | str
"""A descriptor, or a path below /proc/self/fd of something that is not followed."""


@frozen
class Wanted:
    """What a member is to get. An `access` of None: the archive has no list; `is_unclear`: it has one that cannot be
    restored here, so that only the owner keeps his rights."""

    xattrs: dict[bytes, bytes]
    access: Acl | None
    default: Acl | None
    is_unclear: bool
    trouble: str


_NOTHING = Wanted({}, None, None, is_unclear=False, trouble="")


class XattrSetter:
    """For one restore.

    Args:
        keep: whether to restore them. If not, only the mode is narrowed.
        inherits_acl: whether new files get an access control list from the directory that they are made in. It would
            give rights that the archive does not give, and is removed.
        natural_gid: the group of new files.
    """

    def __init__(
        self, accounts: Accounts, notices: Notices, *, keep: bool, inherits_acl: bool, natural_gid: int
    ) -> None:
        self._accounts = accounts
        self._notices = notices
        self._keep = keep
        self._natural_gid = natural_gid
        self._parsed: dict[bytes, Wanted] = {}
        self.inherits_acl = inherits_acl

    def wanted(self, records: bytes, path: bytes) -> Wanted:
        """What these records of a member ask for."""
        if not records:
            return _NOTHING
        found = self._parsed.get(records)
        if found is None:
            found = self._judged(parse_extended(records))
            if len(records) <= _MAX_CACHED_SIZE:
                if len(self._parsed) >= _MAX_CACHED:
                    self._parsed.clear()
                self._parsed[records] = found
        if found.trouble and self._keep:
            self._notices.add(found.trouble, path)
        return found

    def narrowed(self, mode: int, wanted: Wanted, gid: int) -> int:
        """The mode that is right without the access control list; `gid`: the group that the file is to get."""
        if wanted.is_unclear:
            return mode & 0o7700
        if wanted.access is None:
            return mode
        groups = {gid, self._natural_gid}
        return posix_acl.narrowed(
            mode, wanted.access, lambda uid: any(self._accounts.is_member(uid, group) for group in groups)
        )

    def set_plain(self, target: Target, wanted: Wanted, path: bytes) -> None:
        """Before owner and mode are set: all that neither depends on them, nor decides about rights. An attribute
        `user.*` takes the permission to write."""
        if self.inherits_acl:
            _remove_inherited(target)
        if self._keep:
            refused: set[str] = set()
            for name, value in wanted.xattrs.items():
                if name != CAPABILITY.encode():
                    self._set(target, os.fsdecode(name), value, refused)
            self._report(refused, path)

    def set_rights(self, target: Target, wanted: Wanted, path: bytes, *, owner_is_right: bool) -> None:
        """After owner and mode are set: file capabilities, which chown(2) takes away, and which are for the right owner
        only; and access control lists."""
        if not self._keep:
            return
        refused: set[str] = set()
        capability = wanted.xattrs.get(CAPABILITY.encode())
        if capability is not None:
            if owner_is_right:
                self._set(target, CAPABILITY, capability, refused)
            else:
                refused.add(f"{_KINDS[CAPABILITY]} were not restored, because the owner was not")
        for name, acl in ((posix_acl.DEFAULT, wanted.default), (posix_acl.ACCESS, wanted.access)):
            if acl is not None and not (name == posix_acl.ACCESS and posix_acl.is_minimal(acl)):
                self._set(target, name, posix_acl.encode(acl), refused)
        self._report(refused, path)

    def _judged(self, records: ExtendedRecords) -> Wanted:
        trouble = f"{_ACL} is of another kind (NFSv4), and was not restored" if records.other_acl else ""
        lists: list[Acl | None] = []
        for text, binary in (
            (records.acl_access, records.binary_access),
            (records.acl_default, records.binary_default),
        ):
            acl = None
            try:
                if text:
                    acl = posix_acl.from_text(text, self._accounts.user_id, self._accounts.group_id)
                elif binary:
                    acl = posix_acl.decode(binary)
            except LookupError:
                trouble = f"{_ACL} names users or groups that are unknown here, and was not restored"
            except ValueError:
                trouble = f"{_ACL} in the archive is not understood, and was not restored"
            lists.append(acl)
        access, default = lists
        is_unclear = access is None and bool(records.acl_access or records.binary_access)
        return Wanted(records.xattrs, access, default, is_unclear, trouble)

    def _set(self, target: Target, name: str, value: bytes, refused: set[str]) -> None:
        try:
            _set_xattr(target, name, value, follow_symlinks=isinstance(target, int))
        except OSError as error:
            refused.add(f"{_kind(name)} cannot be restored here: {os.strerror(error.errno or 0)}")
        except ValueError:  # a NUL in the name
            refused.add(f"{_kind(name)} cannot be restored here: invalid name")

    def _report(self, refused: set[str], path: bytes) -> None:
        for reason in sorted(refused):
            self._notices.add(reason, path)


def _remove_inherited(target: Target) -> None:
    for name in (posix_acl.ACCESS, posix_acl.DEFAULT):
        try:
            _remove_xattr(target, name, follow_symlinks=isinstance(target, int))
        except OSError as error:
            if error.errno not in _NO_SUCH_ATTRIBUTE:
                raise


def _kind(name: str) -> str:
    kind = _KINDS.get(name)
    if kind is None:
        space = name.partition(".")[0]
        kind = f"extended attributes ({space if space in ('user', 'trusted', 'security', 'system') else 'other'})"
    return kind
