from __future__ import annotations

import pytest
from attrs import evolve

from bakthat.domain.selector import Lookup, nearest, select
from bakthat.domain.stored_name import StoredName
from bakthat.errors import AmbiguousName, BackupNotFound
from tests.domain.series import backup_at, utc

WHENS = [utc(2012, 9, 27, 11), utc(2012, 9, 28), utc(2026, 1, 2, 3, 4, 5)]


def lookup(*backups):
    return Lookup(
        by_stored_filename=lambda name: [backup for backup in backups if backup.stored_filename == name],
        by_filename=lambda name: [backup for backup in backups if backup.filename == name],
    )


def stored(filename, when, **fields):
    return backup_at(when, filename=filename, stored_filename=str(StoredName(series=filename, when=when, **fields)))


STORE = lookup(
    stored("bak", utc(2012, 9, 27, 11), encrypted=True, dotted=False),
    stored("bak", utc(2012, 9, 27, 12), encrypted=True),
    stored("bak", utc(2013, 3, 5)),
    stored("bak", utc(2026, 1, 2)),
    stored("bak2", utc(2026, 6, 1)),
    stored("mybak", utc(2026, 7, 1)),
    stored("bak.old", utc(2026, 8, 1)),
    stored("notes.txt", utc(2026, 1, 1), suffix=""),
)


@pytest.mark.parametrize(
    ("name", "stored_filename"),
    [
        ("bak", "bak.20260102000000.tgz"),
        ("bak2", "bak2.20260601000000.tgz"),
        ("bak.old", "bak.old.20260801000000.tgz"),
        ("bak.20130305000000.tgz", "bak.20130305000000.tgz"),
        ("bak20120927", "bak.20120927120000.tgz.enc"),
        ("bak2012092711", "bak20120927110000.tgz.enc"),
        ("bak.2012092711", "bak20120927110000.tgz.enc"),
        ("bak.2012", "bak.20120927120000.tgz.enc"),
        ("bak2013", "bak.20130305000000.tgz"),
        ("bak20120927.tgz.enc", "bak.20120927120000.tgz.enc"),
        ("bak.20130305000000", "bak.20130305000000.tgz"),
        ("bak22026", "bak2.20260601000000.tgz"),
        ("notes.txt.2026", "notes.txt.20260101000000"),
    ],
)
def test_a_name_means_one_backup(name, stored_filename):
    assert select(name, STORE).stored_filename == stored_filename


@pytest.mark.parametrize(
    "name",
    ["", "ba", "ak", "bak1", "bak.", "bak202", "bak2014", "bak.2012.tgz", "my", "BAK", "bak*", "%", "bak.tgz", "2012"],
)
def test_nothing_is_found_by_a_part_of_a_name(name):
    with pytest.raises(BackupNotFound, match="no backup of this name"):
        select(name, STORE)


def test_an_exact_stored_filename_goes_before_a_series_of_that_name():
    odd = stored("bak.20130305000000.tgz", utc(2026))
    exact = stored("bak", utc(2013, 3, 5))
    assert select("bak.20130305000000.tgz", lookup(odd, exact)) == exact


def test_an_exact_series_goes_before_a_series_with_a_date():
    series = stored("bak2012", utc(2011))
    dated = stored("bak", utc(2012))
    assert select("bak2012", lookup(series, dated)) == series
    assert select("bak2012", lookup(dated)) == dated


def test_several_series_that_fit_are_listed_and_none_is_taken():
    dot, plain = stored("bak.", utc(2012, 1, 1)), stored("bak", utc(2012, 2, 2))
    with pytest.raises(AmbiguousName, match=r"^bak\.2012: several series fit \(bak, bak\.\); give the whole"):
        select("bak.2012", lookup(dot, plain))
    assert select("bak2012", lookup(dot, plain)) == plain


def test_the_newest_by_the_date_in_the_name_is_taken():
    old = backup_at(utc(2012), backup_date=utc(2030))
    new = backup_at(utc(2013), backup_date=utc(2011))
    assert select("site", lookup(old, new)) == new


def test_what_2013_stored_under_another_name_is_found_by_its_series_and_date():
    packed = backup_at(utc(2013, 3, 5), filename="dump.tar.gz", stored_filename="dump.20130305000000.tgz")
    helper = backup_at(utc(2013, 3, 6), filename="mysql", stored_filename="mysql_x7f.20130306000000.tgz")
    assert select("dump.tar.gz.2013", lookup(packed, helper)) == packed
    assert select("mysql20130306", lookup(packed, helper)) == helper


def test_names_that_look_alike_are_offered_the_likeliest_first():
    assert nearest("sight", ["site", "sites", "night", "mail", "night"]) == ["night", "site", "sites"]
    assert nearest("sit", ["site", "mail"]) == ["site"]
    assert nearest("zzz", ["site", "mail"]) == []
    assert len(nearest("site", ["site1", "site2", "site3", "site4"])) == 3


@pytest.mark.parametrize("metadata", [{}, {"KeyValue": True}])
def test_an_object_whose_key_is_the_name_of_a_series_does_not_stand_for_the_series(metadata):
    impostor = evolve(backup_at(utc(2027), filename="bak"), stored_filename="bak", metadata=metadata)
    known = [stored("bak", utc(2026, 1, 2)), impostor]
    assert select("bak", lookup(*known)).stored_filename == "bak.20260102000000.tgz"


def test_an_object_whose_key_is_no_stored_filename_is_found_by_its_key():
    value = evolve(backup_at(utc(2027), filename="key"), stored_filename="key", metadata={"KeyValue": True})
    assert select("key", lookup(value, stored("bak", utc(2026, 1, 2)))) == value
