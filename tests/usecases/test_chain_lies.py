"""Records of chains that lie: an entry in the store may say anything. Each verb says so, or does without it, and
changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.errors import BakthatError, ChainBroken
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.copy import CopyRequest, copy
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.diff import DiffRequest, diff
from bakthat.usecases.find import FindRequest, find
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.read_file import ReadRequest, read_file
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.retention import rotate_backups
from bakthat.usecases.salvage import SalvageRequest, salvage
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import verify

Lie = Callable[[list[Backup]], Mapping[str, Any]]

LIES: dict[str, Lie] = {
    "circle": lambda made: {"base": made[3].stored_filename, "full": made[0].stored_filename, "depth": 2},
    "itself": lambda made: {"base": made[2].stored_filename, "full": made[0].stored_filename, "depth": 2},
    "nothing": lambda made: {"base": "site.20200101000000.tgz", "full": made[0].stored_filename, "depth": 2},
    "depth": lambda made: {"base": made[1].stored_filename, "full": made[0].stored_filename, "depth": 7},
    "full": lambda made: {"base": made[1].stored_filename, "full": "site.20200101000000.tgz", "depth": 2},
    "path": lambda made: {"base": "../../etc/passwd", "full": "x\n\x1b[2Jy", "depth": 2},
}
SILENCE: dict[str, Lie] = {
    "empty": lambda made: {},
    "types": lambda made: {"base": 3, "full": None, "depth": "2"},
}
"""What says nothing that could be a base."""
ALL = LIES | SILENCE


@pytest.fixture(params=LIES.values(), ids=LIES)
def misled(request: pytest.FixtureRequest, box: Toolbox, nights: list[Backup]) -> Backup:
    """The third of four backups, whose record names something else than its base."""
    return _with_record(request.param, box, nights)


@pytest.fixture(params=SILENCE.values(), ids=SILENCE)
def silent(request: pytest.FixtureRequest, box: Toolbox, nights: list[Backup]) -> Backup:
    """The third of four backups, whose record names no base."""
    return _with_record(request.param, box, nights)


@pytest.fixture(params=ALL.values(), ids=ALL)
def lied(request: pytest.FixtureRequest, box: Toolbox, nights: list[Backup]) -> Backup:
    """The third of four backups, whose record lies."""
    return _with_record(request.param, box, nights)


def _with_record(lie: Lie, box: Toolbox, nights: list[Backup]) -> Backup:
    row = nights[2].with_metadata(nights[2].last_updated, incremental=lie(nights))
    box.repo.replace(row)
    return row


def name(backup: Backup) -> dict[str, str]:
    return {"name": backup.stored_filename, "destination": "s3"}


def listed(box: Toolbox, backup: Backup, _: Path) -> None:
    with list_archive(ListRequest(**name(backup)), box.tools) as listing:
        list(listing.entries)


def read(box: Toolbox, backup: Backup, _: Path) -> None:
    with read_file(ReadRequest(path="large", **name(backup)), box.tools) as file:
        file.content.read()


Verb = Callable[[Toolbox, Backup, Path], object]

RESTORES: dict[str, Verb] = {
    "restore": lambda box, backup, place: restore(RestoreRequest(target=place, **name(backup)), box.tools),
    "restore whole": lambda box, backup, place: restore(
        RestoreRequest(target=place, full_check=True, **name(backup)), box.tools
    ),
}
LISTS: dict[str, Verb] = {
    "ls": listed,
    "cat": read,
    "diff": lambda box, backup, _: diff(DiffRequest(**name(backup)), box.tools),
}


def copied(box: Toolbox, backup: Backup, _: Path) -> None:
    copy(CopyRequest(name=backup.stored_filename, source="s3", to="local"), box.tools, box.tools)


@pytest.mark.parametrize("verb", (LISTS | RESTORES).values(), ids=LISTS | RESTORES)
def test_a_verb_that_needs_the_chain_says_what_is_wrong(
    verb: Verb, box: Toolbox, misled: Backup, tmp_path: Path
) -> None:
    _says_what_is_wrong(verb, box, misled, tmp_path)


def test_a_copy_says_what_is_wrong(box: Toolbox, lied: Backup, tmp_path: Path) -> None:
    _says_what_is_wrong(copied, box, lied, tmp_path)


@pytest.mark.parametrize("verb", RESTORES.values(), ids=RESTORES)
def test_a_restore_asks_the_archive_where_the_record_is_silent(
    verb: Verb, box: Toolbox, silent: Backup, tmp_path: Path
) -> None:
    verb(box, silent, tmp_path / "place")
    assert {path.name for path in (tmp_path / "place" / "site").iterdir()} == {"0", "1", "2", "large"}


@pytest.mark.parametrize("verb", LISTS.values(), ids=LISTS)
def test_a_list_asks_the_archive_where_the_record_is_silent(
    verb: Verb, box: Toolbox, silent: Backup, tmp_path: Path
) -> None:
    verb(box, silent, tmp_path)
    asked = f"{silent.stored_filename}: its record does not say what it continues; its archive is asked"
    assert box.notices.count(asked) == 1


def _says_what_is_wrong(verb: Verb, box: Toolbox, lied: Backup, tmp_path: Path) -> None:
    before = box.keys_in("s3"), list(box.repo.find(Query()))
    with pytest.raises(ChainBroken, match=lied.stored_filename):
        verb(box, lied, tmp_path / "place")
    assert not (tmp_path / "place").exists() or not any((tmp_path / "place").iterdir())
    assert (box.keys_in("s3"), list(box.repo.find(Query()))) == before
    assert not box.keys_in("local")


def test_find_looks_into_the_others(box: Toolbox, misled: Backup) -> None:
    unopened: list[tuple[str, BakthatError]] = []
    request = FindRequest(patterns=("large",), destination="s3", all_versions=True)
    found = list(find(request, box.tools, on_unopened=lambda backup, why: unopened.append((str(backup.when), why))))
    assert len(found) == 2  # in those before it
    assert [isinstance(why, ChainBroken) for _, why in unopened] == [True, True]


def test_find_asks_the_archive_once_where_the_record_is_silent(box: Toolbox, silent: Backup) -> None:
    unopened: list[Backup] = []
    request = FindRequest(patterns=("large",), destination="s3", all_versions=True)
    found = list(find(request, box.tools, on_unopened=lambda backup, _: unopened.append(backup)))
    assert (len(found), unopened) == (4, [])
    assert sum("its archive is asked" in line for line in box.notices) == 1


def test_verify_says_that_it_and_what_needs_it_are_bad(box: Toolbox, misled: Backup) -> None:
    assert [result.is_bad for result in verify(None, "s3", box.tools)] == [True, True, False, False]


@pytest.mark.parametrize("quick", [False, True])
def test_verify_asks_the_archive_where_the_record_is_silent(box: Toolbox, silent: Backup, quick: bool) -> None:
    assert [result.error for result in verify(None, "s3", box.tools, quick=quick)] == [None] * 4


def test_salvage_gives_what_its_archive_has(box: Toolbox, misled: Backup, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    done = salvage(SalvageRequest(target=tmp_path / "place", **name(misled)), box.tools)
    assert (done.is_complete, done.report.whole.count) == (False, 1)


def test_salvage_asks_the_archive_where_the_record_is_silent(box: Toolbox, silent: Backup, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    done = salvage(SalvageRequest(target=tmp_path / "place", **name(silent)), box.tools)
    assert (done.is_complete, done.report.whole.count) == (True, 4)


def test_rotation_keeps_what_may_be_needed(box: Toolbox, nights: list[Backup], lied: Backup) -> None:
    rotate_backups("site", "s3", RotationPolicy(last=1), box.tools)
    left = {row.stored_filename for row in box.repo.find(Query())}
    assert {nights[3].stored_filename, lied.stored_filename} <= left


def test_deletion_of_it_with_what_needs_it_ends(box: Toolbox, nights: list[Backup], lied: Backup) -> None:
    delete(DeleteRequest(with_dependents=True, **name(lied)), box.tools)
    left = {row.stored_filename for row in box.repo.find(Query())}
    assert left == {nights[0].stored_filename, nights[1].stored_filename}


def test_sync_with_an_empty_database_ends(box: Toolbox, lied: Backup) -> None:
    other = Toolbox(stores=box.stores, clock=box.clock)
    sync("s3", other.tools)
    assert len(list(other.repo.find(Query()))) == 4
