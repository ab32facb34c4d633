"""`rotate_backups` and `remove_older_than`: what goes is what the plan said, of exactly that series."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import CatalogEntry, key_of
from bakthat.domain.origin import GroupBy, Scope
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.domain.rotation import Plan, RotationPolicy, plan
from bakthat.errors import AccessDenied, BackupNotFound, CredentialsRefused, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock, Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.key_value import set_value
from bakthat.usecases.retention import remove_older_than, rotate_backups
from bakthat.usecases.sync import sync

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = RotationPolicy(days=3)
DENIED = AccessDenied("s3:ListBucket is not allowed")


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


def test_a_dry_run_reports_the_same_plan_and_deletes_nothing(box: Toolbox, days: list[str]) -> None:
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


@pytest.mark.parametrize("verb", ["rotate", "remove"])
def test_what_another_machine_has_deleted_is_not_taken_for_the_newest(box: Toolbox, days: list[str], verb: str) -> None:
    box.stores["s3"].delete(days[0])
    if verb == "rotate":
        rotate_backups("db", "s3", RotationPolicy(last=1), box.tools)
    else:
        remove_older_than("db", "s3", timedelta(hours=1), box.tools)
    assert archives(box) == rows(box) == days[1:2]


def test_nothing_is_deleted_when_what_is_to_be_kept_is_gone_and_nobody_may_list(box: Toolbox, days: list[str]) -> None:
    box.stores["s3"].delete(days[0])
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="list", times=99, error=lambda: DENIED))
    with pytest.raises(BackupNotFound, match="run `bakthat sync`"):
        remove_older_than("db", "s3", timedelta(hours=1), box.tools)
    assert rows(box) == days


def test_who_may_delete_but_not_look_can_rotate(box: Toolbox, days: list[str]) -> None:
    denied = Fault(method="stat", error=lambda: AccessDenied("no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], denied)
    rotate_backups("db", "s3", WEEK, box.tools)
    assert archives(box) == days[:3]


# origins


def put_origin(box: Toolbox, host: str | None, source: str | None, hour: int, days: int = 10) -> list[str]:
    """Daily backups of `db` by this host, of this path, the newest first."""
    known = {key: value for key, value in (("client", host), ("source", source)) if value is not None}
    return [put(box, "db", NOW - timedelta(days=i, hours=hour), **known) for i in range(days)]


@pytest.fixture
def origins(box: Toolbox) -> dict[str, list[str]]:
    box.clock.now = NOW
    return {
        "web1:/etc": put_origin(box, "web1", "/etc", 1),
        "web1:/srv/etc": put_origin(box, "web1", "/srv/etc", 2),
        "web2:/etc": put_origin(box, "web2", "/etc", 3),
    }


def by_origin(decisions) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for decision in decisions:
        found.setdefault(str(decision.origin), []).append(decision.backup.stored_filename)
    return found


def test_each_origin_is_thinned_by_itself(box: Toolbox, origins: dict[str, list[str]]) -> None:
    done = rotate_backups("db", "s3", WEEK, box.tools)
    assert by_origin(done.plan.keep) == {origin: names[:3] for origin, names in origins.items()}
    assert (
        rows(box) == archives(box) == sorted((name for names in origins.values() for name in names[:3]), reverse=True)
    )


def test_removing_by_age_keeps_the_newest_of_a_host_that_died(box: Toolbox, origins: dict[str, list[str]]) -> None:
    dead = [put(box, "db", NOW - timedelta(days=200 + i), client="dead", source="/etc") for i in range(3)]
    done = remove_older_than("db", "s3", timedelta(days=90), box.tools)
    assert by_origin(done.plan.drop) == {"dead:/etc": dead[1:]}
    assert dead[0] in archives(box)


def test_an_origin_without_complete_backups_keeps_its_newest(box: Toolbox, origins: dict[str, list[str]]) -> None:
    broken = [
        put(box, "db", NOW - timedelta(days=300 + i), client="web3", source="/etc", incomplete=i < 2) for i in range(4)
    ]
    remove_older_than("db", "s3", timedelta(days=90), box.tools)
    assert [name for name in rows(box) if name in broken] == [broken[0], broken[2]]


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (Scope(group_by=GroupBy.HOST), {"web1": 3, "web2": 3}),
        (Scope(group_by=GroupBy.SOURCE), {"/etc": 3, "/srv/etc": 3}),
        (Scope(group_by=GroupBy.NONE), {"no host": 3}),
        (Scope(host="web1"), {"web1:/etc": 3, "web1:/srv/etc": 3}),
        (Scope(source="/srv/etc"), {"web1:/srv/etc": 3}),
    ],
)
def test_a_scope_says_what_is_thinned_and_leaves_the_rest_alone(
    box: Toolbox, origins: dict[str, list[str]], scope: Scope, kept: dict[str, int]
) -> None:
    before = set(archives(box))
    done = rotate_backups("db", "s3", RotationPolicy(last=3), box.tools, scope=scope)
    assert {origin: len(names) for origin, names in by_origin(done.plan.keep).items()} == kept
    assert before - set(archives(box)) == {decision.backup.stored_filename for decision in done.plan.drop}


def test_a_host_that_is_not_there_is_an_error_that_names_those_that_are(
    box: Toolbox, origins: dict[str, list[str]]
) -> None:
    with pytest.raises(BackupNotFound) as caught:
        rotate_backups("db", "s3", WEEK, box.tools, scope=Scope(host="web", source="/etc"))
    assert str(caught.value) == (
        "db: no backups of host web and source /etc; there are backups of web1:/etc, web1:/srv/etc, web2:/etc"
    )
    assert len(archives(box)) == 30


@pytest.mark.parametrize("group_by", [GroupBy.HOST_AND_SOURCE, GroupBy.HOST, GroupBy.SOURCE])
def test_the_unknown_origin_is_not_thinned(box: Toolbox, origins: dict[str, list[str]], group_by: GroupBy) -> None:
    unknown = put_origin(box, "old", None, 4) + put_origin(box, None, None, 5)
    done = rotate_backups("db", "s3", RotationPolicy(last=1), box.tools, scope=Scope(group_by=group_by))
    assert set(unknown) <= set(archives(box))
    reasons = {decision.reasons for decision in done.plan.keep if decision.backup.stored_filename in unknown}
    assert reasons == {("of unknown origin in a series with several known ones; grouping by none includes it",)}


def test_records_of_2013_are_thinned_with_the_only_origin_of_their_host(box: Toolbox) -> None:
    box.clock.now = NOW
    put_origin(box, "web1", "/etc", 1, days=2)
    put_origin(box, "web1", None, 2)
    rotate_backups("db", "s3", RotationPolicy(last=2), box.tools)
    assert len(archives(box)) == 2


def test_hosts_of_2013_are_thinned_one_by_one(box: Toolbox) -> None:
    box.clock.now = NOW
    put_origin(box, "web1", None, 1)
    put_origin(box, "web2", None, 2)
    done = rotate_backups("db", "s3", WEEK, box.tools)
    assert {origin: len(names) for origin, names in by_origin(done.plan.keep).items()} == {"web1": 3, "web2": 3}


def test_an_origin_that_takes_in_another_host_is_pointed_out_before_anything_goes(box: Toolbox) -> None:
    box.clock.now = NOW
    put_origin(box, "web1", "/etc", 1, days=2)
    put_origin(box, "old", None, 2, days=3)
    seen: list[list[str]] = []
    rotate_backups("db", "s3", WEEK, box.tools, on_plan=lambda _: seen.append(list(box.notices)))
    assert seen == [["db: web1:/etc also includes 3 backups of old (3), whose records have no source"]]


@pytest.mark.parametrize(("hosts", "told"), [(3, 0), (4, 1)])
def test_a_container_whose_name_changes_every_night_is_pointed_out(box: Toolbox, hosts: int, told: int) -> None:
    box.clock.now = NOW
    for number in range(hosts):
        put(box, "db", NOW - timedelta(days=number), client=f"5f3a{number}", source="/data")
    rotate_backups("db", "s3", RotationPolicy(last=1), box.tools)
    assert len(box.notices) == told
    if told:
        assert box.notices == [
            "db: 4 hosts have one backup of /data each; if this is one machine whose name changes, set `host`, and "
            "thin them with `group_by='source'`"
        ]


def test_a_backup_dated_after_now_displaces_nothing_and_is_reported(box: Toolbox, days: list[str]) -> None:
    later = put(box, "db", datetime(2036, 5, 5, tzinfo=UTC))
    box.clock.forward(days=200)
    rotate_backups("db", "s3", WEEK, box.tools)
    remove_older_than("db", "s3", timedelta(days=90), box.tools)
    assert archives(box) == [later, days[0]]
    assert "1 backup is dated after now" in box.notices[0]


# what the store holds


def forget(box: Toolbox) -> None:
    """A container: a new database each night."""
    box.repo = MemoryRepo()


def back_up(box: Toolbox, tree: Path, days: int) -> list[str]:
    """Backups of `db` by the real verb, a day apart, the newest first."""
    made = []
    for _ in range(days):
        made.append(backup(BackupRequest(source=tree, destination="s3", name="db"), box.tools).stored_filename)
        box.clock.forward(days=1)
    return made[::-1]


@pytest.mark.parametrize("nights", [1, 10])
def test_a_container_without_its_database_rotates(box: Toolbox, tree: Path, nights: int) -> None:
    for _ in range(10 // nights):
        back_up(box, tree, nights)
        forget(box)
        rotate_backups("db", "s3", WEEK, box.tools)
    assert len(archives(box)) == 3
    assert rows(box) == archives(box)


def test_a_dry_run_plans_what_the_store_holds_and_records_nothing(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree, 5)
    forget(box)
    done = rotate_backups("db", "s3", WEEK, box.tools, dry_run=True)
    assert [decision.backup.stored_filename for decision in done.plan.drop] == made[3:]
    assert (rows(box), archives(box)) == ([], made)


def test_an_archive_known_by_its_name_alone_is_kept_until_a_sync_takes_it_in(box: Toolbox, days: list[str]) -> None:
    found = "db.20250101000000.tgz"
    box.stores["s3"].put(found, io.BytesIO(b"x"))
    done = rotate_backups("db", "s3", WEEK, box.tools)
    (kept,) = (decision for decision in done.plan.keep if decision.backup.stored_filename == found)
    assert kept.reasons == ("known from a listing alone; kept until `bakthat sync` has recorded it",)
    assert (found in archives(box), found in rows(box)) == (True, False)
    sync("s3", box.tools)
    rotate_backups("db", "s3", WEEK, box.tools)
    assert found not in archives(box)


def test_a_name_alone_is_not_the_newest_that_lets_the_others_go(box: Toolbox, days: list[str]) -> None:
    box.clock.forward(hours=1)
    box.stores["s3"].put("db.20260301123000.tgz", io.BytesIO(b"junk"))
    remove_older_than("db", "s3", timedelta(0), box.tools)
    assert archives(box) == ["db.20260301123000.tgz", days[0]]


def test_junk_with_entries_under_past_dates_displaces_nothing(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree, 23)
    other = Toolbox(stores=dict(box.stores), clock=SteppedClock(box.clock.now), host="host")
    junk = backup(BackupRequest(source=tree, destination="s3", name="junk"), evolve(other.tools, clock=lambda: NOW))
    box.stores["s3"].delete(junk.stored_filename)
    for day in range(8, 40):
        when = box.clock.now - timedelta(days=day, hours=2)
        forged = evolve(junk, filename="db", stored_filename=f"db.{when:%Y%m%d%H%M%S}.tgz", backup_date=when, size=4)
        box.stores["s3"].put(forged.stored_filename, io.BytesIO(b"junk"))
        box.stores["s3"].put(key_of(forged.stored_filename), io.BytesIO(CatalogEntry(backup=forged).dumps()))
    policy = RotationPolicy(days=7, weeks=3)
    alone = {decision.backup.stored_filename for decision in plan(policy, box.repo.find(Query()), box.clock.now).keep}
    forget(box)
    done = rotate_backups("db", "s3", policy, box.tools)
    assert alone <= set(archives(box))
    assert set(made) & set(archives(box)) == alone
    assert any("untrusted (see their reasons), and displace none of host:" in line for line in box.notices)
    assert any("untrusted: stored" in decision.reasons[-1] for decision in done.plan.drop)


def test_without_permission_to_list_the_plan_comes_from_the_database_with_a_notice(
    box: Toolbox, days: list[str]
) -> None:
    store = box.stores["s3"]
    box.stores["s3"] = FaultyObjectStore(store, Fault(method="list", times=99, error=lambda: DENIED))
    rotate_backups("db", "s3", WEEK, box.tools)
    assert box.notices == [
        "db is planned from the database alone, since memory://s3 cannot be listed: s3:ListBucket is not allowed"
    ]
    box.stores["s3"] = store
    assert archives(box) == days[:3]


def test_credentials_that_are_refused_altogether_plan_nothing(box: Toolbox, days: list[str]) -> None:
    """A database that may be out of date is no way around an expired token."""
    store = box.stores["s3"]
    expired = Fault(method="list", times=99, error=lambda: CredentialsRefused("the credentials have expired"))
    box.stores["s3"] = FaultyObjectStore(store, expired)
    with pytest.raises(CredentialsRefused):
        rotate_backups("db", "s3", WEEK, box.tools)
    assert box.notices == []


def test_a_store_that_is_down_deletes_nothing(box: Toolbox, days: list[str]) -> None:
    store = box.stores["s3"]
    box.stores["s3"] = FaultyObjectStore(store, Fault(method="list", times=99))
    with pytest.raises(StoreUnavailable):
        rotate_backups("db", "s3", WEEK, box.tools)
    box.stores["s3"] = store
    assert archives(box) == days


def back_up_to_glacier(box: Toolbox, tree: Path) -> None:
    for _ in range(5):
        backup(BackupRequest(source=tree, destination="glacier", name="db"), box.tools)
        box.clock.forward(days=1)


def test_a_vault_without_a_bucket_is_planned_from_the_database(box: Toolbox, tree: Path) -> None:
    del box.stores["s3"]
    back_up_to_glacier(box, tree)
    rotate_backups("db", "glacier", WEEK, box.tools)
    assert len(rows(box, "glacier")) == 3
    forget(box)
    with pytest.raises(BackupNotFound):
        rotate_backups("db", "glacier", WEEK, box.tools)


def test_a_vault_whose_inventory_is_in_the_bucket_rotates_without_a_database(box: Toolbox, tree: Path) -> None:
    back_up_to_glacier(box, tree)
    forget(box)
    done = rotate_backups("db", "glacier", WEEK, box.tools)
    assert len(rows(box, "glacier")) == 3
    assert len(done.removed) == 2


def test_a_copy_of_the_inventory_that_is_lost_marks_nothing_as_gone(box: Toolbox, tree: Path) -> None:
    back_up_to_glacier(box, tree)
    for info in list(box.stores["s3"].list()):
        box.stores["s3"].delete(info.key)
    rotate_backups("db", "glacier", RotationPolicy(days=5), box.tools)
    assert len(rows(box, "glacier")) == 5
