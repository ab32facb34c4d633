"""Headers of every kind of tar, and those that are damaged or made to cost memory."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from typing import BinaryIO, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.packing.tar_format.tar_header import LINKED_COMMENT
from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.errors import PayloadDamaged
from tests.fixtures.tar_members import END, base256, checked, member, padded, pax

KIB = 1024


class Crumbs(io.BytesIO):
    """A stream that gives a few bytes at a time, however many are asked for."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size)


def content(reader: TarReader) -> bytes:
    return b"".join(bytes(piece) for piece in iter(reader.read, b""))


def members(archive: bytes) -> list[tuple[Member, bytes]]:
    reader = TarReader(io.BytesIO(archive))
    return [(found, content(reader)) for found in reader]


def only_member(archive: bytes) -> Member:
    [(found, _)] = members(archive)
    return found


def expanded(archive: bytes) -> bytes:
    """The content of the only member, with its holes."""
    reader = TarReader(io.BytesIO(archive))
    [found] = reader_members = list(_with_extents(reader))
    assert len(reader_members) == 1
    return found


def _with_extents(reader: TarReader) -> list[bytes]:
    files = []
    for found in reader:
        stored = content(reader)
        whole = bytearray(found.size)
        if found.extents is None:
            whole[:] = stored
        else:
            at = 0
            for offset, length in zip(found.extents[::2], found.extents[1::2], strict=True):
                whole[offset : offset + length] = stored[at : at + length]
                at += length
        files.append(bytes(whole))
    return files


