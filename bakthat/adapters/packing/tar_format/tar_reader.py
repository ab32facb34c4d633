"""`TarReader`: the members of a tar archive, one after the other, from a stream that cannot seek.

Reads what is found in the wild: POSIX ustar and pax, GNU tar's own format (long names, base-256 numbers, sparse files
of all four kinds), V7. The layout of the formats: IEEE Std 1003.1-2017, `pax`, "ustar Interchange Format"; the GNU tar
manual, "Tar Internals".

    until the end mark:
        a file like an earlier one?     give it (`similar_files`)
        read a header
        one that describes the next member (pax records, a long name)?      keep that, and go on
        make a member of the header, and of what was kept
    read on to the end of the stream
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from attrs import define

from bakthat.adapters.packing.tar_format.dumpdir import BASE, BASE_SHA256, LONGEST
from bakthat.adapters.packing.tar_format.pax_records import WITHOUT_CONTENT, Records, apply_records, parse_records
from bakthat.adapters.packing.tar_format.similar_files import SimilarFiles
from bakthat.adapters.packing.tar_format.sparse_maps import SparseMaps
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_stream import METADATA_LIMIT, TarStream, number
from bakthat.domain.backup_metadata import is_sha256
from bakthat.domain.callbacks import ignore
from bakthat.domain.payload import NamedBase

_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,  # contiguous
    b"S": Kind.FILE,  # GNU sparse
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.DEVICE,
    b"4": Kind.DEVICE,
    b"5": Kind.DIRECTORY,
    b"D": Kind.DIRECTORY,  # GNU incremental: its content is a list of names
    b"6": Kind.FIFO,
}
_FILE, _DEVICE, _SYMLINK, _HARDLINK, _OTHER = Kind.FILE, Kind.DEVICE, Kind.SYMLINK, Kind.HARDLINK, Kind.OTHER
"""Members of an enum are slow to reach: 0.1 µs each."""
_PAX = frozenset({b"x", b"X"})
"""`X` is Solaris's form of `x`."""
_PAX_OF_ALL = b"g"
_LONG_NAME, _LONG_LINK = b"L", b"K"
_OF_THE_NEXT = _PAX | {_PAX_OF_ALL, _LONG_NAME, _LONG_LINK}
_VOLUME_LABEL, _LATER_VOLUME = b"V", b"M"
_HEADER = struct.Struct("100s24s12s12s8xc100s72s16s155s12x")
"""Name; mode, user and group; size; time; checksum; type; link; magic and the names of user and group; device;
prefix."""
_TIME = {b"mtime"}
_NANOSECONDS = 10**9
_MAX_REMEMBERED = 4096
"""The number of cached owners; most of them repeat."""


@define(eq=False)
class _Announced:
    """What extended headers have said of the next member: pax records, GNU's long name and long link; where the first
    of these headers begins."""

    records: Records
    long_name: bytes = b""
    long_link: bytes = b""
    offset: int = -1

    @property
    def is_empty(self) -> bool:
        return not (self.records or self.long_name or self.long_link)


