"""Looking inside an archive in S3 when the service, or somebody else, does something odd between two ranges: the right
bytes, or one clear error; never wrong bytes, and nothing half restored."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat import Backup, Bakthat, Profile, open_profile
from bakthat.adapters.aws.s3_download import RANGE
from bakthat.errors import BakthatError, StoreError
from bakthat.testing.deviations import dropping, has, ignoring, ranging, where
from bakthat.testing.faulty_proxy import Doing, Fault, answering, cut_the_answer, meanwhile
from bakthat.testing.memory import MemoryRepo
from tests.fixtures.quick_cipher import quick_cipher
from tests.fixtures.s3_rig import Rig

SIZE = 1_500_000
"""Bytes of a file. They are random, so that the archive is as large."""

FILES = 6


@pytest.fixture
def bk(moto_rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bakthat:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return open_profile(
        Profile(), store=moto_rig.store(range_size=RANGE), repo=MemoryRepo(), cipher=quick_cipher(), environment={}
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(FILES):
        (root / f"{number}.jpg").write_bytes(os.urandom(SIZE))
    return root


@pytest.fixture
def password(request: pytest.FixtureRequest) -> str:
    """None, unless a test is about encrypted backups as well."""
    return str(getattr(request, "param", ""))


both_kinds = pytest.mark.parametrize("password", ["", "secret"], ids=["plain", "encrypted"], indirect=True)


@pytest.fixture
def made(bk: Bakthat, moto_rig: Rig, photos: Path, password: str) -> Backup:
    made = bk.backup(photos, password=password)
    moto_rig.proxy.forget()
    return made


def listed(bk: Bakthat, password: str, _: Path) -> object:
    with bk.ls("photos", password=password) as entries:
        return sorted(entry.path for entry in entries)


def opened(bk: Bakthat, password: str, _: Path) -> object:
    with bk.open_file("photos", "5.jpg", password=password) as file:
        return file.read()


def restored(bk: Bakthat, password: str, target: Path) -> object:
    bk.restore("photos", target=target, only=["3.jpg"], password=password)
    return (target / "photos" / "3.jpg").read_bytes()


LOOKS: dict[str, Callable[[Bakthat, str, Path], object]] = {"ls": listed, "open_file": opened, "restore": restored}


def expected(look: str, photos: Path) -> object:
    return {
        "ls": sorted(path.name for path in photos.iterdir()),
        "open_file": (photos / "5.jpg").read_bytes(),
        "restore": (photos / "3.jpg").read_bytes(),
    }[look]


@both_kinds
@pytest.mark.parametrize("look", LOOKS)
def test_without_a_fault_it_costs_a_part_of_the_archive(
    bk: Bakthat, moto_rig: Rig, made: Backup, photos: Path, password: str, tmp_path: Path, look: str
) -> None:
    assert LOOKS[look](bk, password, tmp_path / "out") == expected(look, photos)
    ranges = [
        next((value for name, value in request.headers.items() if name.lower() == "range"), "")
        for request in moto_rig.proxy.requests
        if request.operation == "GetObject"
    ]
    sizes = [int(last) - int(first) + 1 for first, last in (each[6:].split("-") for each in ranges)]
    assert 0 < sum(sizes) < made.size / 2
    assert moto_rig.proxy.operations.count("HeadObject") <= 1


ODD_ANSWERS: dict[str, Doing] = {
    "the range is ignored": ignoring("range"),
    "another range": ranging(lambda first, last: (0, last - first)),
    "a shorter range": ranging(lambda first, last: (first, (first + last) // 2)),
    "a range without a word of which": dropping("content-range"),
    "ranges are refused": answering(416, "InvalidRange"),
    "if-match is ignored": ignoring("if-match"),
    "no etag": dropping("etag"),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS)
@pytest.mark.parametrize("look", LOOKS)
def test_an_odd_answer_to_a_range_gives_the_right_bytes_or_an_error(
    bk: Bakthat, moto_rig: Rig, made: Backup, photos: Path, password: str, tmp_path: Path, look: str, answer: str
) -> None:
    moto_rig.proxy.inject(Fault("GetObject", where(has("range"), ODD_ANSWERS[answer]), times=None))
    assert LOOKS[look](bk, password, tmp_path / "out") == expected(look, photos)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("look", LOOKS)
def test_a_connection_that_breaks_costs_nothing(
    bk: Bakthat, moto_rig: Rig, made: Backup, photos: Path, password: str, tmp_path: Path, look: str, number: int
) -> None:
    moto_rig.proxy.inject(Fault("GetObject", cut_the_answer, skip=number, times=2))
    assert LOOKS[look](bk, password, tmp_path / "out") == expected(look, photos)


@both_kinds
@pytest.mark.parametrize("what", ["replaced", "deleted"])
@pytest.mark.parametrize("look", ["open_file", "restore"])
def test_an_archive_that_is_replaced_or_deleted_between_two_ranges_is_an_error(
    bk: Bakthat, moto_rig: Rig, made: Backup, password: str, tmp_path: Path, look: str, what: str
) -> None:
    def interfere() -> None:
        if what == "deleted":
            moto_rig.direct.delete(made.stored_filename)
        else:
            moto_rig.direct.put(made.stored_filename, io.BytesIO(os.urandom(made.size)), replace=True)

    moto_rig.proxy.inject(Fault("GetObject", meanwhile(interfere), skip=1))
    with pytest.raises(BakthatError) as caught:
        LOOKS[look](bk, password, tmp_path / "out")
    assert made.stored_filename in str(caught.value)
    assert isinstance(caught.value, StoreError) or what == "deleted"
    assert not (tmp_path / "out" / "photos").exists()
