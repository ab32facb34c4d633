"""What `write_tar` writes, as GNU tar and Python read it, and what it says about files that do not keep still."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import stat
import subprocess
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.tar_format.tar_header import (
    CHARACTER_DEVICE,
    FILE,
    SYMBOLIC_LINK,
    Headers,
    member,
    record,
)
from bakthat.adapters.packing.writing.tar_writer import root_name, survey, write_tar
from bakthat.domain.excluded import Excluded
from bakthat.domain.exclusions import Exclusions
from bakthat.domain.payload import PackReport, Problem
from bakthat.errors import SourceError
from tests.fixtures.exclusions import leaving_out

MiB = 1024 * 1024


class Sink(io.BytesIO):
    """A stream that does something at its first write, which comes when the first large file's header does."""

    def __init__(self, at_first: Callable[[], object]) -> None:
        super().__init__()
        self._at_first = [at_first]

    def write(self, data: Any) -> int:
        if self._at_first:
            self._at_first.pop()()
        return super().write(data)


def packed(source: Path, **options: Any) -> tuple[bytes, PackReport]:
    stream = io.BytesIO()
    report = write_tar(source, stream, **options)
    return stream.getvalue(), report


def members(tar: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        return {info.name: info for info in archive}


def content(tar: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def reasons(problems: tuple[Problem, ...], below: Path) -> dict[str, str]:
    return {os.path.relpath(problem.path, below): problem.reason for problem in problems}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A bit of everything that a tar can hold."""
    root = tmp_path / "site"
    (root / "deep" / ("d" * 120) / ("e" * 90)).mkdir(parents=True)
    (root / "deep" / ("d" * 120) / ("e" * 90) / ("f" * 99)).write_bytes(b"deep")
    (root / "empty").mkdir(mode=0o1711)
    for name, data in {
        b"plain": b"x",
        b"nothing": b"",
        b"two  spaces ": b"spaces",
        b"new\nline": b"newline",
        b"\xff\xfe": b"not UTF-8",
        b"\xfe" * 150: b"long and not UTF-8",
        "grün".encode(): b"UTF-8",
        "ß".encode() * 80: b"long and UTF-8",
        b"n" * 100: b"fits exactly",
        b"n" * 101: b"does not",
        b"block": b"b" * 512,
        b"large": os.urandom(300_000),
    }.items():
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            file.write(data)
    os.link(root / "plain", root / "zz-hard")
    os.link(root / ("n" * 101), root / "zz-hard-to-long")
    os.symlink("plain", root / "link")
    os.symlink("/nowhere/" + "y" * 150, root / "dangling")
    os.symlink(b"\xff" * 120, os.path.join(os.fsencode(root), b"link-to-bytes"))
    os.mkfifo(root / "fifo")
    os.chmod(root / "plain", 0o6755)
    os.utime(root / "block", ns=(0, 1_700_000_000_123_456_789))
    os.utime(root / "nothing", ns=(0, -1_500_000_000))
    os.utime(root / "empty", ns=(0, 9_000_000_000_000_000_000))
    return root


def test_gnu_tar_finds_no_difference_between_the_stream_and_the_tree(tree: Path) -> None:
    stream, report = packed(tree)
    run = subprocess.run(
        ["tar", "--compare", "--warning=no-unknown-keyword", "-C", tree.parent, "-f", "-"],
        input=stream,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert (report.problems, report.notices) == ((), ())


def test_gnu_tar_extracts_the_same_tree(tree: Path, tmp_path: Path) -> None:
    stream, _ = packed(tree)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xp", "-C", out, "-f", "-"], input=stream, stderr=subprocess.DEVNULL, check=True)
    assert described(out / "site") == described(tree)


def described(root: Path) -> list[tuple[Any, ...]]:
    """All that a tar keeps of a tree."""
    found = []
    top = os.fsencode(root)
    inodes: dict[int, bytes] = {}
    for folder, directories, files in os.walk(top):
        here = [folder] if folder == top else []
        for path in [*here, *(os.path.join(folder, name) for name in sorted(files + directories))]:
            status = os.lstat(path)
            name = os.path.relpath(path, top)
            link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else b""
            data = Path(os.fsdecode(path)).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            same_as = inodes.setdefault(status.st_ino, name) if stat.S_ISREG(status.st_mode) else b""
            found.append((name, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, link, data, same_as))
    return sorted(found)


def test_the_report_counts_what_went_in(tree: Path) -> None:
    _, report = packed(tree)
    assert (report.files, report.directories, report.others) == (15, 5, 4)
    # A hard link's content is there once.
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    assert report.size == sum(path.stat().st_size for path in files if not path.name.startswith("zz"))


def test_the_same_tree_gives_the_same_bytes_in_a_fixed_order(tree: Path) -> None:
    stream, _ = packed(tree)
    assert stream == packed(tree)[0]
    names = list(members(stream))
    assert names[0] == "site"
    assert names[-2:] == ["site/deep/" + "d" * 120 + "/" + "e" * 90 + "/" + "f" * 99, "site/empty"]


def test_the_stream_is_padded_to_whole_records(tree: Path) -> None:
    assert len(packed(tree)[0]) % 10240 == 0


# -- property: any tree, field by field --------------------------------------------------------------------------------

NAMES = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text("aß\n \\é", min_size=1, max_size=60).map(str.encode),
    st.integers(90, 255).map(lambda count: b"n" * count),
).filter(lambda name: len(name) <= 255 and b"/" not in name and b"\0" not in name and name not in (b".", b".."))
TIMES = st.one_of(st.integers(-(10**9), 2**33).map(lambda seconds: seconds * 10**9), st.integers(-(10**18), 9 * 10**18))
LEAVES = st.one_of(
    st.tuples(st.just("file"), st.integers(0, 70_000), st.integers(0, 0o7777).map(lambda mode: mode | 0o400), TIMES),
    st.tuples(st.just("link"), NAMES),
)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda below: st.dictionaries(NAMES, st.one_of(LEAVES, below), max_size=3),
    max_leaves=8,
)


def grow(path: bytes, tree: dict[bytes, Any]) -> None:
    os.mkdir(path)
    for name, what in tree.items():
        target = path + b"/" + name
        if isinstance(what, dict):
            grow(target, what)
        elif what[0] == "link":
            os.symlink(what[1], target)
        else:
            with open(target, "wb") as file:
                file.write(bytes(range(256)) * (what[1] // 256) + b"z" * (what[1] % 256))
            os.chmod(target, what[2])
            os.utime(target, ns=(0, what[3]))


@settings(deadline=None, max_examples=60)
@given(TREES, NAMES)
def test_tarfile_reads_what_the_file_system_says(tree: dict[bytes, Any], name: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(os.fsencode(folder), name)
        grow(root, tree)
        stream, report = packed(Path(os.fsdecode(root)))
        assert report.problems == ()
        below = os.path.dirname(root)
        seen = set()
        for info in members(stream).values():
            path = os.path.join(below, os.fsencode(info.name))
            status = os.lstat(path)
            kind = {"file": info.isreg(), "dir": info.isdir(), "link": info.issym()}
            assert kind == {
                "file": stat.S_ISREG(status.st_mode),
                "dir": stat.S_ISDIR(status.st_mode),
                "link": stat.S_ISLNK(status.st_mode),
            }
            assert (info.mode, info.uid, info.gid) == (status.st_mode & 0o7777, status.st_uid, status.st_gid)
            assert nanoseconds(info) == status.st_mtime_ns
            if info.isreg():
                with open(path, "rb") as file:
                    assert content(stream, info.name) == file.read()
            if info.issym():
                assert os.fsencode(info.linkname) == os.readlink(path)
            seen.add(path)
        expected = {root}
        for where, directories, files in os.walk(root):
            expected |= {os.path.join(where, entry) for entry in directories + files}
        assert seen == expected


def nanoseconds(info: tarfile.TarInfo) -> int:
    """The exact time; `mtime` is a float."""
    seconds, _, fraction = info.pax_headers.get("mtime", str(info.mtime)).partition(".")
    assert len(fraction) in (0, 9)
    value = abs(int(seconds)) * 10**9 + int(fraction or 0)
    return -value if seconds.startswith("-") else value


def status_with(**fields: int) -> os.stat_result:
    """A status such as no file of a test has."""
    usual = {"mode": stat.S_IFREG | 0o640, "uid": 0, "gid": 0, "size": 0, "mtime_ns": 1_600_000_000 * 10**9, "rdev": 0}
    values = {**usual, **fields}
    row = (values["mode"], 1, 1, 1, values["uid"], values["gid"], values["size"], 0, 0, 0)
    return os.stat_result(row, {"st_mtime_ns": values["mtime_ns"], "st_rdev": values["rdev"]})


@settings(deadline=None, max_examples=300)
@given(
    directory=st.lists(NAMES, max_size=4).map(lambda names: b"".join(name + b"/" for name in names)),
    name=NAMES,
    mode=st.integers(0, 0o7777),
    uid=st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)),
    size=st.one_of(st.integers(0, 10**6), st.integers(8**11 - 2, 2**62)),
    mtime_ns=TIMES,
    narrowed=st.none() | st.integers(0, 0o7777),
    attribute=st.none() | st.binary(max_size=600),
)
def test_a_file_has_one_header_whichever_way_it_is_made(
    directory: bytes,
    name: bytes,
    mode: int,
    uid: int,
    size: int,
    mtime_ns: int,
    narrowed: int | None,
    attribute: bytes | None,
) -> None:
    status = status_with(mode=stat.S_IFREG | mode, uid=uid, gid=uid, size=size, mtime_ns=mtime_ns)
    extended = b"" if attribute is None else record(b"SCHILY.xattr.user.a", attribute)
    quick = Headers(directory, Accounts()).file(name, status, narrowed, extended)
    careful = member(directory, name, FILE, status, Accounts(), size=size, mode=narrowed, extended=extended)
    mode = mode if narrowed is None else narrowed
    assert extended in quick
    assert len(quick) % 512 == 0
    for header in (quick, careful):
        info = parsed(header)
        assert os.fsencode(info.name) == directory + name
        assert (info.mode, info.uid, info.gid, info.size) == (mode, uid, uid, size)
        assert nanoseconds(info) == mtime_ns


def parsed(header: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024)), mode="r:") as archive:
        info = archive.next()
        assert info is not None
        return info


def test_an_ordinary_file_with_a_whole_second_needs_one_block_only() -> None:
    header = Headers(b"site/", Accounts()).file(b"index.html", status_with(size=10))
    assert len(header) == 512


def test_a_device_keeps_its_numbers() -> None:
    info = parsed(member(b"dev/", b"sda", CHARACTER_DEVICE, status_with(rdev=os.makedev(259, 1048575)), Accounts()))
    assert (info.ischr(), info.devmajor, info.devminor) == (True, 259, 1048575)


def test_owners_names_that_are_long_or_beyond_ascii_survive() -> None:
    class Strange(Accounts):
        def user_name(self, uid: int) -> bytes:
            return b"u" * 40

        def group_name(self, gid: int) -> bytes:
            return "größe".encode()

    for header in (
        Headers(b"", Strange()).file(b"a", status_with()),
        member(b"", b"a", SYMBOLIC_LINK, status_with(), Strange(), link=b"b"),
    ):
        info = parsed(header)
        assert (info.uname, info.gname) == ("u" * 40, "größe")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65535, 65536, 65537, 262143, 262144, 262145, 700_000])
def test_content_of_any_length_comes_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "file").write_bytes(data)
    stream, report = packed(tmp_path / "site")
    assert content(stream, "site/file") == data
    assert report.size == size


# -- the root ----------------------------------------------------------------------------------------------------------


def test_a_single_file_is_one_member_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "dump.sql").write_bytes(b"select")
    stream, report = packed(tmp_path / "dump.sql", exclusions=leaving_out("dump.sql"))
    assert content(stream, "dump.sql") == b"select"
    assert (report.files, report.directories, report.problems) == (1, 0, ())


@pytest.mark.parametrize(
    ("source", "name"),
    [("/", "root"), ("//", "root"), ("/a/b", "b"), ("/a/b/", "b"), ("/a/b/.", "b"), ("/a/b/..", "a")],
)
def test_members_are_under_the_base_name_of_the_source(source: str, name: str) -> None:
    assert root_name(Path(source)) == name


def test_the_root_of_a_relative_source_is_named_after_the_directory(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    before = os.getcwd()
    os.chdir(tmp_path / "here")
    try:
        assert root_name(Path(".")) == "here"
        assert list(members(packed(Path("."))[0])) == ["here"]
    finally:
        os.chdir(before)


def test_a_link_to_a_directory_stands_for_it_under_the_links_name(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "file").write_bytes(b"x")
    (tmp_path / "current").symlink_to("v2")
    assert list(members(packed(tmp_path / "current")[0])) == ["current", "current/file"]


def test_a_link_to_a_file_stands_for_it_under_the_links_name(tmp_path: Path) -> None:
    (tmp_path / "v2").write_bytes(b"x")
    (tmp_path / "current").symlink_to("v2")
    assert content(packed(tmp_path / "current")[0], "current") == b"x"


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone.*no such file"):
        packed(tmp_path / "gone")


def test_a_fifo_as_the_source_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="is a fifo"):
        packed(tmp_path / "pipe")


def test_a_device_as_the_source_is_refused() -> None:
    with pytest.raises(SourceError, match="is a device"):
        packed(Path("/dev/null"))


# -- sparse files ------------------------------------------------------------------------------------------------------


def sparse(path: Path, size: int, *stretches: tuple[int, bytes]) -> Path:
    with path.open("wb") as file:
        for offset, data in stretches:
            file.seek(offset)
            file.write(data)
        file.truncate(size)
    return path


@pytest.fixture
def holes(tmp_path: Path) -> Path:
    """Sparse files of all shapes."""
    root = tmp_path / "holes"
    (root / ("d" * 120)).mkdir(parents=True)
    piece = os.urandom(8192)
    sparse(root / "end", 50 * MiB, (0, piece))
    sparse(root / "begin", 50 * MiB, (50 * MiB - 8192, piece))
    sparse(root / "amid", 50 * MiB, (8 * MiB, piece), (30 * MiB, os.urandom(3 * MiB)), (40 * MiB, b"x"))
    sparse(root / "nothing", 50 * MiB)
    sparse(root / "many", 60 * MiB, *((number * 65536, piece[:4096]) for number in range(900)))
    sparse(root / ("d" * 120) / ("n" * 90), MiB, (0, piece))
    sparse(root / "gr\u00fcn", MiB, (0, piece))
    sparse(Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")), MiB, (0, piece))
    os.link(root / "amid", root / "zz-hard")
    os.utime(root / "end", ns=(0, 1_700_000_000_123_456_789))
    return root


EXTRACTORS = {
    "GNU tar": lambda archive, into: subprocess.run(
        ["tar", "-xp", "--warning=no-unknown-keyword", "-C", into, "-f", "-"], input=archive, check=True
    ),
    "bsdtar": lambda archive, into: subprocess.run(["bsdtar", "-xp", "-C", into, "-f", "-"], input=archive, check=True),
    "bakthat": lambda archive, into: extract_tar(io.BytesIO(archive), into),
}


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_sparse_files_come_back_sparse_by_every_tar(holes: Path, tmp_path: Path, extractor: str) -> None:
    archive, report = packed(holes)
    assert (report.problems, report.notices, report.files) == ((), (), 9)
    assert len(archive) < 12 * MiB
    out = tmp_path / "out"
    out.mkdir()
    EXTRACTORS[extractor](archive, out)
    assert described(out / "holes") == described(holes)
    used = sum(path.stat().st_blocks * 512 for path in (out / "holes").rglob("*"))
    assert used < 24 * MiB


def test_tarfile_reads_a_sparse_file(holes: Path) -> None:
    archive, _ = packed(holes)
    assert content(archive, "holes/amid") == (holes / "amid").read_bytes()


def test_gnu_tar_finds_no_difference_in_sparse_files(holes: Path) -> None:
    archive, _ = packed(holes)
    subprocess.run(
        ["tar", "--compare", "--warning=no-unknown-keyword", "-C", holes.parent, "-f", "-"], input=archive, check=True
    )


def test_of_a_huge_sparse_file_only_the_data_are_read(tmp_path: Path) -> None:
    class Short(io.BytesIO):
        def write(self, data: Any) -> int:
            assert self.tell() < 10 * MiB
            return super().write(data)

    path = sparse(tmp_path / "huge", 8 * 1024**4, (0, b"begin"), (5 * 1024**4, b"end"))
    stream = Short()
    report = write_tar(path, stream)
    assert report.size < MiB
    assert [(info.name, info.size) for info in members(stream.getvalue()).values()] == [("huge", 8 * 1024**4)]


def test_a_sparse_file_that_shrinks_while_it_is_read_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (root / "a").write_bytes(os.urandom(MiB))
    path = sparse(root / "b", 20 * MiB, (0, os.urandom(MiB)), (10 * MiB, os.urandom(MiB)))

    class Shrinks(io.BytesIO):
        def write(self, data: Any) -> int:
            if b"GNUSparseFile" in bytes(data):
                os.truncate(path, MiB)
            return super().write(data)

    stream = Shrinks()
    report = write_tar(root, stream)
    assert reasons(report.problems, root) == {"b": "shrank while it was read; the rest of it is zeros"}
    assert members(stream.getvalue())["site/b"].size == 20 * MiB
    assert list(members(stream.getvalue())) == ["site", "site/a", "site/b"]


# -- what does not go in -----------------------------------------------------------------------------------------------


def test_a_socket_is_skipped_with_a_notice(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket has at most 107 bytes.
        with tempfile.TemporaryDirectory(dir="/tmp") as short:
            server.bind(f"{short}/s")
            shutil.move(f"{short}/s", root / "socket")
        stream, report = packed(root)
    assert list(members(stream)) == ["site"]
    assert report.problems == ()
    assert list(reasons(report.notices, root)) == ["socket"]


def test_notices_of_one_kind_are_counted_above_a_hundred(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    with socket.socket(socket.AF_UNIX) as server, tempfile.TemporaryDirectory(dir="/tmp") as short:
        server.bind(f"{short}/s")
        shutil.move(f"{short}/s", root / "0")
        for number in range(1, 250):
            os.link(root / "0", root / str(number))
        _, report = packed(root)
    assert len(report.notices) == 101
    assert report.notices[-1].path == str(root)
    assert (report.notices[-1].count, report.notices[-1].reason[:31]) == (150, "150 more like this: is a socket")
    assert sum(notice.count for notice in report.notices) == 250


def test_excluded_paths_stay_out_and_excluded_directories_are_not_entered(tmp_path: Path) -> None:
    root = tmp_path / "site"
    (root / "node_modules" / "x").mkdir(parents=True)
    (root / "src" / "build").mkdir(parents=True)
    for name in ("a.log", "src/b.log", "src/keep", "src/build/out"):
        (root / name).write_bytes(b"x")
    told: list[tuple[str, str]] = []
    leave_out = leaving_out("node_modules/", "*.log", "build")
    stream, report = packed(root, exclusions=leave_out, on_excluded=lambda *what: told.append(what))
    assert list(members(stream)) == ["site", "site/src", "site/src/keep"]
    assert report.excluded == Excluded(by={"--exclude": 4})
    gone = ["a.log", "node_modules", "src/b.log", "src/build"]
    assert sorted(told) == [(str(root / path), "--exclude") for path in gone]


def test_what_is_bakthats_own_is_left_out_by_its_path(tmp_path: Path) -> None:
    root = tmp_path / "home"
    for name in ("store/a", "sub/store/b", "sub/db", "sub/db-wal", "db"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    own = tuple(str(root / name) for name in ("store", "sub/db", "sub/db-wal", "not/there/yet"))
    stream, report = packed(root, exclusions=Exclusions(own_paths=own))
    assert list(members(stream)) == ["home", "home/db", "home/sub", "home/sub/store", "home/sub/store/b"]
    assert report.excluded == Excluded(by={"bakthat": 3}, own=own[:3])


def test_what_is_bakthats_own_comes_into_being_while_it_is_backed_up(tmp_path: Path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    (root / "a").write_bytes(bytes(MiB))
    (root / "sub").mkdir()
    stream = Sink(lambda: (root / "sub" / "store").mkdir())
    report = write_tar(root, stream, exclusions=Exclusions(own_paths=(str(root / "sub" / "store"),)))
    assert list(members(stream.getvalue())) == ["home", "home/a", "home/sub"]
    assert report.excluded.entries == 1


def test_what_is_bakthats_own_is_known_by_a_link_to_the_source_and_by_another_name(tmp_path: Path) -> None:
    root = tmp_path / "home"
    (root / "store").mkdir(parents=True)
    (root / "db").write_bytes(b"x")
    (root / "other").hardlink_to(root / "db")
    (tmp_path / "link").symlink_to("home")
    own = (str(root / "store"), str(root / "db"))
    stream, report = packed(tmp_path / "link", exclusions=Exclusions(own_paths=own))
    assert list(members(stream)) == ["link"]
    assert report.excluded.own == tuple(str(tmp_path / "link" / name) for name in ("db", "other", "store"))


def test_a_store_that_is_backed_up_itself_lacks_its_objects_only(tmp_path: Path) -> None:
    root = tmp_path / "store"
    mine = ["notes", "photos.2026.tgz", "sub/photos.20260102030405.tgz", "IMG20260102030405"]
    own = [
        "photos.20260102030405.tgz.enc",
        "a.b.20260102030405",
        "bakthat_catalog/x.json",
        ".bakthat-put-1",
        ".bakthat-store",
    ]
    for name in mine + own:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    stream, report = packed(root, exclusions=Exclusions(own_objects=True))
    assert sorted(members(stream)) == sorted(["store", "store/sub", *(f"store/{name}" for name in mine)])
    assert report.excluded == Excluded(by={"bakthat": 5}, own=(str(root),))


def test_a_survey_reports_what_a_backup_would_and_opens_no_file(tree: Path) -> None:
    (tree / "hidden").write_bytes(b"x" * 100)
    (tree / "hidden").chmod(0)
    (tree / "twin").hardlink_to(tree / "hidden")
    (tree / "cache").mkdir()
    leave_out = leaving_out("cache")
    before = {path: path.lstat().st_atime_ns for path in tree.rglob("*") if path.is_file()}
    surveyed = survey(tree, exclusions=leave_out)
    assert {path: path.lstat().st_atime_ns for path in before} == before
    (tree / "hidden").chmod(0o600)
    _, report = packed(tree, exclusions=leave_out)
    assert surveyed == report
    assert surveyed.excluded.by == {"--exclude": 1}


CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55"


def made_tree(root: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_of_a_cache_the_directory_and_its_tag_are_kept(tmp_path: Path) -> None:
    """As GNU tar's --exclude-caches has it."""
    root = tmp_path / "home"
    made_tree(
        root,
        {
            "cache/CACHEDIR.TAG": f"{CACHE_TAG}\n# made by a test\n",
            "cache/a": "",
            "cache/deep/b": "",
            "forged/CACHEDIR.TAG": "Signature: 0",
            "forged/c": "",
            "short/CACHEDIR.TAG": CACHE_TAG[:-1],
            "empty/CACHEDIR.TAG": CACHE_TAG,
            "tag/d": "",
        },
    )
    (root / "linked").mkdir()
    (root / "linked" / "CACHEDIR.TAG").symlink_to("../cache/CACHEDIR.TAG")
    (root / "linked" / "e").touch()
    os.mkfifo(root / "tag" / "CACHEDIR.TAG")
    told: list[tuple[str, str]] = []
    stream, report = packed(root, exclusions=Exclusions(caches=True), on_excluded=lambda *what: told.append(what))
    gone = {"home/cache/a", "home/cache/deep", "home/cache/deep/b"}
    assert set(members(packed(root)[0])) - set(members(stream)) == gone
    assert report.excluded == Excluded(by={"--exclude-caches": 1})
    assert told == [(str(root / "cache"), "--exclude-caches")]


def test_of_a_directory_with_a_marker_the_marker_is_kept(tmp_path: Path) -> None:
    """As restic's --exclude-if-present has it."""
    root = tmp_path / "home"
    made_tree(
        root, {"a/.nobackup": "", "a/x": "", "a/b/y": "", "c/.git/config": "", "c/.nobackup": "", "c/z": "", "d/w": ""}
    )
    stream, report = packed(root, exclusions=Exclusions(if_present=(".nobackup", ".git")))
    kept = ["a", "a/.nobackup", "c", "c/.nobackup", "c/.git", "c/.git/config", "d", "d/w"]
    assert list(members(stream)) == ["home", *(f"home/{name}" for name in kept)]
    assert report.excluded == Excluded(by={"--exclude-if-present": 2})


def test_the_source_may_be_marked_itself(tmp_path: Path) -> None:
    made_tree(tmp_path / "home", {"CACHEDIR.TAG": CACHE_TAG, "a": "", "b/c": ""})
    stream, report = packed(tmp_path / "home", exclusions=Exclusions(caches=True))
    assert list(members(stream)) == ["home", "home/CACHEDIR.TAG"]
    assert report.excluded.entries == 1


def test_larger_files_are_left_out_under_each_of_their_names(tmp_path: Path) -> None:
    root = tmp_path / "home"
    made_tree(root, {"a/large": "x" * 101, "a/right": "x" * 100, "small": ""})
    (root / "twin").hardlink_to(root / "a" / "large")
    (root / "link").symlink_to("a/large")
    stream, report = packed(root, exclusions=Exclusions(larger_than=100))
    assert list(members(stream)) == ["home", "home/small", "home/link", "home/a", "home/a/right"]
    assert report.excluded == Excluded(by={"--exclude-larger-than": 2})
    assert report.files == 2


def test_no_file_is_too_large_by_default_and_only_empty_ones_may_be_kept(tmp_path: Path) -> None:
    made_tree(tmp_path / "home", {"a": "x", "b": ""})
    assert packed(tmp_path / "home")[1].excluded.entries == 0
    assert list(members(packed(tmp_path / "home", exclusions=Exclusions(larger_than=0))[0])) == ["home", "home/b"]


def test_what_is_mounted_below_the_source_is_left_out_and_its_mount_point_kept() -> None:
    """/proc is a file system of its own on every Linux. GNU tar, restic and borg keep the mount point as well."""
    exclusions = evolve(leaving_out("/*", "!/proc/"), one_file_system=True)
    told: list[tuple[str, str]] = []
    stream, report = packed(Path("/"), exclusions=exclusions, on_excluded=lambda *what: told.append(what))
    assert list(members(stream)) == ["root", "root/proc"]
    assert ("/proc", "--one-file-system") in told
    assert report.excluded.by["--one-file-system"] == 1
    assert survey(Path("/"), exclusions=exclusions).excluded == report.excluded


def test_a_file_system_is_left_by_no_directory_of_its_own(tree: Path) -> None:
    assert packed(tree, exclusions=Exclusions(one_file_system=True)) == packed(tree)


def test_a_survey_leaves_out_the_same(tmp_path: Path) -> None:
    root = tmp_path / "home"
    made_tree(
        root,
        {"cache/CACHEDIR.TAG": CACHE_TAG, "cache/a": "", "a/.nobackup": "", "a/x": "", "large": "x" * 101, "s": "x"},
    )
    exclusions = Exclusions(caches=True, if_present=(".nobackup",), larger_than=100)
    assert survey(root, exclusions=exclusions) == packed(root, exclusions=exclusions)[1]


SCRIPT = """
import io, json, sys
from pathlib import Path
from bakthat.adapters.packing.writing.tar_writer import write_tar
import tarfile
stream = io.BytesIO()
report = write_tar(Path(sys.argv[1]), stream)
stream.seek(0)
print(json.dumps([tarfile.open(fileobj=stream).getnames(), [[p.path, p.reason] for p in report.problems]]))
"""


def test_what_cannot_be_read_is_a_problem_and_a_directory_keeps_its_entry(
    tmp_path: Path, unprivileged: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    root = tmp_path / "site"
    (root / "closed").mkdir(parents=True)
    (root / "closed" / "inside").write_bytes(b"x")
    (root / "open").write_bytes(b"x")
    (root / "secret").write_bytes(b"x")
    (root / "closed").chmod(0)
    (root / "secret").chmod(0)
    try:
        run = unprivileged("-c", SCRIPT, str(root))
    finally:
        (root / "closed").chmod(0o700)
    names, problems = json.loads(run.stdout)
    assert names == ["site", "site/open", "site/closed"]
    assert problems == [
        [str(root / "secret"), "permission denied"],
        [str(root / "closed"), "cannot be read, and its contents are missing: permission denied"],
    ]


def test_somebody_elses_files_are_read_though_their_access_times_cannot_be_spared(
    tmp_path: Path, unprivileged: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    root = tmp_path / "site"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(b"x")
        if os.getuid() == 0:
            os.chown(root / name, 12345, 12345)
    run = unprivileged("-c", SCRIPT, str(root))
    assert json.loads(run.stdout) == [["site", "site/a", "site/b"], []]


def test_the_access_time_of_a_file_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (root / "file").write_bytes(b"x")
    os.utime(root / "file", ns=(10**18, 10**18 + 1))
    packed(root)
    assert (root / "file").stat().st_atime_ns == 10**18


# -- files that do not keep still --------------------------------------------------------------------------------------


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A tree whose first file is large: it is being read when the first write comes, after the listing."""
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    (root / "a").write_bytes(b"a" * MiB)
    (root / "b").write_bytes(b"b")
    (root / "sub" / "c").write_bytes(b"c")
    return root


def run_while(busy: Path, event: Callable[[], object]) -> tuple[bytes, PackReport]:
    sink = Sink(event)
    report = write_tar(busy, sink)
    return sink.getvalue(), report


def test_a_file_that_shrinks_is_padded_with_zeros_and_named(busy: Path) -> None:
    stream, report = run_while(busy, lambda: os.truncate(busy / "a", 1000))
    whole = content(stream, "site/a")
    read = whole.rstrip(b"\0")
    assert (len(whole), set(read)) == (MiB, set(b"a"))
    assert content(stream, "site/sub/c") == b"c"
    assert reasons(report.problems, busy) == {"a": "shrank while it was read; the rest of it is zeros"}
    assert report.size == len(read) + 2 < MiB


def test_a_file_that_grows_is_cut_at_its_first_size_and_named(busy: Path) -> None:
    def grow() -> None:
        with open(busy / "a", "ab") as file:
            file.write(b"more")

    stream, report = run_while(busy, grow)
    assert content(stream, "site/a") == b"a" * MiB
    assert reasons(report.problems, busy) == {"a": "changed while it was read"}


def test_a_file_that_changes_in_place_is_named(busy: Path) -> None:
    _, report = run_while(busy, lambda: os.utime(busy / "a", ns=(0, 5)))
    assert reasons(report.problems, busy) == {"a": "changed while it was read"}


def test_a_small_file_with_more_in_it_than_its_size_says_is_named() -> None:
    """What the kernel makes up has size 0, as a file has at first that grows while it is read."""
    stream, report = packed(Path("/proc/version"))
    assert content(stream, "version") == b""
    assert reasons(report.problems, Path("/proc")) == {"version": "changed while it was read"}


def test_a_file_that_vanishes_is_a_problem(busy: Path) -> None:
    stream, report = run_while(busy, (busy / "b").unlink)
    assert "site/b" not in members(stream)
    assert reasons(report.problems, busy) == {"b": "disappeared before it was read"}


def test_a_directory_that_vanishes_is_a_problem(busy: Path) -> None:
    stream, report = run_while(busy, lambda: shutil.rmtree(busy / "sub"))
    assert "site/sub" not in members(stream)
    assert reasons(report.problems, busy) == {"sub": "disappeared before it was read"}


@pytest.mark.parametrize("name", ["b", "sub"])
def test_a_symbolic_link_put_in_the_place_of_something_is_not_followed(busy: Path, name: str) -> None:
    secret = busy.parent / "secret"
    secret.mkdir()
    (secret / "key").write_bytes(b"key")

    def swap() -> None:
        (busy / name).rename(busy.parent / "moved")
        (busy / name).symlink_to(secret if name == "sub" else secret / "key")

    stream, report = run_while(busy, swap)
    assert f"site/{name}" not in members(stream)
    assert b"key" not in stream.replace(b"site/", b"")
    assert list(reasons(report.problems, busy)) == [name]


def test_a_fifo_put_in_the_place_of_a_file_is_not_waited_for(busy: Path) -> None:
    def swap() -> None:
        (busy / "b").unlink()
        os.mkfifo(busy / "b")

    _, report = run_while(busy, swap)
    assert list(reasons(report.problems, busy)) == ["b"]


def test_a_directory_put_in_the_place_of_a_file_is_a_problem(busy: Path) -> None:
    def swap() -> None:
        (busy / "b").unlink()
        (busy / "b").mkdir()

    _, report = run_while(busy, swap)
    assert list(reasons(report.problems, busy)) == ["b"]


def test_a_hard_link_whose_first_name_could_not_be_read_holds_the_content_itself(busy: Path) -> None:
    os.link(busy / "b", busy / "sub" / "zz")
    stream, report = run_while(busy, (busy / "b").unlink)
    assert content(stream, "site/sub/zz") == b"b"
    assert list(reasons(report.problems, busy)) == ["b"]


# -- depth -------------------------------------------------------------------------------------------------------------


def descend(root: Path, levels: int, name: str) -> None:
    """Directories in each other, far deeper than a path can say, each with a file and a directory that come after."""
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        os.mkdir("~later", dir_fd=here)
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_tree_deeper_than_any_path_is_written_with_few_descriptors(tmp_path: Path) -> None:
    root = tmp_path / "site"
    descend(root, 300, "d" * 40)
    most = 0
    before = open_descriptors()

    class Counting(io.BytesIO):
        def write(self, data: Any) -> int:
            nonlocal most
            most = max(most, open_descriptors() - before)
            return super().write(data)

    sink = Counting()
    report = write_tar(root, sink)
    names = members(sink.getvalue())
    assert report.problems == ()
    assert report.directories == 601
    assert "site" + ("/" + "d" * 40) * 299 + "/~later" in names
    assert most < 100
    assert open_descriptors() == before


def test_a_tree_deeper_than_a_restore_takes_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "site"
    descend(root, 300, "d" * 240)
    stream, report = packed(root)
    assert [problem.reason[:14] for problem in report.problems] == ["is too deep: a"]
    assert max(map(len, members(stream))) < 64 * 1024
    subprocess.run(["rm", "-rf", str(root)], check=True)


def test_a_tree_that_is_moved_about_while_it_is_read_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    root = tmp_path / "site"
    descend(root, 70, "d")
    bottom = root.joinpath(*["d"] * 70)
    (bottom / "large").write_bytes(b"l" * MiB)
    moved = root / "d" / "d" / "d"
    sink = Sink(lambda: moved.rename(tmp_path / "elsewhere"))
    report = write_tar(root, sink)
    # The directories above are not kept open at that depth, and the way up from what was moved does not lead there.
    assert reasons(report.problems, root).keys() == {"d/d", "d", "."}
    assert "site/d/d/d/~later" in members(sink.getvalue())


# -- the stream it writes into -----------------------------------------------------------------------------------------


class FullDisk(OSError):
    pass


@pytest.mark.parametrize("good", [0, 1, 2, 3, 5])
def test_an_error_of_the_stream_comes_out_as_it_is_and_nothing_stays_open(busy: Path, good: int) -> None:
    os.link(busy / "a", busy / "a-hard")
    before = open_descriptors()

    class Failing(io.RawIOBase):
        left = good

        def write(self, data: object) -> int:
            if not self.left:
                raise FullDisk(28, "no space left on device")
            self.left -= 1
            return len(memoryview(data))  # type: ignore[arg-type]

    with pytest.raises(FullDisk):
        write_tar(busy, Failing())  # type: ignore[arg-type]
    assert open_descriptors() == before


def test_progress_adds_up_to_the_content(tree: Path) -> None:
    steps: list[int] = []
    _, report = packed(tree, on_bytes=steps.append)
    assert sum(steps) == report.size
    assert min(steps) > 0


def test_small_files_are_written_in_large_chunks(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    for number in range(1000):
        (root / f"{number}").write_bytes(b"x" * 2000)
    pieces: list[int] = []

    class Measuring(io.BytesIO):
        def write(self, data: Any) -> int:
            pieces.append(len(data))
            return super().write(data)

    write_tar(root, Measuring())
    assert len(pieces) < 20


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as file:
        for _ in range(200):
            file.write(b"x" * MiB)
    total = 0

    class Null(io.RawIOBase):
        def write(self, data: object) -> int:
            nonlocal total
            total += len(memoryview(data))  # type: ignore[arg-type]
            return len(memoryview(data))  # type: ignore[arg-type]

    tracemalloc.start()
    try:
        write_tar(tmp_path / "large", Null())  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 200 * MiB
    assert peak < 2 * MiB
