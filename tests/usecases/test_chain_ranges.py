"""A restore of a chain reads of each archive only what the tree needs, where the archives have indexes."""

from __future__ import annotations

import io
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import BackupNotFound, ChainBroken, PayloadDamaged, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.exclusions import ExclusionRequest
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.read_file import ReadRequest, read_file
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.sync import sync
from tests.fixtures.nights import NEVER_FULL
from tests.fixtures.nights import night as night_of
from tests.fixtures.tree_histories import snapshot

night = partial(night_of, incremental=NEVER_FULL)


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(block_size=2048)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "site"
    made.mkdir()
    return made


def noise(path: Path, size: int = 40_000) -> None:
    path.write_bytes(os.urandom(size))


def restored(box: Toolbox, root: Path, **options: Any) -> Path:
    target = root.parent / "restored"
    shutil.rmtree(target, ignore_errors=True)
    request: dict[str, Any] = {"name": "site", "destination": "s3", "target": target, **options}
    restore(RestoreRequest(**request), box.tools)
    return target / "site"


def never_whole(box: Toolbox, *backups: Backup) -> None:
    """From now on these archives can be read in parts only."""
    for one in backups:
        box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", key=one.stored_filename, times=99))


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase="secret")], ids=["plain", "encrypted"])
def test_what_has_changed_since_is_not_read(box: Toolbox, root: Path, compression: Compression, keys: Keys) -> None:
    noise(root / "old", 60_000)
    (root / "same").write_text("same")
    full = night(box, root, compression=compression, keys=keys)
    noise(root / "old", 60_000)
    (root / "new").write_text("new")
    night(box, root, compression=compression, keys=keys)
    never_whole(box, full)
    assert snapshot(restored(box, root, keys=lambda _: keys)) == snapshot(root)


def test_with_a_full_check_every_archive_is_read_to_its_end(box: Toolbox, root: Path) -> None:
    noise(root / "old")
    full = night(box, root)
    noise(root / "old")
    night(box, root)
    never_whole(box, full)
    with pytest.raises(StoreUnavailable):
        restored(box, root, full_check=True)


def test_an_archive_that_is_needed_for_the_most_part_is_read_whole_and_checked(box: Toolbox, root: Path) -> None:
    noise(root / "same")
    full = night(box, root)
    (root / "new").write_text("new")
    night(box, root)
    never_whole(box, full)
    with pytest.raises(StoreUnavailable):
        restored(box, root)


def test_without_an_index_the_chain_is_replayed(box: Toolbox, root: Path) -> None:
    (root / "same").write_text("same")
    night(box, root, compression=Compression.NONE)
    (root / "new").write_text("new")
    night(box, root)
    assert snapshot(restored(box, root)) == snapshot(root)


def test_a_directory_in_the_place_of_a_file_that_an_archive_before_it_has(box: Toolbox, root: Path) -> None:
    noise(root / "kept")
    place = root / "directory" / "place"
    place.parent.mkdir()
    place.write_text("a file, first")
    night(box, root)
    place.unlink()
    place.mkdir()
    (place / "below").write_text("below")
    noise(root / "meanwhile")
    second = night(box, root)
    (root / "meanwhile").unlink()
    night(box, root)
    never_whole(box, second)
    assert snapshot(restored(box, root)) == snapshot(root)


def test_a_hard_link_between_what_is_needed_does_not_need_its_file(box: Toolbox, root: Path) -> None:
    """What lies between two members that are requested together is not restored."""
    noise(root / "a")
    noise(root / "b")
    (root / "d").mkdir()
    (root / "d" / "1").write_text("1")
    os.link(root / "a", root / "d" / "2")
    (root / "d" / "3").write_text("3")
    first = night(box, root)
    (root / "a").unlink()
    (root / "d" / "2").unlink()
    night(box, root)
    never_whole(box, first)
    box.worth_parts = 1.0
    assert snapshot(restored(box, root)) == snapshot(root)


WITHOUT_A = ExclusionRequest(patterns=("/a",))


def test_a_hard_link_to_a_name_that_is_left_out_now_has_its_content(box: Toolbox, root: Path) -> None:
    noise(root / "a")
    os.link(root / "a", root / "b")
    noise(root / "meanwhile", 90_000)
    full = night(box, root)
    (root / "meanwhile").unlink()
    night(box, root, exclusions=WITHOUT_A)
    never_whole(box, full)
    out = restored(box, root)
    assert [path.name for path in out.iterdir()] == ["b"]
    assert (out / "b").read_bytes() == (root / "b").read_bytes()


def test_a_part_of_the_tree_is_restored_out_of_the_archive_that_has_it(box: Toolbox, root: Path) -> None:
    noise(root / "large")
    (root / "wanted").write_text("wanted")
    full = night(box, root)
    noise(root / "more")
    second = night(box, root)
    never_whole(box, full, second)
    out = restored(box, root, only=("wanted",))
    assert {path.name for path in out.iterdir()} == {"wanted"}


