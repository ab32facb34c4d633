"""What an incremental archive contains, as GNU tar and we read it."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat.adapters.packing.tar_format import dumpdir
from bakthat.adapters.packing.tar_format.entries import read_entries
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.adapters.packing.writing import changes_writer
from bakthat.adapters.packing.writing.fingerprints import COARSE_NS, FINE_NS, fingerprint, is_recent
from bakthat.adapters.packing.writing.tar_writer import write_tar
from bakthat.domain.exclusions import Exclusions
from bakthat.domain.payload import NamedBase
from bakthat.errors import ChainBroken, PayloadDamaged
from bakthat.ports.file_states import Changes, TooManyNames
from tests.fixtures.chains_of_archives import ArchiveChain, extract_with_gnu_tar
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
    made = ArchiveChain(tree)
    made.add()
    tick(tree.parent)
    return made


def stored(chain: ArchiveChain, number: int = -1) -> list[str]:
    """The members of an archive that are no directories."""
    return [entry.path for entry in chain.entries[number] if entry.kind != "directory"]


def unchanged(chain: ArchiveChain, number: int = -1) -> dict[str, str | None]:
    return {entry.path: entry.unchanged for entry in chain.entries[number] if entry.kind == "directory"}


def test_a_full_archive_that_begins_a_chain_is_that_of_a_plain_backup(tree: Path, chain: ArchiveChain) -> None:
    plain = io.BytesIO()
    report = write_tar(tree, plain)
    assert chain.archives[0] == plain.getvalue()
    assert chain.reports[0] == report


def test_an_unchanged_tree_gives_its_directories_and_all_names(chain: ArchiveChain) -> None:
    report = chain.add()
    assert stored(chain) == []
    assert unchanged(chain) == {"tree": "index", "tree/pages": "about/link"}
    assert (report.files, report.directories, report.others, report.size) == (2, 2, 1, 10)
    assert len(chain.archives[1]) == 10240


def test_only_what_changed_is_stored(tree: Path, chain: ArchiveChain) -> None:
    (tree / "index").write_text("HELLO")
    (tree / "pages" / "new").write_text("new")
    report = chain.add()
    assert stored(chain) == ["tree/index", "tree/pages/new"]
    assert unchanged(chain) == {"tree": "", "tree/pages": "about/link"}
    assert (report.files, report.size) == (3, 13)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("HELLO"),
        lambda path: path.chmod(0o600),
        lambda path: os.utime(path, ns=(1, 1)),
        lambda path: os.setxattr(path, "user.note", b"x"),
        lambda path: os.link(path, path.with_name("again")),
        lambda path: (path.rename(path.with_name("old")), path.write_text("hello")),
        lambda path: (path.unlink(), path.symlink_to("pages")),
    ],
    ids=["content", "mode", "time", "attribute", "name", "inode", "kind"],
)
def test_every_change_is_noticed_though_size_and_time_are_the_same(
    change: Callable[[Path], object], tree: Path, chain: ArchiveChain
) -> None:
    before = (tree / "index").stat()
    change(tree / "index")
    if not (tree / "index").is_symlink() and (tree / "index").stat().st_mtime_ns != 1:
        os.utime(tree / "index", ns=(before.st_mtime_ns, before.st_mtime_ns))
    chain.add()
    assert "tree/index" in stored(chain)


def test_a_symbolic_link_that_points_elsewhere_is_stored(tree: Path, chain: ArchiveChain) -> None:
    (tree / "pages" / "link").unlink()
    (tree / "pages" / "link").symlink_to("tuoba")
    chain.add()
    assert stored(chain) == ["tree/pages/link"]


def test_the_archive_names_its_base_in_a_global_header(chain: ArchiveChain) -> None:
    chain.add()
    with tarfile.open(fileobj=io.BytesIO(chain.archives[1])) as archive:
        assert archive.pax_headers == {"BAKTHAT.base": chain.name(0)}


def test_an_archive_without_its_chain_gives_the_changed_files_with_any_tar(
    tree: Path, chain: ArchiveChain, tmp_path: Path
) -> None:
    (tree / "pages" / "new").write_text("new")
    chain.add()
    target = tmp_path / "target"
    target.mkdir()
    subprocess.run(["tar", "xf", "-"], cwd=target, input=chain.archives[1], check=True)
    assert sorted(path.name for path in target.rglob("*")) == ["new", "pages", "tree"]
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["bsdtar", "xf", "-"], cwd=other, input=chain.archives[1], check=True)
    assert sorted(path.name for path in other.rglob("*")) == ["new", "pages", "tree"]


def test_an_archive_without_its_chain_is_not_restored(chain: ArchiveChain, tmp_path: Path) -> None:
    chain.add()
    with pytest.raises(ChainBroken, match=f"only what changed since {chain.name(0)}"):
        TarPacker().unpack(io.BytesIO(chain.archives[1]), tmp_path / "target", name="tree")
    assert not (tmp_path / "target").exists()


def test_the_index_and_the_archive_say_the_same(tree: Path, chain: ArchiveChain) -> None:
    (tree / "caf\udce9").mkdir()
    (tree / "caf\udce9" / "caf\udce9").touch()
    (tree / "index").unlink()
    chain.add()
    tick(tree.parent)
    chain.add()
    for archive, entries in zip(chain.archives, chain.entries, strict=True):
        read = [entry._replace(ctime_ns=None, inode=None) for entry in entries]
        assert list(read_entries(io.BytesIO(archive))) == read
    assert unchanged(chain)["tree/caf\udce9"] == "caf\udce9"


# Files that do not keep still


def test_a_file_that_changed_while_it_was_read_is_stored_again(tree: Path) -> None:
    (tree / "large").write_bytes(bytes(300_000))
    chain = ArchiveChain(tree)
    report = chain.add(on_bytes=lambda _: (tree / "large").write_bytes(bytes(300_001)))
    assert [problem.path for problem in report.problems] == [str(tree / "large")]
    tick(tree.parent)
    assert not chain.add().problems
    assert stored(chain) == ["tree/large"]
    chain.add()
    assert stored(chain) == []


def test_a_file_that_was_changed_just_before_it_was_read_is_stored_again(tree: Path) -> None:
    """A later change in the same tick of the file system's clock would have the same time."""
    newest = max(path.lstat().st_ctime_ns for path in tree.rglob("*"))
    chain = ArchiveChain(tree)
    chain.packer = TarPacker(clock_ns=lambda: newest + FINE_NS - 1)
    chain.add()
    chain.add()
    assert stored(chain) != []
    chain.packer = TarPacker(clock_ns=lambda: newest + COARSE_NS + 1)
    chain.add()
    chain.add()
    assert stored(chain) == []


