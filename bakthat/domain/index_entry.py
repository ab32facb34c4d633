"""`IndexEntry`: one member of a tar stream; and the lines of an archive's index that list such entries.

A line is a JSON object of columns for up to 1,000 entries. That is faster to write and to read than a line for each
entry, and a third smaller when it is compressed. `docs/format.md` describes it for strangers.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import accumulate, repeat
from operator import or_, sub
from typing import Any, Literal, NamedTuple

from bakthat.errors import PayloadDamaged

EntryKind = Literal["file", "directory", "symlink", "hardlink", "char", "block", "fifo"]
"""What an entry is. `char` and `block` are devices."""

ENTRIES_PER_LINE = 1000
"""Entries of a line, at most. With more, each takes longer: the columns no longer fit into the processor's cache."""

LINE_LIMIT = 1024 * 1024
"""Bytes of the longest line. The path and the link of one entry, 64 KiB each and written with escapes, fit."""

_NAMES_PER_LINE = 64 * 1024
"""Characters of names in one line, if a directory has more than fit: fewer than 1 MiB, if all are written with
escapes."""

RECORD = 512
"""Bytes of a tar block: every header begins at a multiple of it."""

_PATH_LIMIT = 64 * 1024
_NUMBER_LIMIT = 1 << 64
_TIME_LIMIT = 10**21
"""Nanoseconds from 1970, in both directions: some 30,000 years."""
_KINDS = frozenset(("file", "directory", "symlink", "hardlink", "char", "block", "fifo"))
_OFTEN_EQUAL = ("kind", "ctime_ns", "inode", "mode", "uid", "gid", "link")
"""Columns that are written as a single value if it is the value of every entry."""
_UNCHANGED = "unchanged"
_CONTINUATION = b'{"unchanged":'
"""How a line with more names of a directory begins."""
_NO_NAMES = frozenset(("", ".", ".."))
"""What no entry of a directory is called."""


class IndexEntry(NamedTuple):
    """One member of a tar stream. A tuple, since a backup makes one for each file, in a third of a microsecond."""

    path: str
    """As the tar stream names it, without a slash at its end. Bytes that are not UTF-8 are lone surrogates, as
    `os.fsdecode` makes them."""
    kind: EntryKind
    size: int
    """Bytes of a file's content when it is restored; 0 for everything else, hard links included."""
    mtime_ns: int
    """Nanoseconds since 1970, as `os.stat` has them."""
    ctime_ns: int | None
    """The same; None if it is not known, as in an archive without an index."""
    inode: int | None
    """None if it is not known."""
    mode: int
    """Permission bits, at most 0o7777."""
    uid: int
    gid: int
    link: str
    """What a symbolic link contains, or the path of the member that a hard link stands for; else empty."""
    offset: int
    """Where its first header (the extended one, if there is one) begins in the tar stream, in bytes."""
    unchanged: str | None = None
    """Of a directory in an incremental archive: the names in it whose members are in an earlier archive, joined by
    slashes. Whatever else it contains has entries of its own. None for everything else."""


def entry_lines(entries: Sequence[IndexEntry]) -> bytes:
    """Return the line of these entries, at most `ENTRIES_PER_LINE`. It is several lines if one would be too long."""
    if not entries:
        return b""
    columns: dict[str, Any] = dict(zip(IndexEntry._fields, zip(*entries, strict=True), strict=True))
    columns["offset"] = _differences(columns["offset"])
    columns["inode"] = _differences(columns["inode"])
    if columns[_UNCHANGED].count(None) == len(entries):
        del columns[_UNCHANGED]
    for name in _OFTEN_EQUAL:
        values = columns[name]
        first = values[0]
        # Mostly the ends differ already, or the values are one object: both cost less than a set of them.
        if first == values[-1] and values.count(first) == len(values) and (name != "inode" or first is None):
            columns[name] = first
    try:
        line = json_line(columns)
    except UnicodeEncodeError:
        texts = [name for name in ("path", "link", _UNCHANGED) if name in columns]
        line = json_line(columns | {name: _written(columns[name]) for name in texts})
    if len(line) > LINE_LIMIT and len(entries) > 1:
        half = len(entries) // 2
        return entry_lines(entries[:half]) + entry_lines(entries[half:])
    names = entries[0].unchanged
    if len(line) > LINE_LIMIT and names and len(names) > _NAMES_PER_LINE:
        first, *more = _chunks(names)
        lines = [entry_lines([entries[0]._replace(unchanged=first)])]
        for chunk in more:
            try:
                lines.append(json_line({_UNCHANGED: chunk}))
            except UnicodeEncodeError:
                lines.append(json_line({_UNCHANGED: _written(chunk)}))
        return b"".join(lines)
    return line


