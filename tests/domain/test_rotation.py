"""The rule by tables, small enough to follow with a calendar; the laws are in `tests/domain_laws`."""

from __future__ import annotations

import os
import time
from datetime import UTC, timedelta, timezone

import pytest

from bakthat.domain.rotation import (
    Plan,
    RotationPolicy,
    first_week_day,
    plan,
    plan_by_age,
    policy_from,
)
from bakthat.errors import ConfigInvalid, InvalidPolicy
from tests.domain.series import backup_at, dates, every, names, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WHERE = "bakthat.yml, profile 'default'"


# What is kept


@pytest.fixture(scope="module")
def hourly():
    """Backups of every sixth hour from 2025-12-20, and of every hour on 2026-03-10, a Tuesday, until 12:00."""
    return [*every(6 * HOUR, utc(2025, 12, 20), 80 * 4), *every(HOUR, utc(2026, 3, 10), 13)]


def test_nothing_is_planned_for_no_backups():
    assert plan(RotationPolicy(days=7), [], utc(2026)) == Plan()


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (RotationPolicy(hours=3), ["2026-03-10 12:00", "2026-03-10 11:00", "2026-03-10 10:00"]),
        (RotationPolicy(days=1), ["2026-03-10 12:00", "2026-03-10"]),
        (RotationPolicy(days=3), ["2026-03-10 12:00", "2026-03-10", "2026-03-09", "2026-03-08"]),
        (RotationPolicy(weeks=2), ["2026-03-10 12:00", "2026-03-07", "2026-02-28"]),
        (RotationPolicy(weeks=2, first_week_day=0), ["2026-03-10 12:00", "2026-03-09", "2026-03-02"]),
        (RotationPolicy(weeks=2, first_week_day=1), ["2026-03-10 12:00", "2026-03-10", "2026-03-03"]),
        (RotationPolicy(weeks=1, first_week_day=2), ["2026-03-10 12:00", "2026-03-04"]),
        (RotationPolicy(months=3), ["2026-03-10 12:00", "2026-03-01", "2026-02-01", "2026-01-01"]),
        (RotationPolicy(years=2), ["2026-03-10 12:00", "2026-01-01", "2025-12-20"]),
        (RotationPolicy(last=1), ["2026-03-10 12:00"]),
        (RotationPolicy(last=3), ["2026-03-10 12:00", "2026-03-10 11:00", "2026-03-10 10:00"]),
    ],
)
def test_the_earliest_backup_of_each_period_is_kept_and_the_newest(hourly, policy, kept):
    assert dates(plan(policy, hourly, utc(2026, 3, 10, 13)).keep) == kept


def test_a_window_of_months_reaches_across_the_end_of_a_year():
    daily = every(DAY, utc(2023, 11, 1), 500)  # until 2025-03-14
    kept = dates(plan(RotationPolicy(months=15), daily, utc(2025, 3, 14)).keep)
    assert (kept[-1], kept[-2], len(kept)) == ("2024-01-01", "2024-02-01", 16)


def test_the_29th_of_february_is_a_day_like_others():
    daily = every(DAY, utc(2024, 2, 25), 6)  # until 2024-03-01
    assert dates(plan(RotationPolicy(days=3), daily, utc(2024, 3, 1)).keep) == [
        "2024-03-01",
        "2024-02-29",
        "2024-02-28",
    ]


def test_windows_are_counted_back_from_the_newest_backup_after_a_pause():
    stopped = every(DAY, utc(2025), 10)
    policy = RotationPolicy(days=7, weeks=2)
    assert plan(policy, stopped, utc(2031, 6, 15)) == plan(policy, stopped, utc(2025, 1, 10))


def test_backups_dated_after_now_are_kept_and_change_nothing_else():
    daily = every(DAY, utc(2026), 10)
    now = utc(2026, 1, 5, 12)
    policy = RotationPolicy(days=2, last=2)
    planned = plan(policy, daily, now)
    assert dates(planned.keep) == [f"2026-01-{day:02}" for day in (10, 9, 8, 7, 6, 5, 4)]
    assert {decision.reasons for decision in planned.keep[:5]} == {("dated after now (2026-01-05 12:00:00)",)}
    alone = plan(policy, daily[:5], now)
    assert (planned.keep[5:], planned.drop) == (alone.keep, alone.drop)


