"""Stored filenames, the names of series, and dates behind them."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from bakthat.domain.stored_name import (
    MAX_SERIES_BYTES,
    NameAndDate,
    StoredName,
    check_series,
    parse,
    readings,
    series_of,
)
from bakthat.errors import InvalidName
from tests.domain.series import utc

# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mydir.20130305193615.tgz", StoredName(series="mydir", when=utc(2013, 3, 5, 19, 36, 15))),
        ("mydir.20130305193615.tgz.enc", StoredName(series="mydir", when=utc(2013, 3, 5, 19, 36, 15), encrypted=True)),
        ("bak20120927110000.tgz", StoredName(series="bak", when=utc(2012, 9, 27, 11), dotted=False)),
        ("notes.txt.20260102030405", StoredName(series="notes.txt", when=utc(2026, 1, 2, 3, 4, 5), suffix="")),
        (
            "www.20260102030405.tar.enc",
            StoredName(series="www", when=utc(2026, 1, 2, 3, 4, 5), suffix=".tar", encrypted=True),
        ),
        (
            "shop.sql.20260102030405.gz.enc",
            StoredName(series="shop.sql", when=utc(2026, 1, 2, 3, 4, 5), suffix=".gz", encrypted=True),
        ),
        ("db2.20260102030405.tgz", StoredName(series="db2", when=utc(2026, 1, 2, 3, 4, 5))),
        ("db220120927110000.tgz", StoredName(series="db2", when=utc(2012, 9, 27, 11), dotted=False)),
        ("a.20250101000000.tgz.20260101000000.tgz", StoredName(series="a.20250101000000.tgz", when=utc(2026))),
        ("www.20260102030405.inc.tgz", StoredName(series="www", when=utc(2026, 1, 2, 3, 4, 5), suffix=".inc.tgz")),
        (
            "www.20260102030405.inc.tar.zst.enc",
            StoredName(series="www", when=utc(2026, 1, 2, 3, 4, 5), suffix=".inc.tar.zst", encrypted=True),
        ),
        ("x.inc.20260101000000.tgz", StoredName(series="x.inc", when=utc(2026))),
        ("x.inc.20260101000000", StoredName(series="x.inc", when=utc(2026), suffix="")),
        ("a.20250101000000.inc.20260101000000.tgz", StoredName(series="a.20250101000000.inc", when=utc(2026))),
        ("a..20260101000000.tgz", StoredName(series="a.", when=utc(2026))),
        ("x.09990101000000.tgz", StoredName(series="x", when=utc(999))),
        ("été à la mer.20260101000000.tgz", StoredName(series="été à la mer", when=utc(2026))),
    ],
)
def test_a_stored_filename_is_read_and_written(text, name):
    assert parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize(
    ("text", "is_incremental"),
    [("www.20260102030405.inc.tgz.enc", True), ("www.20260102030405.tgz", False), ("x.inc.20260102030405.tgz", False)],
)
def test_the_name_says_whether_the_archive_is_incremental(text, is_incremental):
    assert parse(text).is_incremental is is_incremental


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mydir",
        "mydir.tgz",
        "mydir.2013030519361.tgz",
        "mydir.20130305193615.zip",
        "mydir.20130305193615.enc.tgz",
        "mydir.20130305193615.inc",
        "mydir.20130305193615.inc.gz",
        "mydir.20130305193615.tgz.inc",
        "mydir20130305193615.inc.tgz",
        "mydir.20130305193615.tgz.encx",
        "mydir.20130305193615.tgz\n",
        "mydir.20131305193615.tgz",  # a thirteenth month
        "mydir.20130229000000.tgz",  # no leap year
        "mydir.20130305240000.tgz",
        "mydir.20130305193660.tgz",
        "mydir.00000101000000.tgz",
        "mydir.٢٠١٣٠٣٠٥١٩٣٦١٥.tgz",
        ".20130305193615.tgz"[1:],  # nothing but a date
        "mydir.20130305193615.TGZ",
    ],
)
def test_anything_else_is_not_a_stored_filename(text):
    with pytest.raises(InvalidName, match="is not a stored filename"):
        parse(text)


def test_a_name_is_written_in_utc_whatever_zone_its_date_is_in():
    when = utc(2026, 1, 1, 2).astimezone(timezone(timedelta(hours=5)))
    assert str(StoredName(series="a", when=when)) == "a.20260101020000.tgz"


# Series


@pytest.mark.parametrize(
    "name", ["mydir", "a", ".hidden", "...", "with space", "été", "100%", "a" * MAX_SERIES_BYTES, "-x", "~"]
)
def test_an_honest_name_is_a_series(name):
    assert check_series(name) is name
    assert series_of(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "cannot be the name of a backup"),
        (".", "cannot be the name of a backup"),
        ("..", "cannot be the name of a backup"),
        ("a/b", "a slash or a control character"),
        ("a\nb", "a slash or a control character"),
        ("a\x7f", "a slash or a control character"),
        ("\0", "a slash or a control character"),
        ("a" * (MAX_SERIES_BYTES + 1), "longer than 200 bytes"),
        ("é" * 101, "longer than 200 bytes"),
        ("caf\udce9", "not UTF-8"),
    ],
)
def test_a_name_that_no_backup_can_have_is_refused_with_the_way_out(name, reason):
    with pytest.raises(InvalidName, match=f"{reason}.* `name=`") as caught:
        check_series(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("base_name", "series"),
    [
        ("", "root"),  # the base name of /
        ("line\nbreak", "line%0Abreak"),
        ("caf\udce9", "caf%E9"),
        ("tab\there\x7f", "tab%09here%7F"),
        ("été", "été"),
        ("50%", "50%"),
    ],
)
def test_a_source_of_any_name_gets_a_series(base_name, series):
    assert series_of(base_name) == series


# Readings


@pytest.mark.parametrize("name", ["", "db", "db2", "db201", "2012", "db.", "db.tgz", "db.enc", "db-2012-", ".tgz"])
def test_a_name_without_at_least_a_year_after_it_is_not_a_series_with_a_date(name):
    assert readings(name) == []


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("bak2012", NameAndDate(series="bak", date_start="2012", rest="")),
        ("bak.2012", NameAndDate(series="bak", date_start="2012", rest="")),
        ("bak.2012", NameAndDate(series="bak.", date_start="2012", rest="")),
        ("bak20120927.tgz.enc", NameAndDate(series="bak", date_start="20120927", rest=".tgz.enc")),
        ("bak.20120927110000.tar", NameAndDate(series="bak", date_start="20120927110000", rest=".tar")),
        ("db22012", NameAndDate(series="db2", date_start="2012", rest="")),
        ("x.tar.gz.2012", NameAndDate(series="x.tar.gz", date_start="2012", rest="")),
    ],
)
def test_a_series_with_the_start_of_a_date_is_read_with_or_without_the_dot(name, reading):
    assert reading in readings(name)


def parse_or_none(text):
    try:
        return parse(text)
    except InvalidName:
        return None


@pytest.mark.parametrize(
    ("stored_filename", "fits"),
    [
        ("bak.20120927110000.tgz.enc", True),
        ("bak20120927235959.tgz.enc", True),
        ("bak.20120927110000.tgz", False),  # the typed ending is another
        ("bak.20120928110000.tgz.enc", False),
        ("bak.20121009270000.tgz.enc", False),
        ("bak_x7f3.20120927110000.tgz.enc", True),  # 2013's helper: the record says of which series it is
        ("bak.tgz.enc", False),
    ],
)
def test_a_reading_fits_by_date_and_ending(stored_filename, fits):
    assert NameAndDate(series="bak", date_start="20120927", rest=".tgz.enc").fits(stored_filename) is fits
