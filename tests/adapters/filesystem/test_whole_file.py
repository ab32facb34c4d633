"""Names are given to whole files, and to one only, on file systems that lack this or that."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from attrs import evolve

from bakthat.adapters.filesystem.whole_file import TEMPORARY, FileCalls, WholeFile, leftovers_in, sync_folder


def refusing(number: int) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


NO_LINKS = FileCalls(link=refusing(errno.EPERM), unnamed=refusing(errno.EOPNOTSUPP))
NO_RENAMES = evolve(NO_LINKS, rename=refusing(errno.EINVAL))
NO_LOCKS = evolve(NO_RENAMES, lock=refusing(errno.ENOLCK))
NO_LINKS_FOR_UNNAMED = FileCalls(link=refusing(errno.EPERM))
ALL = {
    "everything": FileCalls(),
    "no links": NO_LINKS,
    "no exclusive renames": NO_RENAMES,
    "no locks": NO_LOCKS,
    "no links for unnamed files": NO_LINKS_FOR_UNNAMED,
}
every = pytest.mark.parametrize("calls", ALL.values(), ids=ALL)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def make(folder: int, calls: FileCalls, content: bytes, name: str = "k", *, replace: bool = False) -> None:
    with WholeFile(folder, calls) as file:
        os.write(file.fd, content)
        file.publish(name, replace=replace)


@every
def test_a_published_file_is_whole_and_alone(folder: int, tmp_path: Path, calls: FileCalls) -> None:
    make(folder, calls, b"content")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"content")]


@every
def test_a_name_that_is_taken_stays_as_it_is(folder: int, tmp_path: Path, calls: FileCalls) -> None:
    make(folder, calls, b"first")
    with pytest.raises(FileExistsError):
        make(folder, calls, b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"first")]


@every
def test_a_dangling_link_takes_a_name_too(folder: int, tmp_path: Path, calls: FileCalls) -> None:
    (tmp_path / "k").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        make(folder, calls, b"x")
    assert os.readlink(tmp_path / "k") == "nowhere"


@every
def test_replacing_replaces(folder: int, tmp_path: Path, calls: FileCalls) -> None:
    make(folder, calls, b"first")
    make(folder, calls, b"second", replace=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"second")]


@every
def test_what_is_not_published_leaves_nothing(folder: int, tmp_path: Path, calls: FileCalls) -> None:
    with WholeFile(folder, calls) as file:
        os.write(file.fd, b"half")
    assert list(tmp_path.iterdir()) == []


@every
def test_of_many_at_once_exactly_one_wins(folder: int, tmp_path: Path, calls: FileCalls) -> None:
    writers = 8
    barrier = threading.Barrier(writers)

    def write(number: int) -> int | None:
        with WholeFile(folder, calls) as file:
            os.write(file.fd, b"%d" % number)
            barrier.wait()
            try:
                file.publish("k")
            except FileExistsError:
                return None
            return number

    with ThreadPoolExecutor(writers) as threads:
        for _ in range(20):
            (winner,) = [number for number in threads.map(write, range(writers)) if number is not None]
            assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"%d" % winner)]
            (tmp_path / "k").unlink()


def test_a_name_that_is_taken_at_the_last_moment_stays_as_it_is(folder: int, tmp_path: Path) -> None:
    def meanwhile(*_: object) -> NoReturn:
        make(folder, NO_RENAMES, b"first")
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    with pytest.raises(FileExistsError):
        make(folder, evolve(NO_RENAMES, rename=meanwhile), b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"first")]


def test_nobody_else_gives_a_name_while_it_is_claimed(folder: int, tmp_path: Path) -> None:
    refused: list[bytes] = []

    def lock(fd: int, how: int) -> None:
        fcntl.flock(fd, how)
        if any("claim" in name for name in os.listdir(tmp_path)) and not refused:
            refused.append(b"second")
            with pytest.raises(FileExistsError):
                make(folder, NO_RENAMES, b"second")

    make(folder, evolve(NO_RENAMES, lock=lock), b"first")
    assert refused
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"first")]


@pytest.fixture
def claim(folder: int, tmp_path: Path) -> Path:
    """The claim of the name `k` of a writer that was killed just now."""
    names: list[str] = []

    def lock(fd: int, how: int) -> None:
        names.extend(name for name in os.listdir(tmp_path) if "claim" in name)

    make(folder, evolve(NO_RENAMES, lock=lock), b"x")
    (tmp_path / "k").unlink()
    path = tmp_path / names[0]
    path.touch()
    return path


@pytest.mark.parametrize("calls", [NO_RENAMES, NO_LOCKS], ids=["locks", "no locks"])
def test_the_claim_of_a_killed_writer_ends_after_a_while(folder: int, claim: Path, calls: FileCalls) -> None:
    with pytest.raises(FileExistsError):
        make(folder, calls, b"too early")
    os.utime(claim, (0, 0))
    make(folder, calls, b"late enough")
    assert [(path.name, path.read_bytes()) for path in claim.parent.iterdir()] == [("k", b"late enough")]


def test_an_old_claim_that_is_locked_is_alive(folder: int, claim: Path) -> None:
    os.utime(claim, (0, 0))
    with claim.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FileExistsError):
            make(folder, NO_RENAMES, b"x")


def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(folder: int, tmp_path: Path) -> None:
    taken: list[str] = []

    def lock(fd: int, how: int) -> None:
        if not taken:
            taken.extend(os.listdir(tmp_path))
            (tmp_path / taken[0]).unlink()
        fcntl.flock(fd, how)

    make(folder, evolve(NO_LINKS, lock=lock), b"content")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("k", b"content")]


def test_an_error_that_has_nothing_to_do_with_links_comes_out(folder: int, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        make(folder, FileCalls(link=refusing(errno.ENOSPC)), b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_synced_is_not_an_error() -> None:
    read, write = os.pipe()  # fsync(2) of a pipe is EINVAL, as of a folder on some network mounts
    sync_folder(read)
    os.close(read)
    os.close(write)


@every
def test_a_disk_that_fails_after_a_file_was_published_fails_nothing(
    folder: int, tmp_path: Path, calls: FileCalls
) -> None:
    with WholeFile(folder, calls) as file:
        os.write(file.fd, b"content")
        file.publish("k")
        os.close(file.fd)  # so that closing it once more is an error
    assert (tmp_path / "k").read_bytes() == b"content"


@pytest.fixture
def deepest(tmp_path: Path) -> Iterator[int]:
    """The innermost of 1,200 folders in each other, which Python cannot delete."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    yield folder
    os.close(folder)
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)


def test_leftovers_are_found_in_folders_of_any_depth(tmp_path: Path, deepest: int) -> None:
    os.close(os.open(f"{TEMPORARY}x", os.O_WRONLY | os.O_CREAT, dir_fd=deepest))
    (path, found), *others = leftovers_in(str(tmp_path))
    assert path.endswith(f"/d/{TEMPORARY}x")
    assert found.st_size == 0
    assert others == []
