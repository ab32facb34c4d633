"""What differs between the contents of two archives."""

from __future__ import annotations

import pytest

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.content_diff import Change, Difference, differences


def entry(path, kind="file", size=3, mtime=10_000_000_001, mode=0o644, link="", **others):
    if kind != "file":
        size = 0
    facts = {"ctime_ns": None, "inode": None, "uid": 0, "gid": 0, "offset": 0, **others}
    return IndexEntry(path=path, kind=kind, size=size, mtime_ns=mtime, mode=mode, link=link, **facts)


def told(before, after):
    return [(one.path, str(one.change), one.fields) for one in differences(before, after)]


def test_equal_archives_do_not_differ_whatever_their_order():
    members = [entry("a"), entry("b", "directory"), entry("b/c")]
    assert told(members, members) == []
    assert told(members, [*reversed(members)]) == []


def test_added_removed_and_changed_paths_come_sorted():
    before = [entry("same"), entry("gone"), entry("b", size=1)]
    after = [entry("same"), entry("new"), entry("b", size=2), entry("a")]
    assert told(before, after) == [
        ("a", "added", ()),
        ("b", "changed", ("size",)),
        ("gone", "removed", ()),
        ("new", "added", ()),
    ]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"size": 4}, ("size",)),
        ({"mtime": 11_000_000_001}, ("mtime",)),
        ({"mode": 0o600}, ("mode",)),
        ({"kind": "symlink", "link": "x"}, ("type", "size", "link")),
        ({"uid": 1, "gid": 1, "inode": 7, "ctime_ns": 9, "offset": 512}, None),
    ],
)
def test_a_change_names_what_changed(change, fields):
    before, after = [entry("a")], [entry("a", **change)]
    assert told(before, after) == ([] if fields is None else [("a", "changed", fields)])


def test_the_time_of_a_directory_is_not_a_difference_and_its_mode_is():
    before = [entry("d", "directory", mtime=1)]
    assert told(before, [entry("d", "directory", mtime=2)]) == []
    assert told(before, [entry("d", "directory", mode=0o700)]) == [("d", "changed", ("mode",))]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (5_123_456_789, 5_123_456_789, True),
        (5_123_456_789, 5_123_456_700, True),  # Python's tarfile
        (5_123_456_789, 5_000_000_000, True),  # an archive with whole seconds
        (5_123_456_789, 6_000_000_000, False),
        (5_123_456_789, 5_123_400_000, False),
        (-1_500_000_000, -2_000_000_000, True),
    ],
)
def test_times_are_compared_as_exactly_as_both_archives_have_them(one, other, same):
    expected = [] if same else [("a", "changed", ("mtime",))]
    assert told([entry("a", mtime=one)], [entry("a", mtime=other)]) == expected
    assert told([entry("a", mtime=other)], [entry("a", mtime=one)]) == expected


def test_where_a_symbolic_link_points_is_compared():
    before, after = [entry("l", "symlink", link="a")], [entry("l", "symlink", link="b")]
    assert told(before, after) == [("l", "changed", ("link",))]


def test_which_name_of_a_file_is_the_hard_link_is_not_a_difference():
    one = [entry("a"), entry("b", "hardlink", link="p/a")]
    other = [entry("b"), entry("a", "hardlink", link="p/b")]
    assert told(one, other) == []
    assert told(one, [entry("a"), entry("b")]) == []


def test_a_hard_link_to_a_file_that_changed_changed_as_well():
    before = [entry("a"), entry("b", "hardlink", link="p/a")]
    after = [entry("a", size=9), entry("b", "hardlink", link="p/a")]
    assert told(before, after) == [("a", "changed", ("size",)), ("b", "changed", ("size",))]


def test_a_path_that_is_there_twice_counts_as_its_last_one():
    twice = [entry("a", size=1), entry("a", size=2)]
    assert told(twice, [entry("a", size=2)]) == []
    assert told([entry("a", size=2)], twice) == []
    assert told([entry("a", size=1)], twice) == [("a", "changed", ("size",))]
    assert told([entry("a", size=2)], [*reversed(twice)]) == [("a", "changed", ("size",))]


def test_a_difference_has_the_facts_of_both_sides():
    (one,) = differences([entry("a")], [entry("a", mode=0o600)])
    assert (one.change, one.before.mode, one.after.mode) == (Change.CHANGED, 0o644, 0o600)
    (one,) = differences([], [entry("a")])
    assert isinstance(one, Difference)
    assert (one.before, one.after.size) == (None, 3)
