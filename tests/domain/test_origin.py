"""The origin of a backup, by tables; the laws over any mixture of records are in `tests/domain_laws`."""

from __future__ import annotations

import pytest

from bakthat.domain.origin import ANY_ORIGIN, UNKNOWN, GroupBy, Origin, Scope, listed, origins
from tests.domain.series import backup_at, utc


def record(day, host=None, source=None):
    return backup_at(utc(2026, 1, day), client=host, source=source)


WEB1 = record(1, "web1", "/etc")
WEB1_SRV = record(2, "web1", "/srv/etc")
WEB2 = record(3, "web2", "/etc")
WEB1_OF_2013 = record(4, "web1")
WEB2_OF_2013 = record(5, "web2")
OLD_HOST = record(6, "old")
NAME_ALONE = record(7)


def days(groups):
    return {str(origin): sorted(backup.when.day for backup in backups) for origin, backups in groups}


@pytest.mark.parametrize(
    ("backups", "expected"),
    [
        ([], {}),
        ([WEB1, WEB2, WEB1_SRV], {"web1:/etc": [1], "web1:/srv/etc": [2], "web2:/etc": [3]}),
        # Without a source: the only origin of the host.
        ([WEB1, WEB2, WEB1_OF_2013, WEB2_OF_2013], {"web1:/etc": [1, 4], "web2:/etc": [3, 5]}),
        # Else the only origin of the series.
        ([WEB1, OLD_HOST, NAME_ALONE], {"web1:/etc": [1, 6, 7]}),
        # Beside several: unknown.
        (
            [WEB1, WEB1_SRV, WEB1_OF_2013, NAME_ALONE],
            {"web1:/etc": [1], "web1:/srv/etc": [2], "unknown origin": [4, 7]},
        ),
        ([WEB1, WEB2, OLD_HOST, NAME_ALONE], {"web1:/etc": [1], "web2:/etc": [3], "unknown origin": [6, 7]}),
        # No record names a source: each host.
        ([WEB1_OF_2013, OLD_HOST, NAME_ALONE, WEB2_OF_2013], {"no host": [7], "old": [6], "web1": [4], "web2": [5]}),
        # A source without a host is an origin, too.
        ([record(8, None, "/etc"), WEB1], {"/etc": [8], "web1:/etc": [1]}),
    ],
)
def test_the_origins_of_a_series(backups, expected):
    assert days(origins(backups)) == expected


ALL = [WEB1, WEB1_SRV, WEB2, WEB1_OF_2013, WEB2_OF_2013, OLD_HOST, NAME_ALONE]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(group_by=GroupBy.HOST), {"web1": [1, 2], "web2": [3, 5], "unknown origin": [4, 6, 7]}),
        (
            Scope(group_by=GroupBy.SOURCE),
            {"/etc": [1, 3, 5], "/srv/etc": [2], "unknown origin": [4, 6, 7]},
        ),
        (Scope(group_by=GroupBy.NONE), {"no host": [1, 2, 3, 4, 5, 6, 7]}),
        (Scope(host="web2"), {"web2:/etc": [3, 5]}),
        (Scope(host="web1"), {"web1:/etc": [1], "web1:/srv/etc": [2], "unknown origin": [4]}),
        (Scope(source="/etc"), {"web1:/etc": [1], "web2:/etc": [3, 5]}),
        (Scope(host="web1", source="/etc"), {"web1:/etc": [1]}),
        (Scope(host="web1", group_by=GroupBy.HOST), {"web1": [1, 2], "unknown origin": [4]}),
        (Scope(host="web1", group_by=GroupBy.NONE), {"no host": [1, 2, 4]}),
        (Scope(host="web9"), {}),
        (Scope(host="web"), {}),
    ],
)
def test_a_scope_groups_and_limits(scope, expected):
    assert days(scope.groups(ALL)) == expected


def test_the_unknown_origin_differs_from_one_that_distinguishes_nothing():
    assert (UNKNOWN == ANY_ORIGIN, UNKNOWN.is_unknown, ANY_ORIGIN.is_unknown) == (False, True, False)


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin(host="web1", source="/etc"), "web1:/etc"),
        (Origin(host="web1"), "web1"),
        (Origin(source="/etc"), "/etc"),
        (Origin(host="a\x1b[31m", source="/x\ny"), "'a\\x1b[31m':'/x\\ny'"),
        (Origin(host="h", source="/" + "x" * 300 + "/end"), "h:/" + "x" * 79 + "…" + "x" * 115 + "/end"),
    ],
)
def test_an_origin_in_a_line_of_text(origin, text):
    assert str(origin) == text


def test_very_many_origins_are_counted():
    assert listed(range(14)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 2 more"
    assert listed(["a", "b"]) == "a, b"


def test_a_metadata_value_of_another_type_is_neither_host_nor_source():
    odd = backup_at(utc(2026), client=7, source=["/etc"])
    assert (odd.host, odd.source, days(origins([odd]))) == (None, None, {"no host": [1]})
