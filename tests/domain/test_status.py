"""What is late, incomplete or bad, of which origin."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakthat.domain.backup import Owner
from bakthat.domain.origin import Origin
from bakthat.domain.status import SeriesStatus, report_of
from tests.fixtures.status_reports import BUCKET, NOW, expected, made, report


def only(*backups, **options) -> SeriesStatus:
    (status,) = report(*backups, **options).series
    return status


@pytest.mark.parametrize(("age", "late"), [(26, False), (26.01, True)], ids=["just in time", "late"])
def test_a_backup_is_late_when_it_is_older_than_its_job_allows(age: float, late: bool) -> None:
    status = only(made(age), jobs=[expected()])
    assert (status.is_late, status.is_good, status.job) == (late, not late, "etc")


def test_what_is_late_is_named_in_words() -> None:
    assert only(made(80), jobs=[expected()]).problems == (
        "late: the newest backup is 3 days old, and may be 26 hours old",
    )
    assert only(made(26.5), jobs=[expected()]).problems == (
        "late: the newest backup is older than 26 hours, which it may be",
    )


def test_a_job_that_never_ran_is_late_also_without_an_age() -> None:
    status = only(jobs=[expected(hours=None)])
    assert (status.is_late, status.newest, status.problems) == (True, None, ("late: there is no backup yet",))


def test_without_an_age_nothing_is_late() -> None:
    assert only(made(99_999)).is_good


def test_the_option_is_for_what_has_no_age_of_its_own() -> None:
    jobs = [expected(hours=100), expected("www", hours=None, source="/www")]
    found = report(
        made(50), made(50, series="www", source="/www"), made(50, series="old"), jobs=jobs, max_age=timedelta(hours=10)
    )
    assert {one.series: one.is_late for one in found.series} == {"etc": False, "www": True, "old": True}


def test_a_jobs_age_is_about_this_host() -> None:
    found = report(made(1, host="web2"), jobs=[expected()])
    assert {(one.origin.host, one.is_late) for one in found.series} == {("web1", True), ("web2", False)}


def test_each_origin_has_its_own_newest_and_its_own_numbers() -> None:
    found = report(made(1, size=5), made(30, size=6), made(90, host="web2", size=7))
    facts = {one.origin.host: (one.age, one.number, one.total_size) for one in found.series}
    assert facts == {"web1": (timedelta(hours=1), 2, 11), "web2": (timedelta(hours=90), 1, 7)}
    assert (found.number, found.total_size) == (3, 18)


def test_a_copy_in_another_store_does_not_hide_a_late_one() -> None:
    other = Owner(backend="local", location="file:///disk")
    found = report_of({BUCKET: [made(90)], other: [made(1)]}, [expected()], NOW)
    assert {(one.destination, one.is_late) for one in found.series} == {("s3", True), ("local", False)}


def test_an_incomplete_newest_backup_is_a_problem() -> None:
    status = only(made(1, incomplete=True, problem_count=2), made(25))
    assert (status.is_good, status.problems) == (False, ("the newest backup is incomplete (2 files)",))
    assert only(made(1), made(25, incomplete=True)).is_good


def test_backups_dated_after_now_do_not_count() -> None:
    status = only(made(-50), made(90), jobs=[expected()])
    assert (status.is_late, status.age, status.number) == (True, timedelta(hours=90), 2)
    alone = only(made(-50), jobs=[expected()])
    assert (alone.is_late, alone.problems) == (True, ("late: all backups are dated after now",))


def test_an_untrusted_archive_does_not_make_a_series_fresh() -> None:
    junk = made(1, from_listing=True)
    assert only(junk, made(90), jobs=[expected()]).age == timedelta(hours=90)
    assert only(made(1, from_listing=True), jobs=[expected()]).is_good


def test_a_bad_verification_is_a_problem() -> None:
    bad = {"at": int(NOW.timestamp()), "level": "none", "error": "etc.1.tgz: damaged"}
    status = only(made(1), made(25, verified=bad))
    assert (status.is_bad, status.problems) == (True, ("the last verification found a bad backup: etc.1.tgz: damaged",))


def test_the_verification_of_a_backup_that_rotation_has_deleted_counts() -> None:
    good = {"at": 100, "level": "opens"}
    status = only(made(1), made(90, is_deleted=True, verified=good))
    assert (status.verification.level, status.number) == ("opens", 1)
    assert only(made(1), made(90, is_deleted=True, verified=good, source="/other")).verification is None


def test_deleted_backups_and_values_are_no_series() -> None:
    assert report(made(1, is_deleted=True), made(1, KeyValue=True)).series == ()


def test_nothing_at_all_is_good_only_if_nobody_asks_for_an_age() -> None:
    assert report().is_good
    assert not report(max_age=timedelta(hours=26)).is_good


def test_the_worst_come_first() -> None:
    found = report(
        made(1, series="a"), made(1, series="b", incomplete=True), jobs=[expected("c"), expected("d", source="/d")]
    )
    assert [one.series for one in found.series] == ["c", "d", "b", "a"]
    assert not found.is_good


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "etc of web1:/etc"),
        ({"job": "etc"}, "etc of web1:/etc"),
        ({"job": "nightly"}, "etc of web1:/etc, job nightly"),
    ],
    ids=["none", "same", "other"],
)
def test_a_title_has_the_job_where_it_says_more(changes: dict[str, str], title: str) -> None:
    origin = Origin(host="web1", source="/etc")
    assert SeriesStatus(series="etc", origin=origin, destination="s3", location="", **changes).title == title
