"""`restore --salvage` of an incremental backup: what is whole comes back, out of whichever archive, and never an older
version of a file that changed."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.domain.salvage import SalvageReport
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.salvage import Salvaged, SalvageRequest, salvage, salvage_stored
from tests.fixtures import nights
from tests.fixtures.tree_histories import snapshot

BLOCK = 2048
SIZE = 6_000
SECRET = Keys(passphrase="secret")


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(block_size=BLOCK)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c", "d", "e"):
        (root / name).write_bytes(os.urandom(SIZE))
    os.link(root / "d", root / "d2")
    (root / "link").symlink_to("a")
    return root


def night(box: Toolbox, tree: Path, *changed: str, **options) -> Backup:
    for name in changed:
        (tree / name).write_bytes(os.urandom(SIZE))
    return nights.night(box, tree, **options)


def content(box: Toolbox, made: Backup) -> bytearray:
    with box.stores["s3"].open(made.stored_filename) as reader:
        return bytearray(reader.read())


def store(box: Toolbox, made: Backup, stored: bytes) -> None:
    box.stores["s3"].put(made.stored_filename, io.BytesIO(bytes(stored)), replace=True)


def flip(box: Toolbox, made: Backup, position: int) -> None:
    stored = content(box, made)
    stored[position] ^= 0x55
    store(box, made, stored)


def place_of(box: Toolbox, made: Backup, path: str) -> int:
    """Where the content of a member lies in a stored archive of bytes that cannot be compressed, about."""
    with list_archive(ListRequest(name=made.stored_filename, destination="s3"), box.tools) as listing:
        return next(entry.offset for entry in listing.entries if entry.path == path) + SIZE // 2


def salvaged(box: Toolbox, made: Backup, target: Path, keys: Keys | None = None, **options) -> Salvaged:
    target.mkdir()
    request = SalvageRequest(
        name=made.stored_filename, destination="s3", target=target, keys=lambda _: keys or Keys(), **options
    )
    return salvage(request, box.tools)


def names(listing) -> list[str]:
    return [problem.path for problem in listing.listed]


def came(target: Path) -> Path:
    return target / "site.salvaged" / "site"


def check_nothing_is_wrong(report: SalvageReport, target: Path, tree: Path) -> None:
    """What has its own name is as it was, and every file is accounted for."""
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in files:
        restored = came(target) / path.relative_to(tree)
        if restored.exists():
            assert restored.read_bytes() == path.read_bytes(), path
    known = sum(listing.count for listing in (report.whole, report.partial, report.unverified, report.missing))
    assert known >= len(files) or report.may_lack_more


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="gzip"),
        pytest.param({"compression": Compression.NONE}, id="tar"),
        pytest.param({"keys": SECRET, "compression": Compression.ZSTD}, id="encrypted-zstd"),
    ],
)
def test_of_a_good_chain_everything_is_whole(box: Toolbox, tree: Path, tmp_path: Path, options: dict) -> None:
    night(box, tree, **options)
    night(box, tree, "a", **options)
    made = night(box, tree, "b", **options)
    assert made.is_incremental
    done = salvaged(box, made, tmp_path / "out", options.get("keys"))
    assert (done.is_complete, done.faults, done.report.whole.count) == (True, (), 6)
    assert snapshot(came(tmp_path / "out")) == snapshot(tree)


def test_a_damaged_base_costs_what_it_alone_has(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full = night(box, tree)
    made = night(box, tree, "a")
    flip(box, full, full.size * 2 // 3)
    done = salvaged(box, made, tmp_path / "out")
    assert not done.is_complete
    assert 0 < done.report.whole.count < 6
    assert (came(tmp_path / "out") / "a").read_bytes() == (tree / "a").read_bytes()
    assert all(full.stored_filename in problem.reason for problem in done.report.damages.listed)
    check_nothing_is_wrong(done.report, tmp_path / "out", tree)


def test_a_damage_to_an_old_version_costs_no_file(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full = night(box, tree)
    made = night(box, tree, "a")
    flip(box, full, place_of(box, full, "a"))
    done = salvaged(box, made, tmp_path / "out")
    assert (done.report.whole.count, done.report.missing.count, done.report.partial.count) == (6, 0, 0)
    assert snapshot(came(tmp_path / "out")) == snapshot(tree)


def test_a_newer_version_that_is_lost_is_not_replaced_by_an_older_one(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    middle = night(box, tree, "a")
    made = night(box, tree, "b")
    for position in range(middle.size // 4, middle.size // 2, 200):
        flip(box, middle, position)
    done = salvaged(box, made, tmp_path / "out")
    lost = [*names(done.report.missing), *names(done.report.partial), *names(done.report.unverified)]
    assert [name.removesuffix(".partial").removesuffix(".unverified") for name in lost] == ["site/a"]
    assert not (came(tmp_path / "out") / "a").exists()
    check_nothing_is_wrong(done.report, tmp_path / "out", tree)


def test_what_a_lost_archive_may_have_changed_is_unverified(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    middle = night(box, tree, "a")
    made = night(box, tree, "b")
    box.stores["s3"].delete(middle.stored_filename)
    done = salvaged(box, made, tmp_path / "out")
    assert any(middle.stored_filename in fault for fault in done.faults)
    assert names(done.report.whole) == ["site/b"]
    assert {*names(done.report.unverified)} >= {"site/a.unverified", "site/sub/c.unverified"}
    check_nothing_is_wrong(done.report, tmp_path / "out", tree)


def test_a_truncated_archive_says_of_its_directories_what_is_unchanged(
    box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    night(box, tree)
    middle = night(box, tree, "a")
    made = night(box, tree, "b")
    store(box, middle, content(box, middle)[:-1_000])  # without its index, and the end of `a`
    done = salvaged(box, made, tmp_path / "out")
    whole = names(done.report.whole)
    assert "site/b" in whole
    assert "site/e" in whole
    check_nothing_is_wrong(done.report, tmp_path / "out", tree)


def test_without_the_full_archive_the_newer_files_come_back(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full = night(box, tree)
    night(box, tree, "a")
    made = night(box, tree, "b")
    box.stores["s3"].delete(full.stored_filename)
    done = salvaged(box, made, tmp_path / "out")
    assert sorted(names(done.report.whole)) == ["site/a", "site/b"]
    assert {"site/e", "site/sub/c"} <= set(names(done.report.missing))


def test_a_newest_archive_without_index_gives_what_it_lists(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    made = night(box, tree, "a", "b")
    store(box, made, content(box, made)[:-1_500])
    done = salvaged(box, made, tmp_path / "out")
    assert not done.is_complete
    assert "site/e" in names(done.report.whole)
    check_nothing_is_wrong(done.report, tmp_path / "out", tree)


def test_patterns_select_out_of_the_whole_tree(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    made = night(box, tree, "a")
    done = salvaged(box, made, tmp_path / "out", only=("sub/", "/a"))
    assert sorted(names(done.report.whole)) == ["site/a", "site/sub/c"]


def test_an_object_is_salvaged_by_its_key_with_what_it_continues(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full = night(box, tree)
    made = night(box, tree, "a")
    flip(box, full, full.size * 2 // 3)
    target = tmp_path / "out"
    target.mkdir()
    request = SalvageRequest(name=made.stored_filename, destination="", target=target)
    done = salvage_stored(box.stores["s3"], made.stored_filename, request, Toolbox().tools)
    assert done.report.whole.count > 1
    check_nothing_is_wrong(done.report, target, tree)


def test_a_record_that_names_a_wrong_base_gives_what_the_newest_has(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    made = night(box, tree, "a")
    wrong = made.with_metadata(
        made.last_updated,
        incremental={"base": "site.20250101000000.tgz", "full": "site.20250101000000.tgz", "depth": 1},
    )
    box.repo.replace(wrong)
    done = salvaged(box, made, tmp_path / "out")
    assert names(done.report.whole) == ["site/a"]
    assert any("site.20250101000000.tgz" in fault for fault in done.faults)
    assert len(list(box.repo.find(Query()))) == 2
