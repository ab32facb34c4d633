"""`salvage` and `salvage_from` of the library."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bakthat import Backup, Bakthat
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import BakthatError, PayloadDamaged, TargetExists


@pytest.fixture
def damaged(bakthat: Bakthat, store: MemoryObjectStore, tmp_path: Path) -> Backup:
    root = tmp_path / "large"
    root.mkdir()
    for number in range(3):
        (root / str(number)).write_bytes(os.urandom(1_500_000))
    made = bakthat.backup(root, password="")
    with store.open(made.stored_filename) as reader:
        content = bytearray(reader.read())
    content[len(content) // 2] ^= 1
    store.put(made.stored_filename, io.BytesIO(bytes(content)), replace=True)
    return made


def test_what_is_left_comes_back_with_a_report(bakthat: Bakthat, damaged: Backup, tmp_path: Path) -> None:
    with pytest.raises(PayloadDamaged):
        bakthat.restore("large", target=tmp_path / "out")
    done = bakthat.salvage("large", target=tmp_path / "out")
    report = done.report
    assert (done.is_complete, report.directory, done.backup) == (False, "large.salvaged", damaged)
    assert report.whole.count + report.unverified.count == 3
    for problem in report.whole.listed:
        found = tmp_path / "out" / "large.salvaged" / problem.path
        assert found.read_bytes() == (tmp_path / "large" / found.name).read_bytes()
    with pytest.raises(TargetExists):
        bakthat.salvage("large", target=tmp_path / "out")


def test_listeners_hear_of_a_restore_that_failed(bakthat: Bakthat, damaged: Backup, tmp_path: Path) -> None:
    heard: list[object] = []
    bakthat.events.before_restore += lambda session: heard.append("before")
    bakthat.events.on_restore += lambda session, backup: heard.append(backup)
    bakthat.events.on_failure += lambda session, verb, error: heard.append((verb, type(error)))
    bakthat.salvage("large", target=tmp_path / "out")
    assert heard == ["before", ("restore", PayloadDamaged)]


def test_listeners_hear_of_one_that_lacks_nothing(bakthat: Bakthat, tree: Path, tmp_path: Path) -> None:
    heard: list[object] = []
    bakthat.events.on_restore += lambda session, backup: heard.append(backup)
    made = bakthat.backup(tree, password="")
    done = bakthat.salvage("site", target=tmp_path / "out", only=["*.html"])
    assert (done.is_complete, heard) == (True, [made])
    assert (tmp_path / "out" / "site.salvaged" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_a_place_is_enough(bakthat: Bakthat, damaged: Backup, store: MemoryObjectStore, tmp_path: Path) -> None:
    with store.open(damaged.stored_filename) as reader:
        (tmp_path / damaged.stored_filename).write_bytes(reader.read())
    done = bakthat.salvage_from(str(tmp_path / damaged.stored_filename), target=tmp_path / "out")
    assert done.report.directory == "large.salvaged"
    with pytest.raises(BakthatError):
        bakthat.salvage_from(str(tmp_path / "absent.tgz"), target=tmp_path / "out")
