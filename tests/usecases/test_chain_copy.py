"""A copy of an incremental backup can be restored: what it needs goes along, and first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.backup import Backup
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.query import Query
from bakthat.errors import AccessDenied, ChainBroken, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.copy import CopyReport, CopyRequest, copy
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.sync import sync
from tests.fixtures.tree_histories import snapshot


def copied(box: Toolbox, name: str | None = "site", **options: Any) -> CopyReport:
    return copy(CopyRequest(**{"name": name, "source": "s3", "to": "local", **options}), box.tools, box.tools)


def names(backups: list[Backup] | tuple[Backup, ...]) -> list[str]:
    return [one.stored_filename for one in backups]


def test_a_copy_takes_along_what_it_needs(box: Toolbox, nights: list[Backup]) -> None:
    report = copied(box, nights[2].stored_filename)
    assert names(report.copied) == names(nights[:3])


def test_a_copied_chain_is_restored_when_the_source_is_gone(
    box: Toolbox, nights: list[Backup], chained_tree: Path, tmp_path: Path
) -> None:
    copied(box)
    other = Toolbox(stores={"local": box.stores["local"]})
    sync("local", other.tools)
    restore(RestoreRequest(name="site", destination="local", target=tmp_path / "restored"), other.tools)
    assert snapshot(tmp_path / "restored" / "site") == snapshot(chained_tree)


def test_what_needs_a_backup_that_could_not_be_copied_is_not_copied(box: Toolbox, nights: list[Backup]) -> None:
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", key=nights[1].stored_filename))
    report = copied(box, None)
    assert names(report.copied) == [nights[0].stored_filename]
    assert names([one for one, _ in report.failed]) == names(nights[1:])
    assert [type(error) for _, error in report.failed] == [StoreUnavailable, ChainBroken, ChainBroken]
    assert names(list(box.repo.find(Query(backend="local")))) == [nights[0].stored_filename]


def locking(box: Toolbox) -> MemoryObjectStore:
    """The store of `local`, which locks archives for 30 days."""
    lock = ObjectLock(mode="compliance", days=30)
    store = box.stores["local"] = MemoryObjectStore("memory://local", clock=box.clock, lock=lock)
    return store


def test_what_a_copy_continues_is_locked_for_as_long_as_the_copy(box: Toolbox, nights: list[Backup]) -> None:
    store = locking(box)
    copied(box, nights[1].stored_filename)
    box.clock.forward(days=20)
    copied(box, None)
    locks = [store.lock_of(one.stored_filename) for one in nights]
    assert [lock and lock.until for lock in locks] == [box.clock.now + timedelta(days=30)] * 4


def test_a_copy_whose_chain_cannot_be_locked_is_reported(box: Toolbox, nights: list[Backup]) -> None:
    refused = Fault(method="extend_lock", error=lambda: AccessDenied("s3:PutObjectRetention is not permitted"))
    box.stores["local"] = FaultyObjectStore(locking(box), refused)
    box.notices.clear()
    assert names(copied(box, nights[1].stored_filename).copied) == names(nights[:2])
    assert box.notices == [
        f"{nights[1].stored_filename} is locked for longer in memory://local than what it continues: the lock of "
        f"{nights[0].stored_filename} cannot be extended: s3:PutObjectRetention is not permitted"
    ]


def test_the_next_run_completes_the_chain(box: Toolbox, nights: list[Backup]) -> None:
    store = box.stores["s3"]
    box.stores["s3"] = FaultyObjectStore(store, Fault(method="open", key=nights[1].stored_filename))
    copied(box, None)
    box.stores["s3"] = store
    report = copied(box, None)
    assert names(report.copied) == names(nights[1:])
    assert names(report.present) == [nights[0].stored_filename]


def test_a_backup_whose_base_is_missing_is_not_copied_by_name(box: Toolbox, nights: list[Backup]) -> None:
    box.repo.replace(nights[0].deleted(box.clock()))
    with pytest.raises(ChainBroken, match="which was deleted"):
        copied(box)


def test_of_all_backups_those_without_their_base_are_not_copied(box: Toolbox, nights: list[Backup]) -> None:
    box.repo.replace(nights[0].deleted(box.clock()))
    report = copied(box, None)
    assert report.copied == ()
    assert [type(error) for _, error in report.failed] == [ChainBroken] * 3
