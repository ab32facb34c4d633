"""`restore`: the files come back, or nothing changes."""

from __future__ import annotations

import contextlib
import filecmp
import io
import os
import tarfile
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup, from_epoch
from bakthat.domain.payload import Keys
from bakthat.errors import (
    BackupNotFound,
    NotEncrypted,
    ObjectNotFound,
    PasswordNeeded,
    PayloadDamaged,
    StoreUnavailable,
    TargetExists,
    WrongPassword,
)
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.restore import RestoreRequest, restore, restore_stored
from bakthat.usecases.sync import sync


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


def back_up(box: Toolbox, source: Path, **changes) -> Backup:
    return backup(BackupRequest(source=source, destination="s3", **changes), box.tools)


def bring_back(box: Toolbox, name: str, target: Path, **changes) -> Backup:
    return restore(RestoreRequest(name=name, destination="s3", target=target, **changes), box.tools).backup


def same_tree(left: Path, right: Path) -> bool:
    compared = filecmp.dircmp(left, right)
    return not (compared.left_only or compared.right_only or compared.diff_files) and all(
        same_tree(left / name, right / name) for name in compared.common_dirs
    )


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase="secret")])
def test_a_directory_comes_back_as_it_was(
    box: Toolbox, tree: Path, target: Path, compression: Compression, keys: Keys
) -> None:
    back_up(box, tree, compression=compression, keys=keys)
    bring_back(box, "site", target, keys=lambda _: keys)
    assert same_tree(tree, target / "site")


def test_a_file_stored_as_it_is_comes_back_under_its_name(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree / "index.html", compression=Compression.NONE, name="page")
    bring_back(box, "page", target)
    assert (target / "index.html").read_text() == "<h1>hello</h1>"


def test_a_packed_source_comes_back_as_the_same_file(box: Toolbox, tree: Path, target: Path, tmp_path: Path) -> None:
    packed = tmp_path / "dump.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tree, "site")
    back_up(box, packed)
    bring_back(box, "dump", target)
    assert os.listdir(target) == ["dump.tar.gz"]
    assert (target / "dump.tar.gz").read_bytes() == packed.read_bytes()


def test_a_row_of_2013_of_a_packed_source_is_extracted(box: Toolbox, tree: Path, target: Path) -> None:
    made = back_up(box, tree)
    old = Backup(
        backend="s3",
        backend_hash=made.backend_hash,
        backup_date=from_epoch(1362512175),
        filename="old.tgz",
        stored_filename="old.20130305193615.tgz",
        size=made.size,
        last_updated=from_epoch(1362512175),
        metadata={"is_enc": False, "client": "host"},
    )
    with box.stores["s3"].open(made.stored_filename) as reader:
        box.stores["s3"].put(old.stored_filename, io.BytesIO(reader.read()))
    box.repo.add(old)
    bring_back(box, "old.tgz", target)
    assert same_tree(tree, target / "site")


def test_only_what_matches_comes_back(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)
    bring_back(box, "site", target, only=("pages/*.html",))
    assert [str(p.relative_to(target)) for p in sorted(target.rglob("*")) if p.is_file()] == ["site/pages/about.html"]


def test_the_newest_backup_of_a_series_is_restored(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)
    box.clock.forward(days=1)
    (tree / "index.html").write_text("newer")
    back_up(box, tree)
    bring_back(box, "site", target)
    assert (target / "site" / "index.html").read_text() == "newer"


def test_the_start_of_a_date_chooses_an_older_one(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)
    box.clock.forward(days=1)
    back_up(box, tree)
    assert bring_back(box, "site.20260102", target).stored_filename == "site.20260102030405.tgz"


def test_part_of_a_name_is_not_a_name(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree, name="db")
    back_up(box, tree, name="db2")
    with pytest.raises(BackupNotFound):
        bring_back(box, "d", target)


def test_an_unknown_name_offers_the_nearest(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)
    with pytest.raises(BackupNotFound, match="did you mean site"):
        bring_back(box, "siet", target)


def test_a_backup_elsewhere_is_pointed_out(box: Toolbox, tree: Path, target: Path) -> None:
    backup(BackupRequest(source=tree, destination="local"), box.tools)
    with pytest.raises(BackupNotFound, match="`destination='local'`"):
        bring_back(box, "site", target)


# the target


