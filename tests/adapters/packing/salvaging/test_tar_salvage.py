"""What of a damaged tar comes back, under which name, and what is said about the rest."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.salvage import PARTIAL_SUFFIX, UNVERIFIED_SUFFIX, SalvageReport
from bakthat.errors import TargetExists, UsageError
from bakthat.ports.salvage import Hole, Part, Verdict
from tests.fixtures.damaged_tar import Packed, make_tree, packed

CHUNK = 1300
"""A length of parts that fits no block."""

Ranges = Sequence[tuple[int, int, str]]
"""Start, stop, and what is wrong there: `hole`, `unknown` (a hole of unknown length), `doubtful`."""


def parts_of(tar: bytes, damage: Ranges = (), *, kept: int | None = None) -> Iterator[Part]:
    """The tar with this damage."""
    at = 0
    end = len(tar) if kept is None else kept
    for start, stop, kind in sorted(damage):
        start, stop = max(at, start), min(stop, end)
        if start >= stop:
            continue
        for place in range(at, start, CHUNK):
            yield tar[place : min(place + CHUNK, start)]
            yield Verdict.GOOD
        if kind == "doubtful":
            middle = (start + stop) // 2
            yield tar[start:middle] + bytes([tar[middle] ^ 1]) + tar[middle + 1 : stop]
            yield Verdict.DOUBTFUL
        else:
            yield Hole(stop - start if kind == "hole" else None)
        at = stop
    for place in range(at, end, CHUNK):
        yield tar[place : min(place + CHUNK, end)]
        yield Verdict.GOOD
    if kept is not None:
        yield Hole(None)


def salvage(
    made: Packed,
    into: Path,
    damage: Ranges = (),
    *,
    kept: int | None = None,
    with_index: bool = False,
    **options: object,
) -> SalvageReport:
    index = made.index() if with_index else None
    parts = parts_of(made.tar, damage, kept=kept)
    return TarPacker().salvage(parts, into, name="data", index=index, **options)  # type: ignore[arg-type]


def listing(folder: Path) -> dict[str, bytes]:
    """The files below it, by their paths."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def without_suffix(path: str) -> str:
    """The path of the member that a salvaged file is of."""
    for suffix in (PARTIAL_SUFFIX, UNVERIFIED_SUFFIX):
        before, found, after = path.rpartition(suffix)
        if found and (not after or after[1:].isdigit()):
            return before
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(8):
        (root / f"f{number}").write_bytes(b"%d" % number * 2000)
    return root


def start_of(made: Packed, name: str) -> int:
    return made.files[name][1]


