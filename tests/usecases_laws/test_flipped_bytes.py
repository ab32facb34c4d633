"""No damage of an archive passes: `restore` and `verify` find each flipped byte."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.verify import verify


def back_up(box: Toolbox, source: Path, content: bytes, keys: Keys = Keys()) -> Backup:  # noqa: B008 - frozen
    source.write_bytes(content)
    return backup(BackupRequest(source=source, destination="s3", keys=keys), box.tools)


def flipped(box: Toolbox, made: Backup, bit: int, positions: int | None = None) -> Iterator[int]:
    """Each position in turn, while the store holds the archive with that byte changed. `positions`: how many, chosen at
    random; by default all."""
    store = box.stores["s3"]
    with store.open(made.stored_filename) as reader:
        whole = reader.read()
    every = range(len(whole))
    for position in every if positions is None else random.Random(4).sample(every, positions):
        damaged = bytearray(whole)
        damaged[position] ^= bit
        store.put(made.stored_filename, io.BytesIO(bytes(damaged)), replace=True)
        yield position


def test_restore_refuses_every_flipped_byte_and_leaves_nothing(tmp_path: Path) -> None:
    box, target = Toolbox(), tmp_path / "target"
    target.mkdir()
    made = back_up(box, tmp_path / "small", b"tiny")
    for position in flipped(box, made, 0x40):
        with pytest.raises(PayloadDamaged):
            restore(RestoreRequest(name="small", destination="s3", target=target), box.tools)
        assert os.listdir(target) == [], position


def test_verify_finds_every_flipped_byte(tmp_path: Path) -> None:
    box = Toolbox()
    made = back_up(box, tmp_path / "small", b"tiny")
    for position in flipped(box, made, 0x01):
        (result,) = verify("small", "s3", box.tools)
        assert isinstance(result.error, PayloadDamaged), position


@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase="secret")])
def test_verify_finds_each_of_a_sample_of_flipped_bytes_of_a_large_archive(tmp_path: Path, keys: Keys) -> None:
    box = Toolbox()
    made = back_up(box, tmp_path / "large", random.Random(3).randbytes(3_000_000), keys)
    for position in flipped(box, made, 0x80, positions=20):
        (result,) = verify("large", "s3", box.tools, keys=lambda _: keys)
        assert result.error is not None, position
