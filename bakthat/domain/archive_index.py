"""The index of an archive: what the archive contains, and where. `docs/format.md` describes the format for strangers.

An index is JSON lines in UTF-8: one line with the header, lines with the lengths of the compressed blocks, one line for
each member of the tar stream. How the lines are compressed and where they lie is the compressor's matter.

An index is written by bakthat, but read from a store, so nothing in it is believed: every number has a limit, and must
agree with the others. It serves for finding things. What is restored through it passes the same checks as without it.
"""

from __future__ import annotations

import json
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from attrs import field, frozen

from bakthat.errors import PayloadDamaged

FORMAT = "bakthat index"
VERSION = 1

EntryKind = Literal["file", "directory", "symlink", "hardlink", "char", "block", "fifo"]
"""What an entry is. `char` and `block` are devices."""

PACKED_LIMIT = 128 * 1024 * 1024
"""Bytes of the largest compressed index: some five million files. An archive that needs a larger one gets none."""

PLAIN_LIMIT = 4 * 1024 * 1024 * 1024
"""Bytes of the largest index before its compression."""

LINE_LIMIT = 1024 * 1024
"""Bytes of the longest line. Paths of 64 KiB, written with escapes, fit."""

BLOCK_LIMIT = 64 * 1024 * 1024
"""Bytes of the largest block before its compression."""

_LENGTHS_PER_LINE = 1000
_LINES_AT_ONCE = 512
"""Lines that are parsed by one call of the JSON decoder, which halves the time."""
_BYTES_AT_ONCE = 256 * 1024
_SHORTEST_BLOCK = 8
"""Bytes. It bounds how many blocks an archive of a given size can have."""
_RECORD = 512
"""Bytes of a tar block: every header begins at a multiple of it."""
_PATH_LIMIT = 64 * 1024
_NUMBER_LIMIT = 1 << 64
_TIME_LIMIT = 10**21
"""Nanoseconds from 1970, in both directions: some 30,000 years."""
_KINDS = frozenset(("file", "directory", "symlink", "hardlink", "char", "block", "fifo"))
_FIELDS = ["path", "kind", "size", "mtime_ns", "ctime_ns", "inode", "mode", "uid", "gid", "link", "offset"]


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


@frozen(kw_only=True)
class IndexHeader:
    """What the first line says.

    Every block contains `block_size` plain bytes, and the last one the rest. plain_size: bytes of the tar stream.
    packed_size: bytes of the blocks, which begin at the start of the archive and follow each other without a gap.
    """

    block_size: int
    blocks: int
    plain_size: int
    packed_size: int
    entries: int


@frozen(kw_only=True, eq=False)
class ArchiveIndex:
    """An index that has been read as far as its entries begin.

    block_starts: where each block begins among the compressed bytes, and at last where the last one ends. packed: the
    index in its compressed form, for a cache.
    """

    header: IndexHeader
    block_starts: Sequence[int]
    packed: bytes = field(default=b"", repr=False)
    _lines: Callable[[], Iterable[bytes]] = field(repr=False)

    def entries(self) -> Iterator[IndexEntry]:
        """Yield the entries in the order of the tar stream. They are decoded anew with each call, so that memory stays
        small however many there are.

        Raises:
            PayloadDamaged: An entry is invalid, or there are more or fewer than the header says.
        """
        header = self.header
        lines = iter(self._lines())
        for _ in range(1 + _lines_of(header.blocks)):
            next(lines, None)
        count = 0
        last = -1
        for row in _rows(lines):
            entry = _entry_of(row)
            if not last < entry.offset <= header.plain_size - _RECORD or entry.offset % _RECORD:
                raise _lies(f"a position outside of the archive or out of order ({entry.offset})")
            last = entry.offset
            count += 1
            if count > header.entries:
                raise _lies(f"more than the {header.entries} entries that it states")
            yield entry
        if count != header.entries:
            raise _lies(f"{count} entries, and states {header.entries}")


def read_index(lines: Callable[[], Iterable[bytes]], *, packed: bytes = b"") -> ArchiveIndex:
    """Read an index as far as its entries begin.

    Args:
        lines: Yields the lines, each with its line feed and of at most `LINE_LIMIT` bytes. It is called for each pass.
        packed: The index in its compressed form.

    Raises:
        PayloadDamaged: The header or the block lengths are invalid, or do not agree with each other.
    """
    iterator = iter(lines())
    header = _header_of(_parsed(next(iterator, b"")))
    starts = array("Q", (0,))
    end = 0
    for line in islice(iterator, _lines_of(header.blocks)):
        lengths = _parsed(line)
        if not isinstance(lengths, list) or not 0 < len(lengths) <= _LENGTHS_PER_LINE:
            raise _lies("an invalid line of block lengths")
        for length in lengths:
            if type(length) is not int or length < _SHORTEST_BLOCK or length > header.packed_size - end:
                raise _lies("a block length that cannot be")
            end += length
            starts.append(end)
    if len(starts) - 1 != header.blocks or end != header.packed_size:
        raise _lies(f"block lengths that do not fit ({len(starts) - 1} blocks with {end} bytes)")
    return ArchiveIndex(header=header, block_starts=starts, packed=packed, lines=lines)


