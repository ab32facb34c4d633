"""The saved copy is read back as it was written, and merging loses nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bakthat.domain.glacier_inventory import GlacierInventory, loads
from bakthat.domain.objects import ArchiveId

archives = st.dictionaries(st.text(max_size=30), st.text(min_size=1, max_size=30).map(ArchiveId), max_size=6)
unknown = st.dictionaries(
    st.text(max_size=10), st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=3)), max_size=3
)


@st.composite
def inventories(draw: st.DrawFn) -> GlacierInventory:
    known = draw(archives)
    extra = {name: value for name, value in draw(unknown).items() if name not in known}
    return GlacierInventory(archives=known, extra=extra)


@given(inventories())
def test_an_inventory_is_read_back_as_it_was_written(inventory: GlacierInventory) -> None:
    assert loads(inventory.dumps()) == inventory


@given(inventories(), inventories())
def test_merging_drops_nothing_that_either_knows(one: GlacierInventory, other: GlacierInventory) -> None:
    merged = one.merged(other)
    assert {*merged.archives, *merged.extra} == {*one.archives, *one.extra, *other.archives, *other.extra}


@given(inventories(), inventories())
def test_merging_keeps_all_that_the_later_one_says(one: GlacierInventory, later: GlacierInventory) -> None:
    merged = one.merged(later)
    assert later.archives.items() <= merged.archives.items()
    assert all(merged.extra[name] == value for name, value in later.extra.items())


@given(inventories())
def test_merging_twice_changes_nothing(one: GlacierInventory) -> None:
    assert one.merged(one) == one
    assert one.merged(GlacierInventory()) == one