# What is read


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_pythons_tarfile_writes_is_read(layout: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for kind, name, size in (
            (tarfile.DIRTYPE, "d", 0),
            (tarfile.REGTYPE, "d/f", 700),
            (tarfile.SYMTYPE, "d/s", 0),
            (tarfile.LNKTYPE, "d/h", 0),
            (tarfile.FIFOTYPE, "d/p", 0),
            (tarfile.CHRTYPE, "d/c", 0),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mode, info.mtime = kind, size, 0o1640, 1_600_000_000
            info.uid, info.gid, info.uname, info.gname = 1000, 2000, "alice", "staff"
            info.linkname = "d/f" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            info.devmajor, info.devminor = (5, 7) if kind == tarfile.CHRTYPE else (0, 0)
            archive.addfile(info, io.BytesIO(b"x" * size))
    found = members(buffer.getvalue())
    assert [(m.kind, m.name.rstrip(b"/"), m.link, m.device, data) for m, data in found] == [
        (Kind.DIRECTORY, b"d", b"", None, b""),
        (Kind.FILE, b"d/f", b"", None, b"x" * 700),
        (Kind.SYMLINK, b"d/s", b"d/f", None, b""),
        (Kind.HARDLINK, b"d/h", b"d/f", None, b""),
        (Kind.FIFO, b"d/p", b"", None, b""),
        (Kind.DEVICE, b"d/c", b"", (5, 7), b""),
    ]
    for m, _ in found:
        assert (m.mode, m.uid, m.gid, m.uname, m.gname) == (0o1640, 1000, 2000, b"alice", b"staff")
        assert m.mtime_ns == 1_600_000_000 * 10**9


@pytest.mark.parametrize("layout", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_what_gnu_tar_writes_is_read(tmp_path: Path, layout: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"y" * 1500)
    os.utime(tmp_path / "d" / "f", ns=(0, 1_600_000_000_123_456_789))
    archive = subprocess.run(
        ["tar", "-c", f"--format={layout}", "-C", tmp_path, "d"], check=True, capture_output=True
    ).stdout
    (folder, _), (file, data) = members(archive)
    assert (folder.kind, folder.name) == (Kind.DIRECTORY, b"d/")
    assert (file.kind, file.name, file.size, data) == (Kind.FILE, b"d/f", 1500, b"y" * 1500)
    assert file.mtime_ns == (1_600_000_000_123_456_789 if layout == "posix" else 1_600_000_000 * 10**9)
    assert file.uid == os.getuid()


@pytest.mark.parametrize("layout", ["oldgnu", "gnu", "ustar", "posix"])
def test_long_names_and_links_are_read(tmp_path: Path, layout: str) -> None:
    # ustar splits at a slash: 155 bytes and 100 bytes
    name = (
        "/".join(["directory-of-some-length"] * (6 if layout == "ustar" else 8))
        + "/"
        + "f" * (90 if layout == "ustar" else 180)
    )
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).symlink_to("t" * (95 if layout == "ustar" else 300))
    archive = subprocess.run(
        ["tar", "-c", f"--format={layout}", "-C", tmp_path, name], check=True, capture_output=True
    ).stdout
    found = only_member(archive)
    assert (found.name, found.link) == (os.fsencode(name), b"t" * (95 if layout == "ustar" else 300))


def test_a_name_that_is_not_utf8_is_bytes() -> None:
    archive = pax((b"hdrcharset", b"BINARY"), (b"path", b"caf\xe9/\xff")) + member(b"x") + END
    assert only_member(archive).name == b"caf\xe9/\xff"
    assert only_member(member(b"caf\xe9") + END).name == b"caf\xe9"


def test_a_pax_header_speaks_of_the_next_member_only() -> None:
    archive = pax((b"path", b"long"), (b"mtime", b"1.5"), (b"uid", b"-2")) + member(b"a") + member(b"b", mtime=7) + END
    (first, _), (second, _) = members(archive)
    assert (first.name, first.mtime_ns, first.uid) == (b"long", 1_500_000_000, -2)
    assert (second.name, second.mtime_ns, second.uid) == (b"b", 7 * 10**9, os.geteuid())


def test_a_global_header_speaks_of_all_until_it_is_taken_back() -> None:
    archive = (
        pax((b"uname", b"everyone"), (b"comment", b"of git"), kind=b"g")
        + member(b"a")
        + pax((b"uname", b"alice"))
        + member(b"b")
        + member(b"c")
        + pax((b"uname", b""), kind=b"g")
        + member(b"d")
        + END
    )
    assert [found.uname for found, _ in members(archive)] == [b"everyone", b"alice", b"everyone", b""]


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"0", 0),
        (b"1.5", 1_500_000_000),
        (b"1700000000.123456789", 1_700_000_000_123_456_789),
        (b"1700000000.1234567891", 1_700_000_000_123_456_789),
        (b"1.000000001", 1_000_000_001),
        (b".25", 250_000_000),
        (b"-1.5", -1_500_000_000),
        (b"-0.000000001", -1),
        (b"1e-05", 10_000),
        (b"99999999999", 99_999_999_999 * 10**9),
    ],
)
def test_times_are_read_to_the_nanosecond(text: bytes, nanoseconds: int) -> None:
    assert only_member(pax((b"mtime", text)) + member(b"a") + END).mtime_ns == nanoseconds


def test_numbers_in_base_256_are_read() -> None:
    archive = member(b"a", b"x" * 600, size=base256(600), mtime=base256(-5)) + END
    [(found, data)] = members(archive)
    assert (found.size, data, found.mtime_ns) == (600, b"x" * 600, -5 * 10**9)


@pytest.mark.parametrize(
    "digits", [b"00000000012\0", b"000000000012", b"         12 ", b"12\0        \0", b"12 \0\0\0\0\0\0\0\0\0"]
)
def test_numbers_are_read_however_old_writers_padded_them(digits: bytes) -> None:
    assert only_member(member(b"a", b"0123456789", size=digits) + END).size == 10


def test_a_member_of_the_seventies_is_read() -> None:
    # V7: no magic, a directory is a file with a slash, and what would be the prefix is rubbish
    archive = member(b"dir/", kind=b"\0", magic=b"", tail=b"rubbish") + member(b"file", b"1", kind=b"\0", magic=b"")
    (folder, _), (file, data) = members(archive + END)
    assert (folder.kind, folder.name) == (Kind.DIRECTORY, b"dir/")
    assert (file.kind, file.name, data) == (Kind.FILE, b"file", b"1")


def test_the_prefix_belongs_to_posix_headers_only() -> None:
    assert only_member(member(b"f", prefix=b"some/dir") + END).name == b"some/dir/f"
    assert only_member(member(b"f", magic=b"ustar  ", prefix=b"some/dir") + END).name == b"f"