def status_of(ctime_ns: int) -> os.stat_result:
    return os.stat_result((0o100644, 1, 1, 1, 0, 0, 0, 0, 0, 0), {"st_ctime_ns": ctime_ns, "st_mtime_ns": 0})


def test_times_in_whole_seconds_are_those_of_a_coarse_clock() -> None:
    assert is_recent(status_of(10**10), 10**10 + COARSE_NS - 1)
    assert not is_recent(status_of(10**10), 10**10 + COARSE_NS)
    assert not is_recent(status_of(10**10 + 1), 10**10 + 1 + FINE_NS)
    assert is_recent(status_of(10**10 + 1), 0)  # a clock that went back


def test_a_time_beyond_all_limits_has_a_fingerprint() -> None:
    assert fingerprint(status_of(10**30)) != fingerprint(status_of(10**30 + 1))


def test_a_file_that_disappears_is_missing_after_a_restore(tree: Path, chain: ArchiveChain, tmp_path: Path) -> None:
    """It was listed before it was to be read; the old content must not come back for it."""
    (tree / "index").write_text("HELLO")
    (tree / "a").write_bytes(bytes(300_000))
    report = chain.add(on_bytes=lambda _: (tree / "index").unlink(missing_ok=True))
    assert [problem.reason for problem in report.problems] == ["disappeared before it was read"]
    assert (report.files, report.directories) == (2, 2)
    assert not (chain.restore(tmp_path / "ours") / "index").exists()
    target = tmp_path / "gnu"
    target.mkdir()
    for archive in chain.archives:
        extract_with_gnu_tar(archive, target)
    assert not (target / "tree" / "index").exists()


def test_a_directory_that_disappears_is_missing_after_a_restore(
    tree: Path, chain: ArchiveChain, tmp_path: Path
) -> None:
    (tree / "a").write_bytes(bytes(300_000))

    def move(_: int) -> None:
        if (tree / "pages").exists():
            (tree / "pages").rename(tree.parent / "moved")

    chain.add(on_bytes=move)
    assert not (chain.restore(tmp_path / "ours") / "pages").exists()


def test_a_file_that_replaces_a_directory_meanwhile_is_not_restored_as_either(
    tree: Path, chain: ArchiveChain, tmp_path: Path
) -> None:
    (tree / "a").write_bytes(bytes(300_000))

    def replace(_: int) -> None:
        if (tree / "pages").is_dir():
            (tree / "pages").rename(tree.parent / "moved")
            (tree / "pages").write_text("a file")

    report = chain.add(on_bytes=replace)
    assert len(report.problems) == 1
    assert not (chain.restore(tmp_path / "ours") / "pages").exists()
    tick(tree.parent)
    chain.add()
    assert (chain.restore(tmp_path / "later") / "pages").read_text() == "a file"


# What is left out


