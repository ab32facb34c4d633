"""The cache keeps ranges of stored objects, and never gives wrong ones."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat.adapters.cache.range_files import RangeFiles

RANGES = {0: b"head", 100: b"the index\n\0", 4_000_000_000: b"footer"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "bakthat"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_ranges_come_back_as_they_were_saved(folder: Path) -> None:
    RangeFiles(folder).save("s3://b a.tgz 12", RANGES)
    assert RangeFiles(folder).load("s3://b a.tgz 12") == RANGES


def test_an_empty_cache_has_nothing_and_creates_nothing(folder: Path) -> None:
    assert RangeFiles(folder).load("x") == {}
    assert not folder.parent.exists()


def test_ranges_of_another_version_of_an_object_are_not_given(folder: Path) -> None:
    cache = RangeFiles(folder)
    cache.save("s3://b a.tgz 12", RANGES)
    assert cache.load("s3://b a.tgz 13") == {}


def test_a_file_of_another_archive_under_this_name_counts_as_absent(folder: Path) -> None:
    cache = RangeFiles(folder)
    cache.save("one", RANGES)
    content = only_file(folder).read_bytes()
    only_file(folder).unlink()
    cache.save("other", {0: b"x"})
    only_file(folder).write_bytes(content)
    assert cache.load("other") == {}


def test_the_folder_is_for_its_owner_only_and_so_are_the_files(folder: Path) -> None:
    RangeFiles(folder).save("x", RANGES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600


def test_a_folder_that_others_can_enter_is_not_used(folder: Path) -> None:
    cache = RangeFiles(folder)
    cache.save("x", RANGES)
    folder.chmod(0o755)
    assert cache.load("x") == {}
    cache.save("y", RANGES)
    folder.chmod(0o700)
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("kept", [0, 1, 20, 150, -1])
def test_a_truncated_file_counts_as_absent_and_is_removed(folder: Path, kept: int) -> None:
    cache = RangeFiles(folder)
    cache.save("x", RANGES)
    path = only_file(folder)
    path.write_bytes(path.read_bytes()[:kept])
    assert cache.load("x") == {}
    assert list(folder.iterdir()) == []


def test_a_flipped_bit_anywhere_never_gives_other_bytes(folder: Path) -> None:
    cache = RangeFiles(folder)
    cache.save("x", RANGES)
    path = only_file(folder)
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert cache.load("x") == {}


@pytest.mark.parametrize("content", ["[]", "3", '{"format": "bakthat ranges"}', "[" * 100_000, "\n\n"])
def test_what_is_not_a_file_of_the_cache_counts_as_absent(folder: Path, content: str) -> None:
    cache = RangeFiles(folder)
    cache.save("x", RANGES)
    only_file(folder).write_text(content)
    assert cache.load("x") == {}


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir], ids=["fifo", "link", "folder"]
)
def test_what_is_not_a_regular_file_counts_as_absent(folder: Path, make: Callable[[Path], object]) -> None:
    cache = RangeFiles(folder)
    cache.save("x", RANGES)
    path = only_file(folder)
    path.unlink()
    make(path)
    assert cache.load("x") == {}


@pytest.mark.parametrize("ranges", [3, [3], [[0]], [["a", "b"]], None])
def test_a_header_that_lists_invalid_ranges_counts_as_absent(folder: Path, ranges: object) -> None:
    cache = RangeFiles(folder)
    cache.save("x", RANGES)
    _, header, body = only_file(folder).read_bytes().split(b"\n", 2)
    rest = json.dumps({**json.loads(header), "ranges": ranges}).encode() + b"\n" + body
    only_file(folder).write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    assert cache.load("x") == {}


def test_what_was_used_least_recently_goes_when_the_limit_is_reached(folder: Path) -> None:
    cache = RangeFiles(folder, limit=10_000)
    for age, name in ((30, "oldest"), (20, "used"), (10, "newest")):
        cache.save(name, {0: b"x" * 2_500})
        path = max(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns)
        os.utime(path, (time.time() - age, time.time() - age))
    assert cache.load("oldest")
    cache.save("more", {0: b"x" * 2_500})
    assert [name for name in ("oldest", "used", "newest", "more") if cache.load(name)] == ["oldest", "newest", "more"]


def test_what_would_take_half_of_the_cache_is_not_kept(folder: Path) -> None:
    cache = RangeFiles(folder, limit=1_000)
    cache.save("x", {0: b"x" * 500})
    assert cache.load("x") == {}


def test_a_process_that_is_killed_while_it_saves_leaves_nothing_wrong(folder: Path) -> None:
    code = """
import sys
from pathlib import Path
from bakthat.adapters.cache.range_files import RangeFiles
cache = RangeFiles(Path(sys.argv[1]))
print("begun", flush=True)
while True:
    for fill in (b"a", b"b"):
        cache.save("x", {0: fill * 3_000_000, 5_000_000: fill})
"""
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = RangeFiles(folder).load("x")
        assert {b"".join(found.values())} <= {b"a" * 3_000_001, b"b" * 3_000_001, b""}


def test_leftovers_of_killed_processes_go_when_they_are_old(folder: Path) -> None:
    RangeFiles(folder).save("x", RANGES)
    for name, age in ((".new-old", 7200), (".new-young", 0)):
        (folder / name).write_text("half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    RangeFiles(folder).save("y", RANGES)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [".new-young"]


def test_a_disk_that_refuses_is_not_an_error(folder: Path, small_disk: Path) -> None:
    cache = RangeFiles(small_disk / "cache")
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    cache.save("x", {0: b"x" * 100_000})
    assert cache.load("x") == {}
    blocked = folder.parent
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file where the folder should be")
    RangeFiles(folder).save("x", RANGES)
    assert RangeFiles(folder).load("x") == {}
