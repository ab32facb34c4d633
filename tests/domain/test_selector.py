"""Which backup a name means."""

from __future__ import annotations

import pytest
from attrs import evolve

from bakthat.domain.selector import Choice, Lookup, Viewpoint, dates_of, nearest
from bakthat.domain.selector import select as select_from
from bakthat.domain.stored_name import StoredName
from bakthat.errors import AmbiguousName, BackupNotFound
from tests.domain.series import backup_at, utc

WHENS = [utc(2012, 9, 27, 11), utc(2012, 9, 28), utc(2026, 1, 2, 3, 4, 5)]


HERE = Viewpoint(here="web1", now=utc(2030))


def chosen(name, lookup, **viewpoint) -> Choice:
    return select_from(name, lookup, evolve(HERE, **viewpoint))


def select(name, lookup, **viewpoint):
    return chosen(name, lookup, **viewpoint).backup


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
    with pytest.raises(AmbiguousName, match=r"^bak\.2012: several series match \(bak, bak\.\); give the full"):
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


def test_an_object_whose_key_is_not_a_stored_filename_is_found_by_its_key():
    value = evolve(backup_at(utc(2027), filename="key"), stored_filename="key", metadata={"KeyValue": True})
    assert select("key", lookup(value, stored("bak", utc(2026, 1, 2)))) == value


# several origins


def of(host, source, when, **fields):
    return backup_at(when, client=host, source=source, **fields)


WEB1 = of("web1", "/etc", utc(2026, 1, 1))
WEB1_LATER = of("web1", "/etc", utc(2026, 1, 3))
WEB1_SRV = of("web1", "/srv", utc(2026, 1, 4))
WEB2 = of("web2", "/etc", utc(2026, 1, 5))
WEB2_SRV = of("web2", "/srv", utc(2026, 1, 6))


def test_of_several_origins_this_hosts_is_selected_with_a_notice():
    choice = chosen("site", lookup(WEB1, WEB1_LATER, WEB2))
    assert choice.backup == WEB1_LATER
    assert choice.notices == (
        "site: site.20260103000000.tgz is the newest of web1:/etc, this host; there are also backups of web2:/etc "
        "(`host=` selects one)",
    )


def test_the_only_origin_there_is_needs_no_word_whose_ever_it_is():
    assert chosen("site", lookup(WEB2)) == Choice(WEB2)


@pytest.mark.parametrize("here", ["web3", "web"])
def test_of_several_origins_none_of_which_is_of_this_host_none_is_taken(here):
    with pytest.raises(AmbiguousName) as caught:
        chosen("site", lookup(WEB1, WEB1_LATER, WEB2), here=here)
    assert str(caught.value) == (
        "site: backups of 2 origins match: web1:/etc (newest site.20260103000000.tgz), web2:/etc (newest "
        "site.20260105000000.tgz); select one with `host=`, or give a stored filename"
    )


def test_of_two_origins_of_this_host_none_is_taken():
    with pytest.raises(AmbiguousName, match=r"^site: backups of 2 origins match: .*; give a stored filename$"):
        chosen("site", lookup(WEB1, WEB1_SRV))


@pytest.mark.parametrize("name", ["site.2026", "site20260105", "site.20260105000000"])
def test_a_date_may_leave_one_origin_alone(name):
    assert select(name, lookup(WEB2, of("web2", "/srv", utc(2025))), here="web3") == WEB2


def test_a_date_that_leaves_several_origins_is_ambiguous_too():
    with pytest.raises(AmbiguousName):
        select("site.202601", lookup(WEB2, WEB2_SRV), here="web3")


def test_an_exact_stored_filename_is_never_ambiguous():
    for backup in (WEB1, WEB2, WEB2_SRV):
        assert chosen(backup.stored_filename, lookup(WEB1, WEB2, WEB2_SRV), here="web3") == Choice(backup)


def test_a_host_may_be_chosen():
    assert chosen("site", lookup(WEB1, WEB2), host="web2") == Choice(WEB2)


def test_a_host_with_two_paths_is_still_ambiguous():
    with pytest.raises(AmbiguousName, match="2 origins"):
        select("site", lookup(WEB1, WEB2, WEB2_SRV), host="web2")


