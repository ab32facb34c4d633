"""Where each member of an archive begins: told while it is written, found again by reading it."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.archive_index import IndexEntry
from bakthat.errors import PayloadDamaged
from tests.fixtures.tar_members import END, member, pax


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A member of each kind, with extended headers and without."""
    root = tmp_path / "tree"
    (root / "d" / "deep").mkdir(parents=True)
    (root / "empty").touch()
    (root / "small").write_bytes(b"small" * 300)
    (root / "large").write_bytes(os.urandom(700_001))
    (root / ("long" * 60)).write_bytes(b"a long name")
    (root / "größe").write_bytes(b"beyond ASCII")
    (root / os.fsdecode(b"caf\xe9")).write_bytes(b"not UTF-8")
    with (root / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(5_000_000)
        file.write(b"end")
    os.setxattr(root / "d", "user.comment", b"x" * 3000)
    (root / "d" / "first").write_bytes(b"two names")
    (root / "d" / "second").hardlink_to(root / "d" / "first")
    (root / "d" / "link").symlink_to("first")
    os.mkfifo(root / "d" / "fifo")
    for number in range(700):
        (root / "d" / "deep" / f"{number}").write_bytes(b"%d" % number * (number % 90))
    os.utime(root / "small", ns=(0, 1_700_000_000 * 10**9))
    return root


def packed(tree: Path) -> tuple[bytes, list[IndexEntry]]:
    into = io.BytesIO()
    entries: list[IndexEntry] = []
    TarPacker().pack(tree, into, on_entry=entries.append)
    return into.getvalue(), entries


def test_each_member_alone_is_an_archive_that_gnu_tar_reads(tree: Path) -> None:
    archive, entries = packed(tree)
    ends = [entry.offset for entry in entries[1:]] + [len(archive)]
    chosen = [*range(30), len(entries) - 1]
    for entry, end in [(entries[number], ends[number]) for number in chosen]:
        cut = archive[entry.offset : end] + END
        listed = subprocess.run(
            ["tar", "-t", "--quoting-style=literal"], input=cut, capture_output=True, check=True
        ).stdout.rstrip(b"\n")
        assert listed.removesuffix(b"/") == os.fsencode(entry.path)
        if entry.kind == "file":
            done = subprocess.run(["tar", "-xO", "-S"], input=cut, capture_output=True, check=True)
            assert done.stdout == (tree.parent / entry.path).read_bytes()


def test_entries_say_what_the_file_system_says(tree: Path) -> None:
    _, entries = packed(tree)
    by_path = {entry.path: entry for entry in entries}
    assert len(by_path) == len(entries) == len(list(tree.rglob("*"))) + 1
    for entry in entries:
        status = (tree.parent / entry.path).lstat()
        assert (entry.mtime_ns, entry.ctime_ns, entry.inode) == (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        assert (entry.mode, entry.uid, entry.gid) == (status.st_mode & 0o7777, status.st_uid, status.st_gid)
    assert (by_path["tree/d/second"].kind, by_path["tree/d/second"].link) == ("hardlink", "tree/d/first")
    assert (by_path["tree/d/link"].kind, by_path["tree/d/link"].link) == ("symlink", "first")
    assert (by_path["tree/sparse"].size, by_path["tree/d/second"].size, by_path["tree/d"].size) == (5_000_003, 0, 0)
    assert {entry.kind for entry in entries} == {"file", "directory", "hardlink", "symlink", "fifo"}


def test_reading_the_archive_gives_the_same_entries(tree: Path) -> None:
    archive, entries = packed(tree)
    found = list(TarPacker().entries(io.BytesIO(archive)))
    assert found == [entry._replace(ctime_ns=None, inode=None) for entry in entries]


def test_a_single_file_is_an_entry(tree: Path) -> None:
    archive, entries = packed(tree / "small")
    assert [(entry.path, entry.kind, entry.size, entry.offset) for entry in entries] == [("small", "file", 1500, 0)]
    assert [entry.path for entry in TarPacker().entries(io.BytesIO(archive))] == ["small"]


def test_offsets_of_gnu_tar_s_own_archives_are_those_of_the_first_header(tree: Path) -> None:
    for layout in ("gnu", "posix"):
        archive = subprocess.run(
            ["tar", "-c", "-S", f"--format={layout}", "-C", tree.parent, tree.name], check=True, capture_output=True
        ).stdout
        entries = list(TarPacker().entries(io.BytesIO(archive)))
        for entry, end in zip(entries[:25], [entry.offset for entry in entries[1:26]], strict=True):
            cut = archive[entry.offset : end] + END
            listed = subprocess.run(
                ["tar", "-t", "--quoting-style=literal"], input=cut, capture_output=True, check=True
            ).stdout
            assert os.fsdecode(listed.rstrip(b"\n").removesuffix(b"/")) == entry.path


def test_paths_are_listed_as_they_are_restored() -> None:
    archive = member(b"./", kind=b"5") + member(b"./a//b", b"1") + member(b"a/c", kind=b"1", link=b"./a/b") + END
    found = [(entry.path, entry.link) for entry in TarPacker().entries(io.BytesIO(archive))]
    assert found == [("a/b", ""), ("a/c", "a/b")]


def test_a_record_that_says_nothing_belongs_to_its_member() -> None:
    archive = member(b"a", b"1") + pax((b"something", b"else")) + member(b"b", b"2") + member(b"c", b"3") + END
    offsets = [entry.offset for entry in TarPacker().entries(io.BytesIO(archive))]
    assert offsets == [0, 1024, 1024 + 1024 + 1024]


@pytest.mark.parametrize("kept", [0, 1000, 5000])
def test_listing_a_damaged_archive_is_an_error(tree: Path, kept: int) -> None:
    archive, _ = packed(tree)
    with pytest.raises(PayloadDamaged):
        list(TarPacker().entries(io.BytesIO(archive[:kept])))


def test_a_path_that_leads_out_is_damage() -> None:
    with pytest.raises(PayloadDamaged, match="tries to leave"):
        list(TarPacker().entries(io.BytesIO(member(b"../a", b"1") + END)))


def test_what_the_listener_raises_comes_out_as_it_is(tree: Path) -> None:
    def refuse(_: IndexEntry) -> None:
        raise KeyError("full")

    with pytest.raises(KeyError, match="full"):
        TarPacker().pack(tree, io.BytesIO(), on_entry=refuse)
