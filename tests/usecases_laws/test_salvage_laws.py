"""Wherever an archive is altered or cut, salvage gives nothing wrong under its own name, and all that was untouched."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from bisect import bisect_right
from pathlib import Path

import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.domain.payload import Keys
from bakthat.ports.random_access import BytesAccess
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.inside.members import with_ends
from bakthat.usecases.salvage import SalvageRequest, salvage

SECRET = Keys(passphrase="secret")
CHUNK = 65_552
"""Bytes of a chunk of age, encrypted."""


@frozen
class Archive:
    source: Path
    box: Toolbox = field(repr=False)
    name: str
    stored: bytes = field(repr=False)
    index: ArchiveIndex = field(repr=False)
    keys: Keys


BLOCK = 128 * 1024
"""Plain bytes of a member or frame, so that a small archive has several."""

FORMS = {
    "gzip": (Compression.GZIP, Keys()),
    "gzip, encrypted": (Compression.GZIP, SECRET),
    "zstd": (Compression.ZSTD, Keys()),
    "zstd, encrypted": (Compression.ZSTD, SECRET),
}


def made(source: Path, compression: Compression, keys: Keys) -> Archive:
    box = Toolbox(block_size=BLOCK)
    request = BackupRequest(source=source, destination="s3", keys=keys, compression=compression)
    record = backup(request, box.tools)
    with box.stores["s3"].open(record.stored_filename) as reader:
        stored = reader.read()
    access = BytesAccess(stored)
    packed = box.tools.cipher.random_access(access, keys) if keys else access
    assert packed is not None
    index = box.tools.compressors[compression].read_index(packed)
    assert index is not None
    assert len(index.block_starts) > 8
    return Archive(source, box, record.stored_filename, stored, index, keys)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Archive]:
    source = tmp_path_factory.mktemp("sources") / "big"
    source.mkdir()
    for number in range(30):
        (source / f"{number}.bin").write_bytes(os.urandom(1 + number * 3_333))
    return {form: made(source, compression, keys) for form, (compression, keys) in FORMS.items()}


def untouched(archive: Archive, first: int, last: int) -> set[str]:
    """The files that lie in no block that a damage from the first to the last byte of the object touches."""
    if archive.keys:
        # Of the compressed stream, each chunk that is damaged is lost whole.
        start = archive.stored.index(b"\n---") + 49 + 16
        first, last = ((max(0, at - start) // CHUNK) * 65_536 for at in (first, last))
        last += 65_535
    starts, size = archive.index.block_starts, archive.index.header.block_size
    from_block, to_block = bisect_right(starts, first) - 1, bisect_right(starts, last) - 1
    damaged = range(from_block * size, (to_block + 1) * size)
    return {
        entry.path.rpartition("/")[2]
        for entry, end in with_ends(archive.index)
        if entry.kind == "file" and (end <= damaged.start or entry.offset >= damaged.stop)
    }


def check(archive: Archive, stored: bytes, expected: set[str]) -> None:
    box = archive.box
    box.stores["s3"].put(archive.name, io.BytesIO(stored), replace=True)
    target = Path(tempfile.mkdtemp())
    try:
        request = SalvageRequest(name="big", destination="s3", target=target, keys=lambda _: archive.keys)
        salvage(request, box.tools)
        came = {path.name: path for path in (target / "big.salvaged").rglob("*.bin")}
        assert set(came) >= expected
        for name, path in came.items():
            assert path.read_bytes() == (archive.source / name).read_bytes()
    finally:
        shutil.rmtree(target)


FIRST = 1000
"""Behind the header of the encryption, without which nothing can be had."""
PLACES = st.floats(0, 1, exclude_max=True)


def position(archive: Archive, place: float) -> int:
    return FIRST + int(place * (len(archive.stored) - FIRST))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(place=PLACES, flip=st.integers(1, 255))
def test_a_flipped_byte(archives: dict[str, Archive], form: str, place: float, flip: int) -> None:
    archive = archives[form]
    at = position(archive, place)
    altered = bytearray(archive.stored)
    altered[at] ^= flip
    check(archive, bytes(altered), untouched(archive, at, at))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(place=PLACES)
def test_a_cut_end(archives: dict[str, Archive], form: str, place: float) -> None:
    archive = archives[form]
    length = position(archive, place)
    check(archive, archive.stored[:length], untouched(archive, length, len(archive.stored) - 1))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(place=PLACES, length=st.integers(1, 150_000))
def test_zeros_in_the_middle(archives: dict[str, Archive], form: str, place: float, length: int) -> None:
    archive = archives[form]
    at = position(archive, place)
    length = min(length, len(archive.stored) - at)
    altered = archive.stored[:at] + bytes(length) + archive.stored[at + length :]
    check(archive, altered, untouched(archive, at, at + length - 1))