def test_after_a_night_in_2036_the_newest_real_backup_survives_every_rotation():
    from_2036, hourly = backup_at(utc(2036, 5, 5)), every(HOUR, utc(2026, 11, 26), 10)
    planned = plan(RotationPolicy(days=7, weeks=4, months=12), [from_2036, *hourly], utc(2026, 11, 26, 9, 30))
    assert dates(planned.keep) == ["2036-05-05", "2026-11-26 09:00", "2026-11-26"]


def test_a_pause_beside_a_backup_from_2036_empties_nothing():
    series = [backup_at(utc(2036, 5, 5)), *every(DAY, utc(2026), 5)]
    planned = plan(RotationPolicy(days=2), series, utc(2027))
    assert dates(planned.keep) == ["2036-05-05", "2026-01-05", "2026-01-04"]


def test_a_minute_after_now_is_not_the_future():
    series = [backup_at(utc(2026, 1, 5, 12, 1)), *every(DAY, utc(2026), 5)]
    assert plan(RotationPolicy(days=1), series, utc(2026, 1, 5, 12)).keep[0].reasons == ("newest",)


def test_a_series_that_lies_in_the_future_is_kept_whole():
    assert plan(RotationPolicy(days=1), every(DAY, utc(2030), 5), utc(2026)).drop == ()


def test_a_window_longer_than_time_itself_keeps_the_first_of_every_period():
    daily = every(DAY, utc(1), 20)
    huge = 10**30
    for policy in (
        RotationPolicy(hours=huge),
        RotationPolicy(days=huge),
        RotationPolicy(months=huge, days=20),
        RotationPolicy(years=huge, weeks=huge, days=20),
    ):
        assert plan(policy, daily, utc(9999, 12, 31)).drop == ()


def test_the_newest_backup_stays_in_the_last_second_of_the_calendar():
    newest = backup_at(utc(9999, 12, 31, 23, 59, 59))
    assert names(plan(RotationPolicy(weeks=1), [newest], utc(2026)).keep) == [newest.stored_filename]


# Guards


def test_a_complete_backup_is_kept_instead_of_an_earlier_incomplete_one_of_the_same_day():
    early = backup_at(utc(2026, 1, 3, 2), incomplete=True)
    late = backup_at(utc(2026, 1, 3, 14))
    next_day = backup_at(utc(2026, 1, 4))
    planned = plan(RotationPolicy(days=2), [early, late, next_day], utc(2026, 1, 4))
    assert dates(planned.keep) == ["2026-01-04", "2026-01-03 14:00"]
    assert planned.keep[1].reasons == ("daily: first complete of 2026-01-03",)
    assert planned.drop[0].reasons == ("2026-01-03 is kept by site.20260103140000.tgz",)


def test_an_incomplete_backup_is_kept_for_a_day_that_has_no_complete_one():
    series = [
        backup_at(utc(2026, 1, 2)),
        backup_at(utc(2026, 1, 3, 2), incomplete=True),
        backup_at(utc(2026, 1, 3, 4), incomplete=True),
        backup_at(utc(2026, 1, 4)),
    ]
    assert dates(plan(RotationPolicy(days=3), series, utc(2026, 1, 4)).keep) == [
        "2026-01-04",
        "2026-01-03 02:00",
        "2026-01-02",
    ]


def test_a_run_of_incomplete_backups_pushes_no_complete_one_out_of_its_window():
    complete = every(DAY, utc(2026), 5)
    incomplete = every(DAY, utc(2026, 1, 6), 60, incomplete=True)
    policy = RotationPolicy(days=3, last=2)
    alone = plan(policy, complete, utc(2026, 4))
    together = plan(policy, complete + incomplete, utc(2026, 4))
    kept = [decision.backup for decision in together.keep if not decision.backup.is_incomplete]
    assert kept == [decision.backup for decision in alone.keep]
    assert dates(together.keep) == ["2026-03-06", "2026-03-05", "2026-03-04", "2026-01-05", "2026-01-04", "2026-01-03"]
    assert "newest complete" in together.keep[3].reasons
    assert together.keep[4].reasons == ("one of the 2 newest complete", "daily: first of 2026-01-04")