def head_lines(header: IndexHeader, block_lengths: Sequence[int]) -> Iterator[bytes]:
    """Yield the lines before the entries."""
    yield _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "block_size": header.block_size,
            "blocks": header.blocks,
            "plain_size": header.plain_size,
            "packed_size": header.packed_size,
            "entries": header.entries,
            "fields": _FIELDS,
        }
    )
    for start in range(0, len(block_lengths), _LENGTHS_PER_LINE):
        yield _line(list(block_lengths[start : start + _LENGTHS_PER_LINE]))


def entry_lines(entries: Sequence[IndexEntry]) -> bytes:
    """The lines of these entries. Some thousand at once take about a microsecond each."""
    try:
        text = _encode(entries)[1:-1].replace("],[", "]\n[")
        if text.count("\n") == len(entries) - 1:
            return text.encode() + b"\n"
    except UnicodeEncodeError:
        pass  # a path that is not UTF-8
    # Here, too, if there is no entry, or a path has these three characters in it.
    return b"".join(map(_line, map(_written, entries)))


def _written(entry: IndexEntry) -> list[object]:
    return [_text(value) if isinstance(value, str) else value for value in entry]


def _text(text: str) -> str | dict[str, str]:
    """The text, or if it is not UTF-8, its bytes in Base64."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"base64": b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")}
    return text


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def _line(value: object) -> bytes:
    return _encode(value).encode() + b"\n"


def _lines_of(blocks: int) -> int:
    return -(-blocks // _LENGTHS_PER_LINE)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _lies("something that is not JSON") from None


def _header_of(value: Any) -> IndexHeader:
    if not isinstance(value, dict) or value.get("format") != FORMAT or value.get("fields") != _FIELDS:
        raise _lies("no header")
    if value.get("version") != VERSION:
        raise _lies("another version than this bakthat knows")
    header = IndexHeader(
        block_size=_number(value.get("block_size"), BLOCK_LIMIT),
        blocks=_number(value.get("blocks")),
        plain_size=_number(value.get("plain_size")),
        packed_size=_number(value.get("packed_size")),
        entries=_number(value.get("entries")),
    )
    if not header.block_size or header.blocks != max(1, -(-header.plain_size // header.block_size)):
        raise _lies("a number of blocks that does not fit the length of the archive")
    if header.blocks * _SHORTEST_BLOCK > header.packed_size or header.entries > header.plain_size // _RECORD:
        raise _lies("counts that do not fit the length of the archive")
    return header


def _rows(lines: Iterator[bytes]) -> Iterator[Any]:
    """Parse the lines, some hundred at once."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) == _LINES_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield from _batch(batch)
            batch, size = [], 0
    yield from _batch(batch)


def _batch(lines: list[bytes]) -> list[Any]:
    # As many values as lines: or else a line could smuggle in a comma.
    rows: list[Any] = _parsed(b"[" + b",".join(lines) + b"]")
    if len(rows) != len(lines):
        raise _lies("a line that is not one entry")
    return rows


def _entry_of(row: Any) -> IndexEntry:
    try:
        path, kind, size, mtime, ctime, inode, mode, uid, gid, link, offset = row
    except (TypeError, ValueError):
        raise _lies("an entry that is not a list of 11 values") from None
    if type(path) is not str:
        path = _decoded(path)
    if type(link) is not str:
        link = _decoded(link)
    if not (
        type(size) is type(mtime) is type(mode) is type(uid) is type(gid) is type(offset) is int
        and (ctime is None or (type(ctime) is int and -_TIME_LIMIT < ctime < _TIME_LIMIT))
        and (inode is None or (type(inode) is int and 0 <= inode < _NUMBER_LIMIT))
        and 0 <= size < _NUMBER_LIMIT
        and -_TIME_LIMIT < mtime < _TIME_LIMIT
        and 0 <= mode <= 0o7777
        and 0 <= uid < _NUMBER_LIMIT
        and 0 <= gid < _NUMBER_LIMIT
        and 0 <= offset < _NUMBER_LIMIT
    ):
        raise _lies("an entry with a number that cannot be")
    if type(kind) is not str or kind not in _KINDS:
        raise _lies("an entry of a kind that is not known")
    if not _is_inside(path) or (kind == "hardlink" and not _is_inside(link)):
        raise _lies("a path that leads out of the archive")
    if len(link) > _PATH_LIMIT or "\0" in link:
        raise _lies("a link that cannot be")
    return IndexEntry(path, kind, size, mtime, ctime, inode, mode, uid, gid, link, offset)  # type: ignore[arg-type]


def _is_inside(path: str) -> bool:
    """Whether a path stays below the directory that it is relative to."""
    if not path or path[0] == "/" or "\0" in path or len(path) > _PATH_LIMIT:
        return False
    return ".." not in path or ".." not in path.split("/")


def _decoded(value: Any) -> str:
    try:
        return b64decode(value["base64"], validate=True).decode("utf-8", "surrogateescape")
    except (TypeError, KeyError, ValueError):
        raise _lies("an entry whose path is not text") from None


def _number(value: Any, limit: int = _NUMBER_LIMIT - 1) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise _lies("a header with a number that cannot be")
    return value


def _lies(what: str) -> PayloadDamaged:
    return PayloadDamaged(f"the archive's index contains {what}; it is damaged")
