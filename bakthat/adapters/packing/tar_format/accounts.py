"""`Accounts`: users and groups of this system, by name and by number."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MAX_REMEMBERED = 4096


class Accounts:
    """Looks each one up once. Names are bytes; an empty name, or None for a number, means that it is unknown here."""

    def __init__(self) -> None:
        self._user_names: dict[int, bytes] = {}
        self._group_names: dict[int, bytes] = {}
        self._user_ids: dict[bytes, int | None] = {}
        self._group_ids: dict[bytes, int | None] = {}
        self._members: dict[tuple[int, int], bool] = {}

    def user_name(self, uid: int) -> bytes:
        """Return the name of a user."""
        name = self._user_names.get(uid)
        return _remember(self._user_names, uid, _user_name) if name is None else name

    def group_name(self, gid: int) -> bytes:
        """Return the name of a group."""
        name = self._group_names.get(gid)
        return _remember(self._group_names, gid, _group_name) if name is None else name

    def user_id(self, name: bytes) -> int | None:
        """Return the number of a user."""
        return self._user_ids[name] if name in self._user_ids else _remember(self._user_ids, name, _user_id)

    def group_id(self, name: bytes) -> int | None:
        """Return the number of a group."""
        return self._group_ids[name] if name in self._group_ids else _remember(self._group_ids, name, _group_id)

    def is_member(self, uid: int, gid: int) -> bool:
        """Whether a user is in a group, as far as this system knows both."""
        key = (uid, gid)
        return self._members[key] if key in self._members else _remember(self._members, key, _is_member)


def _remember(known: dict[K, V], key: K, look_up: Callable[[K], V]) -> V:
    if len(known) >= _MAX_REMEMBERED:
        known.clear()
    value = known[key] = look_up(key)
    return value


def _user_name(uid: int) -> bytes:
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return b""


def _group_name(gid: int) -> bytes:
    try:
        return os.fsencode(grp.getgrgid(gid).gr_name)
    except (KeyError, OverflowError):
        return b""


def _user_id(name: bytes) -> int | None:
    try:
        return pwd.getpwnam(os.fsdecode(name)).pw_uid if name else None
    except (KeyError, ValueError):
        return None


def _group_id(name: bytes) -> int | None:
    try:
        return grp.getgrnam(os.fsdecode(name)).gr_gid if name else None
    except (KeyError, ValueError):
        return None


def _is_member(key: tuple[int, int]) -> bool:
    uid, gid = key
    try:
        user = pwd.getpwuid(uid)
        return gid in os.getgrouplist(user.pw_name, user.pw_gid)
    except (KeyError, OverflowError, OSError):
        return False
