"""`BakHelper`: a temporary working directory that is current inside, and gone afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakthat import BakHelper, Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import InvalidName, UsageError
from bakthat.testing.toolbox import SteppedClock


def test_what_is_dumped_into_it_is_backed_up_under_its_name(bakthat: Bakthat, tmp_path: Path) -> None:
    with BakHelper("mysql", tags=["db"], bakthat=bakthat) as helper:
        Path("dump.sql").write_text("create table t")
        made = helper.backup()
    assert (made.filename, made.tags, made.is_encrypted) == ("mysql", ("db",), False)
    bakthat.restore("mysql", target=tmp_path)
    assert [path.name for path in tmp_path.rglob("*.sql")] == ["dump.sql"]


def test_it_comes_back_in_a_directory_of_its_name(bakthat: Bakthat, tmp_path: Path) -> None:
    with BakHelper("mysql", bakthat=bakthat) as helper:
        Path("dump.sql").write_text("create table t")
        helper.backup()
    bakthat.restore("mysql", target=tmp_path)
    assert (tmp_path / "mysql" / "dump.sql").read_text() == "create table t"


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 201])
def test_a_name_that_no_series_can_have_is_refused_at_once(bakthat: Bakthat, name: str) -> None:
    with pytest.raises(InvalidName):
        BakHelper(name, bakthat=bakthat)


def test_outside_of_its_block_it_has_nothing_to_back_up(bakthat: Bakthat) -> None:
    with pytest.raises(UsageError, match="a BakHelper has its directory only in its `with` block"):
        BakHelper("dumps", bakthat=bakthat).backup()


def test_the_directory_is_readable_by_its_owner_only(bakthat: Bakthat) -> None:
    with BakHelper("x", bakthat=bakthat) as helper:
        assert Path(helper.tmpd).stat().st_mode & 0o077 == 0


def test_the_directory_is_current_inside_and_removed_afterwards(bakthat: Bakthat) -> None:
    before = os.getcwd()
    with BakHelper("x", bakthat=bakthat) as helper:
        assert os.path.samefile(os.getcwd(), helper.tmpd)
    assert os.getcwd() == before
    assert not os.path.exists(helper.tmpd)


def test_it_is_removed_after_an_exception_too(bakthat: Bakthat) -> None:
    before = os.getcwd()
    helper = BakHelper("x", bakthat=bakthat)
    with pytest.raises(RuntimeError), helper:
        raise RuntimeError
    assert (os.getcwd(), os.path.exists(helper.tmpd)) == (before, False)


def test_a_password_encrypts_and_restores(bakthat: Bakthat) -> None:
    with BakHelper("db", password="secret", bakthat=bakthat) as helper:
        Path("dump").write_text("x")
        assert helper.backup().is_encrypted
        helper.restore(target="again")
        assert len(list(Path("again").rglob("dump"))) == 1


def test_it_rotates_and_removes_its_own_series(bakthat: Bakthat, clock: SteppedClock) -> None:
    with BakHelper("db", bakthat=bakthat) as helper:
        for _ in range(4):
            helper.backup()
            clock.forward(days=1)
        assert len(helper.rotate()) == 2
        assert len(helper.delete_older_than(interval="1D")) == 1


def test_a_different_temporary_directory_each_time_is_not_a_mixture(
    store: MemoryObjectStore, repo: MemoryRepo, clock: SteppedClock
) -> None:
    told: list[str] = []
    bakthat = open_profile(
        Profile(rotation={"days": 1}), store=store, repo=repo, clock=clock, environment={}, notice=told.append
    )
    for _ in range(3):
        with BakHelper("db", bakthat=bakthat) as helper:
            Path("dump.sql").write_text("x")
            assert "source" not in helper.backup().metadata
            clock.forward(days=1)
            helper.rotate()
    assert told == []
