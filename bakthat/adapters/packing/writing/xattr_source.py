"""`XattrSource`: the extended attributes and access control lists of what is backed up.

One listxattr(2) is made for each file; nearly all answers are empty. A member of a file with an access control list
always has the narrowed mode (`posix_acl.narrowed`) in its header, for programs that extract it without the list.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from attrs import frozen

from bakthat.adapters.packing.tar_format import posix_acl
from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.tar_format.tar_header import record
from bakthat.adapters.packing.tar_format.xattr_records import ACL_ACCESS, ACL_DEFAULT, SELINUX, record_of
from bakthat.adapters.packing.writing.source import reason

MAX_BYTES = 768 * 1024
"""Bytes of all attributes of one member. libarchive and our own reader take extended headers of up to 1 MiB, in which
long names must have room, too. Linux takes up to 64 KiB for each attribute."""

_NO_ATTRIBUTES = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_LISTS = {posix_acl.ACCESS: ACL_ACCESS, posix_acl.DEFAULT: ACL_DEFAULT}

_LABEL_ALONE = [SELINUX]
_MAX_LABELS = 1000

ListNames = Callable[..., list[str]]
"""As `os.listxattr`."""

LIST_NAMES: ListNames | None = getattr(os, "listxattr", None)
"""None where the system has no extended attributes."""

Problem = Callable[[str, str], None]
"""Called with a name, and why something of it is missing."""


@frozen
class Extended:
    """What a member needs: its mode, and the records of its extended header."""

    mode: int
    records: bytes


class XattrSource:
    """Reads them.

    Args:
        keep: whether the archive is to have them. If not, only the mode is narrowed.
        problem: called with what could not be read.
        list_names: lists the attributes of a descriptor or a path; None if nothing has any.
    """

    def __init__(
        self, accounts: Accounts, *, keep: bool, problem: Problem, list_names: ListNames | None = LIST_NAMES
    ) -> None:
        self._accounts = accounts
        self._keep = keep
        self._problem = problem
        self._list_names = list_names
        self._devices_without: set[int] = set()
        self._labels: dict[bytes, bytes] = {}

    def of_open(self, descriptor: int, name: str, status: os.stat_result) -> Extended | None:
        """Of an open file or directory; None if it has none."""
        if self._list_names is None or status.st_dev in self._devices_without:
            return None
        try:
            names = self._list_names(descriptor)
        except OSError as error:
            names = self._names_despite(error, name)
            if not names and stat.S_ISREG(status.st_mode):  # of directories alone, some file systems know none
                self._devices_without.add(status.st_dev)
        return self._read(descriptor, names, name, status, follow=True) if names else None

    def of_entry(self, parent: int, name: str, status: os.stat_result) -> Extended | None:
        """Of something that is not opened; a symbolic link is not followed."""
        if self._list_names is None or status.st_dev in self._devices_without:
            return None
        path = f"/proc/self/fd/{parent}/{name}"
        try:
            names = self._list_names(path, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENOENT:  # it is gone, or /proc is not mounted
                return None
            names = self._names_despite(error, name)
        return self._read(path, names, name, status, follow=False) if names else None

    def _names_despite(self, error: OSError, name: str) -> list[str]:
        """The attributes to read where they cannot be listed: those that decide about rights, if there can be any."""
        if error.errno in _NO_ATTRIBUTES:
            return []
        self._problem(name, f"its extended attributes cannot be read: {reason(error)}")
        return list(_LISTS)

    def _read(
        self, target: int | str, names: list[str], name: str, status: os.stat_result, *, follow: bool
    ) -> Extended | None:
        if names == _LABEL_ALONE and self._keep and (records := self._label(target, follow)):
            return Extended(status.st_mode, records)
        mode = status.st_mode
        records = b""
        is_too_much = False
        for attribute in sorted(names):
            is_access_list = attribute == posix_acl.ACCESS
            if not (self._keep or is_access_list):
                continue
            try:
                value = os.getxattr(target, attribute, follow_symlinks=follow)
            except OSError as error:
                if error.errno != errno.ENODATA and error.errno not in _NO_ATTRIBUTES:  # ENODATA: gone by now
                    self._problem(name, f"an extended attribute cannot be read: {reason(error)}")
                    if is_access_list:
                        mode &= ~0o077  # what it gives to whom is unknown
                continue
            if attribute in _LISTS:
                try:
                    acl = posix_acl.decode(value)
                except ValueError:
                    self._problem(name, "its access control list is not understood, and is missing")
                    mode &= ~0o077 if is_access_list else ~0
                    continue
                if is_access_list:
                    mode = self._narrowed(mode, acl, status)
                text = posix_acl.to_text(acl, self._accounts.user_name, self._accounts.group_name)
                one = record(_LISTS[attribute], text)
            else:
                one = record(*record_of(os.fsencode(attribute), value))
            if len(records) + len(one) > MAX_BYTES:
                is_too_much = True
            elif self._keep:
                records += one
        if is_too_much:
            self._problem(name, "has more extended attributes than an archive can hold; the last ones are missing")
        if not records and mode == status.st_mode:
            return None
        return Extended(mode, records)

    def _label(self, target: int | str, follow: bool) -> bytes:
        """Where there is SELinux, every file has a label and most have nothing else, and labels are few."""
        try:
            value = os.getxattr(target, SELINUX, follow_symlinks=follow)
        except OSError:
            return b""
        known = self._labels.get(value)
        if known is None:
            if len(self._labels) >= _MAX_LABELS:
                self._labels.clear()
            known = self._labels[value] = record(*record_of(SELINUX.encode(), value))
        return known

    def _narrowed(self, mode: int, acl: posix_acl.Acl, status: os.stat_result) -> int:
        return posix_acl.narrowed(mode, acl, lambda uid: self._accounts.is_member(uid, status.st_gid))
