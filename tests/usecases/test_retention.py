"""`rotate_backups` and `remove_older_than`: what goes is what the plan said, of exactly that series."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.domain.rotation import Plan, RotationPolicy
from bakthat.errors import AccessDenied, BackupNotFound
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.key_value import set_value
from bakthat.usecases.retention import remove_older_than, rotate_backups
from bakthat.usecases.sync import sync

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = RotationPolicy(days=3)


def put(box: Toolbox, series: str, day: datetime, destination: str = "s3", **metadata) -> str:
    """A backup as small as can be: an object, its entry, its row."""
    name = f"{series}.{day:%Y%m%d%H%M%S}.tgz"
    place = box.destination(destination)
    box.stores[destination].put(name, io.BytesIO(b"x"))
    box.stores[destination].put(f"bakthat_catalog/{name}.json", io.BytesIO(b"{}"))
    box.repo.add(
        Backup(
            backend=destination,
            backend_hash=place.owner.backend_hash,
            backup_date=day,
            filename=series,
            stored_filename=name,
            size=1,
            last_updated=day,
            metadata={"location": place.owner.location, **metadata},
        )
    )
    return name


@pytest.fixture
def days(box: Toolbox) -> list[str]:
    """Ten daily backups of `db`, the newest first."""
    box.clock.now = NOW
    return [put(box, "db", NOW - timedelta(days=i)) for i in range(10)]


def archives(box: Toolbox, destination: str = "s3") -> list[str]:
    return sorted((key for key in box.keys_in(destination) if "/" not in key), reverse=True)


def rows(box: Toolbox, destination: str = "s3") -> list[str]:
    return [row.stored_filename for row in box.repo.find(Query(backend=destination))]


def test_what_the_policy_keeps_stays_and_the_rest_goes(box: Toolbox, days: list[str]) -> None:
    done = rotate_backups("db", "s3", WEEK, box.tools)
    assert archives(box) == rows(box) == days[:3]
    assert [gone.stored_filename for gone in done.removed] == list(reversed(days[3:]))
    assert len(box.keys_in("s3")) == 6


def test_a_dry_run_tells_the_same_plan_and_deletes_nothing(box: Toolbox, days: list[str]) -> None:
    told: list[Plan] = []
    dry = rotate_backups("db", "s3", WEEK, box.tools, dry_run=True, on_plan=told.append)
    assert (archives(box), rows(box)) == (days, days)
    real = rotate_backups("db", "s3", WEEK, box.tools, on_plan=told.append)
    assert dry.plan == real.plan == told[0] == told[1]


def test_rotating_again_deletes_nothing_more(box: Toolbox, days: list[str]) -> None:
    rotate_backups("db", "s3", WEEK, box.tools)
    assert rotate_backups("db", "s3", WEEK, box.tools).removed == ()


def test_a_machine_whose_backups_stopped_loses_nothing(box: Toolbox, days: list[str]) -> None:
    rotate_backups("db", "s3", WEEK, box.tools)
    box.clock.forward(days=400)
    assert rotate_backups("db", "s3", WEEK, box.tools).removed == ()


@pytest.mark.parametrize("verb", ["rotate", "remove"])
def test_other_series_are_left_alone(box: Toolbox, days: list[str], verb: str) -> None:
    others = [put(box, series, NOW - timedelta(days=9)) for series in ("mydb", "db2", "db.old", "d", "DB")]
    if verb == "rotate":
        rotate_backups("db", "s3", WEEK, box.tools)
    else:
        remove_older_than("db", "s3", timedelta(days=3), box.tools)
    assert set(others) <= set(archives(box))
    assert set(others) <= set(rows(box))


def test_the_same_series_in_another_destination_is_left_alone(box: Toolbox, days: list[str]) -> None:
    other = put(box, "db", NOW - timedelta(days=9), "local")
    rotate_backups("db", "s3", WEEK, box.tools)
    assert (archives(box, "local"), rows(box, "local")) == ([other], [other])


def test_what_is_older_goes(box: Toolbox, days: list[str]) -> None:
    remove_older_than("db", "s3", timedelta(days=4), box.tools)
    assert archives(box) == rows(box) == days[:5]


def test_the_newest_is_never_removed_however_old(box: Toolbox, days: list[str]) -> None:
    box.clock.forward(days=4000)
    remove_older_than("db", "s3", timedelta(days=1), box.tools)
    assert rows(box) == days[:1]


def test_the_newest_complete_one_is_never_removed(box: Toolbox, days: list[str]) -> None:
    broken = put(box, "db", NOW + timedelta(days=1), incomplete=True)
    box.clock.forward(days=4000)
    remove_older_than("db", "s3", timedelta(days=1), box.tools)
    assert rows(box) == [broken, days[0]]


def test_an_unknown_series_offers_the_nearest(box: Toolbox, days: list[str]) -> None:
    with pytest.raises(BackupNotFound, match="did you mean db"):
        rotate_backups("dbb", "s3", WEEK, box.tools)


def test_a_series_of_several_hosts_is_pointed_out_before_anything_goes(box: Toolbox, days: list[str]) -> None:
    put(box, "db", NOW - timedelta(hours=1), client="other")
    put(box, "db", NOW - timedelta(hours=2), client="one")
    seen: list[int] = []
    rotate_backups("db", "s3", WEEK, box.tools, on_plan=lambda _: seen.append(len(box.notices)))
    assert seen == [1]
    assert "hosts" in box.notices[0]


def test_a_store_that_fails_on_the_third_delete_leaves_rows_and_objects_in_agreement(
    box: Toolbox, days: list[str]
) -> None:
    fault = Fault(method="delete", key="db.", call=3, error=lambda: AccessDenied("no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    done = rotate_backups("db", "s3", WEEK, box.tools)
    assert [str(error) for _, error in done.failed] == ["no"]
    assert archives(box) == rows(box) == [*days[:3], days[7]]


def test_running_it_again_finishes_the_work(box: Toolbox, days: list[str]) -> None:
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="delete", call=3, times=4))
    rotate_backups("db", "s3", WEEK, box.tools)
    rotate_backups("db", "s3", WEEK, box.tools)
    assert archives(box) == rows(box) == days[:3]
    assert len(box.keys_in("s3")) == 6


@pytest.mark.parametrize("verb", ["rotate", "remove"])
def test_a_value_of_the_same_name_is_neither_deleted_nor_the_newest(box: Toolbox, days: list[str], verb: str) -> None:
    set_value("db", 1, "s3", box.tools, keys=Keys())
    if verb == "rotate":
        rotate_backups("db", "s3", RotationPolicy(last=1), box.tools)
    else:
        remove_older_than("db", "s3", timedelta(0), box.tools)
    assert archives(box) == [days[0], "db"]


def test_nothing_is_deleted_when_another_machine_has_deleted_what_is_to_be_kept(box: Toolbox, days: list[str]) -> None:
    box.stores["s3"].delete(days[0])
    with pytest.raises(BackupNotFound, match="run `bakthat sync`"):
        remove_older_than("db", "s3", timedelta(hours=1), box.tools)
    assert archives(box) == days[1:]
    sync("s3", box.tools)
    remove_older_than("db", "s3", timedelta(hours=1), box.tools)
    assert archives(box) == days[1:2]


def test_who_may_delete_but_not_look_can_rotate(box: Toolbox, days: list[str]) -> None:
    denied = Fault(method="stat", error=lambda: AccessDenied("no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], denied)
    rotate_backups("db", "s3", WEEK, box.tools)
    assert archives(box) == days[:3]
