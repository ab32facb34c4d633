"""What a user of the library writes, with types. `mypy --strict` must accept it, and must refuse the lines marked with
an `ignore` (it warns about one that is not needed)."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, assert_type

import pytest

import bakthat
from bakthat import Backup, BakHelper, Bakthat, Events, KeyValue, Profile, Progress, RotationPolicy, open_profile
from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.streams import reader_of
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.object_key import check_key
from bakthat.domain.objects import ArchiveId, ObjectInfo
from bakthat.domain.query import Query
from bakthat.errors import BakthatError, ObjectNotFound, StoreUnavailable
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.faulty import Fault, FaultyArchiveStore, FaultyObjectStore
from bakthat.testing.object_store_contract import ObjectStoreContract
from bakthat.testing.toolbox import SteppedClock, Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.retention import Retention
from bakthat.usecases.sync import SyncReport
from bakthat.usecases.verify import Verified


class ShelfStore(ObjectStore):
    """A store of one's own."""

    def __init__(self) -> None:
        self.location = "shelf://one"
        self._shelf: dict[str, bytes] = {}

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        self._shelf[check_key(key)] = body.read()
        return self.stat(key)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        content = self._shelf[key]
        return reader_of(content[start : start + 10] for start in range(0, len(content), 10))

    def stat(self, key: str) -> ObjectInfo:
        if key not in self._shelf:
            raise ObjectNotFound(key)
        return ObjectInfo(key=key, size=len(self._shelf[key]), modified=datetime.now(UTC))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (self.stat(key) for key in sorted(self._shelf) if key.startswith(prefix))

    def delete(self, key: str) -> None:
        self._shelf.pop(key, None)


class HalfAStore(ObjectStore):
    def delete(self, key: str) -> None: ...


class WrongStore(ShelfStore):
    def delete(self, key: int) -> None:  # type: ignore[override]
        ...


class TestShelfStore(ObjectStoreContract):
    large = 1_000_000

    @pytest.fixture
    def store(self) -> ObjectStore:
        return ShelfStore()


def module_functions(conf: dict[str, Any]) -> None:
    made = bakthat.backup("photos", conf=conf, tags="a b", password="secret", custom_filename="family")
    assert_type(made, Backup)
    assert_type(made.when, datetime)
    assert_type(made.tags, tuple[str, ...])
    assert_type(bakthat.backup(Path("photos"), "s3", "default", None, "no", ["a", "b"]), Backup)
    assert_type(bakthat.restore("photos", target=Path("/tmp"), only=["*.jpg"], wait=True, tier="bulk"), Backup)
    assert_type(bakthat.show("photos", tags=["a"]), list[Backup])
    assert_type(bakthat.delete("photos", dry_run=True), Backup)
    assert_type(bakthat.delete(made, conf=conf), Backup)
    assert_type(bakthat.delete_older_than("photos", "3M"), list[Backup])
    assert_type(bakthat.rotate_backups("photos", policy=RotationPolicy(days=7)), list[Backup])
    assert_type(bakthat.sync(), SyncReport)
    assert_type(bakthat.verify(), list[Verified])
    bakthat.backup("photos", tag=["a"])  # type: ignore[call-arg]
    bakthat.restore(1)  # type: ignore[arg-type]
    bakthat.ls()  # type: ignore[attr-defined]


def before(session_id: str) -> None: ...


def after(session_id: str, made: Backup) -> None: ...


def failed(session_id: str, verb: str, error: BaseException) -> None: ...


def progressed(session_id: str, progress: Progress) -> None:
    assert_type(progress.total, int | None)


def opened() -> Bakthat:
    events = Events()
    events.before_backup += before
    events.on_backup += after
    events.on_failure += failed
    events.on_progress += progressed
    events.on_backup -= after
    events.on_bakcup += after  # type: ignore[attr-defined]
    clock = SteppedClock()
    return open_profile(
        Profile(default_destination="shelf", rotation={"days": 7}),
        stores={"shelf": ShelfStore()},
        archives=FaultyArchiveStore(MemoryArchiveStore(clock=clock)),
        repo=MemoryRepo(),
        clock=clock,
        host=lambda: "here",
        environment={},
        notice=print,
        progress=print,
        events=events,
    )