def test_a_checksum_over_signed_characters_fits() -> None:
    assert only_member(member(b"caf\xe9\xff", signed=True) + END).name == b"caf\xe9\xff"


def test_a_contiguous_file_is_a_file() -> None:
    [(found, data)] = members(member(b"a", b"abc", kind=b"7") + END)
    assert (found.kind, data) == (Kind.FILE, b"abc")


def test_a_member_of_an_unknown_type_is_other_and_its_content_is_skipped() -> None:
    reader = TarReader(io.BytesIO(member(b"acl", b"z" * 900, kind=b"A") + member(b"a", b"b") + END))
    assert [(found.kind, found.typeflag, found.name) for found in reader] == [
        (Kind.OTHER, b"A", b"acl"),
        (Kind.FILE, b"0", b"a"),
    ]


def test_the_size_of_a_directory_or_a_symbolic_link_means_no_content() -> None:
    archive = member(b"d/", kind=b"5", size=4096) + member(b"s", kind=b"2", link=b"t", size=5) + member(b"f") + END
    assert [(found.name, found.size) for found, _ in members(archive)] == [(b"d/", 0), (b"s", 0), (b"f", 0)]


def test_a_hard_link_may_bring_the_content_again_or_only_its_size() -> None:
    first = member(b"a", b"content")
    for link in (member(b"b", b"content", kind=b"1", link=b"a"), member(b"b", kind=b"1", link=b"a", size=7)):
        found = members(first + link + member(b"c", b"next") + END)
        assert [(m.name, m.kind, data) for m, data in found][::2] == [
            (b"a", Kind.FILE, b"content"),
            (b"c", Kind.FILE, b"next"),
        ]
        assert (found[1][0].kind, found[1][0].link) == (Kind.HARDLINK, b"a")


def test_extended_attributes_and_other_records_that_are_not_used_do_no_harm() -> None:
    archive = (
        pax((b"SCHILY.xattr.user.x", bytes(range(256))), (b"LIBARCHIVE.creationtime", b"1.2"), (b"atime", b"junk"))
        + member(b"a")
        + END
    )
    assert only_member(archive).name == b"a"


def test_a_volume_label_is_not_a_member() -> None:
    assert only_member(member(b"LABEL", kind=b"V") + member(b"a") + END).name == b"a"


def test_it_is_known_whether_other_names_of_a_file_may_follow_only_where_the_archive_says_so() -> None:
    mark = pax((b"comment", LINKED_COMMENT))
    plain = [found.linked for found, _ in members(member(b"a") + mark + member(b"b") + END)]
    marked = [
        found.linked for found, _ in members(mark + member(b"r/", kind=b"5") + member(b"a") + mark + member(b"b") + END)
    ]
    assert plain == [None, None]
    assert marked == [True, False, True]


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 3 * KIB), max_size=8),
    crumb=st.integers(1, 5 * KIB),
    limit=st.integers(1, 2 * KIB),
    seen=st.integers(0, 4),
)
def test_the_members_are_the_same_whatever_chunks_the_stream_comes_in(
    sizes: list[int], crumb: int, limit: int, seen: int
) -> None:
    contents = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    archive = b"".join(
        pax((b"mtime", b"%d.5" % number)) + member(b"f%d" % number, data) for number, data in enumerate(contents)
    )
    reader = TarReader(Crumbs(archive + END, crumb))
    for number, found in enumerate(reader):
        assert found.name == b"f%d" % number
        if number % 5 >= seen:  # some are read to the end, others are left at once, or half-way
            assert contents[number].startswith(bytes(reader.read(limit)))
        else:
            assert content(reader) == contents[number]
    assert not reader.trailing_junk


# Files like the one before, which are read in one step


def described(archive: bytes, at: int = 0) -> list[tuple[dict[str, object], bytes]] | None:
    """All that is said of each member, if the archive begins at `at`; None if the archive is damaged."""
    try:
        return [
            (
                {
                    **attrs.asdict(found, filter=lambda field, _: field.name != "content"),
                    "offset": at + found.offset,
                },
                data,
            )
            for found, data in members(archive)
        ]
    except PayloadDamaged:
        return None


