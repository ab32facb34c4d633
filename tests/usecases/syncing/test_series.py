"""`sync_series`: one series agrees with its store, by one listing, and nothing is taken in by its name alone."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.errors import AccessDenied, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.sync import sync
from bakthat.usecases.syncing.series import SyncedSeries, sync_series


def back_up(box: Toolbox, tree: Path, name: str = "db") -> str:
    made = backup(BackupRequest(source=tree, destination="s3", name=name), box.tools)
    box.clock.forward(minutes=1)
    return made.stored_filename


def synced(box: Toolbox, *, dry_run: bool = False) -> SyncedSeries:
    return sync_series("db", box.destination("s3"), box.tools, dry_run=dry_run)


def names(backups: tuple[Backup, ...]) -> list[str]:
    return [backup.stored_filename for backup in backups]


def rows(box: Toolbox) -> list[Backup]:
    return list(box.repo.find(Query()))


@pytest.fixture
def counted(box: Toolbox) -> FaultyObjectStore:
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    return store


def test_an_empty_database_learns_the_whole_series_and_no_other(box: Toolbox, tree: Path) -> None:
    made = [back_up(box, tree) for _ in range(3)]
    for other in ("db2", "db.old", "mydb"):
        back_up(box, tree, other)
    box.repo = MemoryRepo()
    assert names(synced(box).backups) == made[::-1]
    assert [row.stored_filename for row in rows(box)] == made[::-1]


def test_the_store_is_listed_by_prefix_and_only_unknown_entries_are_read(
    box: Toolbox, counted: FaultyObjectStore, tree: Path
) -> None:
    back_up(box, tree)
    known = box.repo
    box.repo = MemoryRepo()
    unknown = back_up(box, tree)
    box.repo = known
    counted.calls.clear()
    synced(box)
    assert counted.calls == [
        ("list", "db."),
        ("list", "bakthat_catalog/db."),
        ("open", f"bakthat_catalog/{unknown}.json"),
    ]


def test_a_dry_run_reports_the_same_and_records_nothing(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.repo = MemoryRepo()
    assert synced(box, dry_run=True) == SyncedSeries(backups=tuple(synced(box).backups))
    box.repo = MemoryRepo()
    synced(box, dry_run=True)
    assert rows(box) == []


def test_an_archive_with_a_name_alone_is_reported_and_not_recorded(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].put("db.20260101000000.tgz", io.BytesIO(b"x"))
    done = synced(box)
    assert (names(done.backups), names(done.nameless)) == ([made], ["db.20260101000000.tgz"])
    assert [row.stored_filename for row in rows(box)] == [made]


def test_an_explicit_sync_takes_it_in(box: Toolbox) -> None:
    box.stores["s3"].put("db.20260101000000.tgz", io.BytesIO(b"x"))
    sync("s3", box.tools)
    assert names(synced(box).backups) == ["db.20260101000000.tgz"]


def test_an_archive_with_a_damaged_entry_is_not_taken_in(box: Toolbox) -> None:
    box.stores["s3"].put("db.20260101000000.tgz", io.BytesIO(b"x"))
    box.stores["s3"].put("bakthat_catalog/db.20260101000000.tgz.json", io.BytesIO(b"{"))
    done = synced(box)
    assert (names(done.backups), names(done.nameless)) == ([], ["db.20260101000000.tgz"])


def test_what_another_machine_deleted_is_marked(box: Toolbox, tree: Path) -> None:
    gone, stays = back_up(box, tree), back_up(box, tree)
    box.stores["s3"].delete(gone)
    assert names(synced(box).backups) == [stays]
    assert [row.stored_filename for row in rows(box)] == [stays]


def test_a_listing_that_is_empty_by_mistake_marks_nothing(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    store = box.stores["s3"]

    class Forgetful(FaultyObjectStore):
        def list(self, prefix=""):
            return iter(())

    box.stores["s3"] = Forgetful(store)
    assert names(synced(box).backups) == [made]


@pytest.mark.parametrize("error", [AccessDenied("no"), StoreUnavailable("down")])
def test_a_store_that_cannot_be_listed_changes_nothing(box: Toolbox, tree: Path, error: Exception) -> None:
    back_up(box, tree)
    before = rows(box)
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="list", error=lambda: error))
    with pytest.raises(type(error)):
        synced(box)
    assert rows(box) == before


def test_a_name_of_before_0_4_that_the_database_knows_stays_of_the_series(box: Toolbox) -> None:
    place = box.destination("s3")
    box.stores["s3"].put("db20120927110000.tgz", io.BytesIO(b"x"))
    when = datetime(2012, 9, 27, 11, tzinfo=UTC)
    box.repo.add(
        Backup(
            backend="s3",
            backend_hash=place.owner.backend_hash,
            backup_date=when,
            filename="db",
            stored_filename="db20120927110000.tgz",
            size=1,
            last_updated=when,
            metadata={"location": place.owner.location},
        )
    )
    assert names(synced(box).backups) == ["db20120927110000.tgz"]


def test_rows_of_other_machines_know_when_the_store_got_the_archive(box: Toolbox, tree: Path) -> None:
    own = back_up(box, tree)
    stored_at = box.clock.now - timedelta(minutes=1)
    assert "stored_at" not in rows(box)[0].metadata
    box.repo = MemoryRepo()
    synced(box)
    (row,) = rows(box)
    assert (row.stored_filename, row.metadata["stored_at"]) == (own, int(stored_at.timestamp()))


def test_an_entry_cannot_say_when_the_store_got_the_archive(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    key = f"bakthat_catalog/{made}.json"
    with box.stores["s3"].open(key) as reader:
        content = reader.read().replace(b'"metadata": {', b'"metadata": {"stored_at": 7,')
    box.stores["s3"].put(key, io.BytesIO(content), replace=True)
    box.repo = MemoryRepo()
    synced(box)
    assert rows(box)[0].metadata["stored_at"] > 7