def verbs(bk: Bakthat) -> None:
    try:
        would = bk.backup("photos", exclude_from=[Path("list")], gitignore=False, on_excluded=print, dry_run=True)
        assert_type(would, Backup)
        bk.backup(
            "photos", exclude_caches=True, exclude_if_present=["x"], exclude_larger_than="5M", one_file_system=True
        )
        bk.backup("photos", exclude_larger_than=3.5)  # type: ignore[arg-type]
        made = bk.backup("photos", "local", name="family", recipients=["age1"], excludes=["*.tmp"], ask=lambda: "pw")
    except StoreUnavailable as error:
        assert_type(error.retryable, bool)
    except BakthatError as error:
        assert_type(str(error), str)
    else:
        assert_type(made.metadata["counts"], Any)
        made.size = 3  # type: ignore[misc]
    report = bk.rotate_backups_with_report("family", on_plan=lambda plan: print(plan.drop))
    assert_type(report, Retention)
    for decision in report.plan.keep:
        assert_type(decision.backup, Backup)
    for entry in bk.ls("family", only=["*.jpg"]):
        assert_type(entry, IndexEntry)
    with bk.open_file("family", "a.jpg") as file:
        assert_type(file.read(), bytes)
    for found in bk.find("*.jpg", since=timedelta(days=3)):
        assert_type(found.backup, Backup)
    assert_type([each.path for each in bk.diff("family").differences], list[str])
    bk.find(3)  # type: ignore[arg-type]
    bk.events.on_delete += after
    open_profile(config=3)  # type: ignore[arg-type]
    open_profile(store=HalfAStore())  # type: ignore[abstract]


def helpers(bk: Bakthat) -> None:
    with BakHelper("mysql", tags=["db"], password="secret", bakthat=bk) as bh:
        assert_type(bh, BakHelper)
        assert_type(bh.tmpd, str)
        assert_type(bh.backup(), Backup)
        assert_type(bh.rotate(), list[Backup])
        bh.delete_older_than(interval="1M")
    values = KeyValue({"s3_bucket": "b"}, "default", destination="s3")
    values.set_key("k", {"any": ["json"]}, compress=False)
    assert_type(values.get_key_url("k", 60), str)
    assert_type(values.delete_key("k"), bool)


def tested() -> None:
    store = FaultyObjectStore(MemoryObjectStore(), Fault(method="put", call=2, after_bytes=10))
    box = Toolbox(stores={"s3": store})
    made = backup(BackupRequest(source=Path("photos"), destination="s3"), box.tools)
    assert_type(list(box.repo.find(Query(filename=made.filename))), list[Backup])
    assert_type(store.calls, list[tuple[str, str]])
    box.clock.forward(days=1)


def results(bk: Bakthat) -> None:
    """The results of all methods have public names."""
    with open_profile(Profile()) as opened:
        assert_type(opened, Bakthat)
    assert_type(bk.restore_with_report("a"), bakthat.Restored)
    assert_type(bk.restore_from("a.tgz"), bakthat.Restored)
    assert_type(bk.restore_with_report("a").report, bakthat.UnpackReport)
    assert_type(bk.verify(), list[bakthat.Verified])
    assert_type(bk.verify()[0].level, bakthat.Level)
    assert_type(bk.sync(), bakthat.SyncReport)
    assert_type(bk.sync_all(["s3"]), bakthat.Synced)
    assert_type(bk.sync_all().together, bakthat.SyncReport)
    assert_type(bk.about_to_delete("a"), bakthat.DeletionCandidate)
    assert_type(bk.remove_older_than("a", timedelta(days=90)), list[Backup])
    assert_type(bk.remove_older_than_with_report("a", "3M"), bakthat.Retention)
    assert_type(bk.rotate_backups_with_report("a", group_by=bakthat.GroupBy.HOST).plan, bakthat.Plan)
    assert_type(bk.rotate_backups_with_report("a").plan.keep, tuple[bakthat.Decision, ...])
    assert_type(bk.ls("a", tier=bakthat.Tier.BULK), bakthat.Contents)
    assert_type(next(bk.ls("a")), bakthat.IndexEntry)
    assert_type(bk.find("*.jpg"), Iterator[bakthat.FoundFile])
    assert_type(bk.diff("a"), bakthat.Compared)
    assert_type(list(bk.diff("a").differences), list[bakthat.Difference])
    assert_type(bk.salvage("a"), bakthat.Salvaged)
    assert_type(bk.salvage("a").report, bakthat.SalvageReport)
    assert_type(bk.glacier_inventory, bakthat.VaultInventory)
    assert_type(bk.glacier_inventory.save(), Mapping[str, ArchiveId])
    bk.remove_older_than("a", 3)  # type: ignore[arg-type]
    bk.show(everything="no")  # type: ignore[arg-type]
