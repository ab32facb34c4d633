"""The names in a database, for a shell that completes a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakthat.adapters.database.known_names import known_names
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.errors import BakthatError
from tests.domain.series import backup_at, utc


@pytest.fixture(params=["sqlite", "sqlite URL", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with backups of three series, and a deleted one of a fourth."""
    if request.param == "postgresql":
        place = str(request.getfixturevalue("postgresql_url"))
    else:
        place = f"{'sqlite:///' if 'URL' in request.param else ''}{tmp_path / 'database'}"
    repo = open_repo(place)
    now = utc(2026, 1, 2)
    backups = [backup_at(now, filename=name) for name in ("photos", "pho%os", "site", "gone")]
    for backup in [*backups, backup_at(utc(2026, 1, 3), filename="photos")]:
        repo.add(backup)
    repo.replace(backups[-1].deleted(now))
    return place


def test_series_that_begin_with_the_text_come_once_and_in_their_order(database: str) -> None:
    assert known_names(database, "filename", "", most=10) == ["pho%os", "photos", "site"]
    assert known_names(database, "filename", "phot", most=10) == ["photos"]
    assert known_names(database, "filename", "pho%", most=10) == ["pho%os"]
    assert known_names(database, "filename", "", most=1) == ["pho%os"]


def test_stored_filenames_of_a_series(database: str) -> None:
    found = known_names(database, "stored_filename", "photos.", most=10)
    assert [name[:15] for name in found] == ["photos.20260102", "photos.20260103"]


def test_a_database_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    assert known_names(str(tmp_path / "folder" / "database"), "filename", "", most=10) == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BakthatError):
        known_names("postgresql://me@127.0.0.1:1/none", "filename", "", most=10)