STAMP = pax((b"mtime", b"1600000000.123456789"))


@settings(deadline=None, max_examples=400)
@given(data=st.data(), stamped=st.booleans(), adds_up=st.booleans(), prefix=st.sampled_from([b"", b"d/e"]))
def test_a_file_is_the_same_alone_and_behind_one_that_is_like_it(
    data: st.DataObject, stamped: bool, adds_up: bool, prefix: bytes
) -> None:
    likes = (STAMP if stamped else b"") + member(b"a", b"first", prefix=prefix)
    odd = bytearray((STAMP if stamped else b"") + member(b"b", b"second", prefix=prefix))
    edges = [0, 1, 99, 100, 106, 107, 124, 130, 134, 135, 136, 146, 147, 148, 153, 154, 155, 156, 157, 257, 345, 500]
    starts = [*range(0, len(odd) - 512, 512)]
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.sampled_from(starts)) + data.draw(st.sampled_from(edges) | st.integers(0, 511))
        odd[at] = data.draw(st.sampled_from(b"\0 0789/.=\n-x\xff") | st.integers(0, 255))
    if adds_up:
        odd[-1024:-512] = checked(bytes(odd[-1024:-512]))
    alone, behind = described(bytes(odd) + END, len(likes)), described(likes + bytes(odd) + END)
    assert behind == (None if alone is None else described(likes + END) + alone)  # type: ignore[operator]


@pytest.mark.parametrize(
    "record",
    [
        (b"mtime", b"1600000001.987654321"),
        (b"mtime", b"-600000001.987654321"),
        (b"mtime", b"1600000001.98765432x"),
        (b"mtime", b"16000000019876543210"),
        (b"mtime", b"1600000001,987654321"),
        (b"mtime", b"160000000x.987654321"),
        (b"atime", b"1600000001.987654321"),
        (b"uname", b"1600000001.987654321"),
    ],
)
def test_an_extended_header_of_the_same_length_is_the_same_alone_and_behind_another(
    record: tuple[bytes, bytes],
) -> None:
    likes, odd = STAMP + member(b"a", b"first"), pax(record) + member(b"b", b"second")
    alone, behind = described(odd + END, len(likes)), described(likes + odd + END)
    assert behind == (None if alone is None else described(likes + END) + alone)  # type: ignore[operator]


@pytest.mark.parametrize("name", [b"b/", b"", b"b" * 100, b"\xff", b"c\0rest"])
@pytest.mark.parametrize("prefix", [b"", b"d/e"])
def test_an_odd_name_is_the_same_alone_and_behind_another(name: bytes, prefix: bytes) -> None:
    likes, odd = member(b"a", b"first", prefix=prefix), member(name, prefix=prefix)
    alone, behind = described(odd + END, len(likes)), described(likes + odd + END)
    assert behind == (None if alone is None else described(likes + END) + alone)  # type: ignore[operator]


def test_the_content_of_a_small_file_is_at_hand_and_can_be_read_as_well() -> None:
    reader = TarReader(io.BytesIO(member(b"a", b"first") + member(b"b", b"second") + END))
    *_, last = [(found.content and bytes(found.content), content(reader)) for found in reader]
    assert last == (b"second", b"second")


def test_a_file_that_comes_in_chunks_is_not_buffered_and_can_be_read() -> None:
    reader = TarReader(Crumbs(member(b"a", b"first") + member(b"b", b"x" * 5000) + END, 1536))
    *_, last = [(found.content, content(reader)) for found in reader]
    assert last == (None, b"x" * 5000)


# Sparse files


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=oldgnu"],
        ["--format=posix", "--sparse-version=0.0"],
        ["--format=posix", "--sparse-version=0.1"],
        ["--format=posix", "--sparse-version=1.0"],
    ],
)
@pytest.mark.parametrize("stretches", [0, 1, 3, 4, 5, 60, 200])
def test_sparse_files_of_gnu_tar_are_read(tmp_path: Path, options: list[str], stretches: int) -> None:
    path = tmp_path / ("sparse" * 30)
    with path.open("wb") as file:
        for number in range(stretches):
            file.seek(number * 16 * KIB)
            file.write(b"%04d" % number * 10)
        file.truncate(stretches * 16 * KIB + 100 * KIB)
    archive = subprocess.run(
        ["tar", "-c", "--sparse", "--hole-detection=raw", *options, "-C", tmp_path, path.name],
        check=True,
        capture_output=True,
    ).stdout
    assert only_member(archive).name == os.fsencode(path.name)
    assert expanded(archive) == path.read_bytes()


