"""The index of an archive: what the archive contains, and where. `docs/format.md` describes the format for strangers.

An index is JSON lines in UTF-8: one line with the header, lines with the lengths of the compressed blocks, lines with
the members of the tar stream. How the lines are compressed, and where they are, is the compressor's matter.

An index is written by bakthat, but read from a store, so nothing in it is believed: every number has a limit, and must
agree with the others. It serves for finding things. What is restored through it passes the same checks as without it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from attrs import field, frozen

from bakthat.domain.index_entry import (
    LINE_LIMIT,
    RECORD,
    EntryKind,
    IndexEntry,
    entries_of_line,
    is_continuation,
    json_line,
    lies,
    parsed,
    with_more_names,
)

__all__ = [
    "BLOCK_LIMIT",
    "FORMAT",
    "LINE_LIMIT",
    "PACKED_LIMIT",
    "PLAIN_LIMIT",
    "VERSION",
    "ArchiveIndex",
    "EntryKind",
    "IndexEntry",
    "IndexHeader",
    "head_lines",
    "read_index",
]

FORMAT = "bakthat index"
VERSION = 1

PACKED_LIMIT = 128 * 1024 * 1024
"""Bytes of the largest compressed index: some five million files. An archive that needs a larger one gets none."""

PLAIN_LIMIT = 4 * 1024 * 1024 * 1024
"""Bytes of the largest index before its compression."""


BLOCK_LIMIT = 64 * 1024 * 1024
"""Bytes of the largest block before its compression."""

_NAMES_LIMIT = 256 * 1024 * 1024
"""Bytes of the lines with the names of one directory: six times as many as names, if all are written with escapes."""

_LENGTHS_PER_LINE = 1000
_SHORTEST_BLOCK = 8
"""Bytes. It bounds how many blocks an archive of a given size can have."""
_NUMBER_LIMIT = 1 << 64


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
        end = 0
        entries: list[IndexEntry] = []
        names: list[bytes] = []
        for line in lines:
            if is_continuation(line):
                names.append(line)
                if sum(map(len, names)) > _NAMES_LIMIT:
                    raise lies("more names in one directory than bakthat writes")
                continue
            if names:
                entries[-1:] = with_more_names(entries[-1:], names)
                names.clear()
            yield from entries
            entries = entries_of_line(line, end, header.plain_size)
            end = entries[-1].offset + RECORD
            count += len(entries)
            if count > header.entries:
                break
        else:
            if names:
                entries[-1:] = with_more_names(entries[-1:], names)
            yield from entries
        if count != header.entries:
            raise lies(f"another number of entries than the {header.entries} that it states")


def read_index(lines: Callable[[], Iterable[bytes]], *, packed: bytes = b"") -> ArchiveIndex:
    """Read an index as far as its entries begin.

    Args:
        lines: Yields the lines, each with its line feed and of at most `LINE_LIMIT` bytes. It is called for each pass.
        packed: The index in its compressed form.

    Raises:
        PayloadDamaged: The header or the block lengths are invalid, or do not agree with each other.
    """
    iterator = iter(lines())
    header = _header_of(parsed(next(iterator, b"")))
    starts = array("Q", (0,))
    end = 0
    for line in islice(iterator, _lines_of(header.blocks)):
        lengths = parsed(line)
        if not isinstance(lengths, list) or not 0 < len(lengths) <= _LENGTHS_PER_LINE:
            raise lies("an invalid line of block lengths")
        for length in lengths:
            if type(length) is not int or length < _SHORTEST_BLOCK or length > header.packed_size - end:
                raise lies("a block length that cannot be")
            end += length
            starts.append(end)
    if len(starts) - 1 != header.blocks or end != header.packed_size:
        raise lies(f"block lengths that do not fit ({len(starts) - 1} blocks with {end} bytes)")
    return ArchiveIndex(header=header, block_starts=starts, packed=packed, lines=lines)


def head_lines(header: IndexHeader, block_lengths: Sequence[int]) -> Iterator[bytes]:
    """Yield the lines before the entries."""
    yield json_line(
        {
            "format": FORMAT,
            "version": VERSION,
            "block_size": header.block_size,
            "blocks": header.blocks,
            "plain_size": header.plain_size,
            "packed_size": header.packed_size,
            "entries": header.entries,
        }
    )
    for start in range(0, len(block_lengths), _LENGTHS_PER_LINE):
        yield json_line(list(block_lengths[start : start + _LENGTHS_PER_LINE]))


def _lines_of(blocks: int) -> int:
    return -(-blocks // _LENGTHS_PER_LINE)


def _header_of(value: Any) -> IndexHeader:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise lies("no header")
    if value.get("version") != VERSION:
        raise lies("another version than this bakthat knows")
    header = IndexHeader(
        block_size=_number(value.get("block_size"), BLOCK_LIMIT),
        blocks=_number(value.get("blocks")),
        plain_size=_number(value.get("plain_size")),
        packed_size=_number(value.get("packed_size")),
        entries=_number(value.get("entries")),
    )
    if not header.block_size or header.blocks != max(1, -(-header.plain_size // header.block_size)):
        raise lies("a number of blocks that does not fit the length of the archive")
    if header.blocks * _SHORTEST_BLOCK > header.packed_size or header.entries > header.plain_size // RECORD:
        raise lies("counts that do not fit the length of the archive")
    return header


def _number(value: Any, limit: int = _NUMBER_LIMIT - 1) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise lies("a header with a number that cannot be")
    return value
