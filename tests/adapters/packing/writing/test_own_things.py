"""What is bakthat's own below a source, or around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakthat.adapters.packing.writing.own_things import find_own_things
from bakthat.domain.exclusions import OwnThings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    (path / "store" / "mine").mkdir(parents=True)
    (path / "nas").mkdir()
    (path / "docs").mkdir()
    (path / "link").symlink_to("store")
    return path


def found(source: Path, home: Path) -> OwnThings:
    return find_own_things(
        source,
        stores=[("local", home / "link"), ("", home / "nas")],
        databases=[home / ".bakthat.sqlite"],
        caches=[home / ".cache" / "bakthat"],
    )


def test_everything_below_the_source_is_found_whether_it_is_there_or_not(home: Path) -> None:
    names = ["store", "nas", ".cache/bakthat"]
    names += [".bakthat.sqlite", ".bakthat.sqlite-wal", ".bakthat.sqlite-shm", ".bakthat.sqlite-journal"]
    assert found(home, home) == OwnThings(paths=tuple(str(home / name) for name in names))


def test_a_source_beside_it_meets_nothing(home: Path) -> None:
    (home / "store2").mkdir()
    assert found(home / "docs", home) == OwnThings()
    assert found(home / "store2", home) == OwnThings()


def test_the_folder_of_a_destination_is_named_with_the_destinations_that_use_it(home: Path) -> None:
    own = found(home / "store", home)
    assert own == OwnThings(folder=str(home / "store"), is_store=True, destinations=frozenset({"local"}))
    assert found(home / "link", home) == own
    assert found(home / "nas", home) == OwnThings(folder=str(home / "nas"), is_store=True)


def test_a_source_in_such_a_folder_differs_from_the_folder(home: Path) -> None:
    own = found(home / "store" / "mine", home)
    assert (own.folder, own.is_store) == (str(home / "store"), False)


def test_the_cache_is_a_folder_of_bakthat_but_no_store(home: Path) -> None:
    (home / ".cache" / "bakthat").mkdir(parents=True)
    own = found(home / ".cache" / "bakthat", home)
    assert (own.folder, own.is_store) == (str(home / ".cache" / "bakthat"), False)


def test_the_root_directory_holds_everything(home: Path) -> None:
    assert str(home / "store") in found(Path("/"), home).paths
