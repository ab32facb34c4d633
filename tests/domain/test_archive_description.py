"""The description that a vault stores with an archive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bakthat.domain.archive_description import LIMIT, describe, read_description, rebuilt
from bakthat.domain.backup import Backup, Owner
from bakthat.domain.objects import ArchiveId, ArchiveInfo
from bakthat.domain.stored_name import StoredName
from bakthat.errors import InvalidName

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def backup(name: StoredName | str = "site.20260102030405.tgz", tags: tuple[str, ...] = (), **metadata: Any) -> Backup:
    return Backup(
        backend="glacier", backup_date=WHEN, filename="site", stored_filename=str(name), size=7, tags=tags,
        last_updated=WHEN, metadata=metadata,
    )  # fmt: skip


def test_the_stored_filename_comes_first_and_the_facts_are_compact_json() -> None:
    text = describe(backup(tags=("db", "weekly"), client="host", is_enc=True))
    assert text == (
        'site.20260102030405.tgz {"bakthat":1,"metadata":{"is_enc":true,"client":"host"},"tags":["db","weekly"]}'
    )


def test_a_name_that_is_not_ascii_is_written_as_json() -> None:
    text = describe(backup("été.20260102030405.tgz"))
    assert text.startswith('"\\u00e9t\\u00e9.20260102030405.tgz" {')


def test_facts_without_room_are_left_out_and_the_text_says_so() -> None:
    text = describe(backup(tags=("t",), is_enc=True, client="host", source="x" * 2000))
    assert len(text) <= LIMIT
    assert read_description(text)[1] == {"tags": ["t"], "metadata": {"is_enc": True, "client": "host"}}
    assert text.endswith('"cut":true}')


def test_facts_that_a_restore_needs_come_first() -> None:
    text = describe(backup(tags=("t" * 400,), encryption={"scheme": "age"}, source="s" * 600, tool="u" * 300))
    facts = read_description(text)[1]
    assert facts["metadata"]["encryption"] == {"scheme": "age"}
    assert "source" not in facts["metadata"]


def test_the_store_does_not_describe_where_it_is() -> None:
    assert "location" not in describe(backup(location="glacier://r/v"))


def test_a_stored_filename_without_room_is_refused() -> None:
    with pytest.raises(InvalidName):
        describe(backup("x" * 1100 + ".20260102030405.tgz"))


@pytest.mark.parametrize("name", ["bak.20130305193615.tgz.enc", "bak20120927110000.tgz", "my dir.20130305193615.tgz"])
def test_the_bare_filename_of_2013_is_read(name: str) -> None:
    assert read_description(name) == (name, {})


@pytest.mark.parametrize(
    "text",
    [
        "", "glacier archive", "<m><v>4</v><p>Zm9v</p></m>", "../etc.20130305193615.tgz", "a/b.20130305193615.tgz",
        '{"bakthat":1}', '"unfinished', "[" * 1000, "x\n.20130305193615.tgz", '"\\ud800.20130305193615.tgz"',
    ],
)  # fmt: skip
def test_a_foreign_description_names_nothing(text: str) -> None:
    assert read_description(text) == (None, {})


def test_facts_of_a_wrong_type_are_ignored() -> None:
    text = 'site.20260102030405.tgz {"bakthat":2,"tags":[1,"a"],"metadata":[],"later":{}}'
    assert read_description(text) == ("site.20260102030405.tgz", {"tags": ["a"]})


def test_a_record_is_made_again_from_the_vaults_own_list() -> None:
    owner = Owner(backend="glacier", location="glacier://eu-west-1/v", backend_hash="h")
    told = describe(backup("site.20260102030405.tgz.enc", tags=("db",), client="host", location="elsewhere"))
    info = ArchiveInfo(archive_id=ArchiveId("id"), description=told, size=99, created=WHEN)
    record = rebuilt(info, owner)
    assert record is not None
    assert (record.filename, record.stored_filename, record.size) == ("site", "site.20260102030405.tgz.enc", 99)
    assert (record.tags, record.when, record.location) == (("db",), WHEN, "glacier://eu-west-1/v")
    assert record.metadata["client"] == "host"
    assert record.is_encrypted
    assert record.belongs_to(owner)


def test_no_record_is_made_of_a_foreign_archive() -> None:
    info = ArchiveInfo(archive_id=ArchiveId("id"), description="photos", size=9, created=WHEN)
    assert rebuilt(info, Owner(backend="glacier", location="glacier://r/v")) is None
