"""`cleanup`: what killed backups left goes; what is foreign, young, or of unknown age stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.objects import Leftover
from bakthat.errors import AccessDenied, Unsupported
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.cleanup import CleanupReport, cleanup
from bakthat.usecases.sync import sync

NAME = "site.20260102030405.tgz"


def store(box: Toolbox) -> MemoryObjectStore:
    found = box.stores["s3"]
    assert isinstance(found, MemoryObjectStore)
    return found


def left(box: Toolbox, key: str = NAME, *, days: float = 8, newest: float | None = 8, own: bool = False) -> Leftover:
    """An upload that was begun so many days ago, and whose newest part is so many days old."""
    now = box.clock.now
    leftover = Leftover(
        key=key,
        upload_id=f"id-{len(store(box).unfinished)}",
        started=now - timedelta(days=days),
        latest=None if newest is None else now - timedelta(days=newest),
        is_of_bakthat=own,
    )
    store(box).unfinished.append(leftover)
    return leftover


def cleaned(box: Toolbox, **options: object) -> CleanupReport:
    return cleanup("s3", box.tools, **options)  # type: ignore[arg-type]


def test_an_upload_that_nobody_finishes_is_removed(box: Toolbox) -> None:
    old = left(box)
    assert (cleaned(box).removed, store(box).unfinished) == ((old,), [])


def test_nothing_is_removed_if_the_listing_fails(box: Toolbox) -> None:
    class HalfListed(MemoryObjectStore):
        def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
            yield from super().leftovers(prefix, details=details)
            raise AccessDenied("the second page is refused")

    box.stores["s3"] = HalfListed("memory://s3", clock=box.clock)
    old = left(box)
    with pytest.raises(AccessDenied):
        cleaned(box)
    assert store(box).unfinished == [old]


def test_the_upload_of_a_running_backup_stays_however_long_ago_it_began(box: Toolbox) -> None:
    running = left(box, days=30, newest=0.1)
    assert (cleaned(box).younger, store(box).unfinished) == ((running,), [running])


def test_the_limit_is_the_users(box: Toolbox) -> None:
    left(box, days=2, newest=2)
    assert len(cleaned(box).removed) == 0
    assert len(cleaned(box, older_than=timedelta(days=1)).removed) == 1


@pytest.mark.parametrize("key", ["movie.mp4", "other/site.20260102030405.tgz", "bakthat_catalog/x.json"])
def test_uploads_of_other_programs_stay(box: Toolbox, key: str) -> None:
    foreign = left(box, key)
    assert (cleaned(box).foreign, store(box).unfinished) == ((foreign,), [foreign])


def test_what_only_bakthat_makes_is_removed_whatever_its_name(box: Toolbox) -> None:
    left(box, ".bakthat-put-0123", own=True)
    assert len(cleaned(box).removed) == 1


def test_an_upload_whose_parts_cannot_be_listed_is_left_and_named(box: Toolbox) -> None:
    unknown = left(box, newest=None)
    assert (cleaned(box).unknown, store(box).unfinished) == ((unknown,), [unknown])
    assert any(line.startswith(NAME) and "is left" in line for line in box.notices)


def test_a_dry_run_removes_nothing(box: Toolbox) -> None:
    old = left(box)
    report = cleaned(box, dry_run=True)
    assert (report.removed, report.dry_run, store(box).unfinished) == ((old,), True, [old])


def test_one_that_cannot_be_removed_does_not_stop_the_rest(box: Toolbox) -> None:
    one, two = left(box), left(box, "db.20260102030405.tgz")
    refused = Fault(method="remove_leftover", error=lambda: AccessDenied("no permission"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], refused)
    report = cleaned(box)
    assert ([leftover for leftover, _ in report.failed], report.removed) == ([one], (two,))
    assert any("could not be removed: no permission" in line for line in box.notices)


def test_one_whose_writer_is_alive_after_all_counts_as_younger(box: Toolbox) -> None:
    class Locked(MemoryObjectStore):
        def remove_leftover(self, leftover: Leftover) -> bool:
            return False

    box.stores["s3"] = Locked("memory://s3")
    alive = left(box)
    assert (cleaned(box).younger, cleaned(box).removed) == ((alive,), ())


def test_a_service_that_cannot_list_them_says_so(box: Toolbox) -> None:
    class Without(MemoryObjectStore):
        def leftovers(self, prefix: str = "", *, details: bool = True) -> Iterator[Leftover]:
            raise Unsupported(f"{self.location}: this service cannot list unfinished uploads")

    box.stores["s3"] = Without("memory://s3")
    with pytest.raises(Unsupported, match="cannot list unfinished uploads"):
        cleaned(box)
    sync("s3", box.tools)
    assert box.notices == []


def test_a_store_written_for_1_0_has_none(box: Toolbox) -> None:
    assert cleanup("glacier", box.tools) == CleanupReport()


def test_sync_tells_of_old_ones(box: Toolbox) -> None:
    left(box, days=8)
    left(box, days=10)
    left(box, days=1)
    left(box, "movie.mp4", days=100)
    sync("s3", box.tools)
    oldest = f"{box.clock.now - timedelta(days=10):%Y-%m-%d}"
    assert box.notices == [
        f"memory://s3: 2 unfinished uploads, the oldest of {oldest}; `cleanup()` removes what killed backups left"
    ]
    assert len(store(box).unfinished) == 4
