"""Salvaging what is not a backup of this bakthat, what differs from its record, and what fails on the way."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.encryption.detecting import DetectingCipher
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.payload import Keys
from bakthat.errors import StoreUnavailable, TargetError
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.salvage import Salvaged, SalvageRequest, salvage, salvage_stored
from tests.fixtures import beefish_2013

KEYS = Keys(passphrase="a password")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that no test changes."""
    root = tmp_path_factory.mktemp("tree") / "data"
    root.mkdir()
    for number in range(30):
        (root / f"{number:02}").write_bytes(os.urandom(20_000))
    return root


@pytest.fixture(scope="module")
def by_gnu_tar(tree: Path) -> bytes:
    """A `.tgz` as GNU tar and gzip make it: one member."""
    return subprocess.run(["tar", "cz", "-C", tree.parent, "data"], stdout=subprocess.PIPE, check=True).stdout


def from_object(name: str, content: bytes, target: Path, box: Toolbox, keys: Keys = KEYS) -> Salvaged:
    store = MemoryObjectStore("memory://elsewhere")
    store.put(name, io.BytesIO(content))
    tools = evolve(box.tools, cipher=DetectingCipher())
    request = SalvageRequest(name=name, destination="", target=target, keys=lambda _: keys)
    return salvage_stored(store, name, request, tools)


def counts(done: Salvaged) -> tuple[int, int, int, int]:
    report = done.report
    return report.whole.count, report.partial.count, report.unverified.count, report.missing.count


def same(target: Path, tree: Path) -> bool:
    """Whether everything that was salvaged has the content of its original, as far as it goes."""
    return all(
        (tree / path.name[:2]).read_bytes().startswith(path.read_bytes())
        for path in (target / "data.salvaged" / "data").iterdir()
    )


