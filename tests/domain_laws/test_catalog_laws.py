"""Any entry is read back as it was written; anything else is damaged, and never another error."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.backup import Backup, from_epoch
from bakthat.domain.catalog import CatalogEntry, key_of, loads, stored_filename_of
from bakthat.errors import PayloadDamaged
from tests.domain.test_catalog import BACKUP, ENTRY, damaged

EXAMPLES = settings(max_examples=50, deadline=None)
WORDS = st.text("abz.-_0é\u4e2d", min_size=1, max_size=8)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.sampled_from([0.5, -1e300, 1e16]), WORDS, st.just("")
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
METADATA_KEYS = st.sampled_from(
    ["client", "sha256", "source", "tool", "counts", "location", "is_enc", "host", "metadata", "later", "incomplete"]
)
MOMENTS = st.integers(-62_135_596_800, 253_402_300_799).map(from_epoch)
BACKUPS = st.builds(
    Backup,
    backend=WORDS,
    backend_hash=st.one_of(st.just(""), WORDS),
    backup_date=MOMENTS,
    filename=WORDS,
    stored_filename=WORDS,
    size=st.integers(0, 2**63 - 1),
    tags=st.lists(WORDS, unique=True, max_size=3),
    is_deleted=st.booleans(),
    last_updated=MOMENTS,
    metadata=st.dictionaries(METADATA_KEYS, JSON, max_size=4),
)
ENTRIES = st.builds(
    CatalogEntry,
    backup=BACKUPS,
    version=st.integers(1, 5),
    extra=st.dictionaries(st.sampled_from(["later", "signature", "zz"]), JSON, max_size=2),
)


@given(ENTRIES)
@EXAMPLES
def test_what_is_written_is_read_back(entry):
    assert loads(entry.dumps()) == entry


@given(ENTRIES)
@EXAMPLES
def test_writing_what_was_read_gives_the_same_bytes(entry):
    assert loads(entry.dumps()).dumps() == entry.dumps()


@given(st.sampled_from(sorted(ENTRY)), JSON)
@EXAMPLES
def test_an_entry_with_any_value_anywhere_is_read_or_damaged(field, value):
    try:
        entry = loads(damaged(**{field: value}))
    except PayloadDamaged:
        return
    # What is written as the date is the true one, that of the name.
    assert loads(entry.dumps()) == evolve(entry, backup=evolve(entry.backup, backup_date=entry.backup.when))


@given(JSON)
@EXAMPLES
def test_any_other_json_is_damaged(value):
    with pytest.raises(PayloadDamaged):
        loads(json.dumps(value).encode())


@given(st.integers(0, 400), st.binary(max_size=3))
@EXAMPLES
def test_an_entry_with_a_few_other_bytes_is_read_or_damaged(place, noise):
    data = CatalogEntry(backup=BACKUP).dumps()
    try:
        loads(data[:place] + noise + data[place + len(noise) :])
    except PayloadDamaged:
        return


@given(WORDS)
@EXAMPLES
def test_a_key_is_read_back(stored_filename):
    assert stored_filename_of(key_of(stored_filename)) == stored_filename
