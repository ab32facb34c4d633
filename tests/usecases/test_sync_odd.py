"""One bad item in a store does not stop `sync`: `sync` names it once, and takes in the rest."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import CatalogEntry, key_of
from bakthat.domain.objects import ObjectInfo
from bakthat.domain.query import Query
from bakthat.errors import AccessDenied, ObjectArchived, StoreError, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock, Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.sync import sync

BAD = "bad.20260101000000.tgz"
FOR_EVER = 1_000_000


def back_up(box: Toolbox, tree: Path, name: str = "db") -> Backup:
    made = backup(BackupRequest(source=tree, destination="s3", name=name), box.tools)
    box.clock.forward(minutes=1)
    return made


def listed(box: Toolbox) -> set[str]:
    return {row.stored_filename for row in box.repo.find(Query())}


def put_bad(box: Toolbox, good: Backup, change: Callable[[dict], None] = lambda entry: None, name: str = BAD) -> None:
    """An archive whose entry somebody has written."""
    with box.stores["s3"].open(key_of(good.stored_filename)) as reader:
        entry = json.load(reader)
    entry.update(stored_filename=name, size=1)
    change(entry)
    box.stores["s3"].put(name, io.BytesIO(b"x"))
    box.stores["s3"].put(key_of(name), io.BytesIO(json.dumps(entry).encode()))


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry["metadata"].update(entry_seen=10**400),
        lambda entry: entry["metadata"].update(stored_at=10**400),
        lambda entry: entry["metadata"].update(from_listing="x", verified=[]),
        lambda entry: entry.update(backup_date=253402300799, last_updated=253402300799),
        lambda entry: entry.update(backup_date=-62135596800, last_updated=-62135596800),
        lambda entry: entry.update(host=[], source={}, counts=None, tool=7),
        lambda entry: entry["metadata"].update(root=["x"], encryption="x", compression=7, client=None),
    ],
)
def test_an_odd_entry_stops_nothing_also_not_the_next_sync(
    box: Toolbox, tree: Path, change: Callable[[dict], None]
) -> None:
    good = back_up(box, tree)
    put_bad(box, good, change)
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    assert sync("s3", box.tools).added == ()
    assert listed(box) == {good.stored_filename, BAD}


@pytest.mark.parametrize("error", [ObjectArchived, AccessDenied, StoreError, StoreUnavailable])
def test_an_entry_that_cannot_be_read_is_skipped(box: Toolbox, tree: Path, error: type[StoreError]) -> None:
    good = back_up(box, tree)
    put_bad(box, good)
    box.repo = MemoryRepo()
    fault = Fault(method="open", key=key_of(BAD), times=FOR_EVER, error=lambda: error("the store says no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    done = sync("s3", box.tools)
    assert listed(box) == {good.stored_filename, BAD}
    assert done.unreadable == (BAD,)
    assert [BAD in line and "listed from its name" in line for line in box.notices] == [True]


@pytest.mark.parametrize(("error", "times"), [(ObjectArchived, 1), (AccessDenied, 2)])
def test_what_may_become_readable_without_a_change_is_read_again(
    box: Toolbox, tree: Path, error: type[StoreError], times: int
) -> None:
    """A frozen entry becomes readable by being copied, which gives it another date; a permission gives it none."""
    put_bad(box, back_up(box, tree))
    box.repo = MemoryRepo()
    fault = Fault(method="open", key=key_of(BAD), times=FOR_EVER, error=lambda: error("no"))
    store = FaultyObjectStore(box.stores["s3"], fault)
    box.stores["s3"] = store
    sync("s3", box.tools)
    sync("s3", box.tools)
    assert store.calls.count(("open", key_of(BAD))) == times


def test_an_entry_without_end_is_not_read_to_its_end(box: Toolbox, tree: Path) -> None:
    put_bad(box, back_up(box, tree))
    box.repo = MemoryRepo()

    class Endless(io.RawIOBase):
        sent = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            assert Endless.sent < 1024 * 1024
            Endless.sent += len(buffer)
            return len(buffer)

    class Sending(FaultyObjectStore):
        def open(self, key: str):
            return io.BufferedReader(Endless()) if key == key_of(BAD) else super().open(key)

    box.stores["s3"] = Sending(box.stores["s3"])
    assert sync("s3", box.tools).unreadable == (BAD,)


def test_an_entry_that_could_not_be_read_completes_its_row_when_it_can(box: Toolbox, tree: Path) -> None:
    put_bad(box, back_up(box, tree))
    box.repo = MemoryRepo()
    plain = box.stores["s3"]
    fault = Fault(method="open", key=key_of(BAD), error=lambda: AccessDenied("no"))
    box.stores["s3"] = FaultyObjectStore(plain, fault)
    sync("s3", box.tools)
    assert [row.stored_filename for row in sync("s3", box.tools).updated] == [BAD]


def test_a_damaged_entry_is_reported_and_read_once(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].put(key_of(made.stored_filename), io.BytesIO(b"{not json"), replace=True)
    box.repo = MemoryRepo()
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    sync("s3", box.tools)
    sync("s3", box.tools)
    assert (len(box.notices), store.calls.count(("open", key_of(made.stored_filename)))) == (1, 1)


def test_a_damaged_entry_that_is_mended_completes_its_row(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].put(key_of(made.stored_filename), io.BytesIO(b"{not json"), replace=True)
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    box.clock.forward(seconds=1)
    box.stores["s3"].put(key_of(made.stored_filename), io.BytesIO(CatalogEntry(backup=made).dumps()), replace=True)
    sync("s3", box.tools)
    assert [row.sha256 for row in box.repo.find(Query())] == [made.sha256]


@pytest.mark.parametrize("name", ["k/" * 499 + "k", "x" * 990 + ".20260101000000.tgz", "a//b.20260101000000.tgz"])
def test_a_name_that_is_not_a_key_is_skipped_and_the_rest_is_found(box: Toolbox, tree: Path, name: str) -> None:
    good = back_up(box, tree)

    class Odd(FaultyObjectStore):
        def list(self, prefix: str = ""):
            odd = [ObjectInfo(key=key, size=1, modified=box.clock.now) for key in (key_of(name), name)]
            return iter(sorted([*super().list(prefix), *odd], key=lambda info: info.key))

    box.stores["s3"] = Odd(box.stores["s3"])
    box.repo = MemoryRepo()
    sync("s3", box.tools)
    sync("s3", box.tools)
    assert good.stored_filename in listed(box)


def test_a_long_name_makes_no_long_line(box: Toolbox) -> None:
    class Odd(FaultyObjectStore):
        def list(self, prefix: str = ""):
            yield ObjectInfo(key="x" * 12_000 + ".20260101000000.tgz", size=1, modified=box.clock.now)

    box.stores["s3"] = Odd(box.stores["s3"])
    sync("s3", box.tools)
    (line,) = box.notices
    assert (line.startswith("left out: 'xxx"), line.endswith("segment"), len(line)) == (True, True, 401)


def test_many_odd_entries_are_named_up_to_twenty_and_counted(box: Toolbox, tree: Path) -> None:
    good = back_up(box, tree)
    for number in range(30):
        put_bad(box, good, lambda entry: entry.update(size=-1), name=f"bad{number}.20260101000000.tgz")
    box.repo = MemoryRepo()
    assert len(sync("s3", box.tools).unreadable) == 30
    assert (len(box.notices), box.notices[-1]) == (21, "and 10 more archives or entries like these")


# A store that is down still fails


@pytest.mark.parametrize("method", ["list", "open"])
def test_a_store_that_is_down_is_an_error(box: Toolbox, tree: Path, method: str) -> None:
    for number in range(3):
        back_up(box, tree, f"db{number}")
    box.repo = MemoryRepo()
    faults = [Fault(method=each, times=FOR_EVER) for each in {method, "stat"}]
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], *faults)
    with pytest.raises(StoreUnavailable):
        sync("s3", box.tools)


def test_a_store_that_gives_no_entry_at_all_is_down(box: Toolbox, tree: Path) -> None:
    for number in range(12):
        back_up(box, tree, f"db{number}")
    box.repo = MemoryRepo()
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", times=FOR_EVER))
    with pytest.raises(StoreUnavailable):
        sync("s3", box.tools)


def test_what_was_read_before_the_store_went_down_is_kept(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    back_up(box, tree, "b")
    box.repo = MemoryRepo()
    faults = [Fault(method=method, key="bakthat_catalog/b", times=FOR_EVER) for method in ("open", "stat")]
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], *faults)
    with pytest.raises(StoreUnavailable):
        sync("s3", box.tools)
    assert {name[0] for name in listed(box)} == {"a"}


# What is gone


@pytest.mark.parametrize("error", [AccessDenied, StoreError])
def test_a_backup_of_which_the_store_does_not_say_whether_it_is_there_is_not_gone(
    box: Toolbox, tree: Path, error: type[StoreError]
) -> None:
    hidden, gone = back_up(box, tree, "hidden"), back_up(box, tree, "gone")
    for made in (hidden, gone):
        box.stores["s3"].delete(made.stored_filename)
    fault = Fault(method="stat", key="hidden", times=FOR_EVER, error=lambda: error("no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    done = sync("s3", box.tools)
    assert [row.stored_filename for row in done.vanished] == [gone.stored_filename]
    assert listed(box) == {hidden.stored_filename}


def test_a_clock_that_went_back_does_not_keep_a_vanished_backup(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].delete(made.stored_filename)
    box.clock.forward(days=-30)
    sync("s3", box.tools)
    assert listed(box) == set()


# What a sync costs


def test_the_second_sync_of_entries_that_are_newer_than_their_backups_reads_nothing(box: Toolbox, tree: Path) -> None:
    """As after a bucket was copied: every entry is dated long after what it says."""
    for number in range(3):
        back_up(box, tree, f"db{number}")
    box.clock.forward(days=30)
    for info in list(box.stores["s3"].list()):
        with box.stores["s3"].open(info.key) as reader:
            box.stores["local"].put(info.key, io.BytesIO(reader.read()))
    sync("local", box.tools)
    store = FaultyObjectStore(box.stores["local"])
    box.stores["local"] = store
    assert sync("local", box.tools).updated == ()
    assert [method for method, _ in store.calls] == ["list", "leftovers"]


def test_many_changed_rows_are_written_at_once(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.clock.forward(hours=1)
    calls: list[str] = []

    class Counting(MemoryRepo):
        def put_all(self, backups):
            calls.append("put_all")
            super().put_all(backups)

        def replace(self, backup):
            calls.append("replace")
            super().replace(backup)

    names = [f"db{number}.20260102030405.tgz" for number in range(50)]
    box.repo = Counting(evolve(made, stored_filename=name, filename=name.split(".")[0]) for name in names)
    for row in list(box.repo.find(Query())):
        newer = evolve(row, tags=("new",), last_updated=box.clock.now)
        box.stores["s3"].put(row.stored_filename, io.BytesIO(b"x" * row.size))
        box.stores["s3"].put(key_of(row.stored_filename), io.BytesIO(CatalogEntry(backup=newer).dumps()))
    assert len(sync("s3", box.tools).updated) == 50
    assert calls.count("replace") == 0
    assert calls.count("put_all") <= 3


def test_entries_of_many_megabytes_cost_little_memory_and_leave_little_in_the_database(
    box: Toolbox, tree: Path
) -> None:
    good = back_up(box, tree)
    box.repo = MemoryRepo()
    for number in range(12):
        name = f"bad{number}.20260101000000.tgz"
        box.stores["s3"].put(name, io.BytesIO(b"x"))
        content = b'{"bakthat_catalog": 1, "x": [' + b"{}," * (1_300_000 if number % 2 else 80_000) + b"1]}"
        box.stores["s3"].put(key_of(name), io.BytesIO(content))
    clock = SteppedClock(box.clock.now)
    box.clock = clock
    tracemalloc.start()
    try:
        sync("s3", box.tools)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(listed(box)) == 13
    assert good.stored_filename in listed(box)
    assert peak < 32 * 1024 * 1024
