"""Which fields of a catalog entry are believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from bakthat.domain.evidence import believed, other_identity
from tests.domain.series import backup_at, utc

WHEN = utc(2026, 1, 2, 3, 4, 5)
NAME = "db.20260102030405.tgz"
ENTRY = backup_at(WHEN, filename="db", sha256="ab" * 32, root="db", client="web1", source="/srv/db", is_enc=False)


def test_an_honest_entry_is_believed_as_it_is():
    assert believed(ENTRY, NAME, WHEN) == ENTRY


def test_the_series_comes_from_the_stored_name():
    assert believed(evolve(ENTRY, filename="photos"), NAME, WHEN).filename == "db"


def test_a_key_that_is_not_a_stored_filename_is_a_separate_series():
    assert believed(evolve(ENTRY, filename="photos"), "x", WHEN).filename == "x"


def test_the_date_comes_from_the_stored_name():
    assert believed(evolve(ENTRY, backup_date=utc(2030)), NAME, WHEN).backup_date == WHEN


@pytest.mark.parametrize("seconds", [1, 2], ids=["a tick of Linux", "FAT"])
def test_an_honest_entry_is_believed_where_a_file_system_rounds_its_time_down(seconds):
    assert believed(ENTRY, NAME, WHEN - timedelta(seconds=seconds)) == ENTRY


@pytest.mark.parametrize("later", [utc(9999), WHEN + timedelta(seconds=3)])
def test_no_date_is_later_than_the_entry_itself(later):
    forged = evolve(ENTRY, last_updated=later, backup_date=later)
    told = believed(forged, "value", WHEN)
    assert (told.last_updated, told.backup_date) == (WHEN, WHEN)


@pytest.mark.parametrize(("name", "encrypted"), [(NAME, False), (f"{NAME}.enc", True)])
def test_the_name_says_whether_an_archive_is_encrypted(name, encrypted):
    forged = evolve(ENTRY, metadata={**ENTRY.metadata, "is_enc": not encrypted})
    assert believed(forged, name, WHEN).is_encrypted is encrypted


def test_an_archive_is_never_a_value():
    forged = evolve(ENTRY, metadata={**ENTRY.metadata, "KeyValue": True})
    assert "KeyValue" not in believed(forged, NAME, WHEN).metadata


def test_a_value_keeps_what_its_entry_says():
    value = evolve(ENTRY, filename="key", metadata={"KeyValue": True, "is_enc": True, "is_gzipped": True})
    assert believed(value, "key", WHEN).metadata == value.metadata


@pytest.mark.parametrize("key", ["archive_id", "location"])
def test_where_an_archive_lies_is_not_for_the_entry_to_say(key):
    forged = evolve(ENTRY, metadata={**ENTRY.metadata, key: "elsewhere"})
    assert key not in believed(forged, NAME, WHEN).metadata


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"sha256": "cd" * 32}, "SHA-256"),
        ({"sha256": None}, "SHA-256"),
        ({"root": "photos"}, "root"),
        ({"packed_by_source": True}, "kind"),
        ({"is_enc": True}, "encryption"),
        ({"incomplete": True}, "completeness"),
        ({"client": "web2"}, "host"),
        ({"source": "/etc"}, "source"),
    ],
)
def test_a_different_identity_is_described_in_words(changes, word):
    assert other_identity(ENTRY, ENTRY.with_metadata(WHEN, **changes)) == (word,)


def test_tags_and_counts_are_not_part_of_the_identity():
    other = evolve(ENTRY.with_metadata(utc(2027), counts={"files": 9}), tags=("new",))
    assert other_identity(ENTRY, other) == ()


@pytest.mark.parametrize("key", ["sha256", "root", "client", "source", "tool", "compression"])
@pytest.mark.parametrize("value", [7, None, ["x"], {"x": 1}])
def test_metadata_that_must_be_text_is_left_out_otherwise(key, value):
    forged = evolve(ENTRY, metadata={**ENTRY.metadata, key: value})
    assert key not in believed(forged, NAME, WHEN).metadata
