"""Whatever the entries of an index are, they come back; whatever its lines are, only `PayloadDamaged` is raised."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bakthat.domain.archive_index import IndexEntry, IndexHeader, head_lines, read_index
from bakthat.domain.index_entry import entry_lines
from bakthat.errors import PayloadDamaged

# As `os.fsdecode` makes them: text, and bytes that are not UTF-8 as lone surrogates.
NAMES = st.binary(min_size=1, max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))
NAMES = NAMES.filter(lambda name: "/" not in name and "\0" not in name and name != "..")
TIMES = st.integers(-(10**20), 10**20)
NUMBERS = st.integers(0, 2**64 - 1)
ENTRIES = st.builds(
    IndexEntry,
    path=st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    kind=st.sampled_from(["file", "directory", "symlink", "char", "block", "fifo"]),
    size=NUMBERS,
    mtime_ns=TIMES,
    ctime_ns=st.none() | TIMES,
    inode=st.none() | NUMBERS,
    mode=st.integers(0, 0o7777),
    uid=NUMBERS,
    gid=NUMBERS,
    link=NAMES | st.just(""),
    offset=st.just(0),
    unchanged=st.none(),
)
DIRECTORIES = st.builds(
    lambda entry, names: entry._replace(kind="directory", unchanged=names),
    ENTRIES,
    st.none() | st.lists(NAMES.filter(lambda name: name != "."), max_size=5).map("/".join),
)


def lines_of(entries: list[IndexEntry]) -> list[bytes]:
    plain_size = 512 * max(1, len(entries))
    header = IndexHeader(block_size=2**20, blocks=1, plain_size=plain_size, packed_size=30, entries=len(entries))
    return [*head_lines(header, [30]), *entry_lines(entries).splitlines(keepends=True)]


def read(lines: list[bytes]) -> list[IndexEntry]:
    return list(read_index(lambda: lines).entries())


@given(st.lists(ENTRIES | DIRECTORIES, max_size=20))
def test_entries_come_back(entries: list[IndexEntry]) -> None:
    entries = [entry._replace(offset=512 * number) for number, entry in enumerate(entries)]
    assert read(lines_of(entries)) == entries


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
GOOD = lines_of([IndexEntry("root", "file", 1, 2, 3, 4, 5, 6, 7, "", 0)])


def read_or_refused(lines: list[bytes]) -> None:
    with suppress(PayloadDamaged):
        read(lines)


@given(st.integers(0, 2), JSON)
def test_any_json_in_place_of_a_line_is_read_or_refused(number: int, value: Any) -> None:
    read_or_refused([*GOOD[:number], json.dumps(value).encode() + b"\n", *GOOD[number + 1 :]])


@given(st.sampled_from(IndexEntry._fields), JSON)
def test_any_column_is_read_or_refused(name: str, values: Any) -> None:
    read_or_refused([*GOOD[:2], json.dumps(json.loads(GOOD[2]) | {name: values}).encode() + b"\n"])


@given(st.sampled_from(IndexEntry._fields), JSON, JSON)
def test_any_value_of_a_column_is_read_or_refused(name: str, first: Any, second: Any) -> None:
    columns = json.loads(GOOD[2]) | {"path": ["root", "root"], "offset": [0, 512], name: [first, second]}
    read_or_refused([*GOOD[:2], json.dumps(columns).encode() + b"\n"])


@given(st.sampled_from(["version", "block_size", "blocks", "plain_size", "packed_size", "entries"]), JSON)
def test_any_value_in_the_header_is_read_or_refused(name: str, value: Any) -> None:
    read_or_refused([json.dumps(json.loads(GOOD[0]) | {name: value}).encode(), *GOOD[1:]])


@given(st.integers(0, 2), st.integers(0, 300), st.integers(1, 255))
def test_any_changed_byte_is_read_or_refused(number: int, at: int, change: int) -> None:
    line = bytearray(GOOD[number])
    line[at % len(line)] ^= change
    read_or_refused([*GOOD[:number], bytes(line), *GOOD[number + 1 :]])


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_any_lines_are_read_or_refused(lines: list[bytes]) -> None:
    read_or_refused(lines)
