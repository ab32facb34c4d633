"""A chain of archives is restored as the tree was at the last one, all of it or nothing."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import pytest

from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.errors import BackupNotFound, ChainBroken, PayloadDamaged, TargetExists
from bakthat.ports.payload import ChainedArchive
from tests.fixtures.chains_of_archives import ArchiveChain
from tests.fixtures.tree_histories import snapshot, tick


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "pages").mkdir(parents=True)
    (root / "index").write_text("hello")
    (root / "pages" / "about").write_text("about")
    (root / "pages" / "link").symlink_to("about")
    return root


@pytest.fixture
def chain(tree: Path) -> ArchiveChain:
    """Three archives: the last one lacks `pages/about`, and has `pages/new`."""
    made = ArchiveChain(tree)
    made.add()
    tick(tree.parent)
    (tree / "pages" / "about").unlink()
    made.add()
    tick(tree.parent)
    (tree / "pages" / "new").write_text("new")
    made.add()
    return made


def test_each_point_is_restored_as_it_was(tree: Path, chain: ArchiveChain, tmp_path: Path) -> None:
    assert snapshot(chain.restore(tmp_path / "last")) == snapshot(tree)
    assert sorted(os.listdir(chain.restore(tmp_path / "first", 1) / "pages")) == ["about", "link"]
    assert sorted(os.listdir(chain.restore(tmp_path / "second", 2) / "pages")) == ["link"]


def test_what_is_there_is_counted_and_not_every_member(chain: ArchiveChain, tree: Path, tmp_path: Path) -> None:
    tick(tree.parent)
    os.link(tree / "index", tree / "same")
    chain.add()
    tick(tree.parent)
    chain.add()
    report = chain.packer.unpack_chain(chain.chain(), tmp_path / "target", name="tree")
    assert (report.files, report.directories, report.others, report.size) == (3, 2, 1, 8)
    assert report.roots == ("tree",)


def test_a_target_that_exists_is_replaced_only_if_asked(chain: ArchiveChain, tmp_path: Path) -> None:
    old = tmp_path / "target" / "tree"
    old.mkdir(parents=True)
    (old / "mine").touch()
    with pytest.raises(TargetExists):
        chain.restore(tmp_path / "target")
    chain.restore(tmp_path / "target", overwrite=True)
    assert sorted(os.listdir(old)) == ["index", "pages"]


def test_a_later_archive_that_is_damaged_leaves_the_target_as_it_was(chain: ArchiveChain, tmp_path: Path) -> None:
    chain.archives[2] = chain.archives[2][:1536]
    old = tmp_path / "target" / "tree"
    old.mkdir(parents=True)
    with pytest.raises(PayloadDamaged):
        chain.restore(tmp_path / "target", overwrite=True)
    assert os.listdir(tmp_path / "target") == ["tree"]
    assert os.listdir(old) == []


def test_an_error_of_a_stream_comes_out_as_it_is(chain: ArchiveChain, tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the network is down")

    archives = [*chain.chain(1), ChainedArchive(chain.name(1), nullcontext(Failing()))]
    with pytest.raises(OSError, match="the network is down"):
        chain.packer.unpack_chain(archives, tmp_path / "target", name="tree")
    assert not (tmp_path / "target").exists()


def test_an_archive_is_opened_when_the_one_before_it_is_closed(chain: ArchiveChain, tmp_path: Path) -> None:
    calls: list[str] = []

    @contextmanager
    def watched(number: int) -> Iterator[BinaryIO]:
        calls.append(f"open {number}")
        yield io.BytesIO(chain.archives[number])
        calls.append(f"close {number}")

    archives = [ChainedArchive(chain.name(number), watched(number)) for number in range(3)]
    chain.packer.unpack_chain(archives, tmp_path / "target", name="tree")
    assert calls == ["open 0", "close 0", "open 1", "close 1", "open 2", "close 2"]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ((0, 2), "continues site.20260101000001.inc.tar, not site.20260101000000.tar"),
        ((1, 2), "only what changed since site.20260101000000.tar"),
        ((0, 1, 1), "continues site.20260101000000.tar, not site.20260101000001.inc.tar"),
        ((0, 0), "continues no backup, not site.20260101000000.tar"),
    ],
    ids=["one is missing", "no full one", "twice", "a full one in between"],
)
def test_archives_that_do_not_follow_each_other_are_refused(
    order: tuple[int, ...], why: str, chain: ArchiveChain, tmp_path: Path
) -> None:
    archives = [ChainedArchive(chain.name(at), nullcontext(io.BytesIO(chain.archives[at]))) for at in order]
    with pytest.raises(ChainBroken, match=why):
        chain.packer.unpack_chain(archives, tmp_path / "target", name="tree")
    assert not (tmp_path / "target").exists()


def test_an_empty_archive_cannot_be_in_a_chain(chain: ArchiveChain, tmp_path: Path) -> None:
    chain.archives[1] = bytes(10240)
    with pytest.raises(ChainBroken, match="continues no backup"):
        chain.restore(tmp_path / "target", 2)


def test_a_base_that_lacks_what_is_unchanged_is_refused(chain: ArchiveChain, tree: Path, tmp_path: Path) -> None:
    """As if somebody had replaced the full archive by another one of the same name."""
    (tree / "pages" / "link").unlink()
    other = ArchiveChain(tree)
    other.add()
    chain.archives[0] = other.archives[0]
    with pytest.raises(PayloadDamaged, match="tree/pages/link as unchanged, and the archives before it do not"):
        chain.restore(tmp_path / "target")
    assert not (tmp_path / "target").exists()


# A part of it


def test_patterns_select_from_the_tree_as_it_was(chain: ArchiveChain, tmp_path: Path) -> None:
    chain.restore(tmp_path / "new", only=["pages/new", "index"])
    assert sorted(os.listdir(tmp_path / "new" / "tree")) == ["index", "pages"]
    assert os.listdir(tmp_path / "new" / "tree" / "pages") == ["new"]
    chain.restore(tmp_path / "directory", only=["/pages"])
    assert sorted(os.listdir(tmp_path / "directory" / "tree" / "pages")) == ["link", "new"]


def test_what_was_deleted_is_not_selected(chain: ArchiveChain, tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound, match="nothing in this backup matches about"):
        chain.restore(tmp_path / "target", only=["about"])
    chain.restore(tmp_path / "both", only=["about", "new"])
    assert os.listdir(tmp_path / "both" / "tree" / "pages") == ["new"]


def test_a_selected_link_to_an_unselected_file_of_an_earlier_archive_has_its_content(
    tree: Path, tmp_path: Path
) -> None:
    os.link(tree / "index", tree / "pages" / "same")
    chain = ArchiveChain(tree)
    chain.add(excluded=frozenset(["same"]))
    chain.add()
    chain.restore(tmp_path / "target", only=["same"])
    assert (tmp_path / "target" / "tree" / "pages" / "same").read_text() == "hello"
    assert os.listdir(tmp_path / "target" / "tree") == ["pages"]


def test_unselected_things_that_change_their_kind_do_no_harm(tree: Path, tmp_path: Path) -> None:
    os.link(tree / "index", tree / "same")
    (tree / "was").mkdir()
    os.link(tree / "index", tree / "was" / "below")
    chain = ArchiveChain(tree)
    chain.add()
    tick(tree.parent)
    (tree / "was" / "below").unlink()
    (tree / "was").rmdir()
    os.link(tree / "index", tree / "was")
    chain.add()
    chain.restore(tmp_path / "target", only=["same"])
    assert (tmp_path / "target" / "tree" / "same").read_text() == "hello"


def test_directories_that_become_files_leave_no_descriptor_open(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number in range(120):
        (tree / f"{number}").mkdir(parents=True)
        (tree / f"{number}" / "file").touch()
    chain = ArchiveChain(tree)
    chain.add()
    tick(tmp_path)
    for number in range(0, 120, 2):
        (tree / f"{number}" / "file").unlink()
        (tree / f"{number}").rmdir()
        (tree / f"{number}").touch()
    chain.add()
    before = len(os.listdir("/proc/self/fd"))
    assert snapshot(chain.restore(tmp_path / "target")) == snapshot(tree)
    assert len(os.listdir("/proc/self/fd")) == before


A_DEVICE = os.makedev(0, 0)
"""The only one that an ordinary user may make."""


def test_a_device_that_is_unchanged_is_left_out_as_it_was(tree: Path, tmp_path: Path) -> None:
    os.mknod(tree / "null", 0o20666, A_DEVICE)
    chain = ArchiveChain(tree)
    chain.add()
    tick(tree.parent)
    chain.add()
    report = TarPacker().unpack_chain(chain.chain(), tmp_path / "target", name="tree")
    assert [notice.reason for notice in report.notices] == ["devices are not restored; if you need it: mknod c 0 0"]
    assert not (tmp_path / "target" / "tree" / "null").exists()


def test_a_file_that_became_a_device_is_not_restored_as_it_was_before(tree: Path, tmp_path: Path) -> None:
    (tree / "null").write_text("a file")
    os.link(tree / "null", tree / "other")
    chain = ArchiveChain(tree)
    chain.add()
    (tree / "null").unlink()
    (tree / "other").unlink()
    os.mknod(tree / "null", 0o20666, A_DEVICE)
    os.link(tree / "null", tree / "other")
    tick(tree.parent)
    chain.add()
    chain.add()
    for length in (2, 3):
        restored = chain.restore(tmp_path / f"{length}", length)
        assert not (restored / "null").exists()
        assert not (restored / "other").exists()


# Hostile archives


def crafted(base: str, *members: tuple[str, bytes, str], dumpdir: str | None = None) -> bytes:
    """An incremental archive of these members (name, type, link), the first of which has the record."""
    stream = io.BytesIO()
    headers = {"BAKTHAT.base": base}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive:
        for number, (name, kind, link) in enumerate(members):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            if dumpdir is not None and not number:
                member.pax_headers = {"GNU.dumpdir": dumpdir}
            archive.addfile(member)
    return stream.getvalue()


@pytest.mark.parametrize(
    "member",
    [
        ("tree/out/new", tarfile.REGTYPE, ""),
        ("tree/out/new", tarfile.SYMTYPE, "x"),
        ("tree/out/new", tarfile.LNKTYPE, "tree/index"),
        ("tree/here", tarfile.LNKTYPE, "tree/out/mine"),
        ("tree/out/below/new", tarfile.REGTYPE, ""),
    ],
    ids=["file", "symbolic link", "hard link", "hard link to it", "further down"],
)
def test_a_link_of_an_earlier_archive_is_never_followed(
    member: tuple[str, bytes, str], tree: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    (tree / "out").symlink_to(outside)
    chain = ArchiveChain(tree)
    chain.add()
    chain.archives.append(crafted(chain.name(0), member))
    with pytest.raises(PayloadDamaged):
        chain.restore(tmp_path / "target")
    assert os.listdir(outside) == ["mine"]
    assert not (tmp_path / "target").exists()


def test_a_list_of_names_removes_nothing_outside(tree: Path, tmp_path: Path) -> None:
    """Nothing is listed, in a directory that is a symbolic link in the earlier archive."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    (tree / "out").symlink_to(outside)
    chain = ArchiveChain(tree)
    chain.add()
    chain.archives.append(crafted(chain.name(0), ("tree/out", tarfile.DIRTYPE, ""), dumpdir="\0"))
    with contextlib.suppress(PayloadDamaged):
        chain.restore(tmp_path / "target")
    assert os.listdir(outside) == ["mine"]


def test_names_that_lead_elsewhere_are_refused(chain: ArchiveChain, tmp_path: Path) -> None:
    root = ("tree", tarfile.DIRTYPE, "")
    chain.archives[1] = crafted(chain.name(0), root, dumpdir="N../../mine\0\0")
    with pytest.raises(PayloadDamaged, match="lists an impossible entry"):
        chain.restore(tmp_path / "target", 2)
    assert not (tmp_path / "target").exists()


def test_a_record_longer_than_any_that_is_written_is_refused(chain: ArchiveChain, tmp_path: Path) -> None:
    root = ("tree", tarfile.DIRTYPE, "")
    chain.archives[1] = crafted(chain.name(0), root, dumpdir="N" + "x" * (34 * 2**20) + "\0\0")
    with pytest.raises(PayloadDamaged, match="an extended header of"):
        chain.restore(tmp_path / "target", 2)
