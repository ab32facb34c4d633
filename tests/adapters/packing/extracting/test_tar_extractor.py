"""A tar stream becomes the files that GNU tar extracts; a hostile one becomes nothing."""

from __future__ import annotations

import errno
import io
import os
import signal
import socket
import stat
import subprocess
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.filesystem.dir_fd import LIST, empty, opened
from bakthat.adapters.packing.extracting.hard_link import Links
from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
from bakthat.adapters.packing.tar_format.tar_header import LINKED_COMMENT
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.payload import UnpackReport
from bakthat.errors import BackupNotFound, BakthatError, PayloadDamaged, TargetError, TargetExists, UsageError
from tests.fixtures.children import run_python
from tests.fixtures.open_directory import open_directory
from tests.fixtures.tar_members import END, checked, member, pax
from tests.fixtures.tree_snapshot import snapshot

MIB = 1024 * 1024


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def extract(archive: bytes, into: Path, *, overwrite: bool = False, only: tuple[str, ...] = ()) -> UnpackReport:
    return extract_tar(io.BytesIO(archive), into, overwrite=overwrite, only=only)


def directory(name: bytes, mode: int = 0o755) -> bytes:
    return member(name, kind=b"5", mode=mode)


def symlink(name: bytes, target: bytes) -> bytes:
    return member(name, kind=b"2", link=target, mode=0o777)


def hardlink(name: bytes, target: bytes) -> bytes:
    return member(name, kind=b"1", link=target)


def contents(root: Path) -> dict[str, bytes]:
    return {path: entry.content for path, entry in snapshot(root).items() if entry.kind != "d"}


