"""`verify` and `sync` say when an incremental backup lacks what it needs."""

from __future__ import annotations

import io

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.domain.verification import Level
from bakthat.errors import ChainBroken
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import Verified, verify


def verified(box: Toolbox, name: str | None = "site", **options: bool) -> list[Verified]:
    return verify(name, "s3", box.tools, **options)


def damage(box: Toolbox, name: str) -> None:
    store = box.stores["s3"]
    with store.open(name) as reader:
        stored = bytearray(reader.read())
    stored[len(stored) // 2] ^= 1
    store.put(name, io.BytesIO(stored), replace=True)


def test_a_whole_chain_is_good(box: Toolbox, nights: list[Backup]) -> None:
    assert [(one.level, one.error) for one in verified(box, None)] == [(Level.OPENS, None)] * 4


def test_each_archive_is_read_once(box: Toolbox, nights: list[Backup]) -> None:
    verified(box, None)
    ends = [one.stage for one in box.progress if one.done == one.total and one.stage.startswith("verifying")]
    assert sorted(ends) == sorted(f"verifying {one.stored_filename}" for one in nights)


@pytest.mark.parametrize("quick", [True, False])
def test_a_base_that_was_deleted_behind_our_back_makes_what_needs_it_bad(
    box: Toolbox, nights: list[Backup], quick: bool
) -> None:
    box.stores["s3"].delete(nights[0].stored_filename)
    (result,) = verified(box, quick=quick)
    assert result.is_bad
    assert isinstance(result.error, ChainBroken)
    assert str(result.error).startswith(
        f"{nights[3].stored_filename} needs {nights[0].stored_filename}, which is bad: "
    )


def test_a_damaged_base_makes_what_needs_it_bad(box: Toolbox, nights: list[Backup]) -> None:
    damage(box, nights[1].stored_filename)
    newest_first = verified(box, None)
    assert [one.is_bad for one in newest_first] == [True, True, True, False]
    assert all(nights[1].stored_filename in str(one.error) for one in newest_first[:3])


def test_the_record_says_what_verifying_found_in_the_chain(box: Toolbox, nights: list[Backup]) -> None:
    damage(box, nights[0].stored_filename)
    verified(box)
    (row,) = box.repo.find(Query(stored_filename=nights[3].stored_filename))
    assert row.metadata.verified is not None
    assert nights[0].stored_filename in str(row.metadata.verified["error"])


def test_a_base_that_is_recorded_as_deleted_makes_what_needs_it_bad(box: Toolbox, nights: list[Backup]) -> None:
    box.repo.replace(nights[0].deleted(box.clock()))
    (result,) = verified(box)
    assert result.is_bad
    assert "which was deleted" in str(result.error)


def test_sync_names_what_lacks_its_base(box: Toolbox, nights: list[Backup]) -> None:
    box.stores["s3"].delete(nights[0].stored_filename)
    box.notices.clear()
    sync("s3", box.tools)
    assert box.notices == [
        f"{nights[1].stored_filename} is incremental and needs {nights[0].stored_filename}, which was deleted; "
        "it cannot be restored as a whole",
        f"{nights[2].stored_filename} is incremental and needs {nights[0].stored_filename}, as the base of "
        f"{nights[1].stored_filename}, which was deleted; it cannot be restored as a whole",
        f"{nights[3].stored_filename} is incremental and needs {nights[0].stored_filename}, as the base of "
        f"{nights[1].stored_filename}, which was deleted; it cannot be restored as a whole",
    ]


def test_sync_of_an_empty_database_names_what_lacks_its_base(box: Toolbox, nights: list[Backup]) -> None:
    for key in (nights[0].stored_filename, f"bakthat_catalog/{nights[0].stored_filename}.json"):
        box.stores["s3"].delete(key)
    other = Toolbox(stores=box.stores)
    sync("s3", other.tools)
    assert len(other.notices) == 3
    assert "is not in the database (`bakthat sync` finds it if it is in the store)" in other.notices[0]


def test_sync_says_that_the_archive_is_asked_where_an_entry_is_lost(box: Toolbox, nights: list[Backup]) -> None:
    box.stores["s3"].delete(f"bakthat_catalog/{nights[1].stored_filename}.json")
    other = Toolbox(stores=box.stores)
    sync("s3", other.tools)
    why = "its record does not say which backup it continues, for it has no catalog entry"
    assert set(other.notices) == {
        f"{nights[1].stored_filename} is incremental, and {why}; what reads the backup asks the archive"
    }


def test_sync_says_nothing_of_a_whole_chain(box: Toolbox, nights: list[Backup]) -> None:
    box.notices.clear()
    other = Toolbox(stores=box.stores)
    sync("s3", other.tools)
    sync("s3", box.tools)
    assert box.notices == other.notices == []
