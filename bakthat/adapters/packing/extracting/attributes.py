"""Where a restored file gets its mode, owner and time: `set_attributes`. `AttributeSetter` says which may be set.

The order matters:

    extended attributes         while the file can be written to (`xattr_setter`)
    owner                       chown(2) clears the set-user-ID and set-group-ID bits, and file capabilities
    mode                        narrowed, where there is an access control list
    time
    file capabilities           if the owner is right
    access control lists        they change the mode
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from attrs import define, evolve

from bakthat.adapters.filesystem.dir_fd import ENTRY, opened, set_mode
from bakthat.adapters.packing.extracting.notices import Notices
from bakthat.adapters.packing.extracting.xattr_setter import XattrSetter
from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.tar_format.tar_member import Member

KEEP = -1
"""As the number of an owner: leave the owner as it is."""

OWNER = "the owner"
SET_ID = "set-user-ID and set-group-ID bits"
"""They were not set, because with a wrong owner they would be dangerous."""
MODE = "permissions"
TIME = "the time"

Failed = Callable[[bytes, str, int], object]
"""Called with a path, with what could not be set (`OWNER`, `SET_ID`, `MODE`, `TIME`), and with the errno."""

_SET_ID_BITS = 0o6000
_KEEP_BOTH = (KEEP, KEEP)
_MAX_OWNERS = 4096
"""The number of cached owners."""


@define(eq=False)
class Attributes:
    """The attributes of a complete file: the twelve permission bits, user and group (`KEEP`, or numbers), and the
    modification time in nanoseconds since 1970 UTC. `extended`: records of an extended header, as `xattr_records`
    parses them; of a directory or a symbolic link, as `LongNames` keeps them."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    extended: bytes = b""


def set_attributes(fd: int, attributes: Attributes, failed: Failed, path: bytes) -> bool:
    """Set owner, mode and time of an open file or directory. `failed` is called with what could not be set.

    Returns:
        Whether the owner is right.
    """
    mode = attributes.mode
    owner_is_right = True
    if attributes.uid != KEEP:
        try:
            os.fchown(fd, attributes.uid, attributes.gid)
        except (OSError, OverflowError) as error:
            owner_is_right = False
            failed(path, OWNER, _number_of(error))
            if mode & _SET_ID_BITS:
                failed(path, SET_ID, 0)
            mode &= ~_SET_ID_BITS
    try:
        os.fchmod(fd, mode)
    except OSError as error:
        failed(path, MODE, _number_of(error))
    mtime_ns = attributes.mtime_ns
    try:
        os.utime(fd, ns=(mtime_ns, mtime_ns))
    except (OSError, OverflowError) as error:
        failed(path, TIME, _number_of(error))
    return owner_is_right


