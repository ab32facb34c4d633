"""Whatever is flipped, blanked or cut off in a stored archive: each file that it does not touch comes back identical,
and nothing that is wrong has its own name."""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import evolve, frozen
from hypothesis import HealthCheck, given, settings

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_stream import CHUNK, ENCRYPTED_CHUNK
from bakthat.adapters.encryption.key_files import keygen
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.ports.random_access import BytesAccess
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.salvage import Salvaged, SalvageRequest, salvage
from bakthat.usecases.tools import Tools
from tests.fixtures.old_compressor import OldCompressor
from tests.testing.damage import Damage, damages, differing_ranges

PAIR = keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
TO_PAIR = Keys(recipients=(PAIR.recipient,))
OPENING = Keys(identities=(PAIR.identity,))

Range = tuple[int, int]


@frozen(eq=False, repr=False)
class Archive:
    """A stored archive, and where everything is in it. blocks: where each member begins in the compressed stream, and
    the last one ends; empty without a compression. start: of the first chunk in the encrypted file."""

    box: Toolbox
    tools: Tools
    made: Backup
    stored: bytes
    files: dict[str, bytes]
    ranges: dict[str, Range]
    blocks: tuple[int, ...]
    start: int
    has_index: bool

    def lost(self, damaged: bytes) -> tuple[list[Range], bool]:
        """The ranges of the tar stream that may be lost, at most, and whether the index may be."""
        ranges = differing_ranges(self.stored, damaged)
        if self.start:
            ranges = [
                (
                    (first - self.start) // ENCRYPTED_CHUNK * CHUNK,
                    ((last - 1 - self.start) // ENCRYPTED_CHUNK + 1) * CHUNK,
                )
                for first, last in ranges
            ]
        if not self.blocks:
            return ranges, False
        lost = [
            (number << 20, (number + 1) << 20)
            for number, (first, last) in enumerate(pairwise(self.blocks))
            if any(start < last and first < stop for start, stop in ranges)
        ]
        return lost, any(stop > self.blocks[-1] for _, stop in ranges)


def prepared(folder: Path, *, keys: Keys, compression: Compression, has_index: bool) -> Archive:
    root = folder / "data"
    (root / "sub").mkdir(parents=True)
    chance = random.Random(7)
    files = {}
    for number in range(30):
        name = f"{'sub/' if number % 3 else ''}{number:02}{'-long' * (25 if number % 5 == 0 else 0)}"
        content = chance.randbytes(chance.choice([0, 700, 30_000, 200_000]))
        files[f"data/{name}"] = content if number % 4 else content.hex().encode()
        (root / name).write_bytes(files[f"data/{name}"])
    box = Toolbox()
    tools = box.tools
    if not has_index:
        tools = evolve(tools, compressors={Compression.GZIP: OldCompressor()})
    request = BackupRequest(source=root, destination="s3", keys=keys, compression=compression)
    made = backup(request, tools)
    with box.stores["s3"].open(made.stored_filename) as reader:
        stored = reader.read()
    plain, start = stored, 0
    if keys:
        with AgeCipher().unsealing(io.BytesIO(stored), OPENING) as reader:
            plain = reader.read()
        start = len(stored) - len(plain) - 16 * -(-len(plain) // CHUNK)
    blocks: tuple[int, ...] = ()
    tar = plain
    if compression is Compression.GZIP:
        with GzipCompressor().decompressing(io.BytesIO(plain)) as reader:
            tar = reader.read()
        index = GzipCompressor().read_index(BytesAccess(plain))
        blocks = tuple(index.block_starts) if index is not None else tuple(_member_starts(plain))
    return Archive(box, tools, made, stored, files, _ranges(tar, files), blocks, start, has_index)


def _member_starts(packed: bytes) -> Iterator[int]:
    at = 0
    while at < len(packed):
        yield at
        at += int.from_bytes(packed[at + 16 : at + 20], "little")
    yield at


def _ranges(tar: bytes, files: dict[str, bytes]) -> dict[str, Range]:
    entries: list[IndexEntry] = list(TarPacker().entries(io.BytesIO(tar)))
    offsets = [entry.offset for entry in entries] + [len(tar)]
    return {
        entry.path: (entry.offset, after)
        for entry, after in zip(entries, offsets[1:], strict=True)
        if entry.path in files
    }


@pytest.fixture(
    scope="module",
    params=[
        (TO_PAIR, Compression.GZIP, True),
        (TO_PAIR, Compression.GZIP, False),
        (Keys(), Compression.GZIP, True),
        (Keys(), Compression.GZIP, False),
        (TO_PAIR, Compression.NONE, False),
    ],
    ids=["encrypted", "encrypted, old", "plain", "plain, old", "encrypted tar"],
)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    keys, compression, has_index = request.param
    folder = tmp_path_factory.mktemp("source")
    return prepared(folder, keys=keys, compression=compression, has_index=has_index)


def salvaged(archive: Archive, damaged: bytes, target: Path) -> tuple[Salvaged, dict[str, bytes]]:
    archive.box.stores["s3"].put(archive.made.stored_filename, io.BytesIO(damaged), replace=True)
    request = SalvageRequest(name="data", destination="s3", target=target, keys=lambda _: OPENING)
    done = salvage(request, archive.tools)
    folder = target / "data.salvaged"
    return done, {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(damage=damages)
def test_what_no_damage_touches_comes_back_identical(archive: Archive, damage: Damage) -> None:
    # The header of the encryption is another matter: without it, nothing can be read.
    head, payload = archive.stored[: archive.start], archive.stored[archive.start :]
    damaged = head + damage.done_to(payload)
    lost, index_lost = archive.lost(damaged)
    with tempfile.TemporaryDirectory() as target:
        done, came_back = salvaged(archive, damaged, Path(target))
    for path, content in archive.files.items():
        start, stop = archive.ranges[path]
        if path in came_back:
            assert came_back[path] == content, path
        if not any(first < stop and start < last for first, last in lost):
            # Without an index, a header that was searched for may have lost an extended one before it.
            own_only = archive.has_index and not index_lost
            names = [path] if own_only else [path, f"{path}.unverified"]
            assert content in [came_back.get(name) for name in names], path
    assert done.is_complete == (damaged == archive.stored)
    assert done.report.whole.count == len(came_back.keys() & archive.files.keys())
    if archive.has_index and not index_lost:
        known = {problem.path for problem in done.report.missing.listed}
        known |= {path.removesuffix(".partial").removesuffix(".unverified") for path in came_back}
        assert known >= archive.files.keys()


def test_an_archive_without_damage_comes_back_whole(archive: Archive, tmp_path: Path) -> None:
    done, came_back = salvaged(archive, archive.stored, tmp_path)
    assert done.is_complete
    assert came_back == archive.files
