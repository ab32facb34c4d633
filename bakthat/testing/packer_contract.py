"""What every `Packer` must do with a single file, as a pytest class. What it keeps of a tree is its own affair.

A packer's own test is a subclass and a fixture:

    class TestMyPacker(PackerContract):
        @pytest.fixture
        def packer(self):
            return MyPacker(...)
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from bakthat.errors import BackupNotFound, PayloadDamaged, SourceError, TargetExists, UsageError
from bakthat.ports.payload import Packer
from bakthat.testing.streams import FullSink, StreamFailed, short_reads, some_bytes


class PackerContract:
    """Subclass it, and override the fixture `packer`."""

    large = 3_500_000
    """A size in bytes that the packer cannot hold in one buffer."""

    knows_its_end = True
    """Whether the format tells where a stream ends, so that one that is cut short is damaged."""

    @pytest.fixture
    def packer(self) -> Packer:
        raise AssertionError("override the fixture `packer`")

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "source" / "file name"
        path.parent.mkdir()
        path.write_bytes(some_bytes(self.large))
        return path

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        path = tmp_path / "target"
        path.mkdir()
        return path

    def packed(self, packer: Packer, source: Path) -> bytes:
        into = io.BytesIO()
        packer.pack(source, into)
        return into.getvalue()

    def names(self, folder: Path) -> list[str]:
        """What lies in a folder, temporary files included."""
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

    @pytest.mark.parametrize("size", [0, 1, 65_536, None])
    def test_a_file_comes_back(self, packer: Packer, source: Path, target: Path, size: int | None) -> None:
        content = some_bytes(size if size is not None else self.large)
        source.write_bytes(content)
        packed = self.packed(packer, source)
        report = packer.unpack(short_reads(packed), target, name="file name")
        assert (report.roots, report.files, report.size) == (("file name",), 1, len(content))
        assert (target / "file name").read_bytes() == content
        assert self.names(target) == ["file name"]

    def test_the_reports_and_the_progress_count_the_content(self, packer: Packer, source: Path, target: Path) -> None:
        read: list[int] = []
        into = io.BytesIO()
        report = packer.pack(source, into, on_bytes=read.append)
        assert (report.files, report.size, sum(read), report.problems) == (1, self.large, self.large, ())
        unpacked = packer.unpack(io.BytesIO(into.getvalue()), target, name="file name")
        assert (unpacked.files, unpacked.size) == (1, self.large)

    def test_a_survey_counts_what_would_be_packed(self, packer: Packer, source: Path) -> None:
        surveyed = packer.survey(source)
        packed = packer.pack(source, io.BytesIO())
        assert (surveyed.files, surveyed.size, surveyed.problems) == (packed.files, packed.size, ())

    def test_both_streams_stay_open(self, packer: Packer, source: Path, target: Path) -> None:
        into = io.BytesIO()
        packer.pack(source, into)
        into.seek(0)
        packer.unpack(into, target, name="file name")
        assert into.read() == b""

    def test_checking_reads_to_the_end_and_writes_nothing(self, packer: Packer, source: Path) -> None:
        packed = io.BytesIO(self.packed(packer, source))
        report = packer.check(packed)
        assert (report.files, packed.read()) == (1, b"")

    def test_its_entries_are_what_was_packed(self, packer: Packer, source: Path) -> None:
        try:
            found = list(packer.entries(io.BytesIO(self.packed(packer, source))))
        except UsageError:  # a format without members
            return
        assert [(entry.path, entry.kind, entry.size) for entry in found] == [("file name", "file", self.large)]

    def test_an_absent_source_is_told(self, packer: Packer, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="absent"):
            packer.pack(tmp_path / "absent", io.BytesIO())
        with pytest.raises(SourceError, match="absent"):
            packer.survey(tmp_path / "absent")

    def test_what_is_there_is_not_replaced_unless_told(self, packer: Packer, source: Path, target: Path) -> None:
        (target / "file name").write_text("mine")
        packed = self.packed(packer, source)
        with pytest.raises(TargetExists, match="file name"):
            packer.unpack(io.BytesIO(packed), target, name="file name")
        assert (target / "file name").read_text() == "mine"
        packer.unpack(io.BytesIO(packed), target, name="file name", overwrite=True)
        assert (target / "file name").stat().st_size == self.large
        assert self.names(target) == ["file name"]

    def test_overwriting_replaces_nothing_of_another_name(self, packer: Packer, source: Path, target: Path) -> None:
        (target / "file name").write_text("mine")
        packed = self.packed(packer, source)
        # A format that holds no names gives the file the name that is asked for
        with contextlib.suppress(TargetExists):
            packer.unpack(io.BytesIO(packed), target, name="another", overwrite=True)
        assert (target / "file name").read_text() == "mine"

    @pytest.mark.parametrize("overwrite", [True, False])
    @pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
    def test_a_source_that_fails_leaves_the_target_as_it_was(
        self, packer: Packer, source: Path, target: Path, kept: float, overwrite: bool
    ) -> None:
        packed = self.packed(packer, source)
        if overwrite:
            (target / "file name").write_text("mine")
        with pytest.raises(StreamFailed):
            packer.unpack(
                short_reads(packed[: int(len(packed) * kept)], fails=True),
                target,
                name="file name",
                overwrite=overwrite,
            )
        assert self.names(target) == (["file name"] if overwrite else [])
        assert not overwrite or (target / "file name").read_text() == "mine"

    def test_nothing_has_its_name_before_the_last_byte_is_read(
        self, packer: Packer, source: Path, target: Path
    ) -> None:
        class Watched(io.BytesIO):
            seen = 0

            def read(self, size: int | None = -1) -> bytes:
                piece = super().read(size)
                self.seen += (target / "file name").exists()
                return piece

            def readinto(self, buffer: object) -> int:
                count = super().readinto(buffer)  # type: ignore[arg-type]
                self.seen += (target / "file name").exists()
                return count

        packed = Watched(self.packed(packer, source))
        packer.unpack(packed, target, name="file name")
        assert packed.seen == 0

    def test_a_stream_that_is_cut_short_is_damaged(self, packer: Packer, source: Path, target: Path) -> None:
        packed = self.packed(packer, source)
        if self.knows_its_end:
            for kept in (0, len(packed) // 2):
                with pytest.raises(PayloadDamaged):
                    packer.unpack(io.BytesIO(packed[:kept]), target, name="file name")
                with pytest.raises(PayloadDamaged):
                    packer.check(io.BytesIO(packed[:kept]))
            assert self.names(target) == []

    @pytest.mark.parametrize("taken", [0.0, 0.5])
    def test_an_error_of_the_sink_comes_out_as_it_is(self, packer: Packer, source: Path, taken: float) -> None:
        with pytest.raises(StreamFailed):
            packer.pack(source, FullSink(int(self.large * taken)))  # type: ignore[arg-type]

    def test_a_part_is_restored_by_pattern(self, packer: Packer, source: Path, target: Path) -> None:
        packed = self.packed(packer, source)
        with pytest.raises(BackupNotFound):
            packer.unpack(io.BytesIO(packed), target, name="file name", only=["*.jpg"])
        assert self.names(target) == []
        packer.unpack(io.BytesIO(packed), target, name="file name", only=["file*"])
        assert self.names(target) == ["file name"]
