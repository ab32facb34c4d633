"""The record of a backup: whose it is, its date, and what its facts mean."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve

from bakthat.domain.backup import Owner, backend_hash, from_epoch, split_tags, whole_seconds
from tests.domain.series import backup_at, utc

HERE = Owner(backend="s3", location="s3://bucket", backend_hash="hash of the old key")
NOON = utc(2026, 1, 1, 12)


# Whose a backup is


@pytest.mark.parametrize(
    ("fields", "is_mine"),
    [
        ({"location": "s3://bucket", "backend_hash": "hash of another key"}, True),
        ({"location": "s3://other", "backend_hash": HERE.backend_hash}, False),
        ({"backend_hash": HERE.backend_hash}, True),
        ({"backend_hash": "hash of another key"}, False),
        ({}, False),
        ({"backend": "glacier", "location": "s3://bucket"}, False),
        ({"location": 7, "backend_hash": HERE.backend_hash}, True),
        ({"location": "", "backend_hash": HERE.backend_hash}, False),
    ],
)
def test_the_location_says_whose_a_backup_is_and_2013s_hash_where_there_is_none(fields, is_mine):
    assert backup_at(NOON, **fields).belongs_to(HERE) is is_mine


def test_the_hash_is_that_of_2013():
    assert backend_hash("AKIA", "bucket") == hashlib.sha512(b"AKIAbucket").hexdigest()
    assert backend_hash(None, "bucket") == hashlib.sha512(b"bucket").hexdigest()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({"location": "s3://a", "backend_hash": "x"}, {"location": "s3://a", "backend_hash": "y"}, True),
        ({"location": "s3://a", "backend_hash": "x"}, {"location": "s3://b", "backend_hash": "x"}, False),
        ({"location": "s3://a", "backend_hash": "x"}, {"backend_hash": "x"}, True),  # a row of 2013, synced again
        ({"location": "s3://a", "backend_hash": "x"}, {"backend_hash": "y"}, False),
        ({}, {"backend": "local"}, False),
        ({}, {"stored_filename": "site.20260101120000.tgz.enc"}, False),
        ({}, {"size": 99, "tags": ("x",), "is_deleted": True}, True),
    ],
)
def test_two_records_are_of_the_same_backup_if_object_and_store_are_the_same(one, other, same):
    assert backup_at(NOON, **one).same_backup_as(backup_at(NOON, **other)) is same
    assert backup_at(NOON, **other).same_backup_as(backup_at(NOON, **one)) is same


# What a record says


def test_the_date_in_the_stored_filename_counts_since_2013_wrote_local_time_beside_it():
    backup = backup_at(NOON, backup_date=utc(2026, 1, 1, 17))
    assert backup.when == NOON


def test_the_recorded_date_counts_where_the_name_has_none():
    assert backup_at(NOON, stored_filename="my-key").when == NOON


@pytest.mark.parametrize(
    ("stored_filename", "metadata", "encrypted"),
    [
        ("a.20260101000000.tgz", {}, False),
        ("a.20260101000000.tgz.enc", {}, True),
        ("a.20260101000000.tgz.enc", {"is_enc": False}, True),
        ("a-key", {"is_enc": True}, True),
    ],
)
def test_a_backup_is_encrypted_if_its_name_or_its_record_says_so(stored_filename, metadata, encrypted):
    assert backup_at(NOON, stored_filename=stored_filename, metadata=metadata).is_encrypted is encrypted


def test_a_backup_is_complete_unless_its_record_says_otherwise():
    assert not backup_at(NOON).is_incomplete
    assert backup_at(NOON, incomplete=True).is_incomplete


def test_a_hash_that_is_not_text_is_not_a_hash():
    assert backup_at(NOON, sha256="ab" * 32).sha256 == "ab" * 32
    assert backup_at(NOON, sha256=7).sha256 is None
    assert backup_at(NOON).sha256 is None


def test_a_record_is_written_under_the_names_of_2013():
    backup = backup_at(NOON, tags=("db", "daily"), backend_hash="x", client="web1")
    assert backup.as_record() == {
        "backend": "s3",
        "backend_hash": "x",
        "backup_date": 1767268800,
        "filename": "site",
        "is_deleted": False,
        "last_updated": 1767268800,
        "metadata": {"client": "web1"},
        "size": 1,
        "stored_filename": "site.20260101120000.tgz",
        "tags": ["db", "daily"],
    }


def test_the_record_of_a_row_of_2013_gives_the_true_moment_and_not_its_local_time():
    of_2013 = backup_at(NOON, stored_filename="mydir.20130305193615.tgz.enc", backup_date=from_epoch(1362508575))
    assert of_2013.as_record()["backup_date"] == 1362512175  # 2013-03-05 19:36:15 UTC


# Changes


def test_a_deleted_record_keeps_all_but_the_mark_and_its_date():
    backup = backup_at(NOON, client="web1")
    deleted = backup.deleted(NOON + timedelta(days=1, microseconds=7))
    assert deleted == evolve(backup, is_deleted=True, last_updated=NOON + timedelta(days=1))
    assert not backup.is_deleted


def test_metadata_is_changed_in_a_copy_and_none_removes_a_key():
    backup = backup_at(NOON, client="web1", sha256="x")
    changed = backup.with_metadata(NOON, sha256=None, verified=True)
    assert changed.metadata == {"client": "web1", "verified": True}
    assert backup.metadata == {"client": "web1", "sha256": "x"}


def test_metadata_cannot_be_written_to():
    mine = {"client": "web1"}
    backup = evolve(backup_at(NOON), metadata=mine)
    with pytest.raises(TypeError):
        backup.metadata["client"] = "web2"
    mine["client"] = "web3"
    assert backup.metadata == {"client": "web1"}


def test_records_that_are_equal_are_one_in_a_set():
    assert len({backup_at(NOON, client="web1"), backup_at(NOON, client="web1"), backup_at(NOON, client="web2")}) == 2


# Dates and tags


def test_a_moment_is_kept_in_utc_without_its_fraction():
    moment = datetime(2026, 1, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert whole_seconds(moment) == NOON
    assert whole_seconds(moment).tzinfo is UTC


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (None, ()),
        ("", ()),
        ("  db \t daily\n", ("db", "daily")),
        (["db", "daily"], ("db", "daily")),
        (("db daily", "db"), ("db", "daily")),
        ("b a b", ("b", "a")),
    ],
)
def test_tags_are_words_each_once_in_their_order(tags, words):
    assert split_tags(tags) == words
