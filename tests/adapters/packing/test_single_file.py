"""A single file goes into the stream as it is, and comes out whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakthat.adapters.packing.single_file import SingleFilePacker
from bakthat.domain.payload import PackReport, UnpackReport
from bakthat.errors import BackupNotFound, PayloadDamaged, SourceError, TargetError, TargetExists
from tests.fixtures.exclusions import leaving_out

MiB = 1024 * 1024


def packed(source: Path, **options: Any) -> tuple[bytes, PackReport]:
    stream = io.BytesIO()
    report = SingleFilePacker().pack(source, stream, **options)
    return stream.getvalue(), report


def unpacked(content: bytes, into: Path, name: str = "dump.sql", **options: Any) -> UnpackReport:
    return SingleFilePacker().unpack(io.BytesIO(content), into, name=name, **options)


def everything_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 2 * MiB + 5])
def test_the_stream_is_the_content(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    steps: list[int] = []
    stream, report = packed(tmp_path / "file", exclusions=leaving_out("file"), on_bytes=steps.append)
    assert stream == data
    assert report == PackReport(files=1, size=size)
    assert sum(steps) == size


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert packed(tmp_path / "link")[0] == b"x"


def test_only_a_file_can_be_stored_as_it_is(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "gone", Path("/dev/null")):
        with pytest.raises(SourceError):
            packed(source)


class Sink(io.BytesIO):
    """A stream that does something at its first write."""

    def __init__(self, at_first: Callable[[], object]) -> None:
        super().__init__()
        self._at_first = [at_first]

    def write(self, data: Any) -> int:
        if self._at_first:
            self._at_first.pop()()
        return super().write(data)


def test_a_file_that_shrinks_is_a_problem_and_the_stream_holds_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * MiB)
    sink = Sink(lambda: os.truncate(tmp_path / "file", 1000))
    report = SingleFilePacker().pack(tmp_path / "file", sink)
    assert sink.getvalue() == b"a" * report.size
    assert [(problem.path, problem.reason) for problem in report.problems] == [
        (str(tmp_path / "file"), "shrank while it was read")
    ]


def test_a_file_that_grows_is_a_problem_and_its_growth_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a" * MiB)

    def grow() -> None:
        with open(tmp_path / "log", "ab") as file:
            file.write(b"more")

    sink = Sink(grow)
    report = SingleFilePacker().pack(tmp_path / "log", sink)
    assert sink.getvalue() == b"a" * MiB
    assert [problem.reason for problem in report.problems] == ["grew while it was read; what was added is missing"]


def test_a_file_that_changes_in_place_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * MiB)
    report = SingleFilePacker().pack(tmp_path / "file", Sink(lambda: os.utime(tmp_path / "file", ns=(0, 7))))
    assert [problem.reason for problem in report.problems] == ["changed while it was read"]


class Refusal(OSError):
    pass


def test_an_error_of_the_stream_written_to_comes_out_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * MiB)

    def refuse() -> None:
        raise Refusal

    with pytest.raises(Refusal):
        SingleFilePacker().pack(tmp_path / "file", Sink(refuse))


def test_the_file_comes_back_under_its_name(tmp_path: Path) -> None:
    report = unpacked(b"x" * MiB, tmp_path)
    assert (tmp_path / "dump.sql").read_bytes() == b"x" * MiB
    assert report == UnpackReport(roots=("dump.sql",), files=1, size=MiB)
    assert everything_in(tmp_path) == ["dump.sql"]


def test_the_target_is_made_if_it_is_not_there(tmp_path: Path) -> None:
    unpacked(b"x", tmp_path / "a" / "b")
    assert everything_in(tmp_path / "a" / "b") == ["dump.sql"]


@pytest.mark.parametrize("name", ["two words\n", "-rf", "grün", os.fsdecode(b"\xff\xfe"), "..x"])
def test_any_name_that_a_file_can_have_is_taken(tmp_path: Path, name: str) -> None:
    unpacked(b"x", tmp_path, name)
    assert everything_in(tmp_path) == [name]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b"])
def test_a_name_that_leaves_the_target_is_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(PayloadDamaged, match="nothing was restored"):
        unpacked(b"x", target, name)
    assert everything_in(tmp_path) == ["target"]
    assert everything_in(target) == []


def test_what_is_there_is_not_replaced_unasked_and_the_stream_is_not_even_read(tmp_path: Path) -> None:
    (tmp_path / "dump.sql").write_bytes(b"old")
    stream = io.BytesIO(b"new")
    with pytest.raises(TargetExists, match=r"dump\.sql"):
        SingleFilePacker().unpack(stream, tmp_path, name="dump.sql")
    assert (tmp_path / "dump.sql").read_bytes() == b"old"
    assert stream.tell() == 0


def test_overwrite_replaces_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "dump.sql").write_bytes(b"old")
    unpacked(b"new", tmp_path, overwrite=True)
    assert (tmp_path / "dump.sql").read_bytes() == b"new"
    assert everything_in(tmp_path) == ["dump.sql"]


def test_a_link_in_its_place_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "dump.sql").symlink_to("precious")
    unpacked(b"new", tmp_path, overwrite=True)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "dump.sql").is_symlink()


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_error_of_the_stream_read_comes_out_as_it_is_and_leaves_the_old_file(
    tmp_path: Path, overwrite: bool
) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(1000)
            if not piece:
                raise Refusal
            return piece

    if overwrite:
        (tmp_path / "dump.sql").write_bytes(b"old")
    before = everything_in(tmp_path)
    with pytest.raises(Refusal):
        SingleFilePacker().unpack(Breaking(bytes(5000)), tmp_path, name="dump.sql", overwrite=overwrite)
    assert everything_in(tmp_path) == before
    if overwrite:
        assert (tmp_path / "dump.sql").read_bytes() == b"old"


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(small_disk: Path) -> None:
    with pytest.raises(TargetError, match=r"dump\.sql: No space left on device"):
        unpacked(bytes(8 * MiB), small_disk)
    assert everything_in(small_disk) == []


def test_only_with_a_pattern_for_the_file_restores_it(tmp_path: Path) -> None:
    unpacked(b"x", tmp_path, only=["*.sql"])
    assert everything_in(tmp_path) == ["dump.sql"]


def test_only_with_patterns_for_something_else_finds_nothing(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound, match="`only=`"):
        unpacked(b"x", tmp_path, only=["*.txt"])
    assert everything_in(tmp_path) == []


def test_a_new_file_has_the_mode_that_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        unpacked(b"x", tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "dump.sql").stat().st_mode & 0o777 == 0o640
