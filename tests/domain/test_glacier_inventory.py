"""The saved copy of the inventory."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakthat.domain.glacier_inventory import GlacierInventory, loads
from bakthat.domain.objects import ArchiveId
from bakthat.errors import PayloadDamaged

archives = st.dictionaries(st.text(max_size=30), st.text(min_size=1, max_size=30).map(ArchiveId), max_size=6)
unknown = st.dictionaries(
    st.text(max_size=10), st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=3)), max_size=3
)


@st.composite
def inventories(draw: st.DrawFn) -> GlacierInventory:
    known = draw(archives)
    extra = {name: value for name, value in draw(unknown).items() if name not in known}
    return GlacierInventory(archives=known, extra=extra)


def some(**known: str) -> GlacierInventory:
    return GlacierInventory(archives={name: ArchiveId(value) for name, value in known.items()})


@given(inventories())
def test_an_inventory_is_read_back_as_it_was_written(inventory: GlacierInventory) -> None:
    assert loads(inventory.dumps()) == inventory


def test_the_copy_is_an_object_of_filenames_and_ids() -> None:
    assert json.loads(some(b="2", a="1").dumps()) == {"a": "1", "b": "2"}


def test_the_list_of_2013_is_read() -> None:
    data = b'[{"filename": "bak.20130101000000.tgz", "archive_id": "Zm9v"}, {"archive_id": "YmFy", "filename": "c"}]'
    assert loads(data).archives == {"bak.20130101000000.tgz": "Zm9v", "c": "YmFy"}


@pytest.mark.parametrize("data", [b"{}", b"[]"])
def test_an_empty_inventory_is_one(data: bytes) -> None:
    assert loads(data) == GlacierInventory()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe", b"null", b"7", b'"text"', b"[" * 100_000,
        b'[{"filename": "a"}]', b'[{"filename": "a", "archive_id": null}]', b'["a"]',
        b'[{"filename": 1, "archive_id": "x"}]',
    ],
)  # fmt: skip
def test_a_damaged_copy_says_so_and_names_the_way_out(data: bytes) -> None:
    with pytest.raises(PayloadDamaged, match="backup_glacier_inventory"):
        loads(data)


@given(inventories(), inventories())
def test_merging_drops_nothing_that_either_knows(one: GlacierInventory, other: GlacierInventory) -> None:
    merged = one.merged(other)
    assert {*merged.archives, *merged.extra} == {*one.archives, *one.extra, *other.archives, *other.extra}


@given(inventories(), inventories())
def test_merging_keeps_all_that_the_later_one_says(one: GlacierInventory, later: GlacierInventory) -> None:
    merged = one.merged(later)
    assert later.archives.items() <= merged.archives.items()
    assert all(merged.extra[name] == value for name, value in later.extra.items())


@given(inventories())
def test_merging_twice_changes_nothing(one: GlacierInventory) -> None:
    assert one.merged(one) == one
    assert one.merged(GlacierInventory()) == one


def test_what_a_deletion_takes_out_is_only_what_it_names() -> None:
    assert some(a="1", b="2").without(["a", "z"]) == some(b="2")


def test_a_value_that_is_no_id_is_kept_and_no_archive() -> None:
    inventory = loads(b'{"a": "1", "version": {"of": "later"}, "empty": ""}')
    assert inventory.archives == {"a": "1"}
    assert loads(inventory.dumps()).extra == {"version": {"of": "later"}, "empty": ""}
