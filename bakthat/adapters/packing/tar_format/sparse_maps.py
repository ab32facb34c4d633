"""`SparseMaps`: reads the maps of sparse members in GNU tar's four formats (GNU tar manual, "Storing Sparse Files")."""

from __future__ import annotations

from array import array

from bakthat.adapters.packing.tar_format.pax_records import Records, decimal, whole_name
from bakthat.adapters.packing.tar_format.tar_member import Member
from bakthat.adapters.packing.tar_format.tar_stream import BLOCK, TarStream

_EXTENTS_LIMIT = 4 * 1024 * 1024
"""The maximum number of extents, of 16 bytes each in memory; a file with more holes is probably hostile."""
_EMPTY_EXTENTS_LIMIT = 1000
"""The maximum number of empty extents. GNU tar ends a map with one to mark the end of the file. They have no content,
so a few bytes of a compressed archive could contain millions."""
_MAP_CHUNK = 64 * 1024
"""Bytes by which a list of stretches is read."""
_LONGEST_NUMBER = 20
"""Digits."""


class SparseMaps:
    """Reads the maps of an archive's sparse members, and checks them: the extents are in order, inside the file, and
    together as long as the content."""

    def __init__(self, stream: TarStream) -> None:
        self._stream = stream
        self._empty_extents = 0

    def read_gnu_map(self, block: bytes) -> tuple[array[int], int]:
        """GNU's own format: four stretches in the header, 21 in each block that continues it."""
        size = self._stream.field(block[483:495], "size")
        self._empty_extents = 0
        extents = array("q")
        table, count, more = block[386:482], 4, block[482]
        while True:
            for start in range(0, count * 24, 24):
                if table[start + 12] == 0:  # no length: the list ends here
                    break
                self._add_values(
                    extents,
                    [
                        self._stream.field(table[start : start + 12], "map"),
                        self._stream.field(table[start + 12 : start + 24], "map"),
                    ],
                )
            if not more:
                break
            continued = self._stream.block()
            if continued is None:
                raise self._stream.cut_short()
            table, count, more = continued, 21, continued[504]
        self._check_extents(extents, size)
        return extents, size

    def read_pax_map(self, member: Member, records: Records) -> None:
        """The formats 0.0 and 0.1 (the map is a record) and 1.0 (it is at the head of the content)."""
        self._empty_extents = 0
        extents = array("q")
        if records.get(b"GNU.sparse.major") == b"1" and records.get(b"GNU.sparse.minor") == b"0":
            size = decimal(self._stream, records.get(b"GNU.sparse.realsize", b""))
            self._read_map(extents)
        elif b"GNU.sparse.map" in records:
            size = decimal(self._stream, records.get(b"GNU.sparse.size", b""))
            stretches = records[b"GNU.sparse.map"].split(b",") if records[b"GNU.sparse.map"] else []
            if len(stretches) % 2:
                raise self._stream.damage("the map of a sparse file has an odd number of fields")
            if stretches:
                self._add_extents(extents, stretches)
        else:
            raise self._stream.damage("a sparse file of an unknown format")
        if b"GNU.sparse.name" in records:
            member.name = whole_name(self._stream, records[b"GNU.sparse.name"])
        self._check_extents(extents, size)
        member.extents, member.size = extents, size

    def _read_map(self, extents: array[int]) -> None:
        """Version 1.0: the count and then offset and length of each stretch, a line each, filled up to whole blocks."""
        wanted = 1
        """Lines: first the one with the count."""
        is_counted = False
        text = b""
        taken = 0
        while wanted:
            chunk = self._stream.read(_MAP_CHUNK)
            taken += len(chunk)
            text += chunk
            while wanted:
                *lines, text = text.split(b"\n", wanted)
                if not lines:
                    break
                wanted -= len(lines)
                if is_counted:
                    self._add_extents(extents, lines)
                else:
                    wanted, is_counted = 2 * decimal(self._stream, lines[0]), True
            if wanted and (not chunk or len(text) > _LONGEST_NUMBER or wanted > 2 * _EXTENTS_LIMIT):
                raise self._stream.damage("the map of a sparse file does not add up")
        # The rest of the text after the map is still in the buffer
        self._stream.put_back(len(text))
        padding = -(taken - len(text)) % BLOCK
        while padding:
            chunk = self._stream.read(padding)
            if not chunk:
                raise self._stream.damage("the map of a sparse file does not add up")
            padding -= len(chunk)

    def _add_extents(self, extents: array[int], lines: list[bytes]) -> None:
        """Offsets and lengths, alternating, in decimal."""
        if not (all(lines) and b"".join(lines).isdigit() and max(map(len, lines)) <= _LONGEST_NUMBER):
            raise self._stream.damage("the map of a sparse file does not add up")
        self._add_values(extents, list(map(int, lines)))

    def _add_values(self, extents: array[int], values: list[int]) -> None:
        lengths = values[1 - len(extents) % 2 :: 2]
        self._empty_extents += lengths.count(0)
        if len(extents) + len(values) > 2 * _EXTENTS_LIMIT or self._empty_extents > _EMPTY_EXTENTS_LIMIT:
            raise self._stream.damage(
                f"a sparse file has more than {_EXTENTS_LIMIT} extents, or more than {_EMPTY_EXTENTS_LIMIT} "
                "empty ones, and is refused"
            )
        try:
            extents.extend(values)
        except OverflowError:
            raise self._stream.damage("the map of a sparse file is impossible") from None

    def _check_extents(self, extents: array[int], size: int) -> None:
        at = stored = 0
        for offset, length in zip(extents[::2], extents[1::2], strict=True):
            if offset < at or length < 0:
                raise self._stream.damage("the extents of a sparse file overlap, or are impossible")
            at = offset + length
            stored += length
        if at > size or stored != self._stream.left:
            raise self._stream.damage("the map of a sparse file does not fit its size")
