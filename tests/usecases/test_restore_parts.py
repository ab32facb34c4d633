"""`restore --only` downloads only what it needs, and restores the same as without an index."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import BackupNotFound, PayloadDamaged, TargetExists, UsageError
from bakthat.testing.faulty import FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.restore import RestoreRequest, restore
from tests.fixtures.tree_snapshot import snapshot

SECRET = Keys(passphrase="secret")

BLOCK = 16 * 1024
"""A small archive has several blocks of this size, as a large one has of 1 MiB."""


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(block_size=BLOCK)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources") / "big"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "other").mkdir()
    for number in range(9):
        (root / f"{number}.bin").write_bytes(os.urandom(50_000))
    (root / "deep" / "er" / "note.txt").write_text("a note")
    (root / "deep" / "er" / "note.md").write_text("another")
    (root / "other" / "note.txt").write_text("a third")
    (root / "link").symlink_to("deep/er/note.txt")
    os.link(root / "3.bin", root / "other" / "zz.bin")
    os.link(root / "deep" / "er" / "note.txt", root / "zz.txt")
    os.chmod(root / "deep" / "er", 0o750)
    os.utime(root / "deep", (1_000_000_000, 1_000_000_000))
    return root


def back_up(box: Toolbox, source: Path, **changes) -> Backup:
    return backup(BackupRequest(**{"source": source, "destination": "s3", **changes}), box.tools)


def bring_back(box: Toolbox, target: Path, *only: str, **changes):
    target.mkdir(exist_ok=True)
    request = RestoreRequest(**{"name": "big", "destination": "s3", "target": target, "only": only, **changes})
    return restore(request, box.tools)


@pytest.fixture(scope="module")
def stored(big: Path) -> dict[Keys, Toolbox]:
    """A plain and an encrypted backup of `big`. No test changes them."""
    boxes = {keys: Toolbox(block_size=BLOCK) for keys in (Keys(), SECRET)}
    for keys, box in boxes.items():
        back_up(box, big, keys=keys)
    return boxes


def of_its_own(shared: Toolbox) -> Toolbox:
    """The same store and database, and what the verbs say by itself."""
    return Toolbox(stores=dict(shared.stores), repo=shared.repo, block_size=shared.block_size)


def watched(box: Toolbox) -> FaultyObjectStore:
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    return store


PATTERNS = [
    ("note.txt",),
    ("deep/",),
    ("deep/er/note.txt",),
    ("zz.txt",),
    ("other/zz.bin",),
    ("zz.*", "!zz.bin"),
    ("link",),
    ("other/", "!other/note.txt"),
    ("*.md", "other/"),
]


@pytest.mark.parametrize(("keys", "only"), [*((Keys(), only) for only in PATTERNS), (SECRET, PATTERNS[0])])
def test_a_part_comes_back_as_it_does_without_an_index(
    stored: dict[Keys, Toolbox], tmp_path: Path, keys: Keys, only: tuple[str, ...]
) -> None:
    box = of_its_own(stored[keys])
    store = watched(box)
    part = bring_back(box, tmp_path / "part", *only, keys=lambda _: keys)
    assert ("open", part.backup.stored_filename) not in store.calls
    whole = bring_back(box, tmp_path / "whole", *only, keys=lambda _: keys, full_check=True)
    assert snapshot(tmp_path / "part") == snapshot(tmp_path / "whole")
    assert evolve(part.report, notices=()) == evolve(whole.report, notices=())


def test_most_of_an_archive_is_read_in_one_stream_with_its_hash(stored: dict[Keys, Toolbox], tmp_path: Path) -> None:
    box = of_its_own(stored[Keys()])
    (made,) = box.repo.find(Query())
    store = watched(box)
    bring_back(box, tmp_path / "part", "*.bin")
    assert ("open", made.stored_filename) in store.calls


def test_progress_counts_what_is_restored(stored: dict[Keys, Toolbox], tmp_path: Path) -> None:
    box = of_its_own(stored[Keys()])
    bring_back(box, tmp_path / "part", "0.bin")
    report = [one for one in box.progress if one.stage == "restoring"][-1]
    assert report.done == report.total
    assert report.total is not None
    assert 50_000 < report.total < 60_000


def test_what_is_there_is_not_replaced(stored: dict[Keys, Toolbox], tmp_path: Path) -> None:
    box = of_its_own(stored[Keys()])
    (tmp_path / "part" / "big" / "other").mkdir(parents=True)
    (tmp_path / "part" / "big" / "other" / "note.txt").write_text("mine")
    with pytest.raises(TargetExists):
        bring_back(box, tmp_path / "part", "other/note.txt")
    assert (tmp_path / "part" / "big" / "other" / "note.txt").read_text() == "mine"


@pytest.mark.parametrize("full_check", [True, False])
def test_patterns_that_fit_nothing_are_an_error(stored: dict[Keys, Toolbox], tmp_path: Path, full_check: bool) -> None:
    box = stored[Keys()]
    with pytest.raises(BackupNotFound, match="nothing in this backup (fits|matches) gone"):
        bring_back(box, tmp_path / "part", "gone", full_check=full_check)
    with pytest.raises(UsageError):
        bring_back(box, tmp_path / "part", "#", full_check=full_check)


def test_damage_in_a_needed_part_changes_nothing_on_disk(box: Toolbox, big: Path, tmp_path: Path) -> None:
    import io

    made = back_up(box, big)
    with box.stores["s3"].open(made.stored_filename) as reader:
        content = bytearray(reader.read())
    for position in range(10_000, made.size - 10_000, 10_000):
        content[position] ^= 1
    box.stores["s3"].put(made.stored_filename, io.BytesIO(bytes(content)), replace=True)
    with pytest.raises(PayloadDamaged, match=made.stored_filename):
        bring_back(box, tmp_path / "part", "0.bin")
    assert list((tmp_path / "part").iterdir()) == []