def test_an_incomplete_backup_outside_of_its_window_goes_although_the_complete_ones_stay():
    series = [
        backup_at(utc(2026, 1, 1)),
        backup_at(utc(2026, 1, 2), incomplete=True),
        backup_at(utc(2026, 1, 3)),
        *every(DAY, utc(2026, 1, 4), 30, incomplete=True),
    ]
    kept = dates(plan(RotationPolicy(days=3), series, utc(2026, 3)).keep)
    assert kept == ["2026-02-02", "2026-02-01", "2026-01-31", "2026-01-03", "2026-01-01"]


def test_backups_of_one_second_share_their_fate():
    twins = [backup_at(utc(2026, 1, 1), stored_filename=f"site.20260101000000.{kind}") for kind in ("tgz", "tgz.enc")]
    others = every(DAY, utc(2026, 1, 2), 3)
    assert names(plan(RotationPolicy(days=4), twins + others, utc(2026, 2)).keep)[-2:] == [
        "site.20260101000000.tgz.enc",
        "site.20260101000000.tgz",
    ]
    assert len(plan(RotationPolicy(days=3), twins + others, utc(2026, 2)).drop) == 2


def test_an_incomplete_backup_stays_with_the_complete_one_of_its_second():
    pair = [
        backup_at(utc(2026, 1, 1), incomplete=True, backend_hash="old key"),
        backup_at(utc(2026, 1, 1), backend_hash="new key"),
    ]
    planned = plan(RotationPolicy(days=2), [*pair, backup_at(utc(2026, 1, 2))], utc(2026, 1, 2))
    assert len(planned.keep) == 3


def test_the_last_newest_are_counted_by_backups_and_a_second_is_never_split():
    twins = [backup_at(utc(2026, 1, 2), stored_filename=f"site.20260102000000.{kind}") for kind in ("tgz", "tgz.enc")]
    series = [*every(DAY, utc(2025, 12, 30), 3), *twins, backup_at(utc(2026, 1, 3))]
    assert len(plan(RotationPolicy(last=2), series, utc(2026, 2)).keep) == 3
    assert len(plan(RotationPolicy(last=3), series, utc(2026, 2)).keep) == 3
    assert len(plan(RotationPolicy(last=4), series, utc(2026, 2)).keep) == 4


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"from_listing": True}, "untrusted: known from a listing alone"),
        ({"stored_at": utc(2026, 6).timestamp().__int__()}, "untrusted: stored 148 days after its date"),
    ],
)
def test_an_untrusted_archive_says_so(fields, why):
    series = [backup_at(utc(2026, 1, 3, 2), **fields), backup_at(utc(2026, 1, 3, 14))]
    assert plan(RotationPolicy(days=2), series, utc(2026, 1, 4)).drop[0].reasons[-1] == why


def test_junk_with_past_or_future_dates_displaces_no_backup():
    real = every(DAY, utc(2026, 1, 1, 3), 40)
    written = int(utc(2026, 2, 9, 12).timestamp())
    junk = [*every(DAY, utc(2025), 397, stored_at=written), backup_at(utc(9999), stored_at=written)]
    policy, now = RotationPolicy(days=7, weeks=4, months=12, last=3), utc(2026, 2, 9, 13)
    alone, together = plan(policy, real, now), plan(policy, real + junk, now)
    assert [name for name in names(together.keep) if name in names(alone.keep + alone.drop)] == names(alone.keep)


def test_an_untrusted_archive_is_kept_for_a_day_that_has_no_other():
    series = [backup_at(utc(2026, 1, day), from_listing=day == 3) for day in (1, 2, 3, 4)]
    assert dates(plan(RotationPolicy(days=4), series, utc(2026, 1, 4)).keep) == [
        "2026-01-04",
        "2026-01-03",
        "2026-01-02",
        "2026-01-01",
    ]


