"""The table of `show`: what its cells say, and that no line is wider than the screen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakthat.entrypoints.backup_table import age, destination_words, place_words, table, total_words
from bakthat.entrypoints.screen import cells, cut, cut_inside, wrapped
from tests.domain.series import backup_at, utc

NOW = utc(2026, 11, 26, 12)
LONG = "a-very-long-name-of-a-directory-with-customers-and-invoices-of-many-years"


def shown(*backups, width=80, **options):
    return table(backups, now=NOW, width=width, **options)


def test_the_columns_have_headings():
    header, row = shown(backup_at(utc(2026, 11, 24, 3), filename="photos", size=1_200_000, tags=("nightly", "web")))
    assert header.split() == ["DATE", "(UTC)", "AGE", "SIZE", "DEST", "NAME", "TAGS"]
    assert row == "2026-11-24 03:00   2D  1.2 MB  s3    photos.20261124030000.tgz  nightly web"


def test_a_column_without_tags_is_left_out():
    assert "TAGS" not in shown(backup_at(utc(2026)))[0]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_screen(width):
    backups = [
        backup_at(utc(2026), filename=LONG, tags=("one", "two", "three" * 20), location="s3://a-bucket-of-the-company"),
        backup_at(utc(2025), filename="名前" * 20, location="s3://another"),
        backup_at(utc(2024), filename="x"),
    ]
    lines = shown(*backups, width=max(width, 76), verbose=True)
    assert [line for line in lines if cells(line) > max(width, 76)] == []


def test_a_name_that_is_cut_keeps_its_date_and_suffix():
    line = shown(backup_at(utc(2026, 1, 2), filename=LONG))[1]
    assert line.endswith("….20260102000000.tgz")
    assert "a-very-long-na" in line


def test_tags_are_cut_before_a_name():
    line = shown(backup_at(utc(2026, 1, 2), filename="photos", tags=("holidays", "mountains", "sea")))[1]
    assert "photos.20260102000000.tgz" in line
    assert line.endswith("…")


def test_a_wide_screen_cuts_nothing():
    line = shown(backup_at(utc(2026, 1, 2), filename=LONG, tags=("one", "two")), width=200)[1]
    assert f"{LONG}.20260102000000.tgz  one two" in line


def test_an_unknown_size_is_a_question_mark():
    assert "  ?  " in shown(backup_at(utc(2026), size=0))[1]


def test_an_incomplete_backup_is_marked_before_its_tags():
    assert shown(backup_at(utc(2026), incomplete=True, tags=("x",)))[1].endswith("[incomplete] x")


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    assert "\x1b" not in "".join(shown(backup_at(utc(2026), filename="a\x1b[31m", tags=("\x1b",))))


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=5), "now"),
        (timedelta(minutes=5), "5m"),
        (timedelta(minutes=119), "119m"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2), "2D"),
        (timedelta(days=99), "99D"),
        (timedelta(days=100), "3M"),
        (timedelta(days=729), "24M"),
        (timedelta(days=730), "2Y"),
        (timedelta(seconds=-30), "now"),
        (timedelta(hours=-1), "later"),
    ],
    ids=str,
)
def test_an_age_has_the_units_of_an_interval(passed, words):
    assert age(NOW - passed, NOW) == words


def test_the_bucket_is_shown_where_one_kind_has_several():
    backups = [
        backup_at(utc(2026), location="s3://one/web1"),
        backup_at(utc(2025), location="s3://two?endpoint=minio:9000"),
        backup_at(utc(2024), backend="local", location="file:///srv/backups"),
    ]
    assert list(destination_words(backups).values()) == ["s3 one/web1", "s3 two", "local"]


def test_two_folders_look_different_on_a_narrow_screen():
    backups = [
        backup_at(utc(2026), backend="local", location="file:///home/me/.bakthat/store", tags=("of-the-house",)),
        backup_at(utc(2025), backend="local", location="file:///home/me/.bakthat/other", tags=("of-the-house",)),
    ]
    (one, two) = table(backups, now=NOW, width=72, header=False)
    places = [line.split(" B  ")[1].split("  ")[0] for line in (one, two)]
    assert all("…" in place for place in places)
    assert places[0] != places[1]


def test_the_service_is_shown_where_two_have_a_bucket_of_one_name():
    backups = [backup_at(utc(2026), location="s3://one"), backup_at(utc(2025), location="s3://one?endpoint=minio:9000")]
    assert list(destination_words(backups).values()) == ["s3 s3://one", "s3 s3://one?endpoint=minio:9000"]


def test_a_folder_in_the_home_directory_is_shown_with_a_tilde():
    assert place_words("file:///home/me/.bakthat/store", home="/home/me") == "~/.bakthat/store"
    assert place_words("file:///home/meier/store", home="/home/me") == "/home/meier/store"


def test_the_totals_say_how_many_how_large_and_where():
    backups = [
        backup_at(utc(2026), size=1_500_000, location="s3://one"),
        backup_at(utc(2025), size=500_000, location="s3://one"),
    ]
    assert total_words(backups, of=2, whose="profile work") == "2 backups, 2.0 MB, in s3 one (profile work)."
    assert total_words(backups[:1], of=2, whose="all profiles") == ("1 of 2 backups, 1.5 MB, in s3 one (all profiles).")


def test_many_places_are_counted():
    backups = [backup_at(utc(2026), location=f"s3://b{number}") for number in range(5)]
    assert "s3 b0, s3 b1, s3 b2 and 2 more" in total_words(backups, of=5, whose="all profiles")


def test_a_text_is_cut_to_a_width():
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"
    assert cut("名前名前", 5) == "名前…"
    assert cut_inside("abcdefgh", 6, 2) == "abc…gh"
    assert cut_inside("abcdefgh", 3, 6) == "ab…"


def test_lines_break_between_words_only():
    assert wrapped("one two-three four", 10, "  ") == ["one", "  two-three", "  four"]
    assert wrapped("x" * 50, 10) == ["x" * 50]


def test_a_command_in_backquotes_stays_in_one_line():
    assert wrapped("please run `bakthat show` now", 15) == ["please run", "`bakthat show`", "now"]
    assert wrapped("run `a b c d e f`", 8) == ["run `a b", "c d e f`"]