def gnu_tar(source: Path, *options: str) -> bytes:
    return subprocess.run(
        ["tar", "-c", *options, "-C", source.parent, source.name], check=True, capture_output=True
    ).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A bit of everything."""
    root = tmp_path / "tree"
    for folder in ("empty", "a/b/c", "read-only", "sticky"):
        (root / folder).mkdir(parents=True)
    (root / "a" / "file").write_bytes(b"content\n" * 100)
    (root / "a" / "empty").touch()
    (root / "a" / "large").write_bytes(os.urandom(3 * MIB + 17))
    (root / "a" / "b" / "c" / ("n" * 200)).write_bytes(b"long name")
    (root / "a" / "b" / "c" / "twin").hardlink_to(root / "a" / "file")
    (root / "a" / "link").symlink_to("file")
    (root / "a" / "abroad").symlink_to("/etc/passwd")
    (root / "a" / "dangling").symlink_to("no/where")
    (root / "a" / "long link").symlink_to("x/" * 120)
    (root / "a" / "to-directory").symlink_to("../empty")
    os.link(root / "a" / "link", root / "a" / "link twin", follow_symlinks=False)
    os.mkfifo(root / "a" / "fifo")
    (root / "read-only" / "file").write_bytes(b"in a directory that cannot be written")
    (root / os.fsdecode(b"caf\xe9 \xff")).write_bytes(b"not UTF-8")
    (root / "new\nline é").write_bytes(b"odd")
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        if not path.is_symlink():
            path.chmod(0o640 if path.is_file() else 0o750)
        os.utime(path, ns=(0, 1_500_000_000_123_456_789 + number * 10**9), follow_symlinks=False)
    # Only root gets set-id bits back
    (root / "a" / "file").chmod(0o4755 if os.geteuid() == 0 else 0o755)
    (root / "a" / "empty").chmod(0o400)
    (root / "read-only").chmod(0o555)
    (root / "sticky").chmod(0o1777)
    os.utime(root, ns=(0, 1_500_000_000_987_654_321))
    return root


# What comes out


@pytest.mark.parametrize(
    "options", [["--format=gnu"], ["--format=oldgnu"], ["--format=posix"], ["-S"], ["-S", "--format=posix"]]
)
def test_the_files_are_those_that_gnu_tar_extracts(tmp_path: Path, tree: Path, into: Path, options: list[str]) -> None:
    with (tree / "holes").open("wb") as file:
        file.truncate(MIB)
        file.seek(MIB // 2)
        file.write(b"amidst")
    archive = gnu_tar(tree, *options)
    (tmp_path / "gnu").mkdir()
    subprocess.run(["tar", "-xp", "-C", tmp_path / "gnu"], input=archive, check=True)
    extract(archive, into)
    assert snapshot(into) == snapshot(tmp_path / "gnu")
    if "--format=posix" in options:
        assert snapshot(into / "tree") == snapshot(tree)


@pytest.mark.parametrize("layout", ["v7", "ustar"])
def test_older_formats_come_out_as_gnu_tar_extracts_them(tmp_path: Path, into: Path, layout: str) -> None:
    (tmp_path / "t" / "d").mkdir(parents=True)
    (tmp_path / "t" / "d" / "f").write_bytes(b"1")
    (tmp_path / "t" / "l").symlink_to("d/f")
    (tmp_path / "t" / "h").hardlink_to(tmp_path / "t" / "d" / "f")
    (tmp_path / "gnu").mkdir()
    archive = gnu_tar(tmp_path / "t", f"--format={layout}")
    subprocess.run(["tar", "-xp", "-C", tmp_path / "gnu"], input=archive, check=True)
    extract(archive, into)
    assert snapshot(into) == snapshot(tmp_path / "gnu")


def test_the_report_says_what_came_out(into: Path) -> None:
    archive = (
        directory(b"r/")
        + member(b"r/a", b"12345")
        + hardlink(b"r/b", b"r/a")
        + symlink(b"r/s", b"a")
        + member(b"r/p", kind=b"6")
        + END
    )
    report = extract(archive, into)
    assert report == UnpackReport(roots=("r",), files=2, directories=1, others=2, size=5)


def test_a_single_file_is_a_root(into: Path) -> None:
    assert extract(member(b"notes.txt", b"1") + END, into).roots == ("notes.txt",)
    assert contents(into) == {"notes.txt": b"1"}


def test_several_roots_and_dots_in_names_are_fine(into: Path) -> None:
    archive = directory(b"./") + member(b"./a//b/./c", b"1") + member(b"d", b"2") + directory(b"e/.") + END
    assert extract(archive, into).roots == ("a", "d", "e")
    assert contents(into) == {"a/b/c": b"1", "d": b"2"}
    assert (into / "e").is_dir()


def test_parents_without_a_member_are_made_with_the_umask(into: Path) -> None:
    before = os.umask(0o027)
    try:
        extract(member(b"a/b/c", b"1", mode=0o666) + END, into)
    finally:
        os.umask(before)
    assert (into / "a").stat().st_mode & 0o7777 == 0o750
    assert (into / "a" / "b").stat().st_mode & 0o7777 == 0o750
    assert (into / "a" / "b" / "c").stat().st_mode & 0o7777 == 0o666


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_permissions_are_exact_whatever_the_umask(into: Path, umask: int) -> None:
    archive = b"".join(
        directory(b"d%o/" % mode, mode) + member(b"d%o/f" % mode, b"1", mode=mode)
        for mode in (0o777, 0o666, 0o1777, 0o500, 0o400, 0)
    )
    before = os.umask(umask)
    try:
        extract(archive + END, into)
    finally:
        os.umask(before)
    for mode in (0o777, 0o666, 0o1777, 0o500, 0o400, 0):
        assert (into / f"d{mode:o}").stat().st_mode & 0o7777 == mode
        if os.geteuid() == 0:
            assert (into / f"d{mode:o}" / "f").stat().st_mode & 0o7777 == mode


def test_times_are_exact_to_the_nanosecond(into: Path) -> None:
    stamp = (b"mtime", b"1600000000.123456789")
    archive = (
        pax(stamp) + directory(b"d/") + pax(stamp) + member(b"d/f", b"1") + pax(stamp) + symlink(b"d/s", b"f") + END
    )
    extract(archive, into)
    for path in ("d", "d/f", "d/s"):
        assert os.lstat(into / path).st_mtime_ns == 1_600_000_000_123_456_789


def test_times_before_1970_are_kept_and_impossible_ones_are_a_notice(into: Path) -> None:
    archive = pax((b"mtime", b"-1.5")) + member(b"a") + pax((b"mtime", b"9" * 18)) + member(b"b") + END
    report = extract(archive, into)
    assert os.lstat(into / "a").st_mtime_ns == -1_500_000_000
    assert (into / "b").exists()
    assert [(notice.path, "time" in notice.reason) for notice in report.notices] in ([], [("b", True)])


def test_a_name_that_is_longer_than_any_path_is_restored(into: Path) -> None:
    parts = [b"directory-%04d" % number for number in range(400)]
    name = b"/".join(parts)
    archive = b"".join(
        (
            pax((b"path", name + b"/file")) + member(b"x", b"deep"),
            pax((b"path", name + b"/other")) + member(b"x", b"deeper"),
            pax((b"path", name + b"/twin"), (b"linkpath", name + b"/file")) + hardlink(b"x", b""),
            pax((b"path", name + b"/soft"), (b"linkpath", b"file")) + symlink(b"x", b""),
            pax((b"path", name + b"/")) + directory(b"x", 0o700),
        )
    )
    extract(archive + END, into)
    fd = os.open(into, os.O_RDONLY)
    for part in parts:
        inner = os.open(part, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    try:
        assert sorted(os.listdir(fd)) == ["file", "other", "soft", "twin"]
        assert os.stat("twin", dir_fd=fd).st_nlink == 2
        assert os.stat("soft", dir_fd=fd).st_size == 4
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o700
    finally:
        os.close(fd)
        clear(into)


def test_many_directories_need_few_descriptors(into: Path) -> None:
    done = run_python(
        """
        import io, os, resource, sys
        from pathlib import Path
        from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
        from tests.fixtures.tar_members import END, checked, member, pax
        deep = b"/".join([b"d"] * 300)
        archive = b"".join(
            pax((b"path", b"wide/%d/%d/f" % (number % 150, number))) + member(b"x", b"1") for number in range(1500)
        ) + pax((b"path", deep + b"/f")) + member(b"x", b"1") + pax((b"path", deep + b"/")) + member(b"x", kind=b"5")
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        print(extract_tar(io.BytesIO(archive + END), Path(sys.argv[1])).files)
        """,
        into,
    )
    assert (done.stdout, done.stderr) == ("1501\n", "")


def test_holes_stay_holes(into: Path) -> None:
    archive = (
        pax((b"GNU.sparse.map", b"0,2,1099511627770,4"), (b"GNU.sparse.size", b"1099511627776"))
        + member(b"s", b"abcdef")
        + END
    )
    report = extract(archive, into)
    status = (into / "s").stat()
    assert status.st_size == 1024**4
    assert status.st_blocks * 512 < MIB
    assert report.size == 6
    with (into / "s").open("rb") as file:
        file.seek(1024**4 - 8)
        assert file.read() == b"\0\0cdef\0\0"


def test_long_zeros_become_a_hole(into: Path) -> None:
    content = b"x" * 100 + bytes(20 * MIB) + b"y" * 100 + bytes(10 * MIB)
    report = extract(member(b"image", content) + member(b"all", bytes(5 * MIB)) + END, into)
    assert (into / "image").read_bytes() == content
    assert (into / "all").read_bytes() == bytes(5 * MIB)
    assert (into / "image").stat().st_blocks * 512 < 5 * MIB
    assert report.size == len(content) + 5 * MIB


def test_a_later_member_of_a_name_replaces_the_earlier(into: Path) -> None:
    archive = b"".join(
        (
            member(b"file", b"1") + member(b"file", b"2"),
            symlink(b"link-then-file", b"file") + member(b"link-then-file", b"3"),
            member(b"file-then-link", b"4") + symlink(b"file-then-link", b"file"),
            symlink(b"link", b"a") + symlink(b"link", b"b"),
            directory(b"dir-then-file/") + member(b"dir-then-file", b"5"),
            member(b"file-then-dir", b"6") + directory(b"file-then-dir/") + member(b"file-then-dir/f", b"7"),
            symlink(b"link-then-dir", b"/") + directory(b"link-then-dir/") + member(b"link-then-dir/f", b"8"),
            member(b"fifo", kind=b"6") + member(b"fifo", b"9"),
            directory(b"dir/", 0o700) + member(b"dir/f", b"10") + directory(b"dir/", 0o750),
            directory(b"dir-then-link/") + symlink(b"dir-then-link", b"/"),
        )
    )
    extract(archive + END, into)
    assert contents(into) == {
        "file": b"2",
        "link-then-file": b"3",
        "file-then-link": b"file",
        "link": b"b",
        "dir-then-file": b"5",
        "file-then-dir/f": b"7",
        "link-then-dir/f": b"8",
        "fifo": b"9",
        "dir/f": b"10",
        "dir-then-link": b"/",
    }
    assert (into / "dir").stat().st_mode & 0o7777 == 0o750


def test_replacing_one_name_of_a_file_leaves_the_others_alone(into: Path) -> None:
    archive = member(b"a", b"1") + hardlink(b"b", b"a") + member(b"a", b"2") + hardlink(b"c", b"a") + END
    extract(archive, into)
    assert contents(into) == {"a": b"2", "b": b"1", "c": b"2"}


def test_a_hard_link_to_itself_is_nothing(into: Path) -> None:
    extract(member(b"a", b"1") + hardlink(b"./a", b"a") + END, into)
    assert contents(into) == {"a": b"1"}


def test_names_that_differ_in_case_only_are_two(into: Path) -> None:
    extract(member(b"Readme", b"1") + member(b"README", b"2") + END, into)
    assert contents(into) == {"Readme": b"1", "README": b"2"}


def null_device() -> bytes:
    device = bytearray(member(b"r/null", kind=b"3"))
    device[329:345] = b"0000001\x000000003\0"
    device[148:156] = b" " * 8
    device[148:156] = b"%06o\0 " % sum(device[:512])
    return bytes(device)


def test_where_only_a_device_is_asked_for_the_error_says_how_to_make_it(into: Path) -> None:
    with pytest.raises(BackupNotFound, match="r/null: devices are not restored; if you need it: mknod c 1 3"):
        extract(directory(b"r/") + null_device() + member(b"r/f", b"1") + END, into, only=("null",))
    assert list(into.iterdir()) == []


def test_a_device_takes_the_place_of_an_earlier_member_though_it_is_left_out(into: Path) -> None:
    extract(directory(b"r/") + member(b"r/null", b"old") + null_device() + member(b"r/f", b"1") + END, into)
    assert contents(into) == {"r/f": b"1"}


def test_devices_are_notices_that_say_how_to_make_them(into: Path) -> None:
    archive = directory(b"r/") + null_device() + hardlink(b"r/null2", b"r/null") + member(b"r/f", b"1") + END
    report = extract(archive, into)
    assert contents(into) == {"r/f": b"1"}
    assert [notice.path for notice in report.notices] == ["r/null", "r/null2"]
    assert "mknod c 1 3" in report.notices[0].reason


@pytest.mark.parametrize("kind", [b"3", b"Z"])
def test_of_an_archive_that_has_only_what_cannot_be_restored_the_directory_is_made(into: Path, kind: bytes) -> None:
    report = extract(member(b"r/odd", kind=kind) + END, into)
    assert [path.name for path in into.iterdir()] == ["r"]
    assert (report.roots, [notice.path for notice in report.notices]) == (("r",), ["r/odd"])
    assert report.others == 0


def test_unknown_members_are_notices(into: Path) -> None:
    report = extract(member(b"acl", b"xyz", kind=b"A") + member(b"f", b"1") + END, into)
    assert contents(into) == {"f": b"1"}
    assert report.roots == ("f",)
    [notice] = report.notices
    assert "an unknown type (A)" in notice.reason


def test_notices_of_one_kind_are_one_line_however_many(into: Path) -> None:
    archive = b"".join(member(b"acl%d" % number, b"xyz", kind=b"A") for number in range(5000))
    report = extract(archive + member(b"f", b"1") + END, into)
    [notice] = report.notices
    assert notice.path == "acl0"
    assert notice.reason.endswith("(and 4999 more)")


def test_rubbish_after_the_end_is_a_notice(into: Path) -> None:
    report = extract(member(b"f", b"1") + END + b"rubbish", into)
    assert contents(into) == {"f": b"1"}
    assert len(report.notices) == 1


def test_the_report_counts_the_bytes_of_small_and_large_files(into: Path) -> None:
    archive = (
        b"".join(member(b"f%d" % number, b"x" * 5000) for number in range(300)) + member(b"g", b"y" * 3 * MIB) + END
    )
    assert extract(archive, into).size == 300 * 5000 + 3 * MIB


# Owners, as root and not


_ROOT = os.geteuid() == 0
_IMPORTS = """
import io, os, sys
from pathlib import Path
from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
from bakthat.errors import *
from tests.fixtures.tar_members import END, checked, member, pax
into = Path(sys.argv[1])
"""


@pytest.mark.parametrize("kind", [b"0", b"5", b"6"])
def test_owners_and_set_id_bits_are_for_root(into: Path, kind: bytes) -> None:
    report = extract(member(b"x", kind=kind, mode=0o6755, owner=12345) + END, into)
    status = (into / "x").stat()
    if _ROOT:
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12345, 0o6755)
        assert report.notices == ()
    else:
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o755)
        assert len(report.notices) == 2


def test_a_symbolic_link_has_an_owner_too(into: Path) -> None:
    extract(member(b"x", kind=b"2", link=b"/etc/passwd", owner=12345) + END, into)
    assert os.lstat(into / "x").st_uid == (12345 if _ROOT else os.geteuid())


def test_a_user_who_is_not_root_gets_the_files_and_a_notice() -> None:
    with open_directory() as into:
        done = run_python(
            """
            archive = b"".join((
                member(b"d/", kind=b"5", mode=0o2775, owner=12345),
                member(b"d/sub/", kind=b"5", mode=0o000, owner=12345),
                member(b"d/sub/f", b"1", mode=0o4755, owner=12345),
                member(b"d/s", kind=b"2", link=b"f", owner=12345),
                member(b"d/mine", b"1", mode=0o1644, owner=os.geteuid()),
            ))
            report = extract_tar(io.BytesIO(archive + END), into)
            for path in ("d", "d/sub", "d/mine"):
                print(path, oct(os.stat(into / path).st_mode & 0o7777), os.stat(into / path).st_uid == os.geteuid())
            os.chmod(into / "d/sub", 0o700)
            print(oct(os.stat(into / "d/sub/f").st_mode & 0o7777))
            for notice in report.notices:
                print(notice.path, notice.reason)
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "d 0o775 True",
        "d/sub 0o0 True",
        "d/mine 0o1644 True",
        "0o755",
        "d/sub/f it belonged to another user and is now yours; only root can restore owners (and 3 more)",
        "d/sub/f its set-user-ID and set-group-ID bits were not restored; only root can restore them (and 1 more)",
    ]