def _chunks(names: str) -> Iterator[str]:
    """The names in chunks that begin and end with a whole name."""
    start = 0
    while len(names) - start > _NAMES_PER_LINE:
        stop = names.rfind("/", start, start + _NAMES_PER_LINE)
        yield names[start:stop]
        start = stop + 1
    yield names[start:]


def is_continuation(line: bytes) -> bool:
    """Whether a line has more names of the directory that is the last entry before it."""
    return line.startswith(_CONTINUATION)


def with_more_names(last: Sequence[IndexEntry], lines: Sequence[bytes]) -> list[IndexEntry]:
    """Return the last entry of a line with the names of the lines behind it. Raises `PayloadDamaged`."""
    if not last or not last[0].unchanged:
        raise lies("names without a directory that they are in")
    names = [last[0].unchanged]
    for line in lines:
        columns = parsed(line)
        more = _checked_names(columns.get(_UNCHANGED), "directory") if isinstance(columns, dict) else None
        if more is None:
            raise lies("invalid unchanged names")
        names.append(more)
    return [last[0]._replace(unchanged="/".join(names))]


def entries_of_line(line: bytes, start: int, stop: int) -> list[IndexEntry]:
    """Return the entries of a line, whose headers lie in this part of the tar stream.

    Raises:
        PayloadDamaged: They lie elsewhere, are out of order, or a value is impossible.
    """
    columns = parsed(line)
    if not isinstance(columns, dict) or not isinstance(columns.get("path"), list):
        raise lies("a line that does not list entries")
    count = len(columns["path"])
    if not 0 < count <= ENTRIES_PER_LINE:
        raise lies("a line of too many entries, or of none")
    offsets = _sums(_numbers(columns, "offset", count, 0, _NUMBER_LIMIT))
    if (
        offsets[0] < start
        or offsets[-1] > stop - RECORD
        or min(map(sub, offsets[1:], offsets), default=RECORD) < RECORD
    ):
        raise lies("a position outside of the archive, or out of order")
    if reduce(or_, offsets) % RECORD:
        raise lies("a position at which no tar header can be")
    paths = _texts(columns["path"])
    kinds = _column(columns, "kind", count)
    links = _texts(_column(columns, "link", count))
    if not _are_kinds(kinds):
        raise lies("an entry of a kind that is not known")
    hard_links = [link for kind, link in zip(kinds, links, strict=True) if kind == "hardlink"]
    if not _are_inside(paths) or (hard_links and not _are_inside(hard_links)):
        raise lies("a path that leads out of the archive")
    return list(
        map(
            IndexEntry,
            paths,
            kinds,
            _numbers(columns, "size", count, 0, _NUMBER_LIMIT),
            _numbers(columns, "mtime_ns", count, -_TIME_LIMIT, _TIME_LIMIT),
            _numbers(columns, "ctime_ns", count, -_TIME_LIMIT, _TIME_LIMIT, may_be_unknown=True),
            _inodes(columns, count),
            _numbers(columns, "mode", count, 0, 0o10000),
            _numbers(columns, "uid", count, 0, _NUMBER_LIMIT),
            _numbers(columns, "gid", count, 0, _NUMBER_LIMIT),
            links,
            offsets,
            _unchanged(columns, kinds, count),
        )
    )


def json_line(value: object) -> bytes:
    """Return the value as a line of JSON. Raises `UnicodeEncodeError` for a text that is not UTF-8."""
    return _encode(value).encode() + b"\n"


