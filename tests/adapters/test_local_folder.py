"""The folder store keeps the contract of every store, and what a folder adds to it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from bakthat.adapters.filesystem.whole_file import FileCalls
from bakthat.adapters.local_folder import LocalObjectStore
from bakthat.errors import ObjectNotFound, StoreError, StoreUnavailable
from bakthat.testing.object_store_contract import ObjectStoreContract


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.mkdir()
    return path


class TestLocalObjectStore(ObjectStoreContract):
    many = 105
    """A folder has no pages."""

    @pytest.fixture
    def store(self, folder: Path) -> LocalObjectStore:
        """One that was in use, and holds nothing any more."""
        store = LocalObjectStore(folder)
        store.put("first", io.BytesIO(b""))
        store.delete("first")
        return store


def refusing(number: int) -> Callable[..., NoReturn]:
    """A system call that answers with this error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


class OddFolder(ObjectStoreContract):
    large = 3 * 1024 * 1024 + 17
    many = 50
    calls: FileCalls

    @pytest.fixture
    def store(self, folder: Path) -> LocalObjectStore:
        store = LocalObjectStore(folder, calls=self.calls)
        store.put("first", io.BytesIO(b""))
        store.delete("first")
        return store


class TestWithoutHardLinks(OddFolder):
    """exFAT and FAT as Linux has them: no link(2), no O_TMPFILE."""

    calls = FileCalls(link=refusing(errno.EPERM), unnamed=refusing(errno.EOPNOTSUPP))


class TestWithoutHardLinksAndExclusiveRenames(OddFolder):
    """FUSE with an old library, and other systems: no renameat2(2) either."""

    calls = FileCalls(link=refusing(errno.ENOSYS), unnamed=refusing(errno.EOPNOTSUPP), rename=refusing(errno.EINVAL))


class TestWithoutHardLinksExclusiveRenamesAndLocks(OddFolder):
    """A network mount that has next to nothing."""

    calls = FileCalls(
        link=refusing(errno.EOPNOTSUPP),
        unnamed=refusing(errno.EINVAL),
        rename=refusing(errno.ENOSYS),
        lock=refusing(errno.ENOLCK),
    )


class TestUnnamedFilesThatCannotBeLinked(OddFolder):
    calls = FileCalls(link=refusing(errno.EPERM))


def files_below(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if not path.is_dir() and path.name != ".bakthat-store"]
    return sorted(str(path.relative_to(folder)) for path in paths)


def test_nothing_is_created_before_the_first_put(tmp_path: Path) -> None:
    LocalObjectStore(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_the_first_put_creates_the_folder_for_its_owner_only(tmp_path: Path) -> None:
    LocalObjectStore(tmp_path / "a" / "b").put("k", io.BytesIO(b"x"))
    assert [(tmp_path / "a" / "b").stat().st_mode & 0o777, (tmp_path / "a" / "b" / "k").stat().st_mode & 0o777] == [
        0o700,
        0o600,
    ]


def test_a_folder_that_is_not_there_is_not_an_empty_store(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path / "unmounted")
    with pytest.raises(StoreUnavailable, match="mounted"):
        list(store.list())


def test_reading_from_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path / "unmounted")
    with pytest.raises(StoreUnavailable, match="mounted"):
        store.open("k").__enter__()


def test_an_empty_folder_that_was_never_stored_into_may_be_a_disk_that_is_not_mounted(folder: Path) -> None:
    with pytest.raises(StoreUnavailable, match="mounted"):
        list(LocalObjectStore(folder).list())


def test_an_object_is_a_plain_file_under_its_key(folder: Path) -> None:
    LocalObjectStore(folder).put("bakthat_catalog/x.json", io.BytesIO(b"{}"))
    assert (folder / "bakthat_catalog" / "x.json").read_bytes() == b"{}"


