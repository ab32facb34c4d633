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
    with pytest.raises(PayloadDamaged, match="backup_glacier_inventory"):
        loads(data)


def test_what_a_deletion_takes_out_is_only_what_it_names() -> None:
    assert some(a="1", b="2").without(["a", "z"]) == some(b="2")


def test_a_value_that_is_no_id_is_kept_and_no_archive() -> None:
    inventory = loads(b'{"a": "1", "version": {"of": "later"}, "empty": ""}')
    assert inventory.archives == {"a": "1"}
    assert loads(inventory.dumps()).extra == {"version": {"of": "later"}, "empty": ""}
