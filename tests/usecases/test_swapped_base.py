"""The object of a base is replaced by another complete archive under the same name: no verb takes that for the base."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.increment_policy import IncrementPolicy
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import BakthatError, ChainBroken, PayloadDamaged
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.read_file import ReadRequest, read_file
from bakthat.usecases.restore import RestoreRequest, restore, restore_stored
from bakthat.usecases.salvage import SalvageRequest, salvage, salvage_stored
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import verify
from tests.fixtures.tree_histories import snapshot, tick

KEYS = Keys(passphrase="correct horse")


def entry(backup: Backup) -> str:
    return f"bakthat_catalog/{backup.stored_filename}.json"


def make(box: Toolbox, root: Path, keys: Keys = KEYS, **settings: Any) -> Backup:
    tick(root.parent)
    box.clock.forward(days=1)
    return backup(BackupRequest(source=root, destination="s3", keys=keys, **settings), box.tools)


class Swapped:
    """A full backup and two incremental ones, and in the place of the full one that of the same tree on another day,
    encrypted with the same password. No size tells them apart for long: every name is there.

    named: whether the archives name the SHA-256 of their base.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir()
        (root / "large").write_bytes(os.urandom(20_000))
        (root / "old").write_text("the right one")
        self.root = root
        self.box = Toolbox()
        self.made = [make(self.box, root, incremental=IncrementPolicy())]
        for name in ("second", "third"):
            (root / name).write_text(name)
            self.made.append(make(self.box, root, incremental=IncrementPolicy()))
        self.tree = snapshot(root)
        (root / "old").write_text("another one")
        other = Toolbox()
        self.other = make(other, root)
        assert self.other.stored_filename == self.made[0].stored_filename
        for key in (self.other.stored_filename, entry(self.other)):
            with other.stores["s3"].open(key) as reader:
                self.put(key, reader.read())

    def put(self, key: str, content: bytes) -> None:
        self.box.stores["s3"].put(key, io.BytesIO(content), replace=True)

    def elsewhere(self, *, lost: tuple[int, ...] = ()) -> Toolbox:
        """What another machine finds, after the entries of these backups were lost."""
        for number in lost:
            self.box.stores["s3"].delete(entry(self.made[number]))
        other = Toolbox(stores=self.box.stores, clock=self.box.clock)
        sync("s3", other.tools)
        return other

    @property
    def newest(self) -> dict[str, Any]:
        return {"name": self.made[2].stored_filename, "destination": "s3", "keys": lambda _: KEYS}


@pytest.fixture
def swapped(tmp_path: Path) -> Swapped:
    return Swapped(tmp_path / "site")


def restored(swapped: Swapped, box: Toolbox, target: Path, **options: bool) -> None:
    restore(RestoreRequest(target=target, **swapped.newest, **options), box.tools)


def cat(swapped: Swapped, box: Toolbox, _: Path) -> None:
    with read_file(ReadRequest(path="old", **swapped.newest), box.tools) as file:
        file.content.read()


Verb = Callable[[Swapped, Toolbox, Path], None]