def test_an_existing_target_is_refused_and_untouched(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)
    (target / "site").write_text("mine")
    with pytest.raises(TargetExists, match="site"):
        bring_back(box, "site", target)
    assert (os.listdir(target), (target / "site").read_text()) == (["site"], "mine")


def test_overwrite_replaces_what_is_there(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)
    (target / "site").mkdir()
    (target / "site" / "old").write_text("old")
    bring_back(box, "site", target, overwrite=True)
    assert same_tree(tree, target / "site")


def foreign(names: list[str]) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return into.getvalue()


def test_overwrite_replaces_the_recorded_root_and_no_other_name(box: Toolbox, tree: Path, target: Path) -> None:
    made = back_up(box, tree, name="photos")
    replaced(box, made, foreign(["site/index.html", ".bashrc"]))
    box.repo.replace(evolve(made, size=0, metadata={**made.metadata, "sha256": None}))
    (target / "site").mkdir()
    (target / ".bashrc").write_text("mine")
    with pytest.raises(TargetExists, match="bashrc already exists, and this backup may replace only site"):
        bring_back(box, "photos", target, overwrite=True)
    assert (target / ".bashrc").read_text() == "mine"


@pytest.mark.parametrize(
    ("names", "replaces"), [(["photos"], True), (["photos/f"], True), (["photos/f", "new"], False), (["site"], False)]
)
@pytest.mark.parametrize("by_name", [True, False], ids=["listed", "from"])
def test_without_a_recorded_root_only_a_single_one_named_like_the_series_is_replaced(
    box: Toolbox, target: Path, names: list[str], replaces: bool, by_name: bool
) -> None:
    box.stores["s3"].put("photos.20260102030405.tgz", io.BytesIO(foreign(names)))
    box.repo.add(
        Backup(
            backend="s3",
            backup_date=box.clock.now,
            filename="photos",
            stored_filename="photos.20260102030405.tgz",
            size=0,
            last_updated=box.clock.now,
            metadata={"location": box.stores["s3"].location, "from_listing": True},
        )
    )
    (target / "photos").write_text("mine")
    (target / "site").write_text("mine")
    request = RestoreRequest(name="photos", destination="s3", target=target, overwrite=True)
    with contextlib.nullcontext() if replaces else pytest.raises(TargetExists):
        if by_name:
            restore(request, box.tools)
        else:
            restore_stored(box.stores["s3"], "photos.20260102030405.tgz", request, box.tools)
    assert (target / "site").read_text() == "mine"
    assert (target / "photos").is_dir() or ((target / "photos").read_text() == "mine") is not replaces


# keys


def test_the_password_is_asked_once_and_before_the_store_is_read(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree, keys=Keys(passphrase="secret"))
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    calls_before: list[int] = []

    def ask(_: Backup) -> Keys:
        calls_before.append(len(store.calls))
        return Keys(passphrase="secret")

    bring_back(box, "site", target, keys=ask)
    assert calls_before == [0]


