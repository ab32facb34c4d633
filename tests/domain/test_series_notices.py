"""Notices before anything is deleted: hosts and dates."""

from __future__ import annotations

from datetime import timedelta

from bakthat.domain.origin import Origin
from bakthat.domain.series_notices import future_dates, mixed_hosts
from tests.domain.series import backup_at, every, utc

DAY = timedelta(days=1)
WEB1 = Origin(host="web1", source="/srv/site")


def test_an_origin_of_one_host_is_not_pointed_out():
    series = [*every(DAY, utc(2026), 3, client="web1", source="/srv/site"), backup_at(utc(2013))]
    assert mixed_hosts(WEB1, series) == ""


def test_an_origin_that_takes_in_another_host_is():
    series = [*every(DAY, utc(2026), 3, client="web1"), backup_at(utc(2013), client="old")]
    assert mixed_hosts(WEB1, series) == (
        "web1:/srv/site also includes 1 backup of old (1), whose records have no source"
    )


def test_a_grouping_that_does_not_tell_hosts_apart_points_none_out():
    series = [backup_at(utc(2026), client="web1"), backup_at(utc(2013), client="old")]
    assert mixed_hosts(Origin(source="/srv/site"), series) == ""


def test_many_hosts_are_counted_and_the_line_stays_one_line():
    series = [backup_at(utc(2026, 1, day), client=f"host{day:02}\x1b[31m\n") for day in range(1, 21)]
    line = mixed_hosts(WEB1, series)
    assert line.startswith("web1:/srv/site also includes 20 backups of 'host01\\x1b[31m\\n' (1), ")
    assert line.endswith(" and 16 more, whose records have no source")
    assert line.isprintable()


def test_dates_after_now_are_pointed_out():
    series = [*every(DAY, utc(2026), 3), backup_at(utc(2030)), backup_at(utc(2031), is_deleted=True)]
    assert future_dates(series, utc(2027)) == (
        "site: 1 backup is dated after now (the last one 2030-01-01 00:00:00); it is kept, and does not count as the "
        "newest; check the clock of the machine that made it",
    )
    assert future_dates(series, utc(2026))[0].endswith("check the clock of the machine that made them")
    assert future_dates(series, utc(2026))[0].startswith("site: 3 backups are dated after now (the last one 2030-")
    assert future_dates(series, utc(2030)) == ()


def test_a_backup_that_got_the_next_free_second_is_not_a_sign_of_a_wrong_clock():
    now = utc(2026)
    assert future_dates([backup_at(now), backup_at(now + timedelta(seconds=60))], now) == ()
    assert len(future_dates([backup_at(now + timedelta(seconds=61))], now)) == 1