def test_a_sparse_file_keeps_its_holes(tmp_path: Path) -> None:
    with (tmp_path / "s").open("wb") as file:
        file.truncate(1024**4)
    archive = subprocess.run(["tar", "-cS", "-C", tmp_path, "s"], check=True, capture_output=True).stdout
    found = only_member(archive)
    assert found.size == 1024**4
    assert found.extents is not None


def sparse_of_version_1(head: bytes, data: bytes, size: int) -> bytes:
    """A sparse file with this map at the head of its content."""
    records = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"%d" % size))
    return pax(*records) + member(b"f", padded(head) + data) + END


@pytest.mark.parametrize("count", [0, 1, 21, 100, 5_000, 20_000])
@pytest.mark.parametrize("crumbs", [100, 512, 1024 * 1024])
def test_a_map_of_any_length_is_read(count: int, crumbs: int) -> None:
    numbers = [number for stretch in range(count) for number in (stretch * 1000, 3)]
    head = b"%d\n" % count + b"".join(b"%d\n" % number for number in numbers)
    data = b"".join(b"%03d" % (number % 1000) for number in range(count))
    reader = TarReader(Crumbs(sparse_of_version_1(head, data, count * 1000), crumbs))
    for found in reader:
        assert (found.size, list(found.extents or ())) == (count * 1000, numbers)
        assert content(reader) == data


def test_empty_stretches_are_believed_as_far_as_gnu_tar_makes_them() -> None:
    head = b"3\n0\n2\n50\n0\n100\n0\n"
    assert list(only_member(sparse_of_version_1(head, b"ab", 100)).extents or ()) == [0, 2, 50, 0, 100, 0]


@pytest.mark.parametrize("count", [2_000, 4 * 1024 * 1024])
def test_a_map_of_many_empty_stretches_is_refused_before_it_is_read(count: int) -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(min(size or 0, 1024))
            self.taken += len(piece)
            return piece

    packed = Counted(sparse_of_version_1(b"%d\n" % count + b"0\n0\n" * count, b"", 0))
    with pytest.raises(PayloadDamaged, match="more than 1000 empty"):
        list(TarReader(packed))
    assert packed.taken < 10 * KIB
    with pytest.raises(PayloadDamaged, match="more than 1000 empty"):
        records = ((b"GNU.sparse.map", b",".join([b"0,0"] * 2000)), (b"GNU.sparse.size", b"0"))
        members(pax(*records) + member(b"f") + END)


def test_a_map_of_more_stretches_than_any_file_has_is_refused_at_its_first_line() -> None:
    with pytest.raises(PayloadDamaged, match="does not add up"):
        members(sparse_of_version_1(b"99999999\n" + b"1\n1\n" * 100, b"", 0))


def test_an_owner_whose_name_no_system_takes_has_none() -> None:
    archive = pax((b"uname", b"u" * 257), (b"gname", b"g" * 256)) + member(b"f") + END
    found = only_member(archive)
    assert (found.uname, found.gname) == (b"", b"g" * 256)


def test_files_of_ever_new_owners_take_little_memory() -> None:
    class Made(io.RawIOBase):
        number = 0

        def read(self, size: int = -1) -> bytes:
            self.number += 1
            if self.number > 300:
                return END if self.number == 301 else b""
            return b"".join(member(b"f", owner=self.number * 100 + more) for more in range(100))

    tracemalloc.start()
    try:
        count = sum(1 for _ in TarReader(cast(BinaryIO, Made())))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (count, peak < 5 * KIB * KIB) == (30_000, True)