def test_a_host_that_has_none_is_not_found_and_the_others_are_named():
    with pytest.raises(
        BackupNotFound, match=r"^site: no backup of host web9; there are backups of web1:/etc, web2:/etc$"
    ):
        select("site", lookup(WEB1, WEB2), host="web9")


def test_an_exact_stored_filename_of_another_host_than_the_one_that_is_meant_is_refused():
    with pytest.raises(BackupNotFound, match="is a backup of host web2, not of web1"):
        select(WEB2.stored_filename, lookup(WEB1, WEB2), host="web1")


def test_records_of_2013_belong_to_the_only_origin_of_their_host():
    old = of("web1", None, utc(2026, 1, 9))
    assert chosen("site", lookup(WEB1, old)) == Choice(old)


def test_hosts_of_2013_are_distinguished_too():
    rows = [of("web1", None, utc(2013)), of("web2", None, utc(2014))]
    assert select("site", lookup(*rows)) == rows[0]
    with pytest.raises(AmbiguousName, match=r"web1 \(newest site.2013.*web2 \(newest site.2014"):
        select("site", lookup(*rows), here="web3")


# dates after now


def test_the_newest_that_is_not_dated_after_now_is_selected_and_the_later_ones_are_named():
    choice = chosen("site", lookup(WEB1, WEB1_LATER, of("web1", "/etc", utc(2036, 5, 5))))
    assert choice.backup == WEB1_LATER
    assert choice.notices == (
        "site: 1 backup is dated after now, the last one site.20360505000000.tgz, and site.20260103000000.tgz is "
        "used; check the clocks of the machines",
    )


def test_if_all_are_dated_after_now_the_newest_is_taken():
    choice = chosen("site", lookup(WEB1, WEB1_LATER), now=utc(2020))
    assert choice.backup == WEB1_LATER
    assert choice.notices[0].startswith(
        "site: 2 backups are dated after now, the last one site.20260103000000.tgz, and it"
    )


def test_a_backup_of_the_next_minute_is_not_later():
    assert chosen("site", lookup(WEB1), now=utc(2025, 12, 31, 23, 59)) == Choice(WEB1)
    assert chosen("site", lookup(WEB1), now=utc(2025, 12, 31, 23, 58, 59)).notices


@pytest.mark.parametrize(
    ("name", "stored_filename"),
    [
        ("bak.2012-09-27", "bak.20120927120000.tgz.enc"),
        ("bak.2012-09", "bak.20120927120000.tgz.enc"),
        ("bak.2012-09-27 11:00", "bak20120927110000.tgz.enc"),
        ("bak.2012-09-27T11:00:00Z", "bak20120927110000.tgz.enc"),
        ("bak2013-03-05", "bak.20130305000000.tgz"),
    ],
)
def test_a_date_is_understood_as_show_prints_it(name, stored_filename):
    assert select(name, STORE).stored_filename == stored_filename


@pytest.mark.parametrize("name", ["bak.2012-9-27", "bak.2012-09-28", "bak.2012-", "2012-09-27", "ak.2012-09-27"])
def test_a_date_that_no_backup_has_finds_none(name):
    with pytest.raises(BackupNotFound):
        select(name, STORE)


def test_a_series_whose_name_ends_in_a_date_goes_before_a_date():
    both = lookup(stored("x", utc(2026, 1, 2)), stored("x-2026-01-02", utc(2026, 3, 1)))
    assert select("x-2026-01-02", both).filename == "x-2026-01-02"


def test_a_date_of_several_backups_means_the_newest_and_says_so():
    choice = chosen("bak.2012", STORE)
    assert choice.notices == ("bak.2012: 2 backups have this date; bak.20120927120000.tgz.enc is the newest",)


def test_a_date_of_one_backup_needs_no_word():
    assert chosen("bak.2013", STORE).notices == ()


def test_the_dates_that_there_are_are_named_newest_first():
    backups = [stored("photos", utc(2026, month)) for month in range(1, 8)]
    assert dates_of("photos.2024", backups) == (
        "photos has backups of 2026-07-01 00:00, 2026-06-01 00:00, 2026-05-01 00:00, 2026-04-01 00:00, "
        "2026-03-01 00:00 and 2 older"
    )
    assert dates_of("photos.2024-01", backups[:1]) == "photos has backups of 2026-01-01 00:00"
    assert dates_of("fotos.2024", backups) == ""
    assert dates_of("photos", backups) == ""
