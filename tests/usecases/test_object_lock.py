"""A locked backup: no verb deletes it, none forgets it, and each says how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import key_of, loads
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.objects import Lock, ObjectInfo
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.errors import AccessDenied, ObjectLocked, StoreError, StoreUnavailable
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.copy import CopyRequest, copy
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.retention import Retention, remove_older_than, rotate_backups
from bakthat.usecases.sync import sync

NAME = "site.20260102030405.tgz"
DAYS_30 = ObjectLock(mode="compliance", days=30)


class Locking(Toolbox):
    """A toolbox whose `s3` locks archives, and not their entries. `hides`: HEAD shows no lock, as to credentials that
    must not see it. `asked`: what the store answers when it is asked for a lock."""

    hides = False
    asked: Callable[[str], Lock | None] | None = None

    def destination(self, name: str) -> Destination:
        made = super().destination(name)
        if name != "s3":
            return made
        box = self

        class Store(MemoryObjectStore):
            """In a versioned bucket, deleting succeeds, and hides the object."""

            def stat(self, key: str) -> ObjectInfo:
                found = box.stores["archives"].stat(key)
                return evolve(found, lock=None) if box.hides else found

            def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
                stores = box.stores["archives"], box.stores["s3"]
                return iter(sorted(chain(*(one.list(prefix) for one in stores)), key=lambda info: info.key))

            def lock_of(self, key: str) -> Lock | None:
                return box.asked(key) if box.asked is not None else box.stores["archives"].lock_of(key)

            def delete(self, key: str) -> None:
                archives = box.stores["archives"]
                assert isinstance(archives, MemoryObjectStore)
                archives._objects.pop(key, None)

        objects = Store("memory://s3", clock=self.clock)
        inner = self.stores["archives"]
        objects.put, objects.open = inner.put, inner.open  # type: ignore[method-assign]
        return ObjectDestination(made.owner, objects, catalog=self.stores["s3"])


@pytest.fixture
def box() -> Locking:
    box = Locking()
    box.stores["archives"] = MemoryObjectStore("memory://s3", clock=box.clock, lock=DAYS_30)
    return box


def back_up(box: Toolbox, tree: Path, days: int = 1) -> list[Backup]:
    made = []
    for _ in range(days):
        made.append(backup(BackupRequest(source=tree, destination="s3"), box.tools))
        box.clock.forward(days=1)
    return made


def live(box: Toolbox) -> list[str]:
    return sorted(row.stored_filename for row in box.repo.find(Query()))


def is_untouched(box: Toolbox, *names: str) -> bool:
    return (live(box), box.keys_in("archives"), len(box.keys_in("s3"))) == (list(names), list(names), len(names))


def rotate(box: Toolbox, **options: bool) -> Retention:
    return rotate_backups("site", "s3", RotationPolicy(last=1), box.tools, **options)


def test_the_record_and_the_entry_say_until_when(box: Locking, tree: Path) -> None:
    (made,) = back_up(box, tree)
    assert made.metadata.locked_until == made.when + timedelta(days=30)
    with box.stores["s3"].open(key_of(NAME)) as reader:
        assert loads(reader.read()).backup.metadata.locked_until == made.metadata.locked_until


def test_another_machine_knows_of_the_lock(box: Locking, tree: Path) -> None:
    back_up(box, tree)
    other = Locking(stores=box.stores, clock=box.clock)
    sync("s3", other.tools)
    (row,) = other.repo.find(Query())
    assert row.metadata.locked_until is not None


def test_delete_refuses_and_nothing_is_forgotten(box: Locking, tree: Path) -> None:
    back_up(box, tree)
    with pytest.raises(ObjectLocked, match=f"^{NAME} is locked until 2026-02-01; nothing was deleted") as caught:
        delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert "\n" not in str(caught.value)
    assert is_untouched(box, NAME)


def test_a_lock_that_is_over_deletes(box: Locking, tree: Path) -> None:
    back_up(box, tree)
    box.clock.forward(days=30)
    delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert is_untouched(box)


@pytest.mark.parametrize("verb", ["rotate_backups", "remove_older_than"])
def test_retention_keeps_a_locked_backup_with_the_reason(box: Locking, tree: Path, verb: str) -> None:
    older, newer = back_up(box, tree, 2)
    done = rotate(box) if verb == "rotate_backups" else remove_older_than("site", "s3", timedelta(0), box.tools)
    reasons = {decision.backup.stored_filename: decision.reasons for decision in done.plan.keep}
    assert reasons[older.stored_filename] == ("locked until 2026-02-01",)
    assert (done.plan.drop, done.removed, done.failed) == ((), (), ())
    assert is_untouched(box, older.stored_filename, newer.stored_filename)


def test_a_dry_run_says_the_same(box: Locking, tree: Path) -> None:
    back_up(box, tree, 2)
    assert rotate(box, dry_run=True).plan.keep[-1].reasons == ("locked until 2026-02-01",)


def test_a_locked_backup_is_dropped_when_its_lock_is_over(box: Locking, tree: Path) -> None:
    older, newer = back_up(box, tree, 2)
    box.clock.forward(days=29)
    assert [gone.stored_filename for gone in rotate(box).removed] == [older.stored_filename]
    assert live(box) == [newer.stored_filename]


def test_the_lock_of_the_bucket_itself_counts_without_a_record(box: Locking, tree: Path) -> None:
    (made,) = back_up(box, tree)
    box.repo.replace(made.with_metadata(made.last_updated, locked_until=None))
    with pytest.raises(ObjectLocked, match="locked until 2026-02-01"):
        delete(DeleteRequest(name="site", destination="s3"), box.tools)


def test_a_legal_hold_has_no_end(box: Locking, tree: Path) -> None:
    (made,) = back_up(box, tree)
    box.hides, box.asked = True, lambda _: Lock(until=None)
    with pytest.raises(ObjectLocked, match="is on legal hold; nothing was deleted; end the hold first"):
        delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert is_untouched(box, made.stored_filename)


def denied(key: str) -> Lock | None:
    raise AccessDenied(f"{key}: access denied")


def unreadable(key: str) -> Lock | None:
    raise StoreError(f"{key}: the service's answer cannot be read")


@pytest.mark.parametrize("answer", [denied, unreadable], ids=["denied", "unreadable"])
def test_the_record_decides_where_the_store_must_not_say(
    box: Locking, tree: Path, answer: Callable[[str], Lock | None]
) -> None:
    """In a versioned bucket DELETE would succeed, and hide the archive behind a marker."""
    back_up(box, tree)
    box.hides, box.asked = True, answer
    with pytest.raises(ObjectLocked):
        delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert is_untouched(box, NAME)


def test_a_record_that_claims_a_lock_which_is_not_there_keeps_nothing(box: Locking, tree: Path) -> None:
    """Governance was bypassed by somebody who may, or an entry was forged."""
    back_up(box, tree)
    box.hides, box.asked = True, lambda _: None
    delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert is_untouched(box)


def test_a_store_that_does_not_answer_deletes_nothing(box: Locking, tree: Path) -> None:
    back_up(box, tree)

    def silent(key: str) -> Lock | None:
        raise StoreUnavailable("no answer")

    box.hides, box.asked = True, silent
    with pytest.raises(StoreUnavailable):
        delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert is_untouched(box, NAME)


def test_a_copy_has_the_lock_of_its_target_alone(box: Locking, tree: Path) -> None:
    back_up(box, tree)
    (out,) = copy(CopyRequest(name="site", source="s3", to="local"), box.tools, box.tools).copied
    assert out.metadata.locked_until is None
    box.stores["archives"] = MemoryObjectStore("memory://s3", clock=box.clock, lock=DAYS_30)
    (back,) = copy(CopyRequest(name="site", source="local", to="s3"), box.tools, box.tools).copied
    assert back.metadata.locked_until == box.clock.now + timedelta(days=30)
