"""Access control lists: the forms that Linux and tar have, and the mode that gives nobody more rights than a list."""

from __future__ import annotations

import os
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.packing.tar_format import posix_acl
from bakthat.adapters.packing.tar_format.posix_acl import (
    GROUP,
    GROUP_OBJ,
    MASK,
    OTHER,
    USER,
    USER_OBJ,
    Acl,
    AclEntry,
    decode,
    encode,
    from_text,
    narrowed,
    to_text,
)
from tests.fixtures.extended import groups_here, users_here

IDS = [1, 2, 12_345, 4_000_000_000]
BITS = st.integers(0, 7)


@st.composite
def acls(draw: st.DrawFn, users: list[int] = IDS, groups: list[int] = IDS) -> Acl:
    entries = [AclEntry(tag, 0, draw(BITS)) for tag in (USER_OBJ, GROUP_OBJ, OTHER)]
    for tag, ids in ((USER, users), (GROUP, groups)):
        entries += [AclEntry(tag, id_, draw(BITS)) for id_ in draw(st.sets(st.sampled_from(ids), max_size=3))]
    if len(entries) > 3 or draw(st.booleans()):
        entries.append(AclEntry(MASK, 0, draw(BITS)))
    return tuple(sorted(entries))


HERE = acls(users_here(IDS), groups_here(IDS))
"""Lists that the system takes."""


def nameless(_: int) -> bytes:
    return b""


def unknown(_: bytes) -> int | None:
    return None


@given(acl=acls())
def test_the_binary_form_comes_back(acl: Acl) -> None:
    assert decode(encode(acl)) == acl


@given(acl=acls())
def test_the_text_form_comes_back(acl: Acl) -> None:
    assert from_text(to_text(acl, nameless, nameless), unknown, unknown) == acl


@given(acl=acls())
def test_a_name_decides_and_a_number_stands_in_for_one_that_is_unknown(acl: Acl) -> None:
    text = to_text(acl, lambda number: b"u%d" % number, lambda number: b"g%d" % number)
    assert from_text(text, unknown, unknown) == acl
    assert from_text(text, lambda name: int(name[1:]), lambda name: int(name[1:])) == acl
    known = from_text(text, lambda _: 77, lambda _: 88)
    assert {entry.id for entry in known if entry.tag in (USER, GROUP)} <= {77, 88}


