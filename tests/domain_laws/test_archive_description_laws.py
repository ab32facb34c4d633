"""A description is acceptable to a vault, and read back, for any backup."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bakthat.domain.archive_description import LIMIT, describe, read_description
from bakthat.domain.archive_format import SUFFIXES
from bakthat.domain.backup import Backup
from bakthat.domain.stored_name import StoredName
from tests.domain.test_archive_description import backup


def acceptable(text: str) -> bool:
    return len(text) <= LIMIT and all(" " <= char <= "~" for char in text) and not text.startswith(" ")


series = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=60)
    | st.sampled_from(
        ['"', '"a"', 'a {"bakthat":1}', '"a" {"bakthat":1,"metadata":{}}', " a", "a  b", "日本語", "😀" * 50]
    )
).filter(lambda text: text not in {".", ".."} and len(text.encode()) <= 200)
names = st.builds(
    StoredName,
    series=series,
    when=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0, tzinfo=UTC)),  # noqa: DTZ001
    suffix=st.sampled_from(SUFFIXES),
    encrypted=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
backups = st.builds(
    lambda name, tags, metadata: backup(name, tuple(tags), **metadata),
    names,
    st.lists(st.text(min_size=1, max_size=200), max_size=5),
    st.dictionaries(st.sampled_from(["is_enc", "client", "source", "root", "x", "location"]), json_values),
)


@given(backups)
def test_any_backup_has_an_acceptable_description_that_names_it(some: Backup) -> None:
    text = describe(some)
    assert acceptable(text)
    assert read_description(text)[0] == some.stored_filename


@given(backups)
def test_the_facts_that_come_back_are_the_backups_own(some: Backup) -> None:
    facts = read_description(describe(some))[1]
    assert facts.get("tags", list(some.tags)) == list(some.tags)
    assert all(some.metadata[name] == value for name, value in facts.get("metadata", {}).items())


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    name, facts = read_description(text)
    assert name is None or name in text
    assert set(facts) <= {"tags", "metadata"}