def parsed(line: bytes) -> Any:
    """Return the value in a line of JSON. Raises `PayloadDamaged`."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise lies("something that is not JSON") from None


def lies(what: str) -> PayloadDamaged:
    """Return the error for an index that contains this."""
    return PayloadDamaged(f"the archive's index contains {what}; it is damaged")


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def _differences(numbers: Sequence[int | None]) -> list[int | None]:
    """The first number, then how much each is more than the one before. What is None stays so, and is passed over."""
    try:
        return [numbers[0], *map(sub, numbers[1:], numbers)]
    except TypeError:
        found: list[int | None] = []
        last = 0
        for number in numbers:
            found.append(None if number is None else number - last)
            last = last if number is None else number
        return found


def _sums(differences: Iterable[int]) -> list[int]:
    return list(accumulate(differences))


def _inodes(columns: dict[str, Any], count: int) -> Sequence[int | None]:
    differences = _numbers(columns, "inode", count, -_NUMBER_LIMIT, _NUMBER_LIMIT, may_be_unknown=True)
    known = _sums([number for number in differences if number is not None])
    if known and not 0 <= min(known) <= max(known) < _NUMBER_LIMIT:
        raise lies("a number that cannot be (inode)")
    if len(known) == count:
        return known
    numbers = iter(known)
    return [None if difference is None else next(numbers) for difference in differences]


def _column(columns: dict[str, Any], name: str, count: int) -> Sequence[Any]:
    """The values of a column, which may be written as one value for all."""
    values = columns.get(name, _MISSING)
    if isinstance(values, list):
        if len(values) != count:
            raise lies(f"a column of the wrong length ({name})")
        return values
    if values is _MISSING:
        raise lies(f"a line without a column ({name})")
    return list(repeat(values, count))


_MISSING = object()


def _numbers(
    columns: dict[str, Any], name: str, count: int, low: int, stop: int, *, may_be_unknown: bool = False
) -> Sequence[Any]:
    """The numbers of a column, from `low` to before `stop`."""
    numbers = _column(columns, name, count)
    kinds = set(map(type, numbers))
    known = numbers
    if may_be_unknown and _NONE in kinds:
        kinds.discard(_NONE)
        known = [number for number in numbers if number is not None]
    if kinds - {int} or (known and not low <= min(known) <= max(known) < stop):
        raise lies(f"a number that cannot be ({name})")
    return numbers


_NONE = type(None)


def _are_kinds(kinds: Sequence[Any]) -> bool:
    try:
        return _KINDS.issuperset(kinds)
    except TypeError:  # something that cannot be in a set
        return False


def _written(texts: Any) -> Any:
    """The texts; what is not UTF-8 as an object that has the bytes in Base64."""
    if texts is None:
        return None
    if not isinstance(texts, str):
        return [_written(text) for text in texts]
    try:
        texts.encode()
    except UnicodeEncodeError:
        return {"base64": b64encode(texts.encode("utf-8", "surrogateescape")).decode("ascii")}
    return texts


def _texts(texts: Sequence[Any]) -> list[str]:
    """The paths or links of a column, each as a path that the system could have."""
    found = [text if type(text) is str else _decoded(text) for text in texts]
    together = "".join(found)
    try:
        together.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise lies("a path that no system can have") from None
    if "\0" in together or len(max(found, key=len)) > _PATH_LIMIT:
        raise lies("a path that no system can have")
    return found


def _unchanged(columns: dict[str, Any], kinds: Sequence[Any], count: int) -> Iterable[str | None]:
    """The names that each entry lists as unchanged."""
    if _UNCHANGED not in columns:
        return repeat(None, count)
    return list(map(_checked_names, _column(columns, _UNCHANGED, count), kinds))


def _checked_names(value: Any, kind: str) -> str | None:
    """The unchanged names of an entry of this kind, joined by slashes. Raises `PayloadDamaged`."""
    text = value if value is None or type(value) is str else _decoded(value)
    if not text:
        return text
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise lies("a name that no system can have") from None
    if kind != "directory" or "\0" in text or _NO_NAMES.intersection(text.split("/")):
        raise lies("invalid unchanged names")
    return text


def _decoded(value: Any) -> str:
    try:
        return b64decode(value["base64"], validate=True).decode("utf-8", "surrogateescape")
    except (TypeError, KeyError, ValueError):
        raise lies("a path that is not text") from None


def _are_inside(paths: list[str]) -> bool:
    """Whether all paths stay below the directory that they are relative to. None of them contains a NUL."""
    together = "\0".join(("", *paths, ""))
    if "\0\0" in together or "\0/" in together:  # an empty or an absolute one
        return False
    return ".." not in together or not any(".." in path.split("/") for path in paths)
