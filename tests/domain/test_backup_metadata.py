"""The metadata of a record: a mapping of whatever was recorded, and the known facts with their types."""

from __future__ import annotations

import pytest
from attrs.exceptions import FrozenInstanceError

from bakthat.domain.backup_metadata import KNOWN, BackupMetadata, Increment
from tests.domain.series import utc

RECORDED = {"client": "host", "counts": {"files": 3}, "a key of tomorrow": [1], "incomplete": True}


def test_it_is_the_mapping_that_was_recorded():
    metadata = BackupMetadata.from_dict(RECORDED)
    assert metadata == RECORDED
    assert dict(metadata) == RECORDED
    assert metadata["counts"]["files"] == 3
    assert metadata.get("sha256") is None
    assert "client" in metadata
    assert list(metadata) == list(metadata.keys()) == list(RECORDED)
    assert list(metadata.items()) == list(RECORDED.items())
    assert len(metadata) == 4


def test_a_mapping_can_be_joined_to_it_as_to_the_one_of_1_0():
    metadata = BackupMetadata.from_dict({"client": "host"})
    assert metadata | {"x": 1} == {"client": "host", "x": 1}
    assert {"x": 1} | metadata == {"client": "host", "x": 1}
    assert metadata.copy() == {"client": "host"}


def test_it_does_not_follow_the_dict_that_it_was_made_of():
    source = dict(RECORDED)
    metadata = BackupMetadata.from_dict(source)
    source["client"] = "another"
    metadata.to_dict()["client"] = "another"
    assert metadata.host == "host"


def test_it_cannot_be_changed_in_place():
    metadata = BackupMetadata.from_dict(RECORDED)
    with pytest.raises(FrozenInstanceError):
        metadata._facts = {}
    with pytest.raises(TypeError):
        metadata["client"] = "another"  # type: ignore[index]


def test_what_this_version_does_not_know_is_kept_apart():
    assert BackupMetadata.from_dict(RECORDED).extra == {"a key of tomorrow": [1]}


def test_a_change_keeps_the_rest_and_none_removes():
    changed = BackupMetadata.from_dict(RECORDED).changed(client=None, sha256="ab")
    assert changed == {"counts": {"files": 3}, "a key of tomorrow": [1], "incomplete": True, "sha256": "ab"}


def test_an_incremental_backup_says_what_it_needs():
    increment = Increment(base="b.inc.tgz", full="a.tgz", depth=2)
    metadata = BackupMetadata.of(incremental=increment.as_metadata())
    assert metadata["incremental"] == {"base": "b.inc.tgz", "full": "a.tgz", "depth": 2}
    assert metadata.incremental == increment
    assert BackupMetadata.of(client="host").incremental is None


@pytest.mark.parametrize(
    "recorded",
    [
        "b.inc.tgz",
        {"base": "b.inc.tgz", "full": "a.tgz"},
        {"base": "", "full": "a.tgz", "depth": 2},
        {"base": "b.inc.tgz", "full": "\udce9", "depth": 2},
        {"base": "b.inc.tgz", "full": "a.tgz", "depth": 0},
        {"base": "b.inc.tgz", "full": "a.tgz", "depth": True},
        {"base": "b.inc.tgz", "full": "a.tgz", "depth": 10**9},
    ],
    ids=["text", "no depth", "no base", "not UTF-8", "depth 0", "depth true", "too deep"],
)
def test_what_an_incremental_backup_needs_is_unknown_if_the_record_is_odd(recorded):
    assert BackupMetadata.from_dict({"incremental": recorded}).incremental is None


def test_known_facts_have_their_types():
    metadata = BackupMetadata.of(
        is_enc=True,
        client="host",
        source="-",
        command="pg_dump",
        root="shop.sql",
        container="stream",
        encryption={"scheme": "age-scrypt", "recipients": []},
        archive_id="id",
        stored_at=1767312000,
        entry_seen=7,
        problems=["a: gone"],
        problem_count=1,
    )
    assert metadata.is_encrypted
    assert (metadata.host, metadata.source, metadata.command) == ("host", "-", "pg_dump")
    assert (metadata.root, metadata.container, metadata.encryption_scheme) == ("shop.sql", "stream", "age-scrypt")
    assert (metadata.archive_id, metadata.claims_archive) == ("id", True)
    assert (metadata.stored_at, metadata.entry_seen) == (utc(2026, 1, 2), 7)
    assert (metadata.problems, metadata.problem_count) == (("a: gone",), 1)


@pytest.mark.parametrize("wrong", [None, "", 0.0, 1.5, [], {}, "\udcff", -(2**70), True])
def test_a_fact_of_another_type_is_unknown_and_never_an_error(wrong):
    metadata = BackupMetadata.from_dict(dict.fromkeys(KNOWN, wrong))
    for name in ("location", "sha256", "host", "source", "command", "container", "root", "archive_id", "tool"):
        assert isinstance(getattr(metadata, name), str | None)
    for name in ("counts", "excluded", "verified"):
        assert isinstance(getattr(metadata, name), dict | None)
    for name in ("stored_at", "root", "problem_count", "encryption_scheme"):
        assert getattr(metadata, name) is None
    assert isinstance(metadata.problems, tuple)
    assert metadata.to_dict() == dict.fromkeys(KNOWN, wrong)


def test_no_metadata_are_equal_to_something_else():
    assert BackupMetadata() != []
    assert BackupMetadata() == {}
