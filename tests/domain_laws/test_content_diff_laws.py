"""What differs between two archives, for any two archives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.content_diff import differences

_PATHS = st.sampled_from(["a", "b", "d", "d/a", "d/b", "ü", "\udcff"])
_SECOND = 1_000_000_000


@st.composite
def _entries(draw: st.DrawFn) -> IndexEntry:
    kind = draw(st.sampled_from(["file", "directory", "symlink", "fifo"]))
    return IndexEntry(
        path=draw(_PATHS),
        kind=kind,
        size=draw(st.integers(0, 2)) if kind == "file" else 0,
        mtime_ns=draw(st.integers(0, 2)) * _SECOND,
        ctime_ns=draw(st.none() | st.integers(0, 2)),
        inode=draw(st.none() | st.integers(0, 2)),
        mode=draw(st.sampled_from([0o600, 0o644])),
        uid=draw(st.integers(0, 1)),
        gid=0,
        link=draw(st.sampled_from(["a", "b"])) if kind == "symlink" else "",
        offset=draw(st.integers(0, 2)) * 512,
    )


_ARCHIVES = st.lists(_entries(), max_size=8)


def compared(entry: IndexEntry) -> tuple[object, ...]:
    mtime = None if entry.kind == "directory" else entry.mtime_ns
    return (entry.kind, entry.size, mtime, entry.mode, entry.link)


@given(before=_ARCHIVES, after=_ARCHIVES)
def test_differences_are_those_of_what_a_restore_would_leave(before: list[IndexEntry], after: list[IndexEntry]) -> None:
    old = {entry.path: compared(entry) for entry in before}
    new = {entry.path: compared(entry) for entry in after}
    expected = [(path, "added") for path in new.keys() - old.keys()]
    expected += [(path, "removed") for path in old.keys() - new.keys()]
    expected += [(path, "changed") for path in old.keys() & new.keys() if old[path] != new[path]]
    found = list(differences(before, after))
    assert [(one.path, str(one.change)) for one in found] == sorted(expected)
    assert all(bool(one.fields) is (one.change == "changed") for one in found)


@given(before=_ARCHIVES, after=_ARCHIVES)
def test_the_other_way_round_added_and_removed_change_places(before: list[IndexEntry], after: list[IndexEntry]) -> None:
    reverse = {"added": "removed", "removed": "added", "changed": "changed"}
    there = [(one.path, str(one.change), one.fields, one.before, one.after) for one in differences(before, after)]
    back = [(one.path, reverse[one.change], one.fields, one.after, one.before) for one in differences(after, before)]
    assert there == back


@given(archive=_ARCHIVES)
def test_an_archive_does_not_differ_from_itself(archive: list[IndexEntry]) -> None:
    assert list(differences(archive, archive)) == []