def test_a_symbolic_link_is_not_an_object(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    store = LocalObjectStore(folder)
    assert list(store.list()) == []
    with pytest.raises(ObjectNotFound):
        store.open("link").__enter__()


def test_a_directory_is_not_an_object(folder: Path) -> None:
    (folder / "dir").mkdir()
    with pytest.raises(ObjectNotFound):
        LocalObjectStore(folder).stat("dir")


def test_a_key_below_another_object_is_a_store_error(folder: Path) -> None:
    store = LocalObjectStore(folder)
    store.put("a", io.BytesIO(b"x"))
    with pytest.raises(StoreError):
        store.put("a/b", io.BytesIO(b"y"))


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    store = LocalObjectStore(small_disk / "store")
    with pytest.raises(StoreError, match="No space left"):
        store.put("k", io.BytesIO(bytes(8 * 1024 * 1024)))
    assert files_below(small_disk) == []


def test_a_folder_without_permission_is_access_denied(folder: Path, unprivileged) -> None:
    folder.chmod(0o500)
    result = unprivileged(
        "-c",
        "import io; from pathlib import Path; from bakthat.adapters.local_folder import LocalObjectStore\n"
        f"LocalObjectStore(Path({str(folder)!r})).put('k', io.BytesIO(b'x'))",
    )
    assert "bakthat.errors.AccessDenied" in result.stderr


def test_a_killed_writer_leaves_no_object_and_no_file_that_shows(folder: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom bakthat.adapters.local_folder import LocalObjectStore\n"
        "class Body:\n"
        "    n = 0\n"
        "    def read(self, size):\n"
        "        self.n += 1\n"
        "        if self.n == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return b'x' * size\n"
        "LocalObjectStore(Path(sys.argv[1])).put('k', Body())\n"
    )
    result = subprocess.run([sys.executable, "-c", script, str(folder)], check=False)
    assert result.returncode == -9
    assert files_below(folder) == []
    store = LocalObjectStore(folder)
    store.put("k", io.BytesIO(b"again"))
    assert files_below(folder) == ["k"]


def test_a_leftover_of_a_killed_writer_is_cleared_and_others_are_not(folder: Path) -> None:
    for name in ("dead", "live", "elsewhere"):
        (folder / f".bakthat-put-{name}").write_bytes(b"half")
    for name in ("dead", "live"):
        os.utime(folder / f".bakthat-put-{name}", (0, 0))
    with (folder / ".bakthat-put-live").open("rb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        store = LocalObjectStore(folder)
        assert [info.key for info in store.list()] == []
        store.put("k", io.BytesIO(b"x"))
    # One that has just changed may be written by another machine, whose locks are not seen here.
    assert files_below(folder) == [".bakthat-put-elsewhere", ".bakthat-put-live", "k"]


def test_leftovers_of_killed_writers_are_found_in_every_folder(folder: Path) -> None:
    store = LocalObjectStore(folder)
    store.put("k", io.BytesIO(b"x"))
    (folder / "bakthat_catalog").mkdir()
    for name in (".bakthat-put-1", "bakthat_catalog/.bakthat-put-2"):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (0, 0))
    found = sorted(store.leftovers(), key=lambda leftover: leftover.key)
    assert [(left.key, left.size, left.is_of_bakthat) for left in found] == [
        (".bakthat-put-1", 4, True),
        ("bakthat_catalog/.bakthat-put-2", 4, True),
    ]
    assert {left.latest for left in found} == {datetime(1970, 1, 1, tzinfo=UTC)}
    assert [store.remove_leftover(left) for left in found] == [True, True]
    assert files_below(folder) == ["k"]


def test_a_leftover_whose_writer_is_alive_is_not_removed(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / ".bakthat-put-live").write_bytes(b"half")
    store = LocalObjectStore(folder)
    (found,) = store.leftovers()
    with (folder / ".bakthat-put-live").open("rb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        assert not store.remove_leftover(found)
    assert store.remove_leftover(found)
    assert store.remove_leftover(found), "it is gone, which is what was asked for"


def test_a_file_that_is_too_large_for_its_file_system_says_so(folder: Path) -> None:
    script = (
        "import io, resource, sys\nfrom pathlib import Path\n"
        "from bakthat.adapters.local_folder import LocalObjectStore\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "LocalObjectStore(Path(sys.argv[1])).put('k', io.BytesIO(bytes(2000)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], check=False, capture_output=True, text=True)
    assert "StoreError" in done.stderr
    assert "does not support files of this size" in done.stderr
    assert files_below(folder) == []


def test_a_fifo_named_like_a_temporary_file_keeps_nobody_waiting(folder: Path) -> None:
    os.mkfifo(folder / ".bakthat-put-0123456789abcdef")
    script = (
        "import io, sys\nfrom pathlib import Path\nfrom bakthat.adapters.local_folder import LocalObjectStore\n"
        "LocalObjectStore(Path(sys.argv[1])).put('k', io.BytesIO(b'x'))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=300)
    assert [info.key for info in LocalObjectStore(folder).list()] == ["k"]


def test_the_location_is_the_absolute_folder(folder: Path) -> None:
    assert LocalObjectStore(Path(os.path.relpath(folder))).location == folder.as_uri()


# Bad entries of a folder


def listed(folder: Path, prefix: str = "") -> tuple[list[str], list[str]]:
    """The keys of a listing, and its notices."""
    notices: list[str] = []
    return [info.key for info in LocalObjectStore(folder, notice=notices.append).list(prefix)], notices


@contextlib.contextmanager
def deep_folders(folder: Path, name: str, depth: int) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        fd, outer = os.open(name, os.O_RDONLY, dir_fd=fd), fd
        os.close(outer)
    os.close(fd)
    try:
        yield
    finally:
        # Python's rmtree, by which pytest clears its directories, cannot go so deep.
        subprocess.run(["rm", "-rf", str(folder / name)], check=True)


@pytest.mark.parametrize(("name", "depth"), [("d", 1200), ("d" * 200, 30)])
def test_folders_deeper_than_a_key_may_be_are_named_and_cost_themselves(folder: Path, name: str, depth: int) -> None:
    LocalObjectStore(folder).put("good", io.BytesIO(b"x"))
    with deep_folders(folder, name, depth):
        keys, notices = listed(folder)
    assert keys == ["good"]
    assert ["longer than a key may be" in line and len(line) < 300 for line in notices] == [True]


def test_a_file_whose_path_is_longer_than_a_key_may_be_is_skipped(folder: Path) -> None:
    LocalObjectStore(folder).put("good", io.BytesIO(b"x"))
    parent = folder.joinpath(*["p" * 195] * 5)
    parent.mkdir(parents=True)
    (parent / ("f" * 100)).touch()
    assert listed(folder)[0] == ["good"]


def test_a_folder_that_cannot_be_read_is_named_and_skipped(folder: Path, unprivileged) -> None:
    """`lost+found` of another owner, at the top of a disk."""
    LocalObjectStore(folder).put("good", io.BytesIO(b"x"))
    (folder / "lost+found").mkdir(mode=0)
    program = (
        "import sys; from pathlib import Path; from bakthat.adapters.local_folder import LocalObjectStore;"
        "store = LocalObjectStore(Path(sys.argv[1]), notice=print); print([info.key for info in store.list()])"
    )
    lines = unprivileged("-c", program, str(folder)).stdout.splitlines()
    assert lines[0].endswith("lost+found/ cannot be read, and its contents are not listed: Permission denied")
    assert lines[1:] == ["['good']"]


def test_many_folders_that_are_too_deep_are_counted(folder: Path) -> None:
    LocalObjectStore(folder).put("good", io.BytesIO(b"x"))
    for number in range(30):
        folder.joinpath(*[f"{number:03}" * 60] * 5).mkdir(parents=True)
        folder.joinpath(*[f"{number:03}" * 60] * 5, "x" * 200).mkdir()
    notices = listed(folder)[1]
    assert (len(notices), notices[-1]) == (11, f"{folder}: 20 more files and folders are not listed")


def test_a_listing_by_prefix_does_not_look_into_other_folders(folder: Path) -> None:
    LocalObjectStore(folder).put("db.1", io.BytesIO(b"x"))
    with deep_folders(folder, "d", 1200):
        assert listed(folder, "db.") == (["db.1"], [])


@pytest.mark.parametrize(("seconds", "year"), [(253402300800, 9999), (-62135596801, 1)])
def test_a_file_of_a_year_that_no_calendar_has_is_listed(small_disk: Path, seconds: int, year: int) -> None:
    """The year 10000, and the one before the year 1, which a tmpfs can keep."""
    LocalObjectStore(small_disk).put("good", io.BytesIO(b"x"))
    os.utime(small_disk / "good", (seconds, seconds))
    (info,) = LocalObjectStore(small_disk).list()
    assert info.modified.astimezone().year == year
    assert LocalObjectStore(small_disk).stat("good") == info


@pytest.mark.parametrize("reading", ["open", "open_range"])
@pytest.mark.parametrize("size", [-1, 3_000_000])
def test_a_file_that_becomes_shorter_is_an_error_and_not_an_end(folder: Path, reading: str, size: int) -> None:
    store = LocalObjectStore(folder)
    store.put("k", io.BytesIO(bytes(4_000_000)))
    opened = store.open("k") if reading == "open" else store.open_range("k", 10, 3_900_000)
    with opened as reader:
        reader.read(10)
        os.truncate(folder / "k", 2_000_000)
        with pytest.raises(StoreError, match="become shorter"):
            reader.read(size)


def test_a_disk_that_fails_after_an_object_was_read_fails_nothing(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    store.put("k", io.BytesIO(b"content"))
    with store.open("k") as reader:
        assert reader.read() == b"content"
        os.close(reader.fileno())  # so that closing it once more is an error