def test_directories_that_lock_out_their_owner_are_filled_and_replaced_by_a_user_who_is_not_root() -> None:
    with open_directory() as into:
        done = run_python(
            """
            def archive(text):
                return b"".join((
                    member(b"d/", kind=b"5", mode=0o555),
                    member(b"d/e/", kind=b"5", mode=0o000),
                    member(b"d/e/f", text, mode=0o400),
                    member(b"d/e/s", kind=b"2", link=b"f"),
                    member(b"d/e/h", kind=b"1", link=b"d/e/f"),
                )) + END
            extract_tar(io.BytesIO(archive(b"1")), into)
            extract_tar(io.BytesIO(archive(b"2")), into, overwrite=True)
            try:
                extract_tar(io.BytesIO(archive(b"2")[:-1024]), into, overwrite=True)
            except PayloadDamaged:
                pass
            print(*[oct(os.stat(into / path).st_mode & 0o777) for path in ("d", "d/e")], os.listdir(into))
            os.chmod(into / "d/e", 0o700)
            print((into / "d/e/h").read_text())
            extract_tar(io.BytesIO(archive(b"3")), into, overwrite=True, only=["e/f", "e/s"])
            os.chmod(into / "d/e", 0o700)
            print((into / "d/e/f").read_text(), (into / "d/e/h").read_text(), os.listdir(into))
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert done.stderr == ""
    assert done.stdout == "0o555 0o0 ['d']\n2\n3 2 ['d']\n"


# Hostile archives


def cve_2025_4517() -> bytes:
    """Symbolic links whose resolved path is longer than PATH_MAX, so that a check by realpath() stops half-way."""
    part = b"d" * 247
    steps = b"abcdefghijklmnop"
    found = []
    path = b""
    for step in steps:
        found.append(pax((b"path", path + part)) + member(b"x", kind=b"5"))
        found.append(pax((b"path", path + bytes([step])), (b"linkpath", part)) + symlink(b"x", b""))
        path += part + b"/"
    chain = b"/".join(bytes([step]) for step in steps) + b"/" + b"l" * 254
    found.append(pax((b"path", chain), (b"linkpath", b"../" * len(steps))) + symlink(b"x", b""))
    found.append(pax((b"path", b"escape"), (b"linkpath", chain + b"/../../outside")) + symlink(b"x", b""))
    found.append(hardlink(b"link", b"escape/secret") + member(b"link", b"pwned"))
    return b"".join(found)


HOSTILE = {
    "a symbolic link, and a file through it": symlink(b"d", b"../outside") + member(b"d/secret", b"pwned"),
    "an absolute symbolic link, and a file through it": symlink(b"d", b"/tmp") + member(b"d/bakthat-pwned", b"pwned"),
    "a chain of symbolic links": symlink(b"a", b"b") + symlink(b"b", b"../outside") + member(b"a/secret", b"pwned"),
    "symbolic links below each other": symlink(b"a", b".") + symlink(b"a/b", b"..") + member(b"a/b/outside/x", b"p"),
    "a symbolic link to itself": symlink(b"a", b"a") + member(b"a/x", b"pwned"),
    "a symbolic link, and a directory through it": symlink(b"d", b"../outside") + directory(b"d/new/"),
    "a symbolic link, and a link through it": symlink(b"d", b"../outside") + symlink(b"d/new", b"x"),
    "a symbolic link, and a fifo through it": symlink(b"d", b"../outside") + member(b"d/new", kind=b"6"),
    "a hard link through a symbolic link": symlink(b"d", b"../outside") + hardlink(b"x", b"d/secret"),
    "a hard link into a symbolic link": symlink(b"d", b"../outside") + member(b"a") + hardlink(b"d/x", b"a"),
    "a hard link to what is outside": hardlink(b"x", b"../outside/secret") + member(b"x", b"pwned"),
    "an absolute hard link": hardlink(b"x", b"/etc/passwd") + member(b"x", b"pwned"),
    "a hard link to nothing": hardlink(b"x", b"y"),
    "a hard link to nowhere": hardlink(b"x", b""),
    "a hard link to a later member": hardlink(b"x", b"y") + member(b"y", b"1"),
    "a hard link to a directory": directory(b"d/") + hardlink(b"x", b"d"),
    "a hard link below a file": member(b"a", b"1") + hardlink(b"x", b"a/b"),
    "an absolute name": member(b"/tmp/bakthat-pwned", b"pwned"),
    "an absolute name in two halves": member(b"tmp/bakthat-pwned", b"pwned", prefix=b"/"),
    "a name that climbs": member(b"../outside/secret", b"pwned"),
    "a name that climbs late": member(b"a/b/../../../outside/secret", b"pwned"),
    "a name that climbs, extended": pax((b"path", b"../outside/secret")) + member(b"x", b"pwned"),
    "a name that climbs, of GNU": member(b"L", b"../outside/secret\0", kind=b"L") + member(b"x", b"pwned"),
    "a name that climbs, in the prefix": member(b"secret", b"pwned", prefix=b"../outside"),
    "a name that climbs, of a directory": directory(b"../outside/new/"),
    "nothing but a climb": directory(b"../"),
    "a name with a NUL": pax((b"path", b"a\0b")) + member(b"x", b"pwned"),
    "a link with a NUL": pax((b"linkpath", b"a\0b")) + symlink(b"x", b"y"),
    "an empty name": member(b"", b"pwned"),
    "a file for the target itself": member(b".", b"pwned"),
    "an endless name": pax((b"path", b"a/" * 100_000)) + member(b"x", b"pwned"),
    "an empty symbolic link": symlink(b"x", b""),
    "a directory that becomes a symbolic link": directory(b"d/") + symlink(b"d", b"../outside") + member(b"d/x", b"p"),
    "a full directory that becomes a symbolic link": member(b"d/f") + symlink(b"d", b"../outside"),
    "a directory with a link that becomes a file": symlink(b"d/l", b"x") + member(b"d", b"1"),
    "a file that is a directory": member(b"a", b"1") + member(b"a/b", b"2"),
    "a fifo that is a directory": member(b"a", kind=b"6") + member(b"a/b", b"2"),
    "a symbolic link beyond PATH_MAX": cve_2025_4517(),
    "no end": member(b"f", b"1")[:-1],
}  # fmt: skip


@pytest.mark.parametrize("archive", HOSTILE.values(), ids=[name.replace(" ", "-") for name in HOSTILE])
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, into: Path, archive: bytes, overwrite: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (into / "there").write_text("before")
    before = snapshot(tmp_path)
    with pytest.raises(PayloadDamaged) as refusal:
        extract(member(b"first", b"harmless") + archive + END, into, overwrite=overwrite)
    assert "\n" not in str(refusal.value)
    # The temporary directory was there for a while: the times of `into` itself tell of it
    assert {**snapshot(tmp_path), "into": None} == {**before, "into": None}
    assert not Path("/tmp/bakthat-pwned").exists()


@pytest.mark.parametrize("archive", [directory(b"./") + END, END, bytes(10240), member(b"c", kind=b"3") + END])
def test_an_archive_with_nothing_to_restore_is_refused(into: Path, archive: bytes) -> None:
    with pytest.raises(PayloadDamaged, match="nothing that can be restored"):
        extract(archive, into)
    assert os.listdir(into) == []


def test_a_hard_link_to_a_symbolic_link_is_the_link_and_nothing_is_written_through_it(
    tmp_path: Path, into: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    archive = symlink(b"s", b"../secret") + hardlink(b"h", b"s") + hardlink(b"i", b"h") + END
    extract(archive, into)
    assert contents(into) == {"s": b"../secret", "h": b"../secret", "i": b"../secret"}
    assert os.lstat(into / "s").st_nlink == 3
    extract(archive[:-1024] + member(b"h", b"pwned") + END, into, overwrite=True)
    assert contents(into) == {"s": b"../secret", "h": b"pwned", "i": b"../secret"}
    assert (tmp_path / "secret").read_text() == "secret"


def test_symbolic_links_are_restored_wherever_they_point(into: Path) -> None:
    targets = [b"/etc/passwd", b"../../../..", b".", b"/", b"\xff\n", b"a" * 4000]
    archive = b"".join(
        pax((b"path", b"%d" % number), (b"linkpath", target)) + symlink(b"x", b"y")
        for number, target in enumerate(targets)
    )
    extract(archive + END, into)
    assert list(contents(into).values()) == targets


def test_messages_show_no_control_characters(into: Path) -> None:
    with pytest.raises(PayloadDamaged) as refusal:
        extract(member(b"../\x1b[2J\n\xff") + END, into)
    assert str(refusal.value).isprintable()
    assert "\\x1b[2J\\n\\udcff" in str(refusal.value)


def test_a_name_that_this_file_system_cannot_hold_is_one_line(into: Path) -> None:
    with pytest.raises(TargetError, match="File name too long; nothing was restored"):
        extract(pax((b"path", b"n" * 300)) + member(b"x", b"1") + END, into)
    assert os.listdir(into) == []


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(into: Path) -> None:
    done = run_python(
        """
        import io, os, resource, sys
        from pathlib import Path
        from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
        from bakthat.errors import TargetError
        from tests.fixtures.tar_members import END, member
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # as close to a full disk as a test can get
        try:
            archive = member(b"d/small", b"1") + member(b"d/large", b"1" * 200_000) + END
            extract_tar(io.BytesIO(archive), Path(sys.argv[1]))
        except TargetError as error:
            print(error)
        print(os.listdir(sys.argv[1]))
        """,
        into,
    )
    assert done.stdout.splitlines() == [
        f"{into}/d/large: File too large; nothing was restored: this file system does not support a file of this size, "
        "restore elsewhere with `target=`",
        "[]",
    ]


# All or nothing


@pytest.fixture
def archive_of_everything(tree: Path) -> bytes:
    (tree / "a" / "large").write_bytes(b"not so large" * 300)
    return gnu_tar(tree, "--format=posix")


def test_an_archive_cut_at_any_block_leaves_nothing(archive_of_everything: bytes, into: Path) -> None:
    end = len(archive_of_everything.rstrip(b"\0"))
    for length in range(0, end + 512, 512):
        with pytest.raises(PayloadDamaged):
            extract(archive_of_everything[:length], into)
        assert os.listdir(into) == [], length


def test_an_archive_with_any_byte_flipped_comes_whole_or_not_at_all(archive_of_everything: bytes, into: Path) -> None:
    whole = snapshot_names(archive_of_everything, into)
    end = len(archive_of_everything.rstrip(b"\0"))
    for position in range(0, end, 101):
        broken = bytearray(archive_of_everything)
        broken[position] ^= 1 << position % 8
        try:
            extract(bytes(broken), into)
        except BakthatError:
            assert os.listdir(into) == [], position
            continue
        # tar has no checksum over contents, nor over the records of an extended header
        assert len(snapshot(into, times=False)) == len(whole), position
        clear(into)


def clear(folder: Path) -> None:
    with opened(os.fsencode(folder), LIST, -1) as fd:
        assert empty(fd) is None


def snapshot_names(archive: bytes, into: Path) -> list[str]:
    extract(archive, into)
    names = list(snapshot(into))
    clear(into)
    return names


class Stream(io.BytesIO):
    """Gives what it has, and then the given error in the place of its end."""

    def __init__(self, content: bytes, error: Exception) -> None:
        super().__init__(content)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if not found:
            raise self._error
        return found


@pytest.mark.parametrize(
    "error", [ConnectionResetError("reset"), PayloadDamaged("the hash does not fit"), OSError(28, "x")]
)
@pytest.mark.parametrize("whole", [False, True])
def test_an_error_of_the_stream_comes_out_as_it_is_and_leaves_nothing(
    into: Path, error: Exception, whole: bool
) -> None:
    (into / "f").write_text("old")
    archive = member(b"f", b"new") + (END if whole else b"")
    with pytest.raises(type(error)) as found:
        extract_tar(Stream(archive, error), into, overwrite=True)
    assert found.value is error
    assert contents(into) == {"f": b"old"}


def test_ctrl_c_leaves_nothing(into: Path) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(512)
            if self.tell() > 2048:
                raise KeyboardInterrupt
            return found

    with pytest.raises(KeyboardInterrupt):
        extract_tar(Interrupted(member(b"d/a", b"1") + member(b"d/b", b"2") + member(b"d/c", b"3") + END), into)
    assert os.listdir(into) == []


def test_what_is_there_is_refused_before_the_stream_is_read(into: Path) -> None:
    (into / "d").mkdir()
    stream = Stream(directory(b"d/") + member(b"d/f", b"x" * 4 * MIB), AssertionError("it was read on"))
    with pytest.raises(TargetExists, match="into/d already exists"):
        extract_tar(stream, into)
    assert stream.tell() <= MIB


def test_overwriting_replaces_the_whole_root(into: Path) -> None:
    extract(member(b"d/old", b"1") + member(b"d/both", b"1") + END, into)
    extract(member(b"d/new", b"2") + member(b"d/both", b"2") + END, into, overwrite=True)
    assert contents(into) == {"d/new": b"2", "d/both": b"2"}


_KILLED = """
import io, os, signal, sys
from pathlib import Path
from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
from tests.fixtures.tar_members import END, member

class Killed(io.BytesIO):
    left = int(sys.argv[2])
    def read(self, size=-1, /):
        Killed.left -= 1
        if Killed.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(3000)

files = b"".join(member(b"d/%d" % number, b"new" * 500) for number in range(20))
extract_tar(Killed(files + END), Path(sys.argv[1]), overwrite=True)
"""


@pytest.mark.parametrize("call", [1, 2, 8, 14, 15])
def test_after_kill_9_there_is_the_old_and_the_next_restore_tidies_up(into: Path, call: int) -> None:
    extract(b"".join(member(b"d/%d" % number, b"old" * 500) for number in range(20)) + END, into)
    before = contents(into)
    done = run_python(_KILLED, into, call)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert contents(into / "d") == {path.removeprefix("d/"): data for path, data in before.items()}
    extract(member(b"e", b"1") + END, into)
    assert contents(into) == {**before, "e": b"1"}
    assert sorted(os.listdir(into)) == ["d", "e"]


# A part of it


@pytest.fixture
def site() -> bytes:
    return b"".join(
        (
            directory(b"site/", 0o751),
            member(b"site/index.html", b"1"),
            directory(b"site/conf/", 0o711),
            member(b"site/conf/nginx.conf", b"2"),
            member(b"site/conf/secret", b"3"),
            directory(b"site/conf/empty/"),
            directory(b"site/logs/"),
            member(b"site/logs/access.log", b"4"),
            symlink(b"site/logs/latest", b"access.log"),
            member(b"site/logs/conf", b"5"),
            END,
        )
    )


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (("index.html",), {"index.html": b"1"}),
        (("conf/",), {"conf/nginx.conf": b"2", "conf/secret": b"3"}),
        (("conf",), {"conf/nginx.conf": b"2", "conf/secret": b"3", "logs/conf": b"5"}),
        (("/conf",), {"conf/nginx.conf": b"2", "conf/secret": b"3"}),
        (("conf/*.conf",), {"conf/nginx.conf": b"2"}),
        (("*.log", "latest"), {"logs/access.log": b"4", "logs/latest": b"access.log"}),
        (("logs", "!access.log"), {"logs/latest": b"access.log", "logs/conf": b"5"}),
        (
            ("*",),
            {
                "conf/nginx.conf": b"2",
                "conf/secret": b"3",
                "index.html": b"1",
                "logs/access.log": b"4",
                "logs/latest": b"access.log",
                "logs/conf": b"5",
            },
        ),
    ],
)
def test_patterns_choose_what_comes_back(
    into: Path, site: bytes, only: tuple[str, ...], expected: dict[str, bytes]
) -> None:
    report = extract(site, into, only=only)
    assert contents(into) == {f"site/{path}": data for path, data in expected.items()}
    assert report.roots == ("site",)
    assert report.files + report.others == len(expected)


def test_directories_on_the_way_have_their_attributes(into: Path, site: bytes) -> None:
    extract(site, into, only=("secret",))
    assert contents(into) == {"site/conf/secret": b"3"}
    for path, mode in (("site", 0o751), ("site/conf", 0o711)):
        assert (into / path).stat().st_mode & 0o7777 == mode
        assert (into / path).stat().st_mtime == 1_700_000_000


def test_a_directory_that_is_asked_for_comes_with_empty_ones_in_it(into: Path, site: bytes) -> None:
    report = extract(site, into, only=("conf",))
    assert (into / "site" / "conf" / "empty").is_dir()
    assert report.directories == 2


def test_a_single_file_is_asked_for_by_its_own_name(into: Path) -> None:
    extract(member(b"notes.txt", b"1") + END, into, only=("*.txt",))
    assert contents(into) == {"notes.txt": b"1"}


def test_asking_for_what_is_not_there_is_an_error_and_leaves_nothing(into: Path, site: bytes) -> None:
    with pytest.raises(BackupNotFound, match=r"nothing in this backup matches \*\.php"):
        extract(site, into, only=("*.php",))
    with pytest.raises(UsageError):
        extract(site, into, only=("# nothing",))
    with pytest.raises(UsageError):
        extract(site, into, only=("!",))
    assert os.listdir(into) == []


def test_a_bracket_that_matches_nothing_is_answered_with_the_literal_pattern(into: Path) -> None:
    archive = member(b"s/song [vocals].mp3", b"1") + END
    with pytest.raises(BackupNotFound, match=r"`only=\['song \\\\\[vocals\]\.mp3'\]`$"):
        extract(archive, into, only=("song [vocals].mp3",))
    assert extract(archive, into, only=(r"song \[vocals].mp3",)).files == 1


def test_a_damaged_rest_refuses_the_part_too(into: Path, site: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        extract(site[:-1024], into, only=("index.html",))
    assert os.listdir(into) == []


def test_a_part_goes_back_into_what_is_there_and_nothing_else_changes(into: Path, site: bytes) -> None:
    extract(site, into)
    (into / "site" / "conf" / "mine").write_text("mine")
    (into / "site" / "index.html").write_text("changed")
    (into / "site").chmod(0o700)
    with pytest.raises(TargetExists, match="site/index.html already exists"):
        extract(site, into, only=("index.html",))
    (into / "site" / "conf" / "secret").unlink()
    extract(site, into, only=("secret",))
    extract(site, into, only=("index.html",), overwrite=True)
    found = contents(into)
    assert (found["site/conf/secret"], found["site/index.html"], found["site/conf/mine"]) == (b"3", b"1", b"mine")
    assert (into / "site").stat().st_mode & 0o7777 == 0o700


def test_a_directory_that_is_asked_for_replaces_the_whole_one(into: Path, site: bytes) -> None:
    extract(site, into)
    (into / "site" / "conf" / "mine").write_text("mine")
    (into / "site" / "logs" / "mine").write_text("mine")
    extract(site, into, only=("/conf",), overwrite=True)
    assert "site/conf/mine" not in contents(into)
    assert contents(into)["site/logs/mine"] == b"mine"


def test_a_directory_from_which_something_is_taken_back_is_not_replaced_whole(into: Path, site: bytes) -> None:
    extract(site, into)
    (into / "site" / "conf" / "secret").write_text("mine")
    (into / "site" / "conf" / "nginx.conf").write_text("mine")
    extract(site, into, only=("/conf", "!secret"), overwrite=True)
    assert contents(into)["site/conf/secret"] == b"mine"
    assert contents(into)["site/conf/nginx.conf"] == b"2"


def test_a_part_is_never_put_through_a_symbolic_link(tmp_path: Path, into: Path, site: bytes) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("mine")
    (into / "site").mkdir()
    (into / "site" / "conf").symlink_to("../../outside")
    with pytest.raises(TargetExists):
        extract(site, into, only=("secret",))
    extract(site, into, only=("secret",), overwrite=True)
    assert (tmp_path / "outside" / "secret").read_text() == "mine"
    assert contents(into) == {"site/conf/secret": b"3"}


def test_a_hard_link_brings_the_content_of_a_name_that_is_not_asked_for(into: Path) -> None:
    archive = b"".join(
        (
            directory(b"r/"),
            member(b"r/a", b"content", mode=0o640),
            hardlink(b"r/b", b"r/a"),
            hardlink(b"r/c", b"r/b"),
            symlink(b"r/s", b"a"),
            hardlink(b"r/t", b"r/s"),
            END,
        )
    )
    report = extract(archive, into, only=("b", "c", "t"))
    assert contents(into) == {"r/b": b"content", "r/c": b"content", "r/t": b"a"}
    assert (into / "r" / "b").stat().st_nlink == 2
    assert (into / "r" / "b").stat().st_mode & 0o7777 == 0o640
    assert (into / "r" / "b").stat().st_mtime == 1_700_000_000
    assert report.files == 3
    assert os.listdir(into) == ["r"]


def test_an_archive_that_marks_files_of_several_names_keeps_only_those_aside(into: Path) -> None:
    mark = pax((b"comment", LINKED_COMMENT))
    archive = b"".join(
        (
            mark + directory(b"r/"),
            member(b"r/alone", b"1"),
            mark + member(b"r/a", b"content"),
            hardlink(b"r/b", b"r/a"),
        )
    )
    extract(archive + END, into, only=("b",))
    assert contents(into) == {"r/b": b"content"}
    # That the other one is not kept shows in a link that its mark excludes
    with pytest.raises(UsageError, match=r"`only=\['alone'\]`"):
        extract(archive + hardlink(b"r/c", b"r/alone") + END, into, only=("c",))


def test_a_hard_link_to_something_that_is_not_a_member_is_damage_in_a_part_too(into: Path) -> None:
    with pytest.raises(PayloadDamaged, match="not an earlier member"):
        extract(directory(b"r/") + hardlink(b"r/b", b"r/b2") + END, into, only=("b*",))
    with pytest.raises(PayloadDamaged, match="leave the target"):
        extract(directory(b"r/") + hardlink(b"r/b", b"../../etc/passwd") + END, into, only=("b",))


def test_hostile_members_that_are_not_asked_for_are_harmless_or_refused(tmp_path: Path, into: Path) -> None:
    (tmp_path / "outside").mkdir()
    for archive in HOSTILE.values():
        try:
            extract(member(b"r/wanted", b"1") + archive + END, into, only=("wanted",), overwrite=True)
        except BakthatError:
            assert os.listdir(into) == []
        else:
            assert contents(into) == {"r/wanted": b"1"}
            clear(into)
    assert sorted(os.listdir(tmp_path)) == ["into", "outside"]
    assert os.listdir(tmp_path / "outside") == []


# Laws


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: name not in (b".", b"..") and not {0, 47} & set(name))
TREES: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.binary(max_size=3000),
        st.tuples(st.just("link"), NAMES),
        st.just(("twin",)),
    ),
    lambda inner: st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o444, 0o1777, 0o4755, 0o470])
TIMES = st.integers(0, 4 * 10**18)


def plant(where: bytes, tree: object, draw: Callable[[st.SearchStrategy[int]], int], files: list[bytes]) -> None:
    match tree:
        case bytes(content):
            with open(where, "wb") as file:
                file.write(content)
            files.append(where)
            os.chmod(where, draw(MODES))
        case ("link", bytes(target)):
            os.symlink(target, where)
        case ("twin",):
            if files:
                os.link(files[-1], where)
            else:
                os.mkfifo(where)
        case dict():
            os.mkdir(where)
            for name, inner in tree.items():
                plant(os.path.join(where, name), inner, draw, files)
            os.chmod(where, draw(MODES) | 0o700)
    stamp = draw(TIMES)
    os.utime(where, ns=(stamp, stamp), follow_symlinks=False)


@settings(deadline=None, max_examples=30)
@given(tree=st.dictionaries(NAMES, TREES, min_size=1, max_size=4), data=st.data())
def test_any_tree_comes_back_as_it_was(tree: dict[bytes, object], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, into = Path(folder) / "tree", Path(folder) / "into"
        plant(os.fsencode(source), tree, data.draw, [])
        archive = gnu_tar(source, "--format=posix", "--sort=name")
        extract(archive, into)
        if _ROOT:
            assert snapshot(into / "tree") == snapshot(source)
        buffer = io.BytesIO()
        layout = data.draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
        with tarfile.open(fileobj=buffer, mode="w", format=layout, errors="surrogateescape") as packed:
            packed.add(source, "tree")
        extract(buffer.getvalue(), into, overwrite=True)
        if _ROOT:
            assert snapshot(into / "tree", times=False) == snapshot(source, times=False)


@st.composite
def hostile_members(draw: st.DrawFn) -> bytes:
    names = st.sampled_from([b"a", b"b", b"a/b", b"a/b/c", b"b/a", b"./a", b"a/", b"../x", b"/x", b"a/../b", b"c"])
    targets = st.sampled_from([b"a", b"b", b"a/b", b"..", b"../outside", b"/", b".", b"c", b"../outside/secret"])
    kind = draw(st.sampled_from([b"0", b"0", b"1", b"2", b"2", b"5", b"6"]))
    content = b"pwned" if kind == b"0" else b""
    link = draw(targets) if kind in b"12" else b""
    return member(draw(names), content, kind=kind, link=link)


@settings(deadline=None, max_examples=120)
@given(archive=st.lists(hostile_members(), min_size=1, max_size=8), part=st.sampled_from([(), ("b",), ("/a", "!c")]))
def test_no_order_of_members_gets_out_of_the_target(archive: list[bytes], part: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outside, into = Path(folder) / "outside", Path(folder) / "into"
        outside.mkdir()
        (outside / "secret").write_text("secret")
        into.mkdir()
        before = snapshot(outside)
        try:
            extract(b"".join(archive) + END, into, only=part)
        except (PayloadDamaged, BackupNotFound, UsageError):
            assert os.listdir(into) == []
        assert snapshot(outside) == before
        assert sorted(os.listdir(folder)) == ["into", "outside"]
        assert not list(into.glob(".bakthat*"))


def test_sockets_and_other_tools_do_not_matter(tmp_path: Path, into: Path) -> None:
    """GNU tar leaves sockets out, with a warning; the archive is good."""
    (tmp_path / "t").mkdir()
    before = Path.cwd()
    os.chdir(tmp_path / "t")
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind("socket")
            archive = gnu_tar(tmp_path / "t", "--warning=no-file-ignored")
    finally:
        os.chdir(before)
    extract(archive, into)
    assert os.listdir(into / "t") == []


def test_notices_of_more_than_a_hundred_kinds_are_counted(into: Path) -> None:
    def device(number: int) -> bytes:
        header = member(b"dev%d" % number, kind=b"3")
        return checked(header[:329] + b"%07o\0" % number + header[337:])

    report = extract(member(b"f") + b"".join(map(device, range(150))) + END, into)
    assert len(report.notices) == 101
    assert report.notices[-1].reason == "and 50 more notices, of other kinds"


# What long names cost

DEEP = b"r/" + b"/".join([b"d" * 240] * 250)


class Made(io.RawIOBase):
    """An archive that is made as it is read, so that it takes no memory itself."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


def many(count: int, one: Callable[[int], bytes]) -> Iterator[bytes]:
    yield member(b"r/f", b"1")
    for number in range(count):
        yield one(number)
    yield END


def long_path(path: bytes, **options: Any) -> bytes:
    return pax((b"path", path)) + member(b"short", **options)


@pytest.mark.parametrize(
    ("one", "only"),
    [
        (lambda n: pax((b"linkpath", b"x" * 4000)) + member(b"r/l%d" % n, kind=b"2"), ()),
        (lambda n: long_path(DEEP + b"/%d" % n, kind=b"2", link=b"x"), ()),
        (lambda n: long_path(DEEP + b"/%d" % n, kind=b"5"), ()),
        (lambda n: long_path(b"r/%d/" % n + b"x" * 60_000, kind=b"3"), ()),
        (lambda n: long_path(b"r/%d/" % n + b"x" * 60_000, kind=b"5"), ("f",)),
        (lambda n: pax((b"uname", b"%d" % n + b"x" * 60_000)) + member(b"r/f%d" % n), ()),
    ],
    ids=["targets", "links", "directories", "devices", "unwanted-directories", "owners"],
)
def test_long_names_take_little_memory(into: Path, one: Callable[[int], bytes], only: tuple[str, ...]) -> None:
    count = 400 if len(one(0)) > 50_000 else 4000
    tracemalloc.start()
    try:
        extract_tar(cast(BinaryIO, Made(many(count, one))), into, only=only)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * MIB
    assert (into / "r" / "f").read_bytes() == b"1"


def test_patterns_that_fit_too_many_long_names_are_refused(into: Path) -> None:
    archive = Made(many(700, lambda number: long_path(DEEP + b"/%d" % number, kind=b"2", link=b"x")))
    with pytest.raises(UsageError, match="name a directory"):
        extract_tar(cast(BinaryIO, archive), into, only=["[0-9]*"])
    assert os.listdir(into) == []


def test_checking_long_names_takes_little_memory() -> None:
    archive = Made(many(400, lambda number: long_path(b"%d" % number + b"x" * 60_000)))
    tracemalloc.start()
    try:
        report = TarPacker().check(cast(BinaryIO, archive))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (report.files, peak < 5 * MIB) == (401, True)


def test_long_names_come_back(into: Path) -> None:
    target = b"../" * 200 + b"somewhere"
    deep = b"/".join([b"d" * 200] * 4)
    archive = (
        member(b"r/", kind=b"5", mode=0o755)
        + long_path(b"r/" + deep, kind=b"5", mode=0o555, mtime=1_600_000_000)
        + long_path(b"r/" + deep + b"/inner", kind=b"5", mode=0o500, mtime=1_500_000_000)
        + pax((b"path", b"r/" + deep + b"/link"), (b"linkpath", target)) + member(b"l", kind=b"2")
        + pax((b"path", b"r/" + deep + b"/same"), (b"linkpath", b"r/" + deep + b"/link")) + member(b"h", kind=b"1")
        + END
    )  # fmt: skip
    extract(archive, into)
    here = into / "r" / os.fsdecode(deep)
    assert os.fsencode(os.readlink(here / "link")) == target
    assert os.lstat(here / "link").st_ino == os.lstat(here / "same").st_ino
    assert [(stat.S_IMODE(path.stat().st_mode), int(path.stat().st_mtime)) for path in (here, here / "inner")] == [
        (0o555, 1_600_000_000),
        (0o500, 1_500_000_000),
    ]
    assert [path for path in into.parent.rglob("*") if path.name == "names"] == []
    for path in (here, here / "inner"):
        path.chmod(0o755)


def test_a_long_name_that_comes_twice_is_what_came_last(into: Path) -> None:
    path = b"r/" + b"/".join([b"d" * 200] * 4)
    twice = long_path(path, kind=b"2", link=b"x") + pax((b"path", path)) + member(b"s", b"content")
    extract(twice + END, into)
    assert contents(into) == {os.fsdecode(path): b"content"}


def test_a_link_that_no_system_takes_is_refused(into: Path) -> None:
    with pytest.raises(PayloadDamaged, match="a symbolic link of 4096 bytes"):
        extract(member(b"f") + pax((b"linkpath", b"x" * 4096)) + member(b"l", kind=b"2") + END, into)
    assert os.listdir(into) == []


# What may be replaced


def test_only_the_root_of_the_backup_is_replaced(into: Path) -> None:
    (into / "photos").mkdir()
    (into / ".ssh").mkdir()
    (into / ".ssh" / "id").write_text("mine")
    archive = member(b"photos/f", b"1") + member(b".ssh/authorized_keys", b"evil") + END
    before = snapshot(into)
    with pytest.raises(TargetExists, match="ssh already exists, and this backup may replace only photos"):
        extract_tar(io.BytesIO(archive), into, overwrite=True, root="photos")
    with pytest.raises(TargetExists, match="ssh"):
        extract_tar(io.BytesIO(archive), into, overwrite=True, root="photos", only=["authorized_keys"])
    assert contents(into) == {".ssh/id": b"mine"}
    assert snapshot(into).keys() == before.keys()


def test_a_part_is_added_to_the_root_of_the_backup_and_to_nothing_else(into: Path) -> None:
    for name in ("photos", ".ssh"):
        (into / name).mkdir()
    archive = member(b"photos/f", b"1") + member(b".ssh/authorized_keys", b"evil") + END
    with pytest.raises(TargetExists, match="ssh already exists, and this backup may replace only photos"):
        extract_tar(io.BytesIO(archive), into, root="photos", only=["f", "authorized_keys"])
    assert contents(into) == {}
    extract_tar(io.BytesIO(archive), into, root="photos", only=["f"])
    assert contents(into) == {"photos/f": b"1"}


def test_what_is_not_there_comes_beside_the_root(into: Path) -> None:
    (into / "photos").mkdir()
    archive = member(b"photos/f", b"1") + member(b"more", b"2") + END
    extract_tar(io.BytesIO(archive), into, overwrite=True, root="photos")
    assert contents(into) == {"photos/f": b"1", "more": b"2"}


def test_a_root_that_is_a_guess_is_replaced_if_it_is_the_only_one(into: Path) -> None:
    (into / "photos").mkdir()
    (into / "photos" / "old").write_text("mine")
    archive = member(b"photos/f", b"1") + member(b"./photos/g", b"2")
    beside = archive + member(b"more", b"2") + member(b"photos/h", b"1") + member(b"more2", b"2")
    for only in ([], ["f", "h"]):
        with pytest.raises(TargetExists, match="photos.* already exists; the backup contains several names"):
            extract_tar(io.BytesIO(beside + END), into, overwrite=True, root="photos", root_is_guess=True, only=only)
    assert contents(into) == {"photos/old": b"mine"}
    extract_tar(io.BytesIO(archive + END), into, overwrite=True, root="photos", root_is_guess=True)
    assert contents(into) == {"photos/f": b"1", "photos/g": b"2"}


# file systems that lack links


def refusing(number: int) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_hard_links_copies_take_their_place_and_it_is_said(into: Path, number: int) -> None:
    archive = (
        member(b"d/a", b"content", mode=0o640, mtime=1_600_000_000) + hardlink(b"d/b", b"d/a") + hardlink(b"c", b"d/b")
    )
    report = extract_tar(io.BytesIO(archive + END), into, links=Links(link=refusing(number)))
    found = [into / "d" / "a", into / "d" / "b", into / "c"]
    assert [path.read_bytes() for path in found] == [b"content"] * 3
    assert {(path.stat().st_mode & 0o777, path.stat().st_mtime, path.stat().st_nlink) for path in found} == {
        (0o640, 1_600_000_000, 1)
    }
    assert report.files == 3
    (notice,) = [notice for notice in report.notices if "hard link" in notice.reason]
    assert notice.reason.startswith("it was a hard link and is a copy now")


def test_a_hard_link_to_a_symbolic_link_becomes_another_one(into: Path) -> None:
    archive = symlink(b"a", b"elsewhere") + hardlink(b"b", b"a")
    extract_tar(io.BytesIO(archive + END), into, links=Links(link=refusing(errno.EPERM)))
    assert [os.readlink(into / name) for name in ("a", "b")] == ["elsewhere", "elsewhere"]


def test_a_hard_link_that_fails_for_another_reason_is_an_error(into: Path) -> None:
    archive = member(b"a", b"1") + hardlink(b"b", b"a")
    with pytest.raises(TargetError, match="b: No space left on device; nothing was restored"):
        extract_tar(io.BytesIO(archive + END), into, links=Links(link=refusing(errno.ENOSPC)))
    assert os.listdir(into) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_symbolic_links_an_archive_that_has_some_is_refused_by_name(into: Path, number: int) -> None:
    archive = member(b"d/a", b"1") + symlink(b"d/l", b"a")
    with pytest.raises(
        TargetError, match="d/l is a symbolic link, which this file system does not support; nothing was"
    ):
        extract_tar(io.BytesIO(archive + END), into, links=Links(symlink=refusing(number)))
    assert os.listdir(into) == []