def test_the_newest_trusted_backup_is_kept_below_untrusted_ones():
    series = [backup_at(utc(2026)), *every(DAY, utc(2026, 2), 5, from_listing=True)]
    planned = plan(RotationPolicy(last=1), series, utc(2026, 3))
    assert [decision.reasons for decision in planned.keep] == [
        ("newest", "untrusted: known from a listing alone"),
        ("newest trusted",),
    ]


def test_a_series_of_untrusted_archives_alone_is_thinned_as_usual():
    policy, now = RotationPolicy(days=3, weeks=2, last=2), utc(2026, 2)
    alone = plan(policy, every(DAY, utc(2026), 30, from_listing=True), now)
    assert names(alone.keep) == names(plan(policy, every(DAY, utc(2026), 30), now).keep)


def test_a_deleted_record_takes_no_part():
    deleted = backup_at(utc(2026, 1, 3, 1), is_deleted=True)
    live = [backup_at(utc(2026, 1, 3, 2)), backup_at(utc(2026, 1, 4))]
    planned = plan(RotationPolicy(days=2), [deleted, *live], utc(2026, 1, 4))
    assert dates(planned.keep) == ["2026-01-04", "2026-01-03 02:00"]
    assert planned.drop == ()


@pytest.mark.parametrize("other", [{"filename": "site2"}, {"backend": "local"}])
def test_two_series_or_two_destinations_are_never_planned_as_one(other):
    with pytest.raises(ValueError, match="several series or destinations"):
        plan(RotationPolicy(days=1), [backup_at(utc(2026)), backup_at(utc(2025), **other)], utc(2026))


def test_a_now_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        plan(RotationPolicy(days=1), [], utc(2026).replace(tzinfo=None))


def test_now_may_be_given_in_any_time_zone():
    daily = every(DAY, utc(2026), 20)
    now = utc(2026, 1, 10, 23)
    ahead = now.astimezone(timezone(timedelta(hours=14)))
    assert plan(RotationPolicy(days=3, weeks=1), daily, ahead) == plan(RotationPolicy(days=3, weeks=1), daily, now)


@pytest.fixture
def time_zone_of_the_host():
    """A way to change it; afterwards it is as before."""
    before = os.environ.get("TZ")

    def change(name: str | None) -> None:
        os.environ.pop("TZ", None)
        if name is not None:
            os.environ["TZ"] = name
        time.tzset()

    yield change
    change(before)


def test_the_plan_does_not_depend_on_the_time_zone_of_the_host(time_zone_of_the_host):
    policy = RotationPolicy(hours=5, days=7, weeks=4, months=2)
    plans = set()
    for zone in ("UTC0", "AHEAD-14", "BEHIND+12", "NST3:30NDT,M3.2.0,M11.1.0"):
        time_zone_of_the_host(zone)
        hourly = every(7 * HOUR, utc(2026, 2, 1, 5), 200)
        plans.add(plan(policy, hourly, utc(2026, 3, 20)))
    assert len(plans) == 1


# By age


def test_what_is_older_than_the_limit_goes_but_never_the_newest():
    planned = plan_by_age(utc(2026, 1, 8), every(DAY, utc(2026), 9), utc(2026, 1, 9))
    assert (dates(planned.keep), len(planned.drop)) == (["2026-01-09", "2026-01-08"], 7)
    assert planned.drop[0].reasons == ("older than 2026-01-08 00:00:00 UTC",)
    assert planned.keep[1].reasons == ("not older than 2026-01-08 00:00:00 UTC",)


def test_the_newest_the_newest_trusted_and_the_newest_complete_stay_whatever_their_age():
    series = [
        *every(DAY, utc(2026), 3),
        *every(DAY, utc(2026, 2), 3, incomplete=True),
        *every(DAY, utc(2026, 3), 3, from_listing=True),
    ]
    planned = plan_by_age(utc(2030), series, utc(2031))
    assert [(str(decision.backup.when)[:10], decision.reasons[0]) for decision in planned.keep] == [
        ("2026-03-03", "newest"),
        ("2026-02-03", "newest trusted"),
        ("2026-01-03", "newest trusted complete"),
    ]