class TestOfOtherPrograms:
    def test_a_whole_archive_is_whole(self, by_gnu_tar: bytes, tree: Path, tmp_path: Path, box: Toolbox) -> None:
        done = from_object("data.tgz", by_gnu_tar, tmp_path / "out", box)
        assert (counts(done), done.is_complete) == ((30, 0, 0, 0), True)
        assert same(tmp_path / "out", tree)

    def test_what_precedes_a_cut_is_unverified(
        self, by_gnu_tar: bytes, tree: Path, tmp_path: Path, box: Toolbox
    ) -> None:
        done = from_object("data.tgz", by_gnu_tar[: len(by_gnu_tar) // 2], tmp_path / "out", box)
        whole, partial, unverified, _ = counts(done)
        assert (whole, partial) == (0, 1)
        assert 13 <= unverified <= 16
        assert same(tmp_path / "out", tree)
        assert done.report.may_lack_more

    def test_an_encrypted_one_that_is_cut_is_proved_by_its_encryption(
        self, by_gnu_tar: bytes, tree: Path, tmp_path: Path, box: Toolbox
    ) -> None:
        out = io.BytesIO()
        with box.tools.cipher.sealing(out, KEYS) as writer:
            writer.write(by_gnu_tar)
        done = from_object("data.tgz.enc", out.getvalue()[: len(by_gnu_tar) // 2], tmp_path / "out", box)
        whole, partial, unverified, _ = counts(done)
        assert (partial, unverified) == (1, 0)
        assert whole >= 12
        assert same(tmp_path / "out", tree)

    def test_nothing_proves_a_bare_tar(self, by_gnu_tar: bytes, tree: Path, tmp_path: Path, box: Toolbox) -> None:
        done = from_object("data.tar", gzip.decompress(by_gnu_tar), tmp_path / "out", box)
        assert (counts(done), done.is_complete) == ((0, 0, 30, 0), False)
        assert same(tmp_path / "out", tree)

    def test_what_is_not_an_archive_leaves_nothing(self, tmp_path: Path, box: Toolbox) -> None:
        for name in ("data.tgz", "data.tar"):
            done = from_object(name, b"not at all what its name says" * 1000, tmp_path / "out", box)
            assert (done.report.directory, done.is_complete) == ("", False)
            assert not (tmp_path / "out").exists()


class TestOf2013:
    def encrypted(self, packed: bytes) -> bytes:
        return beefish_2013.encrypt(packed, b"a password")

    def test_its_gzip_proves_a_whole_one(self, by_gnu_tar: bytes, tree: Path, tmp_path: Path, box: Toolbox) -> None:
        done = from_object("data.20130305193615.tgz.enc", self.encrypted(by_gnu_tar), tmp_path / "out", box)
        assert (counts(done), done.is_complete) == ((30, 0, 0, 0), True)

    @pytest.mark.parametrize("kept", [200_000, 200_003])
    def test_nothing_proves_a_part(
        self, by_gnu_tar: bytes, tree: Path, tmp_path: Path, box: Toolbox, kept: int
    ) -> None:
        content = self.encrypted(by_gnu_tar)[:kept]
        done = from_object("data.20130305193615.tgz.enc", content, tmp_path / "out", box)
        assert counts(done)[0] == 0
        assert counts(done)[2] >= 8
        assert same(tmp_path / "out", tree)


class TestWhatDiffersFromTheRecord:
    def stored(self, box: Toolbox, tree: Path, change: Callable[[bytes], bytes]) -> None:
        made = backup(BackupRequest(source=tree, destination="s3"), box.tools)
        with box.stores["s3"].open(made.stored_filename) as reader:
            content = reader.read()
        box.stores["s3"].put(made.stored_filename, io.BytesIO(change(content)), replace=True)

    def test_bytes_behind_the_end_are_a_fault_and_cost_nothing(self, box: Toolbox, tree: Path, tmp_path: Path) -> None:
        self.stored(box, tree, lambda content: content + b"x" * 700)
        done = salvage(SalvageRequest(name="data", destination="s3", target=tmp_path / "out"), box.tools)
        assert counts(done) == (30, 0, 0, 0)
        assert done.faults == ("700 bytes follow that do not belong to the archive",)
        assert not done.is_complete

    def test_a_changed_byte_that_nothing_needs_is_a_fault(self, box: Toolbox, tree: Path, tmp_path: Path) -> None:
        self.stored(box, tree, lambda content: content[:4] + b"\x77" + content[5:])
        done = salvage(SalvageRequest(name="data", destination="s3", target=tmp_path / "out"), box.tools)
        assert counts(done) == (30, 0, 0, 0)
        assert done.faults == ("the stored bytes are not those that were written (their SHA-256 differs)",)

    def test_an_end_that_is_cut_off_is_counted(self, box: Toolbox, tree: Path, tmp_path: Path) -> None:
        self.stored(box, tree, lambda content: content[:-100])
        done = salvage(SalvageRequest(name="data", destination="s3", target=tmp_path / "out"), box.tools)
        assert counts(done) == (30, 0, 0, 0)
        assert done.faults[0].startswith("100 of ")


class TestFailures:
    def test_a_store_that_fails_leaves_nothing(self, tree: Path, tmp_path: Path) -> None:
        box = Toolbox()
        backup(BackupRequest(source=tree, destination="s3"), box.tools)
        box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open", key="data.", after_bytes=300_000))
        with pytest.raises(StoreUnavailable):
            salvage(SalvageRequest(name="data", destination="s3", target=tmp_path / "out"), box.tools)
        assert not (tmp_path / "out").exists()

    def test_an_index_that_cannot_be_had_is_a_notice(self, tree: Path, tmp_path: Path) -> None:
        box = Toolbox()
        backup(BackupRequest(source=tree, destination="s3"), box.tools)
        box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="open_range", times=99))
        done = salvage(SalvageRequest(name="data", destination="s3", target=tmp_path / "out"), box.tools)
        assert done.is_complete
        assert [notice for notice in box.notices if "its index cannot be read" in notice]

    def test_a_full_disk_leaves_nothing(self, small_disk: Path, tmp_path: Path, box: Toolbox) -> None:
        root = tmp_path / "large"
        root.mkdir()
        for number in range(5):
            (root / str(number)).write_bytes(b"x" * 1_000_000)
        backup(BackupRequest(source=root, destination="s3"), box.tools)
        with pytest.raises(TargetError, match="No space left"):
            salvage(SalvageRequest(name="large", destination="s3", target=small_disk), box.tools)
        assert os.listdir(small_disk) == []