VERBS: dict[str, Verb] = {
    "restore": restored,
    "restore whole": lambda swapped, box, target: restored(swapped, box, target, full_check=True),
    "cat": cat,
}
LOST: dict[str, tuple[int, ...]] = {
    "no entry is lost": (),
    "that of the base": (0,),
    "those of the others": (1, 2),
    "all of them": (0, 1, 2),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_another_archive_under_the_name_of_the_base_is_not_taken_for_it(
    swapped: Swapped, lost: tuple[int, ...], verb: Verb, tmp_path: Path
) -> None:
    other = swapped.elsewhere(lost=lost)
    with pytest.raises((ChainBroken, PayloadDamaged), match=swapped.other.stored_filename):
        verb(swapped, other, tmp_path / "out")
    assert not (tmp_path / "out" / "site").exists()


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_machine_that_made_the_chain_does_not_take_it_either(swapped: Swapped, verb: Verb, tmp_path: Path) -> None:
    sync("s3", swapped.box.tools)
    with pytest.raises((ChainBroken, PayloadDamaged), match=swapped.other.stored_filename):
        verb(swapped, swapped.box, tmp_path / "out")


def test_an_entry_that_names_the_other_archive_does_not_help_it(swapped: Swapped, tmp_path: Path) -> None:
    other = swapped.elsewhere()
    for number in (1, 2):
        (row,) = other.repo.find(Query(stored_filename=swapped.made[number].stored_filename))
        facts = dict(row.metadata["incremental"])
        facts["base_sha256"] = None if number == 2 else swapped.other.sha256
        other.repo.replace(row.with_metadata(row.last_updated, incremental=facts))
    with pytest.raises(ChainBroken, match="another archive has that name now"):
        restored(swapped, other, tmp_path / "out")


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_verify_says_that_what_needs_the_base_is_bad(swapped: Swapped, lost: tuple[int, ...]) -> None:
    other = swapped.elsewhere(lost=lost)
    results = verify(None, "s3", other.tools, keys=lambda _: KEYS)
    assert [result.is_bad for result in results] == [True, True, False]


def test_an_archive_by_its_key_is_not_restored_on_another_base(swapped: Swapped, tmp_path: Path) -> None:
    request = RestoreRequest(target=tmp_path / "out", **swapped.newest)
    with pytest.raises((ChainBroken, PayloadDamaged), match="SHA-256"):
        restore_stored(swapped.box.stores["s3"], swapped.made[2].stored_filename, request, swapped.box.tools)


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_salvage_gives_nothing_of_another_base_its_own_name(
    swapped: Swapped, lost: tuple[int, ...], tmp_path: Path
) -> None:
    other = swapped.elsewhere(lost=lost)
    (tmp_path / "out").mkdir()
    done = salvage(SalvageRequest(target=tmp_path / "out", **swapped.newest), other.tools)
    tree = tmp_path / "out" / "site.salvaged" / "site"
    assert not (tree / "old").exists()
    assert (tree / "third").read_text() == "third"
    assert not done.is_complete


def test_salvage_of_an_object_gives_nothing_of_another_base_its_own_name(swapped: Swapped, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    request = SalvageRequest(target=tmp_path / "out", **swapped.newest)
    salvage_stored(swapped.box.stores["s3"], swapped.made[2].stored_filename, request, swapped.box.tools)
    tree = tmp_path / "out" / "site.salvaged" / "site"
    assert {path.name for path in tree.iterdir()} == {
        "large.unverified", "old.unverified", "second", "third",
    }  # fmt: skip


def test_sync_says_which_backups_have_lost_their_base(swapped: Swapped) -> None:
    other = swapped.elsewhere()
    full, second, _ = (made.stored_filename for made in swapped.made)
    line = f"{second} continues {full}, and another archive has that name now: its SHA-256 is another one"
    assert other.notices == [f"{line}; it cannot be restored as a whole"] * 2


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_the_right_base_is_restored_whatever_entries_are_lost(tmp_path: Path, lost: tuple[int, ...]) -> None:
    swapped = Swapped(tmp_path / "site")
    right = Toolbox()
    (swapped.root / "old").write_text("the right one")
    made = [make(right, swapped.root, incremental=IncrementPolicy()) for _ in range(3)]
    tree = snapshot(swapped.root)
    for number in lost:
        right.stores["s3"].delete(entry(made[number]))
    other = Toolbox(stores=right.stores, clock=right.clock)
    sync("s3", other.tools)
    restored(swapped, other, tmp_path / "out")
    assert snapshot(tmp_path / "out" / "site") == tree


# Chains of archives that do not name the SHA-256 of their base


def test_a_record_without_the_hash_of_the_base_is_followed(swapped: Swapped, tmp_path: Path) -> None:
    tree = swapped.root
    (tree / "old").write_text("the right one")
    box = Toolbox()
    made = [make(box, tree, incremental=IncrementPolicy()) for _ in range(2)]
    (row,) = box.repo.find(Query(stored_filename=made[1].stored_filename))
    facts = {key: value for key, value in row.metadata["incremental"].items() if key != "base_sha256"}
    box.repo.replace(evolve(row, metadata=row.metadata.changed(incremental=facts)))
    request = RestoreRequest(target=tmp_path / "out", name="site", destination="s3", keys=lambda _: KEYS)
    restore(request, box.tools)
    assert snapshot(tmp_path / "out" / "site") == snapshot(tree)


def test_a_list_of_another_base_is_refused(swapped: Swapped) -> None:
    other = swapped.elsewhere()
    with (
        pytest.raises(BakthatError, match="another archive has that name now"),
        list_archive(ListRequest(**swapped.newest), other.tools) as listing,
    ):
        list(listing.entries)