@pytest.mark.parametrize(
    "records",
    [
        ((b"GNU.sparse.map", b"0,5,4,5"), (b"GNU.sparse.size", b"100")),  # overlapping
        ((b"GNU.sparse.map", b"50,5,0,5"), (b"GNU.sparse.size", b"100")),  # backwards
        ((b"GNU.sparse.map", b"0,5"), (b"GNU.sparse.size", b"100")),  # not all of what is stored
        ((b"GNU.sparse.map", b"95,10"), (b"GNU.sparse.size", b"100")),  # beyond the end
        ((b"GNU.sparse.map", b"0,10,5"), (b"GNU.sparse.size", b"100")),  # odd
        ((b"GNU.sparse.map", b"0,-10"), (b"GNU.sparse.size", b"100")),
        ((b"GNU.sparse.map", b"0,10"), (b"GNU.sparse.size", b"")),
        ((b"GNU.sparse.map", b"0,10"),),
        ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"10")),
        ((b"GNU.sparse.major", b"2"), (b"GNU.sparse.minor", b"0")),
    ],
)
def test_a_sparse_map_that_does_not_add_up_is_damage(records: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(PayloadDamaged):
        members(pax(*records) + member(b"s", b"0123456789") + END)


@pytest.mark.parametrize(
    "head", [b"99999999999999\n", b"2\n0\n", b"-1\n", b"x\n", b"9" * 300, b"", b"1\n0\n9223372036854775807\n"]
)
def test_a_sparse_map_at_the_head_of_the_content_that_does_not_add_up_is_damage(head: bytes) -> None:
    records = pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"10"))
    with pytest.raises(PayloadDamaged):
        members(records + member(b"s", padded(head)) + END)


# What is refused


