"""Extended attributes, access control lists, file capabilities and SELinux labels, to and from archives."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.filesystem.dir_fd import LIST, opened
from bakthat.adapters.packing.extracting.hard_link import Links
from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
from bakthat.adapters.packing.tar_format import posix_acl
from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.adapters.packing.tar_format.xattr_records import parse_extended
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.adapters.packing.writing.xattr_source import MAX_BYTES, XattrSource
from bakthat.domain.payload import PackReport, UnpackReport
from tests.fixtures.children import run_python
from tests.fixtures.extended import (
    CAPABILITY,
    ROOT,
    SOMEBODY,
    all_xattrs,
    make_tree,
    modes,
    set_acl,
    xattrs,
)
from tests.fixtures.open_directory import open_directory
from tests.fixtures.tar_members import END, member, pax

for_root = pytest.mark.skipif(not ROOT, reason="attributes that only root may set")

GNU = ["tar", "--xattrs", "--xattrs-include=*", "--acls", "--selinux"]
BSD = ["bsdtar", "--xattrs", "--acls"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def packed(source: Path, *, xattrs: bool = True) -> tuple[bytes, PackReport]:
    stream = io.BytesIO()
    report = TarPacker().pack(source, stream, xattrs=xattrs)
    return stream.getvalue(), report


def extract(archive: bytes, into: Path, *, xattrs: bool = True, only: tuple[str, ...] = ()) -> UnpackReport:
    return extract_tar(io.BytesIO(archive), into, xattrs=xattrs, only=only)


def text_acl(*entries: str) -> tuple[bytes, bytes]:
    return b"SCHILY.acl.access", ",".join(entries).encode()


# Both ways


def test_everything_comes_back(tree: Path, into: Path) -> None:
    archive, made = packed(tree)
    restored = extract(archive, into)
    assert (made.problems, restored.notices) == ((), ())
    assert all_xattrs(into / "tree") == all_xattrs(tree)
    assert modes(into / "tree") == modes(tree)


@pytest.mark.parametrize("program", [GNU, BSD], ids=["gnu", "bsd"])
def test_other_programs_restore_it(tree: Path, into: Path, program: list[str]) -> None:
    if program is GNU and not ROOT:
        (tree / "read-only").unlink()  # GNU tar sets attributes after permissions, and may not then
    archive, _ = packed(tree)
    subprocess.run([*program, "-xpf", "-", "-C", into], input=archive, check=True)
    assert all_xattrs(into / "tree") == all_xattrs(tree)
    assert modes(into / "tree") == modes(tree)


@pytest.mark.parametrize("program", [GNU, BSD], ids=["gnu", "bsd"])
def test_archives_of_other_programs_are_restored(tree: Path, into: Path, program: list[str]) -> None:
    layout = ["--format=pax"] if program is BSD else []
    archive = subprocess.run(
        [*program, *layout, "-cf", "-", "-C", tree.parent, "tree"], capture_output=True, check=True
    ).stdout
    assert extract(archive, into).notices == ()
    assert all_xattrs(into / "tree") == all_xattrs(tree)
    assert modes(into / "tree") == modes(tree)


def test_an_ordinary_user_s_attributes_come_back_between_all_programs() -> None:
    with open_directory() as folder:
        done = run_python(
            """
            here = Path(sys.argv[1])
            tree = make_tree(here / "tree", privileged=False)
            (tree / "read-only").chmod(0o644)  # GNU tar sets attributes after permissions, and may not then
            stream = io.BytesIO()
            write_tar(tree, stream)
            gnu, bsd = ["tar", "--xattrs", "--acls"], ["bsdtar", "--xattrs", "--acls"]
            for number, program in enumerate((gnu, bsd)):
                layout = ["--format=pax"] if program is bsd else []
                made = subprocess.run([*program, *layout, "-cC", here, "tree"], capture_output=True, check=True).stdout
                for way in ("ours", "theirs"):
                    into = here / f"{number} {way}"
                    into.mkdir()
                    if way == "ours":
                        report = extract_tar(io.BytesIO(made), into)
                        assert report.notices == (), report
                    else:
                        subprocess.run([*program, "-xpf", "-", "-C", into], input=stream.getvalue(), check=True)
                    print(all_xattrs(into / "tree") == all_xattrs(tree), modes(into / "tree") == modes(tree))
            """,
            folder,
            unprivileged_after="""
            import io, subprocess, sys
            from pathlib import Path
            from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
            from bakthat.adapters.packing.writing.tar_writer import write_tar
            from tests.fixtures.extended import all_xattrs, make_tree, modes
            """,
        )
    assert (done.stdout, done.stderr) == ("True True\n" * 4, "")


def test_names_with_an_equals_sign_and_a_percent_sign(tmp_path: Path, into: Path) -> None:
    names = ["user.a=b", "user.100%", "user.%3D", "user.=", "user.%25=%"]
    (tmp_path / "file").touch()
    for number, name in enumerate(names):
        os.setxattr(tmp_path / "file", name, b"%d" % number)
    archive, _ = packed(tmp_path / "file")
    extract(archive, into)
    assert xattrs(into / "file") == xattrs(tmp_path / "file")
    (into / "file").unlink()
    subprocess.run([*GNU, "-xf", "-", "-C", into], input=archive, check=True)
    assert xattrs(into / "file") == xattrs(tmp_path / "file")
    (into / "file").unlink()
    extract(subprocess.run([*GNU, "-cC", tmp_path, "file"], capture_output=True, check=True).stdout, into)
    assert xattrs(into / "file") == xattrs(tmp_path / "file")


def test_a_list_that_an_archive_has_in_its_binary_form_only(tree: Path, into: Path) -> None:
    """GNU tar writes it so with --xattrs and without --acls."""
    archive = subprocess.run(["tar", "--xattrs", "-cC", tree.parent, "tree"], capture_output=True, check=True).stdout
    assert b"SCHILY.acl." not in archive
    assert b"SCHILY.xattr.system.posix_acl_access" in archive
    extract(archive, into)
    assert all_xattrs(into / "tree") == all_xattrs(tree)


def test_an_attribute_that_libarchive_alone_has_written(into: Path) -> None:
    archive = pax((b"LIBARCHIVE.xattr.user.a%3Db", b"aW1wb3J0YW50")) + member(b"f", b"1") + END
    extract(archive, into)
    assert xattrs(into / "f") == {"user.a=b": b"important"}


def test_a_hard_link_that_is_selected_alone_has_the_attributes(tree: Path, into: Path) -> None:
    archive, _ = packed(tree)
    extract(archive, into, only=("twin",))
    assert xattrs(into / "tree" / "twin") == xattrs(tree / "twin")
    assert sorted(os.listdir(into / "tree")) == ["twin"]


def test_copies_in_the_place_of_hard_links_have_the_attributes(tree: Path, into: Path) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    archive, _ = packed(tree)
    extract_tar(io.BytesIO(archive), into, links=Links(link=refuse))
    assert (into / "tree" / "twin").stat().st_nlink == 1
    assert all_xattrs(into / "tree") == all_xattrs(tree)
    assert modes(into / "tree") == modes(tree)


def test_values_of_64_kib(small_disk: Path) -> None:
    source = small_disk / "file"
    source.touch()
    os.setxattr(source, "user.large", os.urandom(65_536))
    archive, made = packed(source)
    (small_disk / "into").mkdir()
    assert extract(archive, small_disk / "into").notices == made.problems == ()
    assert xattrs(small_disk / "into" / "file") == xattrs(source)


def test_more_attributes_than_a_header_holds_are_a_problem_and_the_rest_comes_back(small_disk: Path) -> None:
    source = small_disk / "file"
    source.write_bytes(b"content")
    for number in range(10, 30):
        os.setxattr(source, f"user.{number}", b"%d" % number * 30_000)
    archive, made = packed(source)
    assert [problem.reason for problem in made.problems] == [
        "has more extended attributes than an archive can hold; the last ones are missing"
    ]
    (small_disk / "into").mkdir()
    assert extract(archive, small_disk / "into").notices == ()
    found = xattrs(small_disk / "into" / "file")
    assert MAX_BYTES * 0.9 < sum(map(len, found.values())) <= MAX_BYTES
    assert found.items() <= xattrs(source).items()
    for program in ("tar", "bsdtar"):
        listed = subprocess.run([program, "-tf", "-"], input=archive, capture_output=True, check=True).stdout
        assert listed == b"file\n"


@for_root
def test_attributes_of_a_symbolic_link_are_never_those_of_its_target(tree: Path, into: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    (tree / "abroad").symlink_to(outside)
    os.setxattr(tree / "abroad", "trusted.of-a-link", b"2", follow_symlinks=False)
    archive, _ = packed(tree)
    extract(archive, into)
    assert xattrs(into / "tree" / "abroad") == {"trusted.of-a-link": b"2"}
    assert xattrs(into / "tree" / "link") == {"trusted.of-a-link": b"1"}
    assert xattrs(outside) == {}


@for_root
def test_file_capabilities_are_set_after_the_owner(tree: Path, into: Path) -> None:
    archive, _ = packed(tree)
    extract(archive, into)
    assert (into / "tree" / "plain").stat().st_uid == 12345
    assert xattrs(into / "tree" / "plain") == {"security.capability": CAPABILITY}


# Rights never widen


def bits_are_narrowed(found: dict[str, int], tree: Path) -> None:
    before = modes(tree)
    assert found["file"] == 0o644
    for path, mode in found.items():
        assert mode & ~before[path] == 0, path
        if posix_acl.ACCESS not in xattrs(tree / path):
            assert mode == before[path], path


def test_a_program_that_knows_no_lists_gives_nobody_more_rights(tree: Path, into: Path) -> None:
    archive, _ = packed(tree)
    subprocess.run(["tar", "-xpf", "-", "-C", into], input=archive, check=True)
    bits_are_narrowed(modes(into / "tree"), tree)


def test_without_attributes_a_backup_keeps_none_and_narrows(tree: Path, into: Path) -> None:
    archive, made = packed(tree, xattrs=False)
    assert made.problems == made.notices == ()
    assert b"SCHILY" not in archive
    assert b"RHT." not in archive
    extract(archive, into)
    bits_are_narrowed(modes(into / "tree"), tree)
    assert not any(all_xattrs(into / "tree").values())


@pytest.mark.parametrize("program", [None, GNU, BSD], ids=["bakthat", "gnu", "bsd"])
def test_without_attributes_a_restore_sets_none_and_narrows(tree: Path, into: Path, program: list[str] | None) -> None:
    archive = (
        packed(tree)[0]
        if program is None
        else subprocess.run([*program, "-cC", tree.parent, "tree"], capture_output=True, check=True).stdout
    )
    assert extract(archive, into, xattrs=False).notices == ()
    bits_are_narrowed(modes(into / "tree"), tree)
    assert not any(all_xattrs(into / "tree").values())


def test_a_file_system_without_attributes_gets_the_files_narrowed_and_says_what_is_missing(
    tree: Path, without_attributes: Path
) -> None:
    archive, _ = packed(tree)
    into = without_attributes / "into"
    into.mkdir()
    report = extract(archive, into)
    bits_are_narrowed(modes(into / "tree"), tree)
    reasons = [notice.reason for notice in report.notices]
    kinds = ["the access control list cannot", "the access control list for new files", "extended attributes (user)"]
    for kind in kinds:
        assert len([reason for reason in reasons if reason.startswith(kind)]) == 1, reasons
    assert any(reason.endswith(" more)") for reason in reasons)
    assert (into / "tree" / "file").read_bytes() == b"content"


def test_a_backup_of_a_file_system_without_attributes_says_nothing(without_attributes: Path) -> None:
    (without_attributes / "d").mkdir()
    (without_attributes / "d" / "f").write_bytes(b"1")
    (without_attributes / "d" / "link").symlink_to("f")
    _, report = packed(without_attributes / "d")
    assert report.problems == report.notices == ()


def test_a_user_who_is_not_root_gets_what_he_may_set_and_is_reported_of_the_rest() -> None:
    with open_directory() as into:
        capability = (b"SCHILY.xattr.security.capability", CAPABILITY)
        trusted = (b"SCHILY.xattr.trusted.t", b"1")
        archive = (
            pax((b"SCHILY.xattr.user.d", b"1"), text_acl("u::r-x", f"u:{SOMEBODY}:rwx", "g::---", "m::rwx", "o::---"))
            + member(b"d/", kind=b"5", mode=0o570, owner=0)
            + pax((b"SCHILY.xattr.user.a", b"b"), capability, trusted)
            + member(b"d/f", b"1", mode=0o4444, owner=0)
            + pax(capability, text_acl("u::rw-", f"u:{SOMEBODY}:rw-", "g::r--", "m::rw-", "o::r--"))
            + member(b"d/g", b"2", mode=0o664, owner=0)
            + END
        )
        (into / "a.tar").write_bytes(archive)
        done = run_python(
            """
            report = extract_tar(io.BytesIO(open(sys.argv[1] + "/a.tar", "rb").read()), Path(sys.argv[1]))
            for path in ("d", "d/f", "d/g"):
                full = sys.argv[1] + "/" + path
                print(path, oct(os.stat(full).st_mode & 0o7777), sorted(os.listxattr(full)))
            for notice in report.notices:
                print(notice.path, notice.reason)
            """,
            into,
            unprivileged_after="""
            import io, os, sys
            from pathlib import Path
            from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
            """,
        )
    assert done.returncode == 0, done.stderr
    assert "d 0o570 ['system.posix_acl_access', 'user.d']" in done.stdout
    assert "d/f 0o444 ['user.a']" in done.stdout
    assert "d/g 0o664 ['system.posix_acl_access']" in done.stdout
    assert "d/f file capabilities were not restored, because the owner was not (and 1 more)" in done.stdout
    assert "d/f extended attributes (trusted) cannot be restored here: Operation not permitted" in done.stdout


def test_a_list_of_the_target_is_not_handed_down_to_what_is_restored(into: Path) -> None:
    set_acl(into, f"d:u:{SOMEBODY}:rwx", "d:g::rwx", "d:o::rwx")
    archive = (
        member(b"d/", kind=b"5", mode=0o700)
        + member(b"d/f", b"secret", mode=0o640)
        + member(b"d/fifo", kind=b"6", mode=0o640)
        + pax(text_acl("u::rw-", f"u:{SOMEBODY}:r--", "g::---", "m::r--", "o::---"))
        + member(b"d/g", b"2", mode=0o600)
        + END
    )
    extract(archive, into)
    found = all_xattrs(into / "d")
    assert found["."] == found["f"] == found["fifo"] == {}
    assert list(found["g"]) == [posix_acl.ACCESS]
    assert modes(into) == {"d": 0o700, "d/f": 0o640, "d/fifo": 0o640, "d/g": 0o640}


def test_a_list_for_new_files_is_not_handed_down_to_what_the_archive_has_below(tree: Path, into: Path) -> None:
    set_acl(tree / "d" / "sub", f"d:u:{SOMEBODY}:rwx")
    (tree / "d" / "sub" / "later").write_bytes(b"1")
    subprocess.run(["setfacl", "-b", tree / "d" / "sub" / "later"], check=True)
    (tree / "d" / "sub" / "later").chmod(0o600)
    archive, _ = packed(tree)
    extract(archive, into)
    assert xattrs(into / "tree" / "d" / "private") == xattrs(into / "tree" / "d" / "sub" / "later") == {}
    assert all_xattrs(into / "tree") == all_xattrs(tree)


def test_the_group_s_bits_of_a_foreign_archive_are_its_mask_and_do_not_stay(into: Path) -> None:
    acl = text_acl("user::rw-", "user:no such user:rw-", "group::r--", "mask::rw-", "other::---")
    archive = pax(acl) + member(b"f", b"1", mode=0o660) + END
    report = extract(archive, into)
    assert modes(into) == {"f": 0o600}
    assert [notice.reason for notice in report.notices] == [
        "the access control list names users or groups that are unknown here, and was not restored"
    ]


@pytest.mark.parametrize("xattrs_too", [True, False])
def test_a_list_that_is_not_understood_leaves_the_owner_s_rights_alone(into: Path, xattrs_too: bool) -> None:
    archive = pax((b"SCHILY.acl.access", b"everyone@:rwx:allow")) + member(b"f", b"1", mode=0o664) + END
    report = extract(archive, into, xattrs=xattrs_too)
    assert modes(into) == {"f": 0o600}
    assert len(report.notices) == xattrs_too


def test_a_list_that_says_no_more_than_the_mode_is_nothing_to_restore(without_attributes: Path) -> None:
    into = without_attributes / "into"
    into.mkdir()
    archive = pax(text_acl("user::rwx", "group::r-x", "other::r--")) + member(b"f", b"1", mode=0o754) + END
    assert extract(archive, into).notices == ()
    assert modes(into) == {"f": 0o754}


# Odd archives


@pytest.mark.parametrize(
    "record",
    [
        (b"SCHILY.xattr.user.a\0b", b"1"),
        (b"SCHILY.xattr.", b"1"),
        (b"SCHILY.xattr.nospace", b"1"),
        (b"SCHILY.xattr.user." + b"n" * 300, b"1"),
        (b"SCHILY.xattr.user.large", b"1" * 70_000),
        (b"SCHILY.xattr.system.nfs4_acl", b"1"),
    ],
    ids=["nul", "empty", "no namespace", "long name", "large", "other system"],
)
def test_attributes_that_no_system_takes_are_notices(into: Path, record: tuple[bytes, bytes]) -> None:
    report = extract(pax(record) + member(b"f", b"1") + END, into)
    assert len(report.notices) == 1
    assert "cannot be restored here" in report.notices[0].reason
    assert (into / "f").read_bytes() == b"1"


def test_a_list_of_nfs_is_a_notice_and_permissions_stay(into: Path) -> None:
    """As bsdtar writes it on FreeBSD and macOS."""
    ace = (b"SCHILY.acl.ace", b"user:alice:rwxpDdaARWcCos:-------:allow:501,everyone@:r-----a-R-c--s:-------:allow")
    report = extract(pax(ace) + member(b"f", b"1", mode=0o644) + END, into)
    assert [notice.reason for notice in report.notices] == [
        "the access control list is of another kind (NFSv4), and was not restored"
    ]
    assert modes(into) == {"f": 0o644}


def test_what_libarchive_has_written_wrong_is_passed_over(into: Path) -> None:
    archive = pax((b"LIBARCHIVE.xattr.user.a", b"!"), (b"LIBARCHIVE.xattr.user.b", b"Yg")) + member(b"f", b"1") + END
    extract(archive, into)
    assert xattrs(into / "f").get("user.b") == b"b"


def test_the_last_of_two_records_counts(into: Path) -> None:
    record = b"SCHILY.xattr.user.a"
    extract(pax((record, b"1"), (record, b"2")) + member(b"f", b"1") + END, into)
    assert xattrs(into / "f") == {"user.a": b"2"}


def test_attributes_belong_to_the_next_member_only(into: Path) -> None:
    archive = pax((b"SCHILY.xattr.user.a", b"1")) + member(b"d/f", b"1") + member(b"d/g", b"2") + END
    extract(archive, into)
    assert (xattrs(into / "d" / "f"), xattrs(into / "d" / "g")) == ({"user.a": b"1"}, {})


def test_large_attributes_of_many_directories_take_little_memory() -> None:
    with open_directory() as into:
        done = run_python(
            """
            import io, resource, sys
            from pathlib import Path
            from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
            from tests.fixtures.tar_members import END, member, pax

            class Made(io.RawIOBase):
                parts = (
                    part
                    for number in range(400)
                    for part in (
                        pax((b"SCHILY.xattr.user.a", b"%d" % number * 200_000)),
                        member(b"d/%d/" % number, kind=b"5"),
                    )
                )
                rest = b""

                def readable(self):
                    return True

                def readinto(self, buffer):
                    self.rest = self.rest or next(self.parts, b"")
                    count = min(len(buffer), len(self.rest))
                    buffer[:count], self.rest = self.rest[:count], self.rest[count:]
                    if not count and not hasattr(self, "ended"):
                        self.ended = True
                        buffer[:1024] = END
                        return 1024
                    return count

            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            report = extract_tar(io.BufferedReader(Made()), Path(sys.argv[1]))
            print(report.directories, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000)
            """,
            into,
        )
    assert done.stdout == "400 True\n", done.stderr


KEYS = st.sampled_from(
    [
        b"SCHILY.acl.access",
        b"SCHILY.acl.default",
        b"SCHILY.acl.ace",
        b"RHT.security.selinux",
        b"SCHILY.xattr.security.capability",
        b"SCHILY.xattr.system.posix_acl_access",
        b"SCHILY.xattr.system.posix%5Facl_access",
        b"SCHILY.xattr.user.a",
        b"LIBARCHIVE.xattr.user.a",
    ]
) | st.binary(max_size=6).map(lambda name: b"SCHILY.xattr." + name.replace(b"=", b""))
ENTRIES = [b"user::rwx", b"group::r-x", b"other::rwx", b"mask::r--", b"user:1:-w-", b"u:x:rwx:1", b"::", b"#"]
VALUES = st.binary(max_size=30) | st.lists(st.sampled_from(ENTRIES)).map(b",".join)


@settings(max_examples=200, deadline=None)
@given(records=st.lists(st.tuples(KEYS, VALUES), max_size=5), kind=st.sampled_from([b"0", b"5", b"6", b"2"]))
def test_no_attributes_of_a_hostile_archive_stop_a_restore_or_widen_the_mode(
    records: list[tuple[bytes, bytes]], kind: bytes
) -> None:
    content, link = (b"1", b"") if kind == b"0" else (b"", b"target" if kind == b"2" else b"")
    archive = pax(*records) + member(b"x", content, kind=kind, link=link, mode=0o640) + END
    with tempfile.TemporaryDirectory() as folder:
        extract(archive, Path(folder))
        status = os.lstat(Path(folder) / "x")
        if kind != b"2" and posix_acl.ACCESS not in os.listxattr(Path(folder) / "x"):
            assert status.st_mode & 0o7777 & ~0o640 == 0
        (Path(folder) / "x").is_symlink() or (Path(folder) / "x").chmod(0o700)


# What a backup finds


@for_root
def test_what_cannot_be_opened_has_its_list_too(tmp_path: Path, unprivileged: Callable[..., object]) -> None:
    """A directory that may not be entered keeps its narrowed mode, also for users who may not read it."""
    with open_directory() as into:
        closed = into / "tree" / "closed"
        closed.mkdir(parents=True)
        set_acl(closed, f"u:{SOMEBODY}:rwx", "g::---")
        os.chmod(closed, 0o770)
        done = run_python(
            """
            stream = io.BytesIO()
            report = write_tar(Path(sys.argv[1]) / "tree", stream)
            stream.seek(0)
            for member in TarReader(stream):
                print(member.name, oct(member.mode), b"SCHILY.acl.access" in member.extended)
            """,
            into,
            unprivileged_after="""
            import io, sys
            from pathlib import Path
            from bakthat.adapters.packing.writing.tar_writer import write_tar
            from bakthat.adapters.packing.tar_format.tar_reader import TarReader
            """,
        )
    assert "b'tree/closed/' 0o700 True" in done.stdout, done.stderr


def refusing(number: int, *, paths: bool) -> Callable[..., list[str]]:
    """Lists attributes, but not those of paths (or of descriptors)."""

    def list_names(target: int | str, *, follow_symlinks: bool = True) -> list[str]:
        if isinstance(target, str) == paths:
            raise OSError(number, os.strerror(number))
        return os.listxattr(target, follow_symlinks=follow_symlinks)

    return list_names


def test_a_file_system_whose_links_have_no_attributes_may_have_files_that_do(tree: Path) -> None:
    source = XattrSource(Accounts(), keep=True, problem=lambda *_: None, list_names=refusing(errno.ENOTSUP, paths=True))
    with opened(os.fsencode(tree), LIST, -1) as parent, (tree / "file").open() as file:
        assert source.of_entry(parent, "link", os.lstat(tree / "link")) is None
        found = source.of_open(file.fileno(), "file", os.fstat(file.fileno()))
    assert found is not None
    assert b"SCHILY.xattr.user.comment=important\n" in found.records


def test_where_attributes_cannot_be_listed_the_mode_is_narrowed_all_the_same(tree: Path) -> None:
    problems: list[str] = []
    source = XattrSource(
        Accounts(),
        keep=True,
        problem=lambda *what: problems.append(": ".join(what)),
        list_names=refusing(errno.E2BIG, paths=False),
    )
    with (tree / "file").open() as file:
        found = source.of_open(file.fileno(), "file", os.fstat(file.fileno()))
    assert problems == ["file: its extended attributes cannot be read: argument list too long"]
    assert found is not None
    assert found.mode & 0o7777 == 0o644
    kept = parse_extended(found.records)
    assert (kept.xattrs, kept.acl_access is not None) == ({}, True)


def test_an_attribute_that_goes_away_meanwhile_is_not_a_problem(tmp_path: Path) -> None:
    source = tmp_path / "tree"
    source.mkdir()
    for number in range(300):
        (source / str(number)).touch()
        os.setxattr(source / str(number), "user.a", b"1")

    class Removing(io.BytesIO):
        def write(self, data: object) -> int:
            for number in range(300):
                with contextlib.suppress(OSError):
                    os.removexattr(source / str(number), "user.a")
            return super().write(data)  # type: ignore[arg-type]

    assert TarPacker().pack(source, Removing()).problems == ()


def test_a_file_without_attributes_has_the_header_that_it_had(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    with_them, without = packed(tmp_path / "f")[0], packed(tmp_path / "f", xattrs=False)[0]
    assert with_them == without
    [found] = TarReader(io.BytesIO(with_them))
    assert found.extended == b""