class TestAnyDamage:
    @settings(deadline=None)
    @given(
        st.integers(0, 10_000),
        st.lists(
            st.tuples(st.integers(0, 1000), st.integers(1, 5000), st.sampled_from(["hole", "unknown", "doubtful"])),
            max_size=3,
        ),
        st.none() | st.integers(0, 1000),
        st.booleans(),
    )
    def test_what_no_damage_touches_comes_back_and_nothing_wrong_has_its_own_name(
        self, seed: int, places: list[tuple[int, int, str]], cut: int | None, with_index: bool
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            make_tree(Path(folder) / "data", seed)
            made = packed(Path(folder) / "data")
            size = len(made.tar)
            kept = None if cut is None else cut * size // 1000
            # With an index, the compressor knows the length of every hole.
            damage = [
                (
                    place * size // 1000,
                    place * size // 1000 + length,
                    "hole" if with_index and kind == "unknown" else kind,
                )
                for place, length, kind in places
            ]
            into = Path(folder) / "target"
            report = salvage(made, into, damage, kept=kept, with_index=with_index)
            came_back = listing(into / report.directory) if report.directory else {}
            touched = [(start, stop) for start, stop, _ in damage] + ([(kept, size)] if kept is not None else [])
            first = min((start for start, _ in touched), default=size)
            for path, (content, start, stop) in made.files.items():
                if path in came_back:
                    assert came_back[path] == content, path
                if any(max(start, one) < min(stop, other) for one, other in touched):
                    continue
                shown = [path] if with_index or stop <= first else [path, path + UNVERIFIED_SUFFIX]
                found = [came_back.get(name) for name in shown]
                is_lost_link = any(entry.path == path and entry.kind == "hardlink" for entry in made.entries)
                assert content in found or is_lost_link, path
            for path, content in came_back.items():
                if without_suffix(path) not in made.files:
                    assert path != without_suffix(path)  # its extended header may be lost, and with it its name
                elif PARTIAL_SUFFIX in path and "doubtful" not in {kind for _, _, kind in damage}:
                    original = made.files[without_suffix(path)][0]
                    assert all(byte in (0, known) for byte, known in zip(content, original, strict=False)), path
            assert report.whole.count == len([path for path in came_back if without_suffix(path) == path])
            assert report.partial.count == len([path for path in came_back if PARTIAL_SUFFIX in path])
            if report.is_complete:
                assert came_back == {path: content for path, (content, _, _) in made.files.items()}
            if with_index:
                known = {problem.path for problem in report.missing.listed} | set(map(without_suffix, came_back))
                assert known >= made.files.keys()
                assert not report.may_lack_more


@pytest.mark.parametrize("with_index", [False, True])
class TestEachDamage:
    def test_without_damage_everything_is_as_it_was(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        (tree / "link").symlink_to("f1")
        os.link(tree / "f1", tree / "hard")
        os.mkfifo(tree / "pipe", 0o640)
        (tree / "sub").mkdir(mode=0o750)
        os.utime(tree / "sub", (1, 1))
        report = salvage(packed(tree), tmp_path / "out", with_index=with_index)
        assert report.is_complete
        assert report.directory == "data.salvaged"
        assert (report.whole.count, report.directories, report.others) == (9, 2, 2)
        out = tmp_path / "out" / "data.salvaged" / "data"
        assert os.readlink(out / "link") == "f1"
        assert (out / "hard").samefile(out / "f1")
        assert stat.S_ISFIFO((out / "pipe").stat().st_mode)
        assert stat.S_IMODE((out / "sub").stat().st_mode) == 0o750
        assert (out / "sub").stat().st_mtime == 1
        assert (out / "f3").stat().st_mtime_ns == (tree / "f3").stat().st_mtime_ns

    def test_a_file_with_a_hole_is_partial_and_has_zeros_there(
        self, tree: Path, tmp_path: Path, with_index: bool
    ) -> None:
        made = packed(tree)
        stop = made.files["data/f3"][2]
        report = salvage(made, tmp_path, [(stop - 500, stop - 200, "hole")], with_index=with_index)
        (problem,) = report.partial.listed
        assert problem.path == "data/f3.partial"
        assert problem.reason == "300 of its 2000 bytes are missing; there are zeros in their place"
        content = (tmp_path / "data.salvaged" / "data" / "f3.partial").read_bytes()
        assert content == b"3" * 1500 + bytes(300) + b"3" * 200
        assert not (tmp_path / "data.salvaged" / "data" / "f3").exists()
        assert report.whole.count == 7
        assert not report.may_lack_more

    def test_a_file_without_its_end_is_partial_and_says_how_much_is_missing(
        self, tree: Path, tmp_path: Path, with_index: bool
    ) -> None:
        made = packed(tree)
        report = salvage(made, tmp_path, kept=made.files["data/f3"][2] - 500, with_index=with_index)
        (problem,) = report.partial.listed
        assert problem.reason == "its last 500 bytes are missing"
        assert (tmp_path / "data.salvaged" / "data" / "f3.partial").read_bytes() == b"3" * 1500
        assert "the end of the archive is missing" in [damage.reason for damage in report.damages.listed]
        assert report.may_lack_more != with_index
        assert report.missing.count == (4 if with_index else 0)

    def test_a_lost_header_costs_that_file_only(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        made = packed(tree)
        start = start_of(made, "data/f3")
        report = salvage(made, tmp_path, [(start, start + 1536, "hole")], with_index=with_index)
        assert report.whole.count == 7
        assert report.may_lack_more != with_index
        assert [problem.path for problem in report.missing.listed] == (["data/f3"] if with_index else [])

    def test_doubtful_bytes_make_their_files_unverified(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        made = packed(tree)
        _, start, stop = made.files["data/f3"]
        damage = [(start + 1100, stop + 1000, "doubtful")]
        report = salvage(made, tmp_path, damage, with_index=with_index)
        assert report.whole.count == 6
        assert report.unverified.listed[0].path == "data/f3.unverified"
        assert report.partial.count == 0

    def test_an_extended_header_that_is_lost_hides_no_name(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        long = "n" * 150
        (tree / "f3").rename(tree / long)
        made = packed(tree)
        start = start_of(made, f"data/{long}")
        for number, length in enumerate((512, 1024)):
            target = tmp_path / str(number)
            report = salvage(made, target, [(start, start + length, "hole")], with_index=with_index)
            came_back = listing(target / "data.salvaged")
            assert len([path for path in came_back if without_suffix(path) == path]) == 7
            assert {path for path in came_back if without_suffix(path) == path} < made.files.keys()
            if with_index:
                assert f"data/{long}" in [problem.path for problem in report.missing.listed]
            else:
                (name,) = set(came_back) - made.files.keys()
                assert name.endswith(UNVERIFIED_SUFFIX)

    def test_a_hard_link_to_a_partial_file_is_partial(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        os.link(tree / "f3", tree / "g3")
        made = packed(tree)
        stop = made.files["data/f3"][2]
        salvage(made, tmp_path, [(stop - 500, stop - 200, "hole")], with_index=with_index)
        out = tmp_path / "data.salvaged" / "data"
        assert (out / "g3.partial").samefile(out / "f3.partial")
        assert not (out / "g3").exists()

    def test_a_hard_link_to_a_lost_file_names_it(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        os.link(tree / "f3", tree / "g3")
        made = packed(tree)
        start = start_of(made, "data/f3")
        report = salvage(made, tmp_path, [(start, start + 1536, "hole")], with_index=with_index)
        reasons = {problem.path: problem.reason for problem in report.missing.listed}
        assert reasons["data/g3"] == "it is a hard link to data/f3, which is missing"

    def test_nothing_that_is_there_is_replaced(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        (tmp_path / "data.salvaged").mkdir()
        with pytest.raises(TargetExists, match="move it away"):
            salvage(packed(tree), tmp_path, with_index=with_index)
        assert list((tmp_path / "data.salvaged").iterdir()) == []

    def test_only_what_is_asked_for_is_salvaged(self, tree: Path, tmp_path: Path, with_index: bool) -> None:
        made = packed(tree)
        start = start_of(made, "data/f3")
        damage = [(start, start + 1536, "hole")]
        report = salvage(made, tmp_path, damage, with_index=with_index, only=("f1", "f2"))
        assert listing(tmp_path / "data.salvaged").keys() == {"data/f1", "data/f2"}
        assert report.missing.count == 0
        with pytest.raises(UsageError):
            salvage(made, tmp_path / "other", only=("",))

    def test_an_archive_of_which_nothing_is_left_leaves_nothing(
        self, tree: Path, tmp_path: Path, with_index: bool
    ) -> None:
        made = packed(tree)
        (tmp_path / "out").mkdir()
        report = salvage(made, tmp_path / "out", kept=0, with_index=with_index, only=("f1",))
        assert (report.directory, report.is_complete, os.listdir(tmp_path / "out")) == ("", False, [])

    def test_a_sparse_file_keeps_its_holes_and_loses_no_others(
        self, tree: Path, tmp_path: Path, with_index: bool
    ) -> None:
        with (tree / "image").open("wb") as image:
            image.truncate(50_000_000)
            for at in (0, 20_000_000, 40_000_000):
                image.seek(at)
                image.write(b"data" * 1024)
        made = packed(tree)
        stop = made.files["data/image"][2]
        report = salvage(made, tmp_path, [(stop - 100, stop, "hole")], with_index=with_index)
        (problem,) = report.partial.listed
        assert problem.path == "data/image.partial"
        salvaged = tmp_path / "data.salvaged" / "data" / "image.partial"
        assert salvaged.stat().st_size == 50_000_000
        assert salvaged.read_bytes()[:40_004_000] == (tree / "image").read_bytes()[:40_004_000]

    def test_a_sparse_file_whose_extended_header_is_lost_is_not_taken_for_what_is_stored(
        self, tree: Path, tmp_path: Path, with_index: bool
    ) -> None:
        with (tree / "f3").open("wb") as image:
            image.truncate(5_000_000)
            image.write(b"data" * 1024)
        made = packed(tree)
        start = start_of(made, "data/f3")
        salvage(made, tmp_path, [(start, start + 1024, "hole")], with_index=with_index)
        names = listing(tmp_path / "data.salvaged").keys()
        assert {name for name in names if without_suffix(name) == name} == made.files.keys() - {"data/f3"}


class TestWithAnIndex:
    def test_what_has_no_content_is_made_by_the_index(self, tree: Path, tmp_path: Path) -> None:
        (tree / "g").mkdir(mode=0o700)
        (tree / "g" / "empty").touch(0o600)
        (tree / "g" / "link").symlink_to("../f1")
        made = packed(tree)
        offsets = {entry.path: entry.offset for entry in made.entries}
        damage = [(offset, offset + 1536, "hole") for path, offset in offsets.items() if path.startswith("data/g")]
        report = salvage(made, tmp_path, damage, with_index=True)
        out = tmp_path / "data.salvaged" / "data" / "g"
        assert stat.S_IMODE(out.stat().st_mode) == 0o700
        assert stat.S_IMODE((out / "empty").stat().st_mode) == 0o600
        assert os.readlink(out / "link") == "../f1"
        assert report.missing.count == 0

    def test_a_name_in_a_damaged_extended_header_is_that_of_the_index(self, tree: Path, tmp_path: Path) -> None:
        long = "n" * 150
        (tree / "f3").rename(tree / long)
        made = packed(tree)
        start = start_of(made, f"data/{long}")
        place = made.tar.index(b"path=data/", start) + 5
        tar = made.tar[:place] + b"w" + made.tar[place + 1 :]
        report = TarPacker().salvage(iter([tar, Verdict.DOUBTFUL]), tmp_path, name="data", index=made.index())
        assert {without_suffix(path) for path in listing(tmp_path / "data.salvaged")} == made.files.keys()
        assert report.unverified.count == 8

    def test_a_tar_inside_is_never_taken_for_the_archive(self, tree: Path, tmp_path: Path) -> None:
        made = with_inner_tar(tree)
        start = start_of(made, "data/f3.tar")
        report = salvage(made, tmp_path, [(start, start + 1536, "hole")], with_index=True)
        assert listing(tmp_path / "data.salvaged").keys() == made.files.keys() - {"data/f3.tar"}
        assert [problem.path for problem in report.missing.listed] == ["data/f3.tar"]


def test_an_end_mark_that_a_damage_made_does_not_hide_that_more_may_be_missing(tree: Path, tmp_path: Path) -> None:
    made = packed(tree)
    tar = made.tar[: start_of(made, "data/f4")] + bytes(1024) + b"not to be read" * 3000
    report = TarPacker().salvage(iter([tar, Verdict.DOUBTFUL]), tmp_path, name="data")
    assert report.may_lack_more
    assert report.damages.count
    assert listing(tmp_path / "data.salvaged").keys() >= {"data/f0.unverified"}


def with_inner_tar(tree: Path, root: str = "data") -> Packed:
    """An archive with an older one of the same tree inside, of which other files are there."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        for name in ("f5", "gone"):
            info = tarfile.TarInfo(f"{root}/{name}")
            info.size = 1000
            tar.addfile(info, io.BytesIO(b"o" * 1000))
    (tree / "f3.tar").write_bytes(inner.getvalue())
    return packed(tree)


class TestTarsInside:
    @pytest.mark.parametrize("root", ["data", "other"])
    def test_what_is_found_in_a_tar_inside_does_not_get_its_own_name(
        self, tree: Path, tmp_path: Path, root: str
    ) -> None:
        made = with_inner_tar(tree, root)
        start = start_of(made, "data/f3.tar")
        salvage(made, tmp_path, [(start, start + 1536, "hole")])
        came_back = listing(tmp_path / "data.salvaged")
        for path, content in came_back.items():
            if without_suffix(path) == path:
                assert content == made.files.get(path, [None])[0], path
        contents = {without_suffix(path): content for path, content in came_back.items()}
        assert contents.keys() >= made.files.keys() - {"data/f3.tar"}

    def test_the_last_file_of_an_archive_may_be_one(self, tree: Path, tmp_path: Path) -> None:
        for number in range(4, 8):
            (tree / f"f{number}").unlink()
        # So that the padding of the tar inside is more than this one's own could be.
        (tree / "f3").write_bytes(b"3" * 10_192)
        made = with_inner_tar(tree)
        start = start_of(made, "data/f3.tar")
        salvage(made, tmp_path, [(start, start + 1536, "hole")])
        came_back = listing(tmp_path / "data.salvaged")
        assert {path for path in came_back if without_suffix(path) == path} == made.files.keys() - {"data/f3.tar"}


class TestHostileArchives:
    def hostile(self, *members: tuple[tarfile.TarInfo, bytes]) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for info, content in members:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return out.getvalue()

    @pytest.mark.parametrize("name", ["/etc/evil", "../evil", "data/../../evil", "data/link/evil"])
    def test_nothing_is_written_outside_or_through_a_link(self, tmp_path: Path, name: str) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        link = tarfile.TarInfo("data/link")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        evil = tarfile.TarInfo("placeholder")
        good = tarfile.TarInfo("data/good")
        # `tarfile` would change the name.
        evil.pax_headers = {"path": name}
        tar = self.hostile((link, b""), (evil, b"evil"), (good, b"good"))
        report = TarPacker().salvage(iter([tar, Verdict.GOOD]), tmp_path / "in", name="data")
        assert list(outside.iterdir()) == []
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["good"]
        assert report.missing.count == 1

    def test_a_file_that_is_called_like_a_partial_one_replaces_nothing(self, tree: Path, tmp_path: Path) -> None:
        (tree / "f3.partial").write_bytes(b"not what you think")
        made = packed(tree)
        stop = made.files["data/f3"][2]
        salvage(made, tmp_path, [(stop - 500, stop - 200, "hole")])
        out = listing(tmp_path / "data.salvaged")
        assert out["data/f3.partial"] == b"not what you think"
        assert len(out["data/f3.partial.2"]) == 2000

    def test_a_damaged_program_gets_no_rights_of_somebody_else(self, tree: Path, tmp_path: Path) -> None:
        (tree / "f3").chmod(0o4755)
        made = packed(tree)
        stop = made.files["data/f3"][2]
        salvage(made, tmp_path / "1", [(stop - 500, stop - 200, "hole")])
        salvage(made, tmp_path / "2", [(stop - 500, stop - 200, "doubtful")])
        for number, suffix in ((1, ".partial"), (2, ".unverified")):
            path = tmp_path / str(number) / "data.salvaged" / "data" / f"f3{suffix}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def test_names_that_are_long_or_taken_are_missing_and_stop_nothing(self, tmp_path: Path) -> None:
        members = [tarfile.TarInfo(name) for name in ("data/" + "n" * 300, "data/a/b", "data/a", "data/z")]
        tar = self.hostile(*((info, b"content") for info in members))
        report = TarPacker().salvage(iter([tar, Verdict.GOOD]), tmp_path, name="data")
        assert listing(tmp_path / "data.salvaged").keys() == {"data/a/b", "data/z"}
        assert report.missing.count == 2

    def test_a_size_that_no_disk_can_hold_is_missing_and_stops_nothing(self, tmp_path: Path) -> None:
        def header(name: str, size: int) -> bytes:
            info = tarfile.TarInfo(name)
            info.size = size
            return info.tobuf(tarfile.GNU_FORMAT)

        sparse = bytearray(header("data/huge", 512))
        sparse[156:157] = b"S"
        # GNU's map: one stretch of 512 bytes far behind, and the size of the file.
        far = 2**62
        sparse[386:398] = b"\x80" + far.to_bytes(11, "big")
        sparse[398:410] = b"00000001000\0"
        sparse[483:495] = b"\x80" + (far + 512).to_bytes(11, "big")
        sparse[148:156] = b"        "
        sparse[148:156] = b"%06o\0 " % sum(sparse)
        tar = bytes(sparse) + b"x" * 512 + header("data/z", 512) + b"z" * 512 + bytes(1024)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, limits[1]))  # as of a disk: some file systems have none
        try:
            report = TarPacker().salvage(iter([tar, Verdict.GOOD]), tmp_path, name="data")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert listing(tmp_path / "data.salvaged").keys() == {"data/z"}
        assert [problem.path for problem in report.missing.listed] == ["data/huge"]


class TestVerdicts:
    def test_files_wait_for_the_verdict_that_comes_later(self, tree: Path, tmp_path: Path) -> None:
        (tree / "link").symlink_to("f1")
        (tree / "f3").chmod(0o4755)
        made = packed(tree)
        half = start_of(made, "data/f4")
        parts: list[Part] = [made.tar[:half], Verdict.DOUBTFUL, made.tar[half:], Verdict.GOOD]
        report = TarPacker().salvage(iter(parts), tmp_path, name="data")
        out = tmp_path / "data.salvaged" / "data"
        assert sorted(os.listdir(out)) == [
            *(f"f{number}{'.unverified' if number < 4 else ''}" for number in range(8)),
            "link",
        ]
        assert stat.S_IMODE((out / "f3.unverified").stat().st_mode) == 0o755
        assert (report.whole.count, report.unverified.count) == (4, 4)

    def test_bytes_that_no_verdict_follows_are_doubtful(self, tree: Path, tmp_path: Path) -> None:
        (tree / "link").symlink_to("f1")
        report = TarPacker().salvage(iter([packed(tree).tar]), tmp_path, name="data")
        assert (report.whole.count, report.unverified.count) == (0, 9)
        assert os.readlink(tmp_path / "data.salvaged" / "data" / "link.unverified") == "f1"

    def test_a_good_verdict_at_the_end_is_enough(self, tree: Path, tmp_path: Path) -> None:
        tar = packed(tree).tar
        parts: list[Part] = [tar[at : at + 100] for at in range(0, len(tar), 100)]
        report = TarPacker().salvage(iter([*parts, Verdict.GOOD]), tmp_path, name="data")
        assert report.is_complete
        assert report.whole.count == 8


def test_files_that_may_not_be_read_get_another_name_all_the_same(
    tree: Path, tmp_path: Path, unprivileged: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    def unreadable(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mode = 0 if info.name == "data/f3" else info.mode
        return info

    with tarfile.open(tmp_path / "tar", "w") as tar:  # bakthat packs only what it may read
        tar.add(tree, "data", filter=unreadable)
    program = (
        "import pathlib, sys; from bakthat.adapters.packing.tar_packer import TarPacker; "
        "from bakthat.ports.salvage import Verdict; here = pathlib.Path(sys.argv[1]); "
        "tar = (here / 'tar').read_bytes(); "
        "print(TarPacker().salvage(iter([tar, Verdict.DOUBTFUL]), here / 'out', name='data').unverified.count)"
    )
    said = unprivileged("-c", program, str(tmp_path))
    assert (said.stdout, said.stderr) == ("8\n", "")
    assert stat.S_IMODE((tmp_path / "out" / "data.salvaged" / "data" / "f3.unverified").stat().st_mode) == 0


def test_a_tar_of_gnu_tar_is_salvaged_with_its_long_names(tree: Path, tmp_path: Path) -> None:
    long = "n" * 150
    (tree / "f3").rename(tree / long)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(tree, "data")
    whole = out.getvalue()
    place = whole.index(b"././@LongLink")
    damaged = [whole[:place], Verdict.GOOD, Hole(1024), whole[place + 1024 :], Verdict.GOOD]
    for parts, count in (([whole, Verdict.GOOD], 8), (damaged, 7)):
        target = tmp_path / str(count)
        report = TarPacker().salvage(iter(parts), target, name="data")
        assert report.whole.count == count
        own = {path for path in listing(target / "data.salvaged") if without_suffix(path) == path}
        assert own <= {f"data/{path.name}" for path in tree.iterdir()}


def test_a_header_for_all_members_without_a_member_ends(tmp_path: Path) -> None:
    """`git archive` of an empty tree is such an archive; a damage makes others."""
    content = b"19 comment=of none\n"
    header = tarfile.TarInfo("pax_global_header")
    header.type, header.size = tarfile.XGLTYPE, len(content)
    tar = header.tobuf(tarfile.USTAR_FORMAT) + content.ljust(512, b"\0") + bytes(2 * 512)
    report = TarPacker().salvage(iter([tar, Verdict.GOOD]), tmp_path, name="data")
    assert (report.directory, report.whole.count, report.missing.count) == ("", 0, 0)
