"""Whatever somebody writes into a store: `sync` ends, finds what is good, and what it took in can be used."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.catalog import CatalogEntry, key_of
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.entrypoints.terminal import backup_line
from bakthat.errors import RetrievalPending
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.retention import rotate_backups
from bakthat.usecases.sync import sync
from tests.domain.series import backup_at, utc

GOOD = backup_at(utc(2026, 1, 2), filename="db", location="memory://s3", client="web1", source="/srv/db", is_enc=False)
BAD = "db.20260101000000.tgz"
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, -1, 2**31, 2**63, -(2**63), 10**400, 253402300799, 253402300800, -62135596801, 0.5, 1e308]),
        st.text(max_size=5),
        st.sampled_from(["", "a\0b", "\ud800", "../x", "x" * 300, "db", "glacier", "s3", "memory://s3"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["backend", "backend_hash", "backup_date", "filename", "is_deleted", "last_updated", "metadata", "size", "tags",
     "stored_filename", "sha256", "host", "source", "tool", "counts", "bakthat_catalog"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["is_enc", "location", "archive_id", "root", "encryption", "compression", "incomplete", "packed_by_source",
     "problems", "problem_count", "excluded", "verified", "KeyValue", "is_gzipped", "entry_seen", "stored_at",
     "from_listing", "container", "cut"]
)  # fmt: skip


def box_of(folder: Path) -> Toolbox:
    box = Toolbox(repo=open_repo(str(folder / "db.sqlite")))
    store = box.stores["s3"]
    for made in (GOOD, evolve(GOOD, stored_filename=BAD, backup_date=utc(2026))):
        store.put(made.stored_filename, io.BytesIO(b"x"))
        store.put(key_of(made.stored_filename), io.BytesIO(CatalogEntry(backup=made).dumps()))
    return box


def check(box: Toolbox, destination: str) -> None:
    for _ in range(2):
        with contextlib.suppress(RetrievalPending):
            sync(destination, box.tools)
        box.clock.forward(hours=1)
    rows = list(box.repo.find(Query()))
    for row in rows:
        json.dumps(row.as_record())
        backup_line(row, verbose=True)
    assert destination != "s3" or GOOD.stored_filename in {row.stored_filename for row in rows}
    if any(row.filename == "db" and row.backend == destination for row in rows):
        rotate_backups("db", destination, RotationPolicy(days=7), box.tools, dry_run=True)


@given(st.dictionaries(FIELDS, VALUES, max_size=3), st.dictionaries(KEYS, VALUES, max_size=3), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_entry(fields: dict[str, Any], metadata: dict[str, Any], known: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = box_of(Path(folder))
        if known:
            sync("s3", box.tools)
            box.clock.forward(hours=1)
        with box.stores["s3"].open(key_of(BAD)) as reader:
            entry = json.load(reader)
        entry["metadata"].update(metadata)
        entry.update(fields)
        box.stores["s3"].put(key_of(BAD), io.BytesIO(json.dumps(entry).encode()), replace=True)
        check(box, "s3")


@given(st.one_of(VALUES, st.dictionaries(st.one_of(st.text(max_size=5), st.just(BAD)), VALUES, max_size=4)))
@settings(max_examples=40, deadline=None)
def test_any_inventory(content: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = box_of(Path(folder))
        box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(json.dumps(content).encode()))
        check(box, "s3")
        check(box, "glacier")


@given(st.lists(st.text(min_size=1, max_size=12), max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_names_beside_what_is_good(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        box = box_of(Path(folder))
        store = box.stores["s3"]
        assert isinstance(store, MemoryObjectStore)
        content, info = store._objects[BAD]
        for name in names:
            for key in (name, f"{name}.20260101000000.tgz"):
                store._objects[key] = (content, evolve(info, key=key))
                store._objects[key_of(key)] = (b"{", evolve(info, key=key_of(key)))
        check(box, "s3")
