"""The index of an archive, as lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bakthat.domain.archive_index import ArchiveIndex, IndexEntry, IndexHeader, head_lines, read_index
from bakthat.domain.index_entry import ENTRIES_PER_LINE, entry_lines
from bakthat.errors import PayloadDamaged


def entry(path: str = "root/file", offset: int = 0, **changes: Any) -> IndexEntry:
    made = IndexEntry(
        path=path,
        kind="file",
        size=5,
        mtime_ns=1_700_000_000_123_456_789,
        ctime_ns=1_700_000_001_000_000_000,
        inode=77,
        mode=0o644,
        uid=1000,
        gid=100,
        link="",
        offset=offset,
    )
    return made._replace(**changes)


def header(blocks: int = 1, entries: int = 1, **changes: int) -> IndexHeader:
    values = {"block_size": 1000, "blocks": blocks, "plain_size": 1000 * blocks, "packed_size": 100 * blocks}
    return IndexHeader(**{**values, "entries": entries, **changes})


def lines_of(head: IndexHeader, lengths: Sequence[int], entries: Sequence[IndexEntry]) -> list[bytes]:
    found = list(head_lines(head, lengths))
    for start in range(0, len(entries), ENTRIES_PER_LINE):
        found += entry_lines(entries[start : start + ENTRIES_PER_LINE]).split(b"\n")[:-1]
    return found


def index_of(lines: list[bytes]) -> ArchiveIndex:
    return read_index(lambda: lines)


def read(lines: list[bytes]) -> list[IndexEntry]:
    return list(index_of(lines).entries())


def test_what_is_written_is_read() -> None:
    entries = [
        entry("root", kind="directory", size=0, mode=0o755),
        entry("root/link", 512, kind="symlink", size=0, link="/etc/passwd"),
        entry("root/again", 1024, kind="hardlink", size=0, link="root/file", ctime_ns=None, inode=None),
        entry("root/old", 1536, mtime_ns=-5, uid=2**32 - 1),
    ]
    index = index_of(lines_of(header(blocks=3, entries=4), [100, 120, 80], entries))
    assert index.header == header(blocks=3, entries=4)
    assert list(index.block_starts) == [0, 100, 220, 300]
    assert list(index.entries()) == entries
    assert list(index.entries()) == entries  # each pass decodes anew


def test_a_line_has_a_column_for_each_value_of_the_entries() -> None:
    entries = [entry("root/a"), entry("root/b", 1024, inode=70, mtime_ns=5), entry("root/c", 1536, size=6)]
    line = json.loads(entry_lines(entries))
    assert list(line) == [name for name in IndexEntry._fields if name != "unchanged"]
    assert line["path"] == ["root/a", "root/b", "root/c"]
    assert line["mtime_ns"] == [1_700_000_000_123_456_789, 5, 1_700_000_000_123_456_789]
    assert line["offset"] == [0, 1024, 512]  # each as the difference to the one before
    assert line["inode"] == [77, -7, 7]
    assert (line["kind"], line["mode"], line["uid"], line["link"]) == ("file", 0o644, 1000, "")  # equal for all


def test_an_unknown_inode_does_not_count() -> None:
    entries = [entry("root/a", inode=None), entry("root/b", 512, inode=70), entry("root/c", 1024, inode=None)]
    entries.append(entry("root/d", 1536, inode=60))
    assert json.loads(entry_lines(entries))["inode"] == [None, 70, None, -10]
    assert read(lines_of(header(blocks=3, entries=4), [100, 100, 100], entries)) == entries


def test_a_line_that_would_be_too_long_becomes_several() -> None:
    entries = [entry(f"root/{number}/{'x' * 60_000}", 512 * number) for number in range(40)]
    lines = entry_lines(entries).splitlines(keepends=True)
    assert len(lines) == 4
    assert max(map(len, lines)) <= 2**20
    assert read(lines_of(header(blocks=40, entries=40), [100] * 40, entries)) == entries


@pytest.mark.parametrize(
    "path",
    [
        "a],[b",
        'x],["y',
        "ends in ],[",
        'a"b\\c',
        "tab\tline\nfeed\r\x01",
        "für/dich",
        "\u2028",
        "\U0001f600",
        "a..b",
        "...",
    ],
)
def test_every_name_comes_back(path: str) -> None:
    entries = [entry("root/before"), entry(path, 512), entry("root/after", 1024, kind="symlink", link=path)]
    assert read(lines_of(header(blocks=2, entries=3, packed_size=100), [50, 50], entries)) == entries


def test_a_name_that_is_not_utf8_comes_back() -> None:
    name = b"root/caf\xe9".decode("utf-8", "surrogateescape")
    entries = [entry(name), entry(name, 512, kind="symlink", link=name)]
    lines = lines_of(header(entries=2, plain_size=1024, blocks=2, packed_size=100), [50, 50], entries)
    assert json.loads(lines[2])["path"] == [{"base64": "cm9vdC9jYWbp"}] * 2
    assert json.loads(lines[2])["link"] == ["", {"base64": "cm9vdC9jYWbp"}]
    assert read(lines) == entries


def test_a_directory_of_an_incremental_archive_has_the_names_of_what_is_unchanged() -> None:
    entries = [
        entry("root", kind="directory", unchanged="a b/été/caf\udce9"),
        entry("root/file", 512),
        entry("root/empty", 1024, kind="directory", unchanged=""),
    ]
    lines = lines_of(header(blocks=2, entries=3, packed_size=100), [50, 50], entries)
    assert json.loads(lines[2])["unchanged"] == [{"base64": "YSBiL8OpdMOpL2NhZuk="}, None, ""]
    assert read(lines) == entries


@pytest.mark.parametrize("suffix", [".txt", "\udce9", "\x01" * 9], ids=["text", "not UTF-8", "escapes"])
def test_the_names_of_a_large_directory_take_several_lines(suffix: str) -> None:
    names = "/".join(f"note-{number:06}-{'n' * 200}{suffix}" for number in range(5_000))  # more than a line may have
    large = entry("root/large", 512, kind="directory", unchanged=names)
    entries = [entry(), large, large._replace(path="root/z", offset=1024)]
    head, *lines = lines_of(header(blocks=2, entries=3, packed_size=100), [50, 50], entries)
    assert len(lines) > 6
    assert max(map(len, lines)) < 2**20
    assert read([head, *lines]) == entries


@pytest.mark.parametrize(
    "names",
    ["a//b", "/a", "a/", "a/../b", ".", "a\0b", "\ud800", 5, ["a"]],
    ids=["empty", "first", "last", "up", "dot", "NUL", "surrogate", "number", "list"],
)
def test_unchanged_names_that_cannot_be_are_damage(names: Any) -> None:
    directory = entry("root", kind="directory", unchanged="a")

    def lie(line: Any) -> Any:
        return {**line, "unchanged": [names]}

    lines = lines_of(header(), [100], [directory])
    lines[2] = json.dumps(lie(json.loads(lines[2]))).encode()
    with pytest.raises(PayloadDamaged):
        read(lines)


@pytest.mark.parametrize(
    "line",
    [{"unchanged": 5}, {"unchanged": None}, {"unchanged": "a//b"}, {"unchanged": ["a"]}],
    ids=["number", "null", "empty", "list"],
)
def test_more_names_that_cannot_be_are_damage(line: Any) -> None:
    lines = lines_of(header(), [100], [entry("root", kind="directory", unchanged="a")])
    assert read([*lines, b'{"unchanged":"b/c"}\n'])[0].unchanged == "a/b/c"
    with pytest.raises(PayloadDamaged):
        read([*lines, json.dumps(line, separators=(",", ":")).encode()])


def test_more_names_need_a_directory_with_names() -> None:
    for lines in (lines_of(header(), [100], [entry()]), lines_of(header(entries=0, plain_size=0), [100], [])):
        with pytest.raises(PayloadDamaged):
            read([*lines, b'{"unchanged":"b/c"}\n'])


def test_only_a_directory_has_unchanged_names() -> None:
    with pytest.raises(PayloadDamaged):
        read(lines_of(header(), [100], [entry(unchanged="a")]))


def test_many_blocks_and_many_entries_come_back() -> None:
    entries = [entry(f"root/{number}", number * 512) for number in range(3000)]
    lengths = [50 + number % 7 for number in range(2500)]
    head = header(blocks=2500, entries=3000, packed_size=sum(lengths))
    index = index_of(lines_of(head, lengths, entries))
    assert list(index.entries()) == entries
    assert (len(index.block_starts), index.block_starts[-1]) == (2501, sum(lengths))


def test_an_archive_of_nothing_has_one_block() -> None:
    assert read(lines_of(header(plain_size=0, entries=0), [100], [])) == []


def changed(number: int, change: Callable[[Any], Any]) -> list[bytes]:
    """A good index in which a line has been replaced: 0 is the header, 1 the block lengths, 2 and 3 are the entries."""
    lines = lines_of(header(blocks=2, entries=3), [120, 80], [entry(), entry("root/second", 512)])
    lines.append(entry_lines([entry("root/third", 1024)]))
    value = change(json.loads(lines[number]))
    lines[number] = value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
    return lines


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"version": 2},
        {"version": None},
        {"blocks": 3},
        {"blocks": 10**30},
        {"blocks": -1},
        {"blocks": True},
        {"blocks": 2.0},
        {"block_size": 0},
        {"block_size": 10**12, "blocks": 1},
        {"plain_size": 3000},
        {"plain_size": "2000"},
        {"packed_size": 199},
        {"packed_size": 201},
        {"packed_size": 10},
        {"entries": 2},
        {"entries": 4},
        {"entries": 10**9},
        {"entries": None},
    ],
    ids=repr,
)
def test_a_header_that_lies_is_damage(change: dict[str, Any]) -> None:
    with pytest.raises(PayloadDamaged, match="the archive's index contains"):
        read(changed(0, lambda value: value | change))


@pytest.mark.parametrize(
    "lengths",
    [[120], [120, 80, 1], [80, 80], [1, 199], [0, 200], [-120, 320], [10**30, 80], ["120", 80], [True, 80], 7, {}, []],
    ids=repr,
)
def test_block_lengths_that_do_not_fit_are_damage(lengths: Any) -> None:
    with pytest.raises(PayloadDamaged, match="the archive's index contains"):
        index_of(changed(1, lambda _: lengths))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("offset", 100),
        ("offset", -512),
        ("offset", 10**30),
        ("offset", None),
        ("size", -1),
        ("size", 2**64),
        ("size", 1.5),
        ("size", True),
        ("mtime_ns", 10**40),
        ("mtime_ns", None),
        ("ctime_ns", "1"),
        ("ctime_ns", -(10**40)),
        ("inode", -100),
        ("inode", 2**65),
        ("mode", 0o10000),
        ("uid", -1),
        ("gid", 2**64),
        ("kind", "socket"),
        ("kind", ["file"]),
        ("path", ""),
        ("path", 5),
        ("path", None),
        ("path", "/etc/passwd"),
        ("path", "../up"),
        ("path", "root/../../up"),
        ("path", "root/.."),
        ("path", "nul\0"),
        ("path", "x" * 70_000),
        ("path", {"base64": "Li4vdXA="}),
        ("path", {"base64": "!"}),
        ("path", {"base64": 5}),
        ("path", {}),
        ("link", 5),
        ("link", "\ud800"),
        ("path", "\ud800"),
        ("link", "nul\0"),
        ("link", "x" * 70_000),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_entry_that_cannot_be_is_damage(field: str, value: Any) -> None:
    good = entry()[IndexEntry._fields.index(field)]
    for column in ([good, value], [value, value], value):
        with pytest.raises(PayloadDamaged, match="the archive's index contains"):
            read(changed(2, lambda line, column=column: line | {field: column}))  # type: ignore[misc]


@pytest.mark.parametrize("field", [name for name in IndexEntry._fields if name != "unchanged"])
def test_a_column_that_is_missing_or_of_the_wrong_length_is_damage(field: str) -> None:
    for values in ([], [entry()[IndexEntry._fields.index(field)]], [None] * 3):
        with pytest.raises(PayloadDamaged, match="the archive's index contains"):
            read(changed(2, lambda line, values=values: line | {field: values}))  # type: ignore[misc]
    with pytest.raises(PayloadDamaged, match="the archive's index contains"):
        read(changed(2, lambda line: {name: values for name, values in line.items() if name != field}))


def test_a_column_that_is_not_known_is_ignored() -> None:
    assert len(read(changed(2, lambda line: line | {"colour": [1, 2, 3]}))) == 3


def test_a_line_of_too_many_entries_is_damage() -> None:
    lines = changed(2, lambda line: line | {"path": ["root/x"] * (ENTRIES_PER_LINE + 1)})
    with pytest.raises(PayloadDamaged, match="too many"):
        read(lines)


@pytest.mark.parametrize("offsets", [[0, 0], [0, 256], [0, 511], [100, 512], [-512, 512], [512, -512], [0, 1536]])
def test_positions_out_of_order_or_between_blocks_are_damage(offsets: list[int]) -> None:
    with pytest.raises(PayloadDamaged, match="the archive's index contains"):
        read(changed(2, lambda line: line | {"offset": offsets}))


def test_a_line_that_begins_before_the_last_one_ends_is_damage() -> None:
    with pytest.raises(PayloadDamaged, match="out of order"):
        read(changed(3, lambda line: line | {"offset": [512]}))


def test_an_offset_behind_the_end_of_the_archive_is_damage() -> None:
    with pytest.raises(PayloadDamaged, match="outside of the archive"):
        read(changed(3, lambda line: line | {"offset": [1536]}))


def test_a_hard_link_out_of_the_archive_is_damage() -> None:
    lines = lines_of(header(), [100], [entry(kind="hardlink", link="../../etc/shadow")])
    with pytest.raises(PayloadDamaged, match="leads out of the archive"):
        read(lines)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[\n",
        b"null\n",
        b"[1,2],[3]\n",
        b"\xff\xfe\n",
        b"[" * 100_000,
        b"[" + b"9" * 5000 + b"]\n",
        b"NaN\n",
    ],
    ids=lambda line: repr(line)[:20],
)
def test_an_invalid_line_is_damage(number: int, line: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        read(changed(number, lambda _: line))


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_an_index_that_is_cut_short_is_damage(kept: int) -> None:
    with pytest.raises(PayloadDamaged):
        read(changed(0, lambda value: value)[:kept])