class TarReader:
    """Iterate it for the members; `read` gives the content of the one that was given last. What is not read of it is
    skipped. The iteration ends when the stream has been read to its very end, so that checks of the readers below run.

    Raises `PayloadDamaged`, while iterating and reading, if the stream is not a tar, is cut short, or is inconsistent.
    An error of `packed.read` comes out as it is. No size in the archive decides how much memory is taken.
    """

    def __init__(self, packed: BinaryIO, *, check_base: Callable[[NamedBase | None], None] = ignore) -> None:
        """`check_base`: called before the first member with what the archive says that it continues; None for a full
        one."""
        self._stream = TarStream(packed)
        self._check_base = check_base
        self.base: NamedBase | None = None
        """What the archive continues; None for one that is not incremental, and before the first member."""
        self._similar = SimilarFiles(self._stream)
        self._sparse_maps = SparseMaps(self._stream)
        self._announced = _Announced({})
        self._of_all: Records = {}
        self._is_marked: bool | None = None
        self._owners: dict[bytes, tuple[int, int, int, bytes, bytes, bool]] = {}
        self.read = self._stream.read
        """Return the next stored bytes of the current member: see `TarStream.read`."""

    def accept_names(self) -> None:
        """Accept the records with the names of directories, which may be long: of an incremental archive that is read
        from amidst, behind the header that says that it is one."""
        self._stream.metadata_limit = LONGEST + METADATA_LIMIT

    @property
    def trailing_junk(self) -> bool:
        """After the end: something that is neither zeros nor a member followed the archive's end mark."""
        return self._stream.has_trailing_junk

    @property
    def content_range(self) -> tuple[int, int]:
        """Where the content of the member that was given last begins and ends in the stream, as far as it was not read
        yet; for a sparse file, that of what is stored."""
        start = self._stream.base + self._stream.at
        return start, start + self._stream.left

    @property
    def next_offset(self) -> int:
        """Where the header behind the member that was given last begins."""
        return self._stream.position

    def __iter__(self) -> Iterator[Member]:
        stream, next_similar = self._stream, self._similar.next_file
        while True:
            if not self._of_all and self._announced.offset < 0:
                while (similar := next_similar()) is not None:
                    yield similar
            offset = stream.position
            header = stream.next_header()
            if header is None:
                if self._is_marked is None:
                    self._check_base(self.base)
                if not self._announced.is_empty:
                    raise stream.damage("the archive ends after the extended header of a member that is missing")
                self._finish()
                return
            typeflag = header[156:157]
            if typeflag in _OF_THE_NEXT:
                self._announce(typeflag, header, offset)
            elif typeflag == _VOLUME_LABEL:
                stream.begin(stream.size_of(header))
            elif typeflag == _LATER_VOLUME:
                raise stream.damage("this is a later volume of an archive in several parts; join them first")
            else:
                yield self._next_member(typeflag, header, offset)

    def _finish(self) -> None:
        """The end mark was read."""
        self._stream.drain()

    def _announce(self, typeflag: bytes, header: bytes, offset: int) -> None:
        """Keep what this header says of the next member, or of all that follow."""
        stream, announced = self._stream, self._announced
        if typeflag == _PAX_OF_ALL:
            self._of_all = parse_records(stream, stream.metadata(stream.size_of(header)), self._of_all)
            base, sha256 = self._of_all.pop(BASE, b""), self._of_all.pop(BASE_SHA256, b"").decode("ascii", "replace")
            if base and self._is_marked is None:
                name = base.decode("utf-8", "surrogateescape")
                self.base = NamedBase(name, sha256 if is_sha256(sha256) else None)
                self.accept_names()
            return
        if announced.offset < 0:
            announced.offset = offset
        content = stream.metadata(stream.size_of(header))
        if typeflag in _PAX:
            stream.expect_again(header)
            announced.records = parse_records(stream, content, announced.records)
            if announced.records.keys() == _TIME:
                self._similar.remember_stamp(header)
        elif typeflag == _LONG_NAME:
            announced.long_name = content.partition(b"\0")[0]
        else:
            announced.long_link = content.partition(b"\0")[0]

    def _next_member(self, typeflag: bytes, header: bytes, offset: int) -> Member:
        """The member of this header, and of what was announced."""
        stream, announced = self._stream, self._announced
        records = announced.records
        member = self._member(header)
        member.offset = announced.offset if announced.offset >= 0 else offset
        if announced.long_name:
            member.name = announced.long_name
        if announced.long_link:
            member.link = announced.long_link
        if records or self._of_all:
            apply_records(stream, member, {**self._of_all, **records} if self._of_all else records)
            if (b"GNU.sparse.map" in records or b"GNU.sparse.major" in records) and member.kind is _FILE:
                self._sparse_maps.read_pax_map(member, records)
        if not member.name:
            raise stream.damage("a member has no name")
        if member.kind is _HARDLINK and member.size:
            self._hardlink_with_size(member)
        if typeflag == b"S":
            member.extents, member.size = self._sparse_maps.read_gnu_map(header)
        if member.kind is _FILE and member.name.endswith(b"/"):
            # Before ustar, a directory was an empty file with a slash
            member.kind = Kind.DIRECTORY
        self._judge_mark(member)
        if (
            typeflag == b"0"
            and member.kind is _FILE
            and records.keys() <= _TIME
            and not (self._of_all or announced.long_name)
        ):
            self._similar.remember(header, member)
        if announced.offset >= 0:
            self._announced = _Announced({})
        return member

    def _judge_mark(self, member: Member) -> None:
        """Only an archive whose first member bears the mark marks every file with more names to come."""
        if self._is_marked is None:
            self._check_base(self.base)
            self._is_marked = member.linked is True
        if self.base is None:
            member.dumpdir = None  # of GNU tar's own, which are not restored in a chain
        member.linked = member.linked is True if self._is_marked else None

    def _member(self, header: bytes) -> Member:
        name, ids, size_field, time_field, typeflag, link, owner_names, device_field, prefix = _HEADER.unpack(header)
        # Most members have these in common with an earlier one
        common = ids + owner_names
        owner = self._owners.get(common)
        if owner is None:
            if len(self._owners) >= _MAX_REMEMBERED:
                self._owners.clear()
            owner = self._owners[common] = self._owner(ids, owner_names)
        mode, uid, gid, uname, gname, has_prefix = owner
        kind = _KINDS.get(typeflag, _OTHER)
        try:
            size = 0 if typeflag in WITHOUT_CONTENT else number(size_field)
            mtime_ns = number(time_field) * _NANOSECONDS
        except ValueError:
            raise self._stream.damage("the size or the time of a member is not a number") from None
        self._stream.begin(size)
        name = name.partition(b"\0")[0]
        if has_prefix and prefix[0]:
            name = prefix.partition(b"\0")[0] + b"/" + name
        link = link.partition(b"\0")[0] if kind is _SYMLINK or kind is _HARDLINK else b""
        member = Member(name, kind, typeflag, mode, uid, gid, uname, gname, size, mtime_ns, link)
        if kind is _DEVICE:
            field = self._stream.field
            member.device = (field(device_field[:8], "device"), field(device_field[8:], "device"))
        return member

    def _owner(self, ids: bytes, names: bytes) -> tuple[int, int, int, bytes, bytes, bool]:
        """Mode, user and group, their names, and whether the format has a prefix for the name."""
        field = self._stream.field
        magic = names[:6]
        named = magic == b"ustar\0" or magic == b"ustar "  # the second is GNU's own format, which has no prefix
        return (
            field(ids[:8], "mode") & 0o7777,
            field(ids[8:16], "owner"),
            field(ids[16:], "group"),
            names[8:40].partition(b"\0")[0] if named else b"",
            names[40:].partition(b"\0")[0] if named else b"",
            magic == b"ustar\0",
        )

    def _hardlink_with_size(self, member: Member) -> None:
        """Whether the content is repeated with a hard link. The size does not show it: old writers wrote the size
        without content, and `pax -o linkdata` writes both. The content is repeated unless a header follows."""
        member.size = 0
        if self._stream.next_is_header():
            self._stream.begin(0)
