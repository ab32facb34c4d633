"""`restore --salvage`: what is whole comes back, and the rest is named."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.archive_format import Compression
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.errors import BackupNotFound, PasswordNeeded, TargetExists, WrongPassword
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.backup_stream import StreamRequest, backup_stream
from bakthat.usecases.salvage import Salvaged, SalvageRequest, salvage
from bakthat.usecases.sync import sync

SECRET = Keys(passphrase="secret")
NONE = Keys()

BLOCK = 64 * 1024
"""A small archive has several blocks of this size, as a large one has of 1 MiB."""


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(block_size=BLOCK)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources") / "big"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.bin").write_bytes(os.urandom(200_000))
    return root


def back_up(box: Toolbox, source: Path, **changes) -> Backup:
    return backup(BackupRequest(**{"source": source, "destination": "s3", **changes}), box.tools)


def damage(box: Toolbox, made: Backup, *positions: int, length: int | None = None) -> None:
    with box.stores["s3"].open(made.stored_filename) as reader:
        content = bytearray(reader.read())
    for position in positions:
        content[position] ^= 0x55
    box.stores["s3"].put(made.stored_filename, io.BytesIO(bytes(content[:length])), replace=True)


def salvaged(box: Toolbox, target: Path, name: str = "big", keys: Keys = NONE, **changes) -> Salvaged:
    target.mkdir(exist_ok=True)
    request = SalvageRequest(name=name, destination="s3", target=target, keys=lambda _: keys, **changes)
    return salvage(request, box.tools)


FORMS = [
    pytest.param({}, id="gzip"),
    pytest.param({"keys": SECRET}, id="encrypted"),
    pytest.param({"keys": SECRET, "compression": Compression.NONE}, id="encrypted-tar"),
]


@pytest.mark.parametrize("form", [*FORMS, pytest.param({"compression": Compression.NONE}, id="tar")])
def test_of_a_good_archive_everything_is_whole(box: Toolbox, large: Path, tmp_path: Path, form: dict) -> None:
    back_up(box, large, **form)
    report = salvaged(box, tmp_path / "target", keys=form.get("keys", NONE)).report
    assert (report.is_complete, report.directory, report.whole.count) == (True, "big.salvaged", 4)
    for number in range(4):
        came = tmp_path / "target" / "big.salvaged" / "big" / f"{number}.bin"
        assert came.read_bytes() == (large / f"{number}.bin").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_a_damage_costs_the_files_that_it_touches(box: Toolbox, large: Path, tmp_path: Path, form: dict) -> None:
    made = back_up(box, large, **form)
    damage(box, made, made.size // 2)
    report = salvaged(box, tmp_path / "target", keys=form.get("keys", NONE)).report
    assert not report.is_complete
    assert report.whole.count >= 2
    folder = tmp_path / "target" / "big.salvaged" / "big"
    for path in folder.glob("*.bin"):
        assert path.read_bytes() == (large / path.name).read_bytes()
    known = report.whole.count + report.partial.count + report.unverified.count + report.missing.count
    assert known == 4 or report.may_lack_more


@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_archive_costs_its_end(box: Toolbox, large: Path, tmp_path: Path, form: dict) -> None:
    made = back_up(box, large, **form)
    damage(box, made, length=made.size * 2 // 3)
    report = salvaged(box, tmp_path / "target", keys=form.get("keys", NONE)).report
    assert not report.is_complete
    assert report.whole.count >= 1
    for path in (tmp_path / "target" / "big.salvaged" / "big").glob("*.bin"):
        assert path.read_bytes() == (large / path.name).read_bytes()


def test_keys_are_needed_and_must_fit(box: Toolbox, large: Path, tmp_path: Path) -> None:
    back_up(box, large, keys=SECRET)
    with pytest.raises(PasswordNeeded):
        salvaged(box, tmp_path / "target")
    with pytest.raises(WrongPassword):
        salvaged(box, tmp_path / "target", keys=Keys(passphrase="wrong"))
    assert list((tmp_path / "target").iterdir()) == []


def test_nothing_is_replaced(box: Toolbox, large: Path, tmp_path: Path) -> None:
    back_up(box, large)
    (tmp_path / "target" / "big.salvaged").mkdir(parents=True)
    with pytest.raises(TargetExists):
        salvaged(box, tmp_path / "target")


def test_patterns_choose(box: Toolbox, large: Path, tmp_path: Path) -> None:
    back_up(box, large)
    assert salvaged(box, tmp_path / "target", only=("2.bin",)).report.whole.count == 1


def test_patterns_that_match_nothing_of_a_good_archive_say_so(box: Toolbox, large: Path, tmp_path: Path) -> None:
    made = back_up(box, large)
    with pytest.raises(BackupNotFound, match=f"nothing in {made.stored_filename} matches nope"):
        salvaged(box, tmp_path / "target", only=("nope",))


def test_a_header_of_zeros_amidst_the_archive_does_not_make_the_rest_doubtful(
    box: Toolbox, large: Path, tmp_path: Path
) -> None:
    """It looks like the end mark of an archive, and then more members come."""
    tar, stored = io.BytesIO(), io.BytesIO()
    entries: list[IndexEntry] = []
    TarPacker().pack(large, tar, on_entry=entries.append)
    content = bytearray(tar.getvalue())
    content[entries[2].offset : entries[3].offset] = bytes(entries[3].offset - entries[2].offset)
    with GzipCompressor(block_size=BLOCK).compressing_with_index(stored) as writer:
        for entry in entries:
            writer.on_entry(entry)
        writer.stream.write(bytes(content))
    box.stores["s3"].put("big.20260102030405.tgz", io.BytesIO(stored.getvalue()))
    sync("s3", box.tools)
    report = salvaged(box, tmp_path / "target").report
    assert (report.whole.count, report.missing.count, report.unverified.count) == (3, 1, 0)


# One file, or a stream


def stream(box: Toolbox, content: bytes, **changes) -> Backup:
    request = StreamRequest(
        **{
            "name": "shop.sql",
            "destination": "s3",
            "content": contextlib.nullcontext(io.BytesIO(content)),
            "compression": Compression.NONE,
            **changes,
        }
    )
    return backup_stream(request, box.tools)


CONTENT = os.urandom(300_000)


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("keys", [NONE, SECRET])
def test_a_good_stream_is_whole(box: Toolbox, tmp_path: Path, compression: Compression, keys: Keys) -> None:
    stream(box, CONTENT, compression=compression, keys=keys)
    report = salvaged(box, tmp_path / "target", "shop.sql", keys).report
    assert (report.is_complete, report.whole.count, report.size) == (True, 1, len(CONTENT))
    assert (tmp_path / "target" / "shop.sql.salvaged" / "shop.sql").read_bytes() == CONTENT


def test_a_damaged_encrypted_file_has_zeros_where_a_chunk_was_and_another_name(box: Toolbox, tmp_path: Path) -> None:
    made = stream(box, CONTENT, keys=SECRET)
    damage(box, made, made.size // 2)
    report = salvaged(box, tmp_path / "target", "shop.sql", SECRET).report
    assert (report.partial.count, report.damages.count) == (1, 1)
    (came,) = (tmp_path / "target" / "shop.sql.salvaged").iterdir()
    assert came.name == "shop.sql.partial"
    content = came.read_bytes()
    assert len(content) == len(CONTENT)
    different = [at for at in range(0, len(CONTENT), 4096) if content[at : at + 4096] != CONTENT[at : at + 4096]]
    assert len(different) == 65_536 // 4096
    assert not any(content[different[0] : different[-1] + 4096])


def test_a_plain_file_of_which_nothing_but_the_hash_is_known_is_unverified(box: Toolbox, tmp_path: Path) -> None:
    made = stream(box, CONTENT)
    damage(box, made, 1000)
    report = salvaged(box, tmp_path / "target", "shop.sql").report
    assert report.unverified.count == 1
    (came,) = (tmp_path / "target" / "shop.sql.salvaged").iterdir()
    assert came.name == "shop.sql.unverified"


def test_a_truncated_plain_file_is_partial(box: Toolbox, tmp_path: Path) -> None:
    made = stream(box, CONTENT)
    damage(box, made, length=1000)
    (problem,) = salvaged(box, tmp_path / "target", "shop.sql").report.partial.listed
    assert problem.path == "shop.sql.partial"
    assert problem.reason == "299000 bytes are missing; there are zeros in their place; others may be wrong"


def test_an_empty_stream_is_whole(box: Toolbox, tmp_path: Path) -> None:
    stream(box, b"")
    assert salvaged(box, tmp_path / "target", "shop.sql").report.is_complete