@pytest.mark.parametrize("archive", [b"", b"hello", b"x" * 511, b"x" * 512, b"\x1f\x8b" * 5000])
def test_what_is_not_an_archive_is_damage(archive: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        members(archive)


def test_every_truncation_before_the_end_mark_is_damage() -> None:
    archive = (
        member(b"d/", kind=b"5")
        + pax((b"path", b"d/a"))
        + member(b"a", b"x" * 700)
        + member(b"././@LongLink", b"d/b\0", kind=b"L")
        + member(b"b", b"y" * 512)
    )
    for length in range(0, len(archive) + 1, 64):
        with pytest.raises(PayloadDamaged):
            members(archive[:length])
    assert len(members(archive + bytes(512))) == 3


def test_every_flipped_bit_of_a_header_is_damage() -> None:
    header = member(b"a", b"", mode=0o644)
    for position in range(512):
        for bit in range(8):
            broken = bytearray(header)
            broken[position] ^= 1 << bit
            try:
                [(found, _)] = members(bytes(broken) + END)
            except PayloadDamaged:
                continue
            # Only how the checksum itself is written leaves any choice
            assert 148 <= position < 156
            assert found.name == b"a"


def test_a_blank_header_amidst_members_is_damage() -> None:
    with pytest.raises(PayloadDamaged, match="blank"):
        members(member(b"a") + bytes(512) + member(b"b") + END)


def test_members_after_the_end_mark_are_damage() -> None:
    with pytest.raises(PayloadDamaged, match="follow the end"):
        members(member(b"a") + END + bytes(512) + member(b"b") + END)


def test_rubbish_after_the_end_mark_is_noted_and_the_stream_read_to_its_end() -> None:
    stream = io.BytesIO(member(b"a") + END + bytes(3000) + b"rubbish" * 1000)
    reader = TarReader(stream)
    assert [found.name for found in reader] == [b"a"]
    assert reader.trailing_junk
    assert stream.read() == b""


def test_zeros_after_the_end_mark_are_read_to_the_end_and_no_rubbish() -> None:
    stream = io.BytesIO(member(b"a") + END + bytes(3 * KIB * KIB + 77))
    reader = TarReader(stream)
    assert [found.name for found in reader] == [b"a"]
    assert not reader.trailing_junk
    assert stream.read() == b""


def test_an_archive_of_nothing_has_no_members() -> None:
    assert members(bytes(10240)) == []


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K", b"X"])
@pytest.mark.parametrize("size", [2**20 + 1, 2**33 - 1, base256(2**62), base256(2**87), base256(-1)])
def test_a_hostile_size_of_an_extended_header_takes_no_memory(kind: bytes, size: int | bytes) -> None:
    with pytest.raises(PayloadDamaged):
        members(member(b"x", kind=kind, size=size) + member(b"a") + END)


@pytest.mark.parametrize(
    "size", [base256(-1), base256(2**63), base256(2**87), b"9" * 12, b"0x1234567890", b"-0000000001\0"]
)
def test_an_impossible_size_is_damage(size: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        members(member(b"a", size=size) + END)


def test_a_file_that_is_said_to_be_larger_than_the_archive_is_damage() -> None:
    for archive in (
        member(b"a", b"abc", size=base256(2**62)) + END,
        pax((b"size", b"%d" % (2**62))) + member(b"a", b"abc") + END,
    ):
        with pytest.raises(PayloadDamaged, match="cut short"):
            members(archive)


@pytest.mark.parametrize(
    "content",
    [
        b"0 a=b\n",
        b"5 a=b",
        b"99 a=b\n",
        b"6 a=bc\n",
        b"a=b\n",
        b"-6 a=b\n",
        b" a=b\n",
        b"6 abc\n\n",
        b"99999999999999999999999999 a=b\n",
        b"4 x\n",
        b"\0\0\0\0",
    ],
)
def test_a_record_that_does_not_add_up_is_damage(content: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        members(member(b"x", content, kind=b"x") + member(b"a") + END)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"size", b"-1"),
        (b"size", b"1e3"),
        (b"size", b"9" * 30),
        (b"mtime", b"now"),
        (b"mtime", b"inf"),
        (b"mtime", b"nan"),
        (b"mtime", b"9" * 400),
        (b"uid", b"root"),
        (b"path", b"a\0b"),
    ],
)
def test_a_record_with_an_impossible_value_is_damage(key: bytes, value: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        members(pax((key, value)) + member(b"a") + END)


def test_a_member_without_a_name_is_damage() -> None:
    with pytest.raises(PayloadDamaged, match="no name"):
        members(member(b"") + END)


def test_a_later_volume_is_refused_as_such() -> None:
    with pytest.raises(PayloadDamaged, match="several parts"):
        members(member(b"a", kind=b"M") + END)


def test_an_extended_header_without_its_member_is_damage() -> None:
    with pytest.raises(PayloadDamaged, match="missing"):
        members(member(b"a") + pax((b"path", b"b")) + END)


def test_a_header_with_letters_for_numbers_is_damage() -> None:
    header = bytearray(member(b"a"))
    header[100:108] = b"rwxr-xr\0"
    with pytest.raises(PayloadDamaged, match="mode"):
        members(checked(bytes(header)) + END)


def test_an_error_of_the_stream_comes_out_as_it_is() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError("reset by peer")

    with pytest.raises(ConnectionResetError, match="reset by peer"):
        list(TarReader(Broken()))


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_whatever_bytes_come_there_are_members_or_damage(data: st.DataObject) -> None:
    archive = bytearray(
        pax((b"path", b"d/a"), (b"mtime", b"1.5"))
        + member(b"a", b"x" * 700)
        + pax((b"GNU.sparse.map", b"0,5,9,5"), (b"GNU.sparse.size", b"100"))
        + member(b"s", b"0123456789")
        + member(b"l", kind=b"1", link=b"a", size=3)
        + END
    )
    headers = [at for at in range(0, len(archive), 512) if archive[at + 257 : at + 262] == b"ustar"]
    for at in data.draw(st.lists(st.sampled_from(headers), min_size=1, max_size=3, unique=True)):
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(
                st.sampled_from([0, 50, 100, 124, 125, 130, 135, 136, 156, 157, 257, 345, 386, 482, 483])
            )
            archive[at + position] = data.draw(st.integers(0, 255))
        archive[at : at + 512] = checked(bytes(archive[at : at + 512]))
    reader = TarReader(io.BytesIO(bytes(archive)))
    try:
        for found in reader:
            assert found.name
            assert found.size >= 0
            assert len(content(reader)) <= len(archive)
    except PayloadDamaged:
        pass
