"""A record, as `backup` and `show` return it, is accepted wherever a name chooses a backup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from bakthat import Backup, BakHelper, Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import BackupNotFound, UsageError
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.quick_cipher import quick_cipher

Verb = Callable[[Bakthat, Backup, Path], Backup]

VERBS: dict[str, Verb] = {
    "restore": lambda bk, made, target: bk.restore(made, target=target),
    "restore_with_report": lambda bk, made, target: bk.restore_with_report(made, target=target).backup,
    "salvage": lambda bk, made, target: bk.salvage(made, target=target).backup,
    "verify": lambda bk, made, _: bk.verify(made)[0].backup,
    "ls": lambda bk, made, _: bk.ls(made).backup,
    "diff": lambda bk, made, _: bk.diff(made, made).before,
    "diff, second": lambda bk, made, _: bk.diff(made.stored_filename, made).after,
    "copy": lambda bk, made, _: evolve(bk.copy(made, to="other").copied[0], backend=made.backend),
    "about_to_delete": lambda bk, made, _: bk.about_to_delete(made).backup,
    "delete": lambda bk, made, _: bk.delete(made),
}


@pytest.fixture
def bk(repo: MemoryRepo, clock: SteppedClock) -> Bakthat:
    """A profile with three stores, of which the records are in the one that is not the default."""
    stores = {name: MemoryObjectStore(f"memory://{name}", clock=clock) for name in ("s3", "nas", "other")}
    return open_profile(
        Profile(), stores=stores, repo=repo, cipher=quick_cipher(), clock=clock, host=lambda: "host", environment={}
    )


@pytest.fixture
def made(bk: Bakthat, clock: SteppedClock, tree: Path) -> Backup:
    """The older one of two backups, so that the name of the series would mean the other one."""
    older = bk.backup(tree, "nas")
    clock.forward(days=1)
    bk.backup(tree, "nas")
    return older


@pytest.mark.parametrize("verb", VERBS)
def test_a_record_chooses_its_own_backup_in_its_own_destination(
    bk: Bakthat, made: Backup, tmp_path: Path, verb: str
) -> None:
    found = VERBS[verb](bk, made, tmp_path / "target")
    assert (found.stored_filename, found.backend) == (made.stored_filename, "nas")


def test_a_file_is_read_from_the_backup_of_a_record(bk: Bakthat, made: Backup) -> None:
    with bk.open_file(made, "index.html") as file:
        assert file.read() == b"<h1>hello</h1>"


def test_a_helper_restores_the_backup_of_a_record(bk: Bakthat, made: Backup) -> None:
    with BakHelper("site", bakthat=bk) as helper:
        assert helper.restore(made).stored_filename == made.stored_filename


def test_a_record_of_another_destination_than_the_given_one_is_refused(bk: Bakthat, made: Backup) -> None:
    with pytest.raises(UsageError, match=r"is a backup in nas, not in s3; leave out `destination=`"):
        bk.delete(made, "s3")
    assert made in bk.show()


def test_a_record_never_means_a_backup_of_the_same_name_in_another_store(
    bk: Bakthat, repo: MemoryRepo, made: Backup, clock: SteppedClock
) -> None:
    of_another_store = evolve(made, metadata=made.metadata.changed(location="memory://elsewhere"))
    with pytest.raises(BackupNotFound, match="memory://elsewhere, and nas of this profile is memory://nas"):
        bk.delete(of_another_store)
    assert len(bk.show()) == 2


def test_a_record_of_a_value_never_means_the_series_of_its_name(bk: Bakthat, made: Backup) -> None:
    value = evolve(made, filename="site", stored_filename="site", metadata=made.metadata.changed(is_value=True))
    with pytest.raises(BackupNotFound):
        bk.delete(value)
    assert len(bk.show()) == 2


def test_the_record_of_what_is_deleted_chooses_nothing(bk: Bakthat, made: Backup) -> None:
    bk.delete(made)
    with pytest.raises(BackupNotFound, match=f"{made.stored_filename}: the database has no such backup in nas"):
        bk.restore(made)


def test_the_result_has_what_the_database_knows_now(bk: Bakthat, made: Backup, tmp_path: Path) -> None:
    bk.verify(made)
    assert made.metadata.verified is None
    assert bk.restore(made, target=tmp_path / "target").metadata.verified is not None


@pytest.mark.parametrize("wrong", [7, ["site"], Path("site")])
def test_what_is_neither_a_name_nor_a_record_is_a_type_error(bk: Bakthat, made: Backup, wrong: object) -> None:
    with pytest.raises(TypeError, match=r"a backup is chosen by its name or its record \(`Backup`\), not by a"):
        bk.restore(wrong)  # type: ignore[arg-type]


def test_a_record_is_neither_a_query_nor_a_pattern(bk: Bakthat, made: Backup) -> None:
    with pytest.raises(TypeError, match="a query is a part of a name, found a Backup"):
        bk.show(made)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a pattern is text, found a Backup"):
        bk.find(made)  # type: ignore[arg-type]


SERIES_VERBS: dict[str, Callable[[Bakthat, Backup], object]] = {
    "rotate_backups": lambda bk, made: bk.rotate_backups(made),  # type: ignore[arg-type]
    "remove_older_than": lambda bk, made: bk.remove_older_than(made, "1D"),  # type: ignore[arg-type]
    "copy": lambda bk, made: bk.copy(to="other", series=made),  # type: ignore[arg-type]
    "find": lambda bk, made: bk.find("*", series=made),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("verb", SERIES_VERBS)
def test_a_verb_about_a_series_says_how_it_is_chosen(bk: Bakthat, made: Backup, verb: str) -> None:
    with pytest.raises(TypeError, match=r"chosen by its name, 'site' \(`backup\.filename`\), not by a record"):
        SERIES_VERBS[verb](bk, made)
