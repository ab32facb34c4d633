"""`bk.ls`, `bk.open_file`, `bk.find` and `bk.diff`: what a program gets, and that nothing stays open behind it."""

from __future__ import annotations

import io
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from bakthat import Bakthat, Profile, open_profile
from bakthat.errors import BackupNotFound, PayloadDamaged, UsageError, WrongPassword
from bakthat.testing.memory import MemoryObjectStore, MemoryRepo
from tests.fixtures.quick_cipher import quick_cipher

CONTENT = os.urandom(3_000_000)


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def bk(store: MemoryObjectStore, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bakthat:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return open_profile(
        Profile(), store=store, repo=MemoryRepo(), cipher=quick_cipher(), notice=told.append, environment={}
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "2025").mkdir(parents=True)
    (root / "2025" / "summer.jpg").write_bytes(CONTENT)
    (root / "notes.txt").write_text("one\ntwo\n")
    return root


@pytest.mark.parametrize("password", ["", "secret"])
def test_the_entries_of_a_backup_are_iterated_over(bk: Bakthat, photos: Path, password: str) -> None:
    made = bk.backup(photos, password=password)
    entries = bk.ls("photos", password=password)
    assert (entries.backup, entries.is_indexed) == (made, True)
    assert {entry.path: entry.size for entry in entries} == {
        "2025": 0,
        "2025/summer.jpg": 3_000_000,
        "notes.txt": 8,
    }
    assert list(entries) == []
    assert [entry.path for entry in bk.ls("photos", only=["*.txt"], password=password)] == ["notes.txt"]


@pytest.mark.parametrize("password", ["", "secret"])
def test_a_file_of_a_backup_is_a_binary_file_object(bk: Bakthat, photos: Path, password: str) -> None:
    bk.backup(photos, password=password)
    with bk.open_file("photos", "notes.txt", password=password) as file:
        assert file.readline() == b"one\n"
        assert list(io.TextIOWrapper(file)) == ["two\n"]
    with bk.open_file("photos", "2025/summer.jpg", password=password) as file:
        assert (file.read(10), file.read(), file.read(1)) == (CONTENT[:10], CONTENT[10:], b"")


@pytest.mark.parametrize("full_check", [False, True])
def test_what_is_left_half_read_leaves_no_thread_and_no_error(bk: Bakthat, photos: Path, full_check: bool) -> None:
    bk.backup(photos, password="secret")
    before = threading.active_count()
    with bk.open_file("photos", "2025/summer.jpg", password="secret", full_check=full_check) as file:
        assert file.read(5) == CONTENT[:5]
    with bk.ls("photos", password="secret") as entries:
        next(entries)
    file = bk.open_file("photos", "2025/summer.jpg", password="secret", full_check=full_check)
    file.close()
    assert threading.active_count() == before


def test_a_damaged_block_is_an_error_of_read_that_names_the_backup(
    bk: Bakthat, store: MemoryObjectStore, photos: Path
) -> None:
    made = bk.backup(photos, password="")
    with store.open(made.stored_filename) as reader:
        stored = bytearray(reader.read())
    stored[len(stored) // 2] ^= 1
    store.put(made.stored_filename, io.BytesIO(bytes(stored)), replace=True)
    with bk.open_file("photos", "notes.txt") as file:
        assert file.read() == b"one\ntwo\n"
    with pytest.raises(PayloadDamaged, match="photos"), bk.open_file("photos", "2025/summer.jpg") as file:
        file.read()
    with pytest.raises(PayloadDamaged), bk.open_file("photos", "notes.txt", full_check=True) as file:
        file.read()


def test_errors_are_raised_by_the_call_itself(bk: Bakthat, photos: Path) -> None:
    with pytest.raises(BackupNotFound):
        bk.ls("photos")
    with pytest.raises(BackupNotFound):
        bk.find("notes.txt")
    bk.backup(photos, password="secret")
    with pytest.raises(WrongPassword):
        bk.ls("photos", password="wrong")
    with pytest.raises(WrongPassword):
        bk.open_file("photos", "notes.txt", password="wrong")
    with pytest.raises(UsageError):
        bk.find("", password="secret")
    with pytest.raises(UsageError, match="tier"):
        bk.ls("photos", tier="at once")


def test_a_file_is_found_and_backups_that_cannot_be_opened_are_a_notice(
    bk: Bakthat, photos: Path, told: list[str]
) -> None:
    plain = bk.backup(photos, name="plain", password="")
    sealed = bk.backup(photos, name="sealed", password="secret")
    found = list(bk.find("notes.txt", since=timedelta(days=1), password="wrong"))
    assert [(one.backup, one.entry.path) for one in found] == [(plain, "notes.txt")]
    assert any(line.startswith(f"{sealed.stored_filename} could not be opened: ") for line in told)


def test_a_person_is_asked_once_for_all_backups(bk: Bakthat, photos: Path) -> None:
    for _ in range(3):
        bk.backup(photos, password="secret")
    asked: list[None] = []

    def ask() -> str:
        asked.append(None)
        return "secret"

    assert len(list(bk.find("notes.txt", all_versions=True, ask=ask))) == 3
    assert len(asked) == 1
    bk.diff("photos", ask=ask)
    assert len(asked) == 2


def test_two_backups_are_compared(bk: Bakthat, photos: Path) -> None:
    first = bk.backup(photos, password="")
    (photos / "notes.txt").unlink()
    second = bk.backup(photos, password="")
    compared = bk.diff("photos")
    assert (compared.before, compared.after) == (first, second)
    assert [(str(one.change), one.path) for one in compared.differences] == [("removed", "notes.txt")]