def test_without_a_password_nothing_is_read(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree, keys=Keys(passphrase="secret"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", times=99, error=AssertionError))
    with pytest.raises(PasswordNeeded, match="encrypted"):
        bring_back(box, "site", target)


def test_a_wrong_password_names_the_backup_and_leaves_nothing(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree, keys=Keys(passphrase="secret"))
    with pytest.raises(WrongPassword, match="site.20260102030405.tgz.enc"):
        bring_back(box, "site", target, keys=lambda _: Keys(passphrase="wrong"))
    assert os.listdir(target) == []


def test_a_plain_backup_asks_for_no_password(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree)

    def ask(_: Backup) -> Keys:
        raise AssertionError("asked")

    bring_back(box, "site", target, keys=ask)


# a plain backup in a series that is encrypted


def test_a_strangers_plain_backup_of_an_encrypted_series_is_refused_before_it_is_read(
    box: Toolbox, tree: Path, target: Path
) -> None:
    back_up(box, tree, name="photos", keys=Keys(passphrase="secret"))
    box.clock.forward(days=1)
    box.stores["s3"].put("photos.20260103030405.tgz", io.BytesIO(foreign(["photos/evil"])))
    sync("s3", box.tools)
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    with pytest.raises(NotEncrypted, match="405.tgz is not encrypted, but photos.*enc.*`allow_plain=True`"):
        bring_back(box, "photos", target)
    assert (os.listdir(target), store.calls) == ([], [])
    bring_back(box, "photos", target, allow_plain=True)
    assert os.listdir(target) == ["photos"]


def test_a_plain_backup_of_our_own_is_refused_once_after_encrypted_ones(box: Toolbox, tree: Path, target: Path) -> None:
    back_up(box, tree, keys=Keys(passphrase="secret"))
    for _ in range(2):
        box.clock.forward(days=1)
        back_up(box, tree)
    with pytest.raises(NotEncrypted):
        bring_back(box, "site.20260103", target)
    bring_back(box, "site.20260104", target)
    assert same_tree(tree, target / "site")


# damage


def replaced(box: Toolbox, made: Backup, content: bytes) -> None:
    box.stores["s3"].put(made.stored_filename, io.BytesIO(content), replace=True)


def stored(box: Toolbox, made: Backup) -> bytes:
    with box.stores["s3"].open(made.stored_filename) as reader:
        return reader.read()


@pytest.mark.parametrize("cut", [1, 8, 100])
def test_a_truncated_object_is_damaged_and_leaves_nothing(box: Toolbox, tree: Path, target: Path, cut: int) -> None:
    made = back_up(box, tree)
    replaced(box, made, stored(box, made)[:-cut])
    with pytest.raises(PayloadDamaged, match="site"):
        bring_back(box, "site", target)
    assert os.listdir(target) == []


@pytest.mark.parametrize("content", [b"", b"not an archive", bytes(4096)])
def test_an_object_that_is_not_an_archive_is_damaged_and_leaves_nothing(
    box: Toolbox, tree: Path, target: Path, content: bytes
) -> None:
    made = back_up(box, tree)
    replaced(box, made, content)
    with pytest.raises(PayloadDamaged):
        bring_back(box, "site", target)
    assert os.listdir(target) == []


def test_an_archive_deleted_behind_our_back_is_object_not_found(box: Toolbox, tree: Path, target: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].delete(made.stored_filename)
    with pytest.raises(ObjectNotFound):
        bring_back(box, "site", target)


@pytest.mark.parametrize("after_bytes", [None, 0, 50, 200])
def test_a_connection_that_drops_leaves_nothing(
    box: Toolbox, tree: Path, target: Path, after_bytes: int | None
) -> None:
    back_up(box, tree)
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", after_bytes=after_bytes))
    with pytest.raises(StoreUnavailable):
        bring_back(box, "site", target)
    assert os.listdir(target) == []


def test_a_root_that_no_file_can_be_called_gives_way_to_the_series(box: Toolbox, tree: Path, target: Path) -> None:
    made = back_up(box, tree / "index.html", compression=Compression.NONE)
    box.repo.replace(made.with_metadata(made.last_updated, root="\ud800"))
    bring_back(box, "index.html", target)
    assert (target / "index.html").read_text() == "<h1>hello</h1>"


def test_a_row_of_2013_without_a_size_is_restored(box: Toolbox, tree: Path, target: Path) -> None:
    made = back_up(box, tree)
    box.repo.replace(evolve(made, size=0, metadata={"is_enc": False, "location": made.location}))
    bring_back(box, "site", target)
    assert same_tree(tree, target / "site")


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"problems": ["a: gone"], "problem_count": 1}, ["(1 file)", "a: gone"]),
        ({"problems": ["a: gone"], "problem_count": 3}, ["(3 files)", "a: gone", "and 2 more"]),
        ({"problems": [f"{n}: gone" for n in range(20)]}, ["(20 files or more)", *(f"{n}: gone" for n in range(20))]),
        ({"problems": ["x" * 9000]}, ["(1 file)", "x" * 400 + "…"]),
        ({"problems": [f"{n}" for n in range(500)]}, ["(500 files)", *map(str, range(20)), "and 480 more"]),
        ({"problems": 7, "problem_count": True}, ["is incomplete:", "the record does not say which files"]),
    ],
)
def test_what_an_incomplete_backup_lacks_is_listed_in_few_lines(
    box: Toolbox, tree: Path, target: Path, metadata: dict[str, object], told: list[str]
) -> None:
    made = back_up(box, tree)
    box.repo.replace(made.with_metadata(made.last_updated, incomplete=True, **metadata))
    restored = restore(RestoreRequest(name="site", destination="s3", target=target), box.tools)
    assert restored.is_incomplete
    assert same_tree(tree, target / "site")
    assert len(box.notices) == len(told)
    assert all(words in notice for words, notice in zip(told, box.notices, strict=True))
