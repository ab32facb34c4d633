"""Catalog entries: what is written, what is read of later versions, and what is refused."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from bakthat.domain.backup import from_epoch
from bakthat.domain.catalog import ONLY_IN_A_DATABASE, PREFIX, VERSION, CatalogEntry, key_of, loads, stored_filename_of
from bakthat.errors import PayloadDamaged
from tests.domain.series import backup_at, utc

BACKUP = backup_at(
    utc(2026, 1, 2, 3, 4, 5),
    tags=("db", "daily"),
    backend_hash="x",
    client="web1",
    sha256="ab" * 32,
    source="/srv/site",
    tool="bakthat 1.0",
    counts={"files": 3},
    location="s3://bucket",
)
ENTRY = json.loads(CatalogEntry(backup=BACKUP).dumps())


def damaged(**changes):
    """The entry of `BACKUP` with other fields; `...` takes one out."""
    entry = {**ENTRY, **changes}
    return json.dumps({name: value for name, value in entry.items() if value is not ...}).encode()


def test_an_entry_is_ascii_json_in_which_a_person_finds_the_facts():
    text = CatalogEntry(backup=backup_at(utc(2026), client="web1", source="/srv/été")).dumps().decode("ascii")
    assert text.endswith("}\n")
    entry = json.loads(text)
    assert (entry["bakthat_catalog"], entry["host"], entry["source"]) == (VERSION, "web1", "/srv/été")
    assert entry["metadata"] == {}
    assert list(entry) == sorted(entry)


def test_a_path_that_is_not_utf_8_survives():
    entry = CatalogEntry(backup=backup_at(utc(2026), source="/srv/caf\udce9"))
    assert loads(entry.dumps()) == entry


def test_fields_of_a_later_version_are_kept_and_the_rest_is_read():
    entry = loads(damaged(bakthat_catalog=7, signature={"by": "me"}, later=None))
    assert entry.backup == BACKUP
    assert entry.version == 7
    assert json.loads(entry.dumps()) == {**ENTRY, "bakthat_catalog": 7, "signature": {"by": "me"}, "later": None}


def test_an_entry_says_what_an_incremental_backup_needs():
    increment = {"base": "site.20260101000000.tgz", "full": "site.20260101000000.tgz", "depth": 1}
    backup = backup_at(utc(2026, 1, 2), stored_filename="site.20260102000000.inc.tgz", incremental=increment)
    read = loads(CatalogEntry(backup=backup).dumps()).backup
    assert read == backup
    assert read.is_incremental
    assert read.metadata.incremental is not None


def test_an_entry_that_is_cut_to_size_keeps_what_an_incremental_backup_needs():
    increment = {"base": "site.20260101000000.tgz", "full": "site.20260101000000.tgz", "depth": 1}
    entry = loads(damaged(metadata={"a note": "x" * 40_000, "incremental": increment}))
    assert entry.backup.metadata["cut"] is True
    assert entry.backup.metadata["incremental"] == increment


def test_what_is_unknown_never_covers_what_is_known():
    entry = CatalogEntry(backup=BACKUP, extra={"size": 999, "later": 1})
    assert json.loads(entry.dumps()) == {**ENTRY, "later": 1}


def test_absent_fields_that_say_nothing_have_their_defaults():
    entry = loads(damaged(**dict.fromkeys(["backend_hash", "tags", "is_deleted", "metadata", "host", "sha256"], ...)))
    assert (entry.backup.backend_hash, entry.backup.tags, entry.backup.is_deleted) == ("", (), False)
    assert entry.backup.metadata == {"source": "/srv/site", "tool": "bakthat 1.0", "counts": {"files": 3}}


def test_tags_may_be_text_as_2013_had_them():
    assert loads(damaged(tags="db daily db")).backup.tags == ("db", "daily")


def test_fractions_of_a_second_are_left_out():
    assert loads(damaged(backup_date=0.9)).backup.backup_date == from_epoch(0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01",
        b"\xff\xfe\xfd",
        b"not json",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"bakthat_catalog": 1}',
        b'{"bakthat_catalog": "1"}',
        b'{"bakthat_catalog": NaN}',
        b"[" * 100_000,
        b"1" * 5000,
        CatalogEntry(backup=BACKUP).dumps()[:-20],
        damaged(bakthat_catalog=True),
        damaged(later=float("nan")),
        damaged(later=[float("-inf")]),
        damaged(bakthat_catalog=...),
    ],
)
def test_bytes_that_are_not_an_entry_are_damage(data):
    with pytest.raises(PayloadDamaged, match="catalog entry") as caught:
        loads(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["backend", "filename", "stored_filename"])
@pytest.mark.parametrize("value", [..., None, "", 7, [], {}, "\ud800"])
def test_an_invalid_name_is_damage(field, value):
    with pytest.raises(PayloadDamaged, match=f"{field} is not"):
        loads(damaged(**{field: value}))


@pytest.mark.parametrize("field", ["backup_date", "last_updated", "size"])
@pytest.mark.parametrize("value", [..., None, "7", True, [], 10**30, -(10**30), 1e300])
def test_an_invalid_number_is_damage(field, value):
    with pytest.raises(PayloadDamaged, match="the catalog entry is damaged"):
        loads(damaged(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", -1),
        ("size", 2**63),
        ("metadata", []),
        ("metadata", [["a", 1]]),
        ("metadata", "text"),
        ("tags", 7),
        ("tags", {"a": 1}),
        ("tags", ["\ud800"]),
        ("backend_hash", ["x"]),
        ("is_deleted", "false"),
    ],
)
def test_a_value_of_a_wrong_kind_is_damaged_and_named(field, value):
    with pytest.raises(PayloadDamaged, match=f"the catalog entry is damaged: {field} "):
        loads(damaged(**{field: value}))


# Keys


def test_the_key_of_an_entry_names_its_archive():
    assert key_of("site.20260102000000.tgz.enc") == "bakthat_catalog/site.20260102000000.tgz.enc.json"


@pytest.mark.parametrize(
    "key", ["", "site.20260102000000.tgz", PREFIX, f"{PREFIX}.json", f"{PREFIX}x", "x/bakthat_catalog/y.json"]
)
def test_other_keys_are_not_entries(key):
    assert stored_filename_of(key) is None


def test_a_record_that_is_deleted_says_so_in_its_entry():
    deleted = evolve(BACKUP, is_deleted=True)
    assert loads(CatalogEntry(backup=deleted).dumps()).backup.is_deleted


@pytest.mark.parametrize("depth", [60, 900])
def test_an_entry_nested_beyond_measure_is_damaged(depth):
    raw = json.loads(CatalogEntry(backup=BACKUP).dumps())
    text = json.dumps({**raw, "metadata": {"deep": "HERE"}}).replace('"HERE"', "[" * depth + "]" * depth)
    with pytest.raises(PayloadDamaged, match="50 levels"):
        loads(text.encode())


# Limits: anyone who may write to the store may write an entry


@pytest.mark.parametrize("filler", [" " * (256 * 1024), '"x": "' + "x" * (256 * 1024) + '",'])
def test_an_entry_that_is_longer_than_any_is_damaged(filler):
    with pytest.raises(PayloadDamaged, match="longer than 262144 bytes"):
        loads(b"{" + filler.encode() + CatalogEntry(backup=BACKUP).dumps()[1:])


@pytest.mark.parametrize("value", ["[],", "{},", '"",', "1,"])
def test_an_entry_of_many_values_is_damaged(value):
    with pytest.raises(PayloadDamaged, match="more than 10000 values"):
        loads(CatalogEntry(backup=BACKUP).dumps().replace(b"{", b'{"x": [' + value.encode() * 11_000 + b"1],", 1))


def test_a_record_keeps_the_most_important_of_long_metadata():
    long = evolve(BACKUP, metadata={**BACKUP.metadata, "is_enc": False, "aaa": "x" * 30_000, "bbb": "y" * 30_000})
    kept = loads(CatalogEntry(backup=long).dumps()).backup.metadata
    assert {**kept, "aaa": ""} == {**BACKUP.metadata, "is_enc": False, "aaa": "", "cut": True}


def test_of_many_tags_a_record_keeps_the_first():
    many = evolve(BACKUP, tags=tuple(f"tag{number}" for number in range(9_000)))
    kept = loads(CatalogEntry(backup=many).dumps()).backup
    assert kept.tags == many.tags[: len(kept.tags)]
    assert 500 < len(kept.tags) < 1_500


def test_what_would_be_too_long_to_be_read_again_is_not_written():
    long = evolve(BACKUP, metadata={**BACKUP.metadata, "problems": ["x" * 20_000] * 20})
    assert loads(CatalogEntry(backup=long).dumps()).backup.metadata == {**BACKUP.metadata, "cut": True}


@pytest.mark.parametrize("key", sorted(ONLY_IN_A_DATABASE))
def test_what_a_database_notes_for_itself_is_neither_written_nor_read(key):
    noted = evolve(BACKUP, metadata={**BACKUP.metadata, key: 1})
    assert loads(CatalogEntry(backup=noted).dumps()).backup == BACKUP
    assert loads(damaged(metadata={**ENTRY["metadata"], key: 1})).backup == BACKUP