def test_a_backup_dated_after_now_is_not_the_newest():
    planned = plan_by_age(utc(2026, 8), [backup_at(utc(2036)), *every(30 * DAY, utc(2026), 3)], utc(2026, 11))
    assert dates(planned.keep) == ["2036-01-01", "2026-03-02"]


# Reasons


def test_every_reason_to_keep_is_given():
    hourly = every(HOUR, utc(2026, 1, 1), 24)
    planned = plan(
        RotationPolicy(hours=24, days=1, weeks=1, months=1, years=1, last=24, first_week_day=3), hourly, utc(2026, 1, 2)
    )
    assert planned.keep[-1].reasons == (
        "one of the 24 newest",
        "hourly: first of 2026-01-01 00:00",
        "daily: first of 2026-01-01",
        "weekly: first of the week of 2026-01-01",
        "monthly: first of 2026-01",
        "yearly: first of 2026",
    )
    assert planned.keep[0].reasons == ("newest", "one of the 24 newest", "hourly: first of 2026-01-01 23:00")


def test_a_dropped_backup_says_what_it_is_too_old_for_and_who_is_kept_in_its_place():
    daily = every(DAY, utc(2026), 59)  # until 2026-02-28
    planned = plan(RotationPolicy(days=7, weeks=4, months=2, last=3), daily, utc(2026, 3))
    dropped = {decision.backup.when: decision.reasons for decision in planned.drop}
    assert dropped[utc(2026, 1, 2)] == (
        "older than the 3 newest",
        "older than the last 7 days and 4 weeks",
        "2026-01 is kept by site.20260101000000.tgz",
    )
    assert dropped[utc(2026, 2, 20)] == (
        "older than the 3 newest",
        "older than the last 7 days",
        "the week of 2026-02-14 is kept by site.20260214000000.tgz",
        "2026-02 is kept by site.20260201000000.tgz",
    )


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (RotationPolicy(last=1), "older than the newest"),
        (RotationPolicy(last=2), "older than the 2 newest"),
        (RotationPolicy(days=1), "older than the last 1 day"),
        (RotationPolicy(hours=5, days=2, weeks=1), "older than the last 5 hours, 2 days and 1 week"),
    ],
)
def test_a_backup_outside_of_every_window_says_so(policy, reason):
    assert plan(policy, every(30 * DAY, utc(2026), 3), utc(2027)).drop[-1].reasons == (reason,)


# The policy


@pytest.mark.parametrize("name", ["hours", "days", "weeks", "months", "years", "last"])
def test_a_negative_number_is_not_a_policy(name):
    with pytest.raises(InvalidPolicy, match=f"rotation.{name} is -1; it must be 0 or more"):
        RotationPolicy(**{"days": 1, name: -1})


def test_a_policy_that_keeps_nothing_is_refused():
    with pytest.raises(InvalidPolicy, match="keeps nothing; set one of days, weeks"):
        RotationPolicy(first_week_day=0)


@pytest.mark.parametrize("day", [-1, 7])
def test_a_week_has_seven_days(day):
    with pytest.raises(InvalidPolicy, match="must be 0"):
        RotationPolicy(days=1, first_week_day=day)


def test_the_section_that_2013_wrote_is_read():
    section = {"days": 7, "weeks": "4", "months": " 12 ", "first_week_day": 5}
    assert policy_from(section, where=WHERE) == RotationPolicy(days=7, weeks=4, months=12)


def test_what_1_0_adds_is_read_too():
    section = {"hours": 24, "years": 3, "last": 5, "first_week_day": "monday"}
    assert policy_from(section, where=WHERE) == RotationPolicy(hours=24, years=3, last=5, first_week_day=0)


@pytest.mark.parametrize("value", [None, True, 7.0, "seven", "", "1_0", "٣", "7 days", "9" * 5000, [7], {"n": 7}])
@pytest.mark.parametrize("name", ["days", "hours", "last"])
def test_a_wrong_type_names_the_key(name, value):
    with pytest.raises(ConfigInvalid, match=rf"^{WHERE}: rotation\.{name} is .*; it must be a whole number$") as caught:
        policy_from({"weeks": 1, name: value}, where=WHERE)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [None, True, 7, -1, "8", "mo", "someday", "mondayy", 1.5])