def test_a_name_that_no_archive_before_has_is_damage(box: Toolbox, root: Path) -> None:
    (root / "same").write_text("same")
    full = night(box, root)
    night(box, root)
    (root / "same").unlink()
    shutil.rmtree(root)
    root.mkdir()
    (root / "other").write_text("other")
    box.clock.forward(days=-2)
    other = Toolbox(block_size=2048, clock=box.clock)
    replaced = backup(BackupRequest(source=root, destination="s3"), other.tools)
    with other.stores["s3"].open(replaced.stored_filename) as reader:
        box.stores["s3"].put(full.stored_filename, io.BytesIO(reader.read()), replace=True)
    (row,) = box.repo.find(Query(stored_filename=full.stored_filename))
    box.repo.replace(evolve(row, size=replaced.size))  # parts are not compared with the SHA-256
    box.clock.forward(days=9)
    with pytest.raises(PayloadDamaged, match=r"lists site/same as unchanged, and none before it has"):
        restored(box, root)


def test_a_list_shows_the_whole_tree_in_the_order_of_its_paths(box: Toolbox, root: Path) -> None:
    for name in ("c", "a", "b"):
        (root / name).write_text(name)
    night(box, root)
    (root / "b").write_text("changed")
    (root / "c").unlink()
    night(box, root)
    with list_archive(ListRequest(name="site", destination="s3"), box.tools) as listing:
        assert [(entry.path, entry.size) for entry in listing.entries] == [("a", 1), ("b", 7)]


def test_a_list_shows_the_size_of_a_hard_link_to_a_name_that_is_left_out_now(box: Toolbox, root: Path) -> None:
    (root / "a").write_text("content")
    os.link(root / "a", root / "b")
    night(box, root)
    night(box, root, exclusions=WITHOUT_A)
    with list_archive(ListRequest(name="site", destination="s3"), box.tools) as listing:
        assert [(entry.path, entry.kind, entry.size) for entry in listing.entries] == [("b", "file", 7)]


def content(box: Toolbox, path: str, **options: Any) -> bytes:
    with read_file(ReadRequest(name="site", destination="s3", path=path, **options), box.tools) as file:
        return file.content.read()


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("full_check", [False, True])
def test_a_file_is_read_out_of_the_newest_archive_that_has_it(
    box: Toolbox, root: Path, compression: Compression, full_check: bool
) -> None:
    (root / "same").write_text("same")
    (root / "changed").write_text("first")
    night(box, root, compression=compression)
    (root / "changed").write_text("second")
    night(box, root, compression=compression)
    options = {"full_check": full_check}
    assert (content(box, "same", **options), content(box, "changed", **options)) == (b"same", b"second")


def test_links_are_followed_through_the_chain(box: Toolbox, root: Path) -> None:
    (root / "a").write_text("content")
    os.link(root / "a", root / "b")
    night(box, root)
    (root / "link").symlink_to("b")
    night(box, root)
    assert content(box, "link") == content(box, "b") == b"content"


def test_a_hard_link_to_a_name_that_is_left_out_now_is_read(box: Toolbox, root: Path) -> None:
    (root / "a").write_text("content")
    os.link(root / "a", root / "b")
    night(box, root)
    night(box, root, exclusions=WITHOUT_A)
    assert content(box, "b") == b"content"


def test_a_file_that_was_deleted_is_not_found(box: Toolbox, root: Path) -> None:
    (root / "gone").write_text("gone")
    (root / "kept").write_text("kept")
    night(box, root)
    (root / "gone").unlink()
    night(box, root)
    with pytest.raises(BackupNotFound, match="gone: no such file"):
        content(box, "gone")


def test_a_file_is_read_without_reading_the_archives_whole(box: Toolbox, root: Path) -> None:
    noise(root / "large")
    (root / "same").write_text("same")
    full = night(box, root)
    second = night(box, root)
    never_whole(box, full, second)
    assert content(box, "same") == b"same"


def lose_entries(box: Toolbox, *names: str) -> Toolbox:
    """Another machine, with a new database, after these catalog entries were lost."""
    for name in names:
        box.stores["s3"].delete(f"bakthat_catalog/{name}.json")
    other = Toolbox(stores=box.stores, block_size=2048)
    sync("s3", other.tools)
    return other


@pytest.mark.parametrize("lost", ["newest", "base"])
@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase="secret")], ids=["plain", "encrypted"])
def test_without_its_entry_an_incremental_backup_is_restored_by_what_its_archive_says(
    box: Toolbox, root: Path, lost: str, keys: Keys
) -> None:
    made = []
    for name in ("first", "second", "third"):
        noise(root / name)
        made.append(night(box, root, keys=keys).stored_filename)
    other = lose_entries(box, made[2 if lost == "newest" else 1])
    assert snapshot(restored(other, root, keys=lambda _: keys)) == snapshot(root)
    assert any("its archive is asked" in line for line in other.notices)


def test_without_its_entry_and_its_base_a_restore_names_the_base(box: Toolbox, root: Path) -> None:
    noise(root / "first")
    full = night(box, root).stored_filename
    noise(root / "second")
    newest = night(box, root).stored_filename
    box.stores["s3"].delete(full)
    other = lose_entries(box, full, newest)
    with pytest.raises(ChainBroken, match=f"{newest} is incremental and needs {full}, which is not in the database"):
        restored(other, root)
