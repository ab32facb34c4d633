"""The saved copy of the inventory."""

from __future__ import annotations

import json

import pytest

from bakthat.domain.glacier_inventory import GlacierInventory, loads
from bakthat.domain.objects import ArchiveId
from bakthat.errors import PayloadDamaged


def some(**known: str) -> GlacierInventory:
    return GlacierInventory(archives={name: ArchiveId(value) for name, value in known.items()})


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
    with pytest.raises(PayloadDamaged, match="glacier-inventory save"):
        loads(data)


def test_what_a_deletion_takes_out_is_only_what_it_names() -> None:
    assert some(a="1", b="2").without(["a", "z"]) == some(b="2")


def test_a_value_that_is_not_an_id_is_kept_and_is_not_an_archive() -> None:
    inventory = loads(b'{"a": "1", "version": {"of": "later"}, "empty": ""}')
    assert inventory.archives == {"a": "1"}
    assert loads(inventory.dumps()).extra == {"version": {"of": "later"}, "empty": ""}


def test_an_element_of_2013_s_list_that_names_no_archive_is_skipped() -> None:
    data = b'[{"filename": "a", "archive_id": "x"}, {"filename": "b"}, 7]'
    read = loads(data)
    assert (dict(read.archives), read.left_out) == ({"a": "x"}, 2)


def test_a_copy_that_is_longer_than_any_is_damaged() -> None:
    with pytest.raises(PayloadDamaged, match="longer than 33554432 bytes"):
        loads(b" " * (32 * 1024 * 1024 + 1))


def test_a_copy_of_many_values_is_damaged() -> None:
    with pytest.raises(PayloadDamaged, match="more than 500000 values"):
        loads(b'{"a": [' + b"[]," * 300_000 + b"1]}")