def test_a_wrong_day_names_the_key(value):
    with pytest.raises(ConfigInvalid, match=rf"^{WHERE}: rotation\.first_week_day is .*\(Sunday\), or a day's name$"):
        policy_from({"days": 1, "first_week_day": value}, where=WHERE)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("yaers", "did you mean years\\?"),
        ("day", "did you mean days\\?"),
        ("minutes", "`last: N` keeps the N newest"),
        ("seconds", "`last: N` keeps the N newest"),
        ("zzz", "it may contain days, weeks, months, hours, years, last, first_week_day"),
        (7, "it may contain days"),
        (None, "it may contain days"),
    ],
)
def test_an_unknown_key_is_an_error_since_it_may_be_one_that_was_to_keep_something(name, hint):
    with pytest.raises(ConfigInvalid, match=rf"^{WHERE}: rotation has an unknown key .*; .*{hint}"):
        policy_from({"days": 7, name: 5}, where=WHERE)


@pytest.mark.parametrize("section", [7, "7", [7], True, False, ""])
def test_a_section_of_a_wrong_type_is_an_error(section):
    with pytest.raises(ConfigInvalid, match=rf"^{WHERE}: rotation is .*; it must contain keys such as `days: 7`"):
        policy_from(section, where=WHERE)


def test_a_missing_section_says_how_to_set_one():
    with pytest.raises(
        InvalidPolicy, match=rf"^{WHERE}: no rotation is set; run `bakthat configure-backups-rotation`$"
    ):
        policy_from(None, where=WHERE)


@pytest.mark.parametrize("section", [{}, {"days": 0, "weeks": "0"}, {"first_week_day": 3}])
def test_an_empty_section_is_refused(section):
    with pytest.raises(InvalidPolicy, match=rf"^{WHERE}: the rotation policy keeps nothing"):
        policy_from(section, where=WHERE)


@pytest.mark.parametrize("value", [-1, "-1"])
def test_a_negative_number_in_the_file_is_refused(value):
    with pytest.raises(InvalidPolicy, match=rf"^{WHERE}: rotation.days is -1; it must be 0 or more"):
        policy_from({"days": value}, where=WHERE)


@pytest.mark.parametrize(
    ("written", "number"),
    [("Monday", 0), ("tue", 1), ("WEDNESDAY", 2), ("thurs", 3), (" fri ", 4), (5, 5), ("6", 6), ("sunday", 6)],
)
def test_a_first_day_of_the_week_may_be_a_number_or_a_name(written, number):
    assert first_week_day(written) == number


@pytest.mark.parametrize(
    "policy",
    [
        RotationPolicy(days=7, weeks=4, months=12),
        RotationPolicy(hours=24, years=5, last=3, first_week_day=0),
        RotationPolicy(last=1),
    ],
)
def test_a_policy_that_is_saved_is_read_back(policy):
    assert policy_from(policy.as_section(), where=WHERE) == policy


def test_a_section_holds_what_2013_wrote_and_the_rest_only_where_it_is_set():
    assert RotationPolicy(days=7, last=2).as_section() == {
        "days": 7,
        "weeks": 0,
        "months": 0,
        "last": 2,
        "first_week_day": 5,
    }


def test_a_policy_reads_as_words():
    assert str(RotationPolicy(days=7, weeks=4, months=1)) == "7 days, 4 weeks, 1 month; weeks begin on Saturday"
    assert str(RotationPolicy(hours=1, last=2)) == "1 hour, the 2 newest"


def test_the_dates_are_those_of_the_stored_names():
    wrong = [backup_at(utc(2026, 1, day), backup_date=utc(2020)) for day in (1, 2, 3)]
    assert dates(plan(RotationPolicy(days=2), wrong, utc(2026, 2)).keep) == ["2026-01-03", "2026-01-02"]
    assert wrong[0].when.tzinfo is UTC
