"""A folder and a database as they are, with odd things in the folder: `sync` on a new machine finds what is good."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bakthat import Bakthat, Profile, open_profile

BAD = "bad.20260101000000.tgz"


def machine(folder: Path, database: str, notices: list[str]) -> Bakthat:
    profile = Profile(default_destination="local", local_path=str(folder), database=database)
    return open_profile(profile, notice=notices.append)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "new.sqlite")
    url = request.getfixturevalue("postgresql_url")
    assert isinstance(url, str)
    return url


@pytest.mark.parametrize(
    "forged",
    [
        {"filename": "a\0b"},
        {"filename": os.urandom(6000).hex()},
        {"tags": ["a\0b", "x" * 9_000]},
        {"host": "a\0b", "source": "\0" * 9_000},
        {"metadata": {"entry_seen": 10**400}},
        {"backup_date": -62135596800, "last_updated": 253402300799},
    ],
)
def test_a_forged_entry_is_skipped_in_every_database(
    tree: Path, tmp_path: Path, database: str, forged: dict[str, object]
) -> None:
    folder = tmp_path / "store"
    good = machine(folder, str(tmp_path / "first.sqlite"), []).backup(tree, password="")
    entry = json.loads((folder / f"bakthat_catalog/{good.stored_filename}.json").read_text())
    (folder / BAD).write_bytes(b"x")
    entry = {**entry, "stored_filename": BAD, "size": 1, **forged}
    (folder / f"bakthat_catalog/{BAD}.json").write_text(json.dumps(entry))
    elsewhere = machine(folder, database, [])
    for _ in range(2):
        elsewhere.sync()
    assert {row.stored_filename for row in elsewhere.show()} == {good.stored_filename, BAD}


@pytest.mark.parametrize("seconds", [253402300800, -62135596801])
def test_a_file_of_the_year_10000_costs_nothing(
    tree: Path, tmp_path: Path, small_disk: Path, database: str, seconds: int
) -> None:
    folder = small_disk / "store"
    good = machine(folder, str(tmp_path / "first.sqlite"), []).backup(tree, password="")
    (folder / BAD).write_bytes(b"x")
    for path in (folder / BAD, folder / f"bakthat_catalog/{good.stored_filename}.json"):
        os.utime(path, (seconds, seconds))
    elsewhere = machine(folder, database, [])
    for _ in range(2):
        elsewhere.sync()
    assert {row.stored_filename for row in elsewhere.show()} == {good.stored_filename, BAD}


def test_deep_folders_are_noticed_and_the_rest_is_found(tree: Path, tmp_path: Path) -> None:
    folder, notices = tmp_path / "store", []
    good = machine(folder, str(tmp_path / "first.sqlite"), []).backup(tree, password="")
    folder.joinpath(*["d" * 200] * 6).mkdir(parents=True)
    elsewhere = machine(folder, str(tmp_path / "new.sqlite"), notices)
    elsewhere.sync()
    assert [row.stored_filename for row in elsewhere.show()] == [good.stored_filename]
    assert ["not listed" in line for line in notices] == [True]