class AttributeSetter:
    """Sets the attributes of restored files that this user may set. The others give notices.

    Args:
        natural_owner: user and group that a new file has.
        notices: collects what could not be set.
        xattrs: whether extended attributes and access control lists are restored.
        inherits_acl: whether new files inherit an access control list from their directory.
    """

    def __init__(
        self, natural_owner: tuple[int, int], notices: Notices, *, xattrs: bool = True, inherits_acl: bool = False
    ) -> None:
        self._natural_owner = natural_owner
        self._notices = notices
        self._accounts = Accounts()
        self._keeps_xattrs = xattrs
        self._xattrs = XattrSetter(
            self._accounts, notices, keep=xattrs, inherits_acl=inherits_acl, natural_gid=natural_owner[1]
        )
        self._uid = os.geteuid()
        self._owners: dict[tuple[int, int, bytes, bytes], tuple[int, int]] = {}

    def without_notices(self) -> AttributeSetter:
        """The same setter without notices."""
        return AttributeSetter(
            self._natural_owner, Notices(), xattrs=self._keeps_xattrs, inherits_acl=self._xattrs.inherits_acl
        )

    def of(self, member: Member) -> Attributes:
        """The attributes of a member, with its owner's numbers on this system."""
        owner = self._owner(member) if self._uid == 0 else (member.uid, member.gid)
        if owner == self._natural_owner and not member.mode & _SET_ID_BITS:
            owner = _KEEP_BOTH
        return Attributes(member.mode, *owner, member.mtime_ns, member.extended)

    def set(self, fd: int, attributes: Attributes, path: bytes) -> None:
        """Set them on an open file or directory."""
        permitted = self._permitted(attributes, path)
        xattrs = self._xattrs
        if not (permitted.extended or xattrs.inherits_acl):
            set_attributes(fd, permitted, self._report, path)
            return
        wanted = xattrs.wanted(permitted.extended, path)
        xattrs.set_plain(fd, wanted, path)
        narrowed = evolve(permitted, mode=xattrs.narrowed(permitted.mode, wanted, permitted.gid))
        is_set = set_attributes(fd, narrowed, self._report, path)
        xattrs.set_rights(fd, wanted, path, owner_is_right=is_set and permitted is attributes)

    def set_by_name(self, parent: int, name: bytes, attributes: Attributes, path: bytes, *, has_mode: bool) -> None:
        """Set them on something that is not opened, such as a fifo; it is not followed. A symbolic link has no mode."""
        permitted = self._permitted(attributes, path)
        xattrs = self._xattrs
        target = f"/proc/self/fd/{parent}/{os.fsdecode(name)}"
        wanted = xattrs.wanted(permitted.extended, path)
        mode, mtime_ns = xattrs.narrowed(permitted.mode, wanted, permitted.gid), permitted.mtime_ns
        if wanted.xattrs or (has_mode and xattrs.inherits_acl):
            xattrs.set_plain(target, wanted, path)
        if permitted.uid != KEEP:
            try:
                os.chown(name, permitted.uid, permitted.gid, dir_fd=parent, follow_symlinks=False)
            except (OSError, OverflowError) as error:
                self._report(path, OWNER, _number_of(error))
                if mode & _SET_ID_BITS:
                    self._report(path, SET_ID, 0)
                mode &= ~_SET_ID_BITS
        if has_mode:
            try:
                with opened(name, ENTRY, parent) as fd:
                    set_mode(fd, mode)
            except OSError as error:
                self._report(path, MODE, _number_of(error))
        try:
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=parent, follow_symlinks=False)
        except (OSError, OverflowError) as error:
            self._report(path, TIME, _number_of(error))
        if permitted.extended:
            xattrs.set_rights(target, wanted, path, owner_is_right=False)

    def _permitted(self, wanted: Attributes, path: bytes) -> Attributes:
        """Only root can change owners, and set-ID bits would be dangerous with the wrong owner."""
        if self._uid == 0 or wanted.uid == KEEP:
            return wanted
        if wanted.uid != self._uid:
            self._notices.add("it belonged to another user and is now yours; only root can restore owners", path)
        if wanted.mode & _SET_ID_BITS:
            self._report(path, SET_ID, 0)
        return evolve(wanted, mode=wanted.mode & ~_SET_ID_BITS, uid=KEEP, gid=KEEP)

    def _report(self, path: bytes, what: str, number: int) -> None:
        if what == SET_ID:
            reason = "its set-user-ID and set-group-ID bits were not restored; only root can restore them"
        elif number == errno.EOVERFLOW:
            reason = f"{what} cannot be restored here: the number is too large"
        else:
            reason = f"{what} cannot be restored here: {os.strerror(number)}"
        self._notices.add(reason, path)

    def _owner(self, member: Member) -> tuple[int, int]:
        """Root can change owners, by the names of user and group if this system knows them, else by number."""
        key = (member.uid, member.gid, member.uname, member.gname)
        owner = self._owners.get(key)
        if owner is None:
            if len(self._owners) >= _MAX_OWNERS:
                self._owners.clear()
            uid, gid = self._accounts.user_id(member.uname), self._accounts.group_id(member.gname)
            owner = self._owners[key] = (member.uid if uid is None else uid, member.gid if gid is None else gid)
        return owner


def _number_of(error: OSError | OverflowError) -> int:
    """The errno: EOVERFLOW if Python refuses a number before the system does."""
    return error.errno or 0 if isinstance(error, OSError) else errno.EOVERFLOW
