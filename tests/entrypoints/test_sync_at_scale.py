"""How many requests a sync of ten thousand archives takes."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

from attrs import evolve

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.catalog import CatalogEntry
from bakthat.testing.faulty import FaultyObjectStore


def test_ten_thousand_archives_are_listed_once_and_each_entry_read_once(
    bakthat: Bakthat, store: MemoryObjectStore, tree: Path, tmp_path: Path
) -> None:
    made = bakthat.backup(tree)
    for number in range(9_999):
        copy = evolve(made, filename=f"s{number}", stored_filename=f"s{number}.20260102030405.tgz", size=1)
        store.put(copy.stored_filename, io.BytesIO(b"x"))
        store.put(f"bakthat_catalog/{copy.stored_filename}.json", io.BytesIO(CatalogEntry(backup=copy).dumps()))
    counted = FaultyObjectStore(store)
    elsewhere = open_profile(Profile(), store=counted, repo=open_repo(str(tmp_path / "new.sqlite")))
    assert len(elsewhere.sync().added) == 10_000
    assert Counter(method for method, _ in counted.calls) == {"list": 1, "open": 10_000, "leftovers": 1}
    counted.calls.clear()
    assert elsewhere.sync().added == ()
    assert Counter(method for method, _ in counted.calls) == {"list": 1, "leftovers": 1}