@settings(max_examples=25, deadline=None)
@given(acl=HERE)
def test_setfacl_and_getfacl_mean_the_same(acl: Acl, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("acl") / "file"
    file.touch()
    text = to_text(acl, nameless, nameless)
    subprocess.run(["setfacl", "--set-file=-", file], input=text, check=True)
    if len(acl) > 4:
        assert decode(os.getxattr(file, posix_acl.ACCESS)) == acl
    shown = subprocess.run(["getfacl", "-n", "-p", file], capture_output=True, check=True).stdout
    mask = {entry for entry in acl if entry.tag == MASK}
    assert set(from_text(shown, unknown, unknown)) >= set(acl) - (mask if len(acl) == 4 else set())


@settings(max_examples=25, deadline=None)
@given(acl=HERE)
def test_linux_takes_the_binary_form(acl: Acl, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("acl") / "file"
    file.touch()
    os.setxattr(file, posix_acl.ACCESS, encode(acl))
    if len(acl) > 3:
        assert os.getxattr(file, posix_acl.ACCESS) == encode(acl)


def rights(acl: Acl, uid: int, groups: set[int], *, in_owning_group: bool) -> int:
    """What the list gives somebody who is not the owner: acl(5), "Access check algorithm"."""
    mask = next((entry.permissions for entry in acl if entry.tag == MASK), 7)
    for entry in acl:
        if entry.tag == USER and entry.id == uid:
            return entry.permissions & mask
    matching = [
        entry.permissions & mask
        for entry in acl
        if (entry.tag == GROUP_OBJ and in_owning_group) or (entry.tag == GROUP and entry.id in groups)
    ]
    if matching:
        union = 0
        for permissions in matching:
            union |= permissions
        return union
    return next(entry.permissions for entry in acl if entry.tag == OTHER)


@given(acl=acls(), members=st.sets(st.sampled_from(IDS)), mode=st.integers(0, 0o7777))
def test_nobody_gets_more_rights_by_the_narrowed_mode(acl: Acl, members: set[int], mode: int) -> None:
    without = narrowed(mode, acl, members.__contains__)
    assert without & ~mode == 0
    assert without & 0o7700 == mode & 0o7700
    strangers = [99]  # somebody whom the list does not name
    for uid in (*IDS, *strangers):
        for count in range(3):
            for groups in combinations(IDS, count):
                for in_owning_group in (False, True) if uid in strangers else (uid in members,):
                    gets = without >> 3 & 7 if in_owning_group else without & 7
                    allowed = rights(acl, uid, set(groups), in_owning_group=in_owning_group)
                    assert gets & ~allowed == 0, (uid, groups, in_owning_group)


def test_the_group_keeps_its_own_entry_and_the_others_the_weakest() -> None:
    acl = from_text(b"user::rwx,user:5:r-x,group::r-x,group:6:rwx,mask::rwx,other::rwx", unknown, unknown)
    assert oct(narrowed(0o777, acl, lambda _: False)) == oct(0o755)
    acl = from_text(b"user::rw-,user:5:rw-,group::rw-,mask::r--,other::r--", unknown, unknown)
    assert oct(narrowed(0o644, acl, lambda _: False)) == oct(0o644)
    acl = from_text(b"user::rw-,user:5:---,group::rw-,mask::rw-,other::r--", unknown, unknown)
    assert oct(narrowed(0o664, acl, lambda _: False)) == oct(0o660)
    assert oct(narrowed(0o664, acl, lambda uid: uid == 5)) == oct(0o600)


@pytest.mark.parametrize(
    "text",
    [
        b"user::rwx,user:daemon:r--:1,user:12345:rw-,group::r--,group:man:rwx:12,mask::rwx,other::r--",  # libarchive
        b"user::rwx\nuser:12345:rw-\t#effective:r--\ngroup::r--\nmask::r--\nother::r--\n",  # getfacl
        b"u::rwx,g::r-x,o:r--,m:rwx",
        b"user::rwx, group::r-x, other::r--",
        b"user::rwx\nuser:DOM\\134alice:r--:5\ngroup::---\nmask::r--\nother::---",
        b"default:user::rwx,default:group::r-x,default:other::---",
    ],
)
def test_lists_of_other_programs_are_understood(text: bytes) -> None:
    assert {entry.tag for entry in from_text(text, unknown, unknown)} >= {USER_OBJ, GROUP_OBJ, OTHER}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"user::rwx",
        b"user::rwx,group::r-x,other::r--,user:5:rwx",
        b"user::rwx,group::r-x,other::rwxr",
        b"user::rwx,group::r-x,other::abc",
        b"user::rwx,group::r-x,other::r--,everyone@:rwx::allow",
        b"user::rwx,group::r-x,other::r--,mask:5:rwx",
        b"user::rwx,group::r-x,other::r--,user:99999999999:rwx,mask::rwx",
        b"user::rwx,group::r-x,other::r--,user:4294967295:rwx,mask::rwx",
        b"user",
        b"\0\xff",
        b"user::rwx,group::r-x,other::r--,mask::rwx" + b",user:a:rwx:5" * 9000,
        b":::" * 1000,
    ],
)
def test_what_is_not_a_list_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any reason
        from_text(text, unknown, unknown)


def test_an_unknown_name_without_a_number_is_a_separate_error() -> None:
    with pytest.raises(LookupError):
        from_text(b"user::rwx,user:nobody here:r--,group::---,mask::r--,other::---", unknown, unknown)


@pytest.mark.parametrize(
    "value", [b"", b"\2\0\0\0", b"\1\0\0\0" + bytes(24), b"\2\0\0\0" + bytes(23), b"\2\0\0\0" + bytes(24)]
)
def test_what_is_not_the_binary_form_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any reason
        decode(value)


def test_two_names_of_one_user_give_him_what_both_allow() -> None:
    text = b"user::rwx,user:a:rw-,user:b:r-x,group::---,mask::rwx,other::---"
    acl = from_text(text, lambda _: 5, unknown)
    assert [entry for entry in acl if entry.tag == USER] == [AclEntry(USER, 5, 4)]


def test_a_file_without_a_list_has_none(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    os.setxattr(tmp_path / "f", posix_acl.ACCESS, encode(from_text(b"u::rw-,g::r--,o::---", unknown, unknown)))
    assert posix_acl.ACCESS not in os.listxattr(tmp_path / "f")