def test_sockets_are_not_listed(tree: Path, chain: ArchiveChain, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, contextlib.chdir(tree):  # the path of a socket is short
        one.bind("socket")
        report = chain.add()
    assert [notice.path for notice in report.notices] == [str(tree / "socket")]
    assert report.others == 1
    chain.restore(tmp_path / "target")


def test_what_is_too_large_or_bakthats_own_is_removed_by_a_restore_and_counted_once(tree: Path, tmp_path: Path) -> None:
    (tree / "large").write_bytes(bytes(5000))
    (tree / "database").write_text("own")
    chain = ArchiveChain(tree)
    chain.add()
    tick(tree.parent)
    stream = io.BytesIO()
    exclusions = Exclusions(larger_than=4000, own_paths=(str(tree / "database"),))
    known = chain.states.known("origin", chain.name(0))
    with chain.states.draft("origin") as draft:
        report = chain.packer.pack_changes(
            tree, stream, Changes(draft=draft, base=NamedBase(chain.name(0)), known=known), exclusions=exclusions
        )
    assert report.excluded.by == {"--exclude-larger-than": 1, "bakthat": 1}
    assert report.files == 2
    chain.archives.append(stream.getvalue())
    restored = chain.restore(tmp_path / "target")
    assert sorted(path.name for path in restored.iterdir()) == ["index", "pages"]


def test_what_is_excluded_now_is_removed_and_what_is_no_longer_excluded_comes_back(
    tree: Path, chain: ArchiveChain, tmp_path: Path
) -> None:
    chain.add(excluded=frozenset(["about"]))
    assert not (chain.restore(tmp_path / "without") / "pages" / "about").exists()
    chain.add()
    assert stored(chain) == ["tree/pages/about"]
    assert snapshot(chain.restore(tmp_path / "with")) == snapshot(tree)


# Hard links


def test_a_new_name_of_an_unchanged_file_is_a_link_to_it(tree: Path, tmp_path: Path) -> None:
    os.link(tree / "index", tree / "pages" / "same")
    chain = ArchiveChain(tree)
    chain.add(excluded=frozenset(["same"]))
    chain.add()
    assert [(entry.path, entry.link) for entry in chain.entries[1] if entry.kind == "hardlink"] == [
        ("tree/pages/same", "tree/index")
    ]
    assert snapshot(chain.restore(tmp_path / "target")) == snapshot(tree)


@pytest.mark.parametrize("later", ["pages/same", "same"], ids=["another directory", "the same directory"])
def test_an_unchanged_name_of_a_file_that_is_stored_again_is_a_link_to_that(
    later: str, tree: Path, tmp_path: Path
) -> None:
    os.link(tree / "index", tree / later)
    chain = ArchiveChain(tree)
    chain.add(excluded=frozenset(["index"]))
    report = chain.add()
    assert stored(chain) == ["tree/index", f"tree/{later}"]
    assert (report.files, report.size) == (3, 10)
    assert snapshot(chain.restore(tmp_path / "target")) == snapshot(tree)


# Large directories


def test_a_directory_with_many_names_is_read_by_gnu_tar_and_by_us(tmp_path: Path) -> None:
    """Its record is longer than other programs accept of an extended header."""
    tree = tmp_path / "tree"
    tree.mkdir()
    names = [f"{number:05}{'x' * 200}" for number in range(6000)]
    for name in names:
        (tree / name).touch()
    chain = ArchiveChain(tree)
    chain.add()
    tick(tmp_path)
    (tree / names[17]).unlink()
    chain.add()
    assert max(len(entry.unchanged or "") for entry in chain.entries[1]) > 2**20
    restored = chain.restore(tmp_path / "target")
    assert sorted(os.listdir(restored)) == sorted(set(names) - {names[17]})
    other = tmp_path / "other"
    other.mkdir()
    for archive in chain.archives:
        extract_with_gnu_tar(archive, other)
    assert sorted(os.listdir(other / "tree")) == sorted(set(names) - {names[17]})


def test_a_directory_with_too_many_names_can_only_be_stored_whole(tree: Path, chain: ArchiveChain) -> None:
    known = chain.states.known("origin", chain.name(0))
    with chain.states.draft("origin") as draft, pytest.raises(TooManyNames, match="tree has too many entries"):
        changes_writer.write_changes(
            tree, io.BytesIO(), Changes(draft=draft, base=NamedBase(chain.name(0)), known=known), longest_dumpdir=10
        )


# The names


def test_names_are_listed_as_gnu_tar_lists_them() -> None:
    contents = dumpdir.contents_of([b"b", b"a b"], [b"c", b"A"], [b"ab"])
    assert contents.dumpdir == b"NA\0Ya b\0Dab\0Yb\0Nc\0\0"
    assert contents.unchanged == b"A/c"
    names = dumpdir.names_in(contents.dumpdir)
    assert (names.directories, names.files, names.unchanged) == ({b"ab"}, {b"b", b"a b", b"c", b"A"}, (b"A", b"c"))


@pytest.mark.parametrize(
    "listed",
    [b"Y\0", b"Y..\0", b"N.\0", b"Ya/b\0", b"Rold\0", b"y\0"],
    ids=["empty", "up", "dot", "path", "rename", "y"],
)
def test_names_that_cannot_be_are_damage(listed: bytes) -> None:
    with pytest.raises(PayloadDamaged, match="lists an impossible entry"):
        dumpdir.names_in(listed + b"\0")
