"""Restored files appear all at once or not at all, and nobody can lead them elsewhere."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat.adapters.filesystem.linux import EXCHANGE, mounts_below, rename_with_flags
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.errors import TargetError, TargetExists
from tests.fixtures.children import run_python
from tests.fixtures.open_directory import open_directory
from tests.fixtures.tree_snapshot import snapshot

Rename = Callable[[int, bytes, int, bytes, int], None]


def no_such_call(source: int, name: bytes, target: int, new_name: bytes, flag: int) -> None:
    """A file system, such as NFS, that cannot rename with flags."""
    raise OSError(errno.EINVAL, "Invalid argument")


class FailsAt:
    """renameat2 which fails, or is interrupted, at its nth call, before or after having done its work."""

    def __init__(self, call: int, error: BaseException, *, afterwards: bool, real: Rename = rename_with_flags) -> None:
        self._left = call
        self._error = error
        self._afterwards = afterwards
        self._real = real

    def __call__(self, source: int, name: bytes, target: int, new_name: bytes, flag: int) -> None:
        self._left -= 1
        if self._left == 0 and not self._afterwards:
            raise self._error
        try:
            self._real(source, name, target, new_name, flag)
        finally:
            if self._left == 0:
                raise self._error


@pytest.fixture(params=[rename_with_flags, no_such_call], ids=["renameat2", "without"])
def rename(request: pytest.FixtureRequest) -> Rename:
    found: Rename = request.param
    return found


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def put(
    into: Path, files: dict[str, str], *, overwrite: bool = False, rename: Rename = rename_with_flags
) -> StagingDirectory:
    """Files by path, put in place by their first parts; a path that ends with a slash is a directory."""
    with StagingDirectory(into, overwrite=overwrite, rename=rename) as staging:
        write(staging.path, files)
        staging.commit(list(dict.fromkeys(path.split("/")[0] for path in files)))
    return staging


def write(root: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        if path.endswith("/"):
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)


def contents(root: Path) -> dict[str, str]:
    return {path: entry.content.decode() for path, entry in snapshot(root).items() if entry.kind in "-l"}


# StagingDirectory


def test_files_and_directories_appear_under_their_names(into: Path, rename: Rename) -> None:
    put(into, {"a/b/c": "1", "a/d": "2", "e": "3"}, rename=rename)
    assert contents(into) == {"a/b/c": "1", "a/d": "2", "e": "3"}
    assert sorted(os.listdir(into)) == ["a", "e"]


def test_nothing_is_seen_before_the_commit_and_nobody_else_may_look(into: Path) -> None:
    with StagingDirectory(into) as staging:
        write(staging.path, {"a/b": "secret"})
        [private] = into.iterdir()
        assert private.name.startswith(".bakthat-restore-")
        assert private.stat().st_mode & 0o777 == 0o700
        assert private in staging.path.parents
        assert os.stat("a/b", dir_fd=staging.fd).st_size == 6


def test_what_is_not_committed_leaves_nothing(into: Path) -> None:
    with StagingDirectory(into) as staging:
        write(staging.path, {"a/b": "1", "c": "2"})
        staging.commit(["c"])
    assert contents(into) == {"c": "2"}
    assert os.listdir(into) == ["c"]


@pytest.mark.parametrize("error", [RuntimeError("oh"), KeyboardInterrupt()])
def test_an_exception_leaves_nothing(into: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), StagingDirectory(into) as staging:
        write(staging.path, {"a/b": "1"})
        raise error
    assert os.listdir(into) == []


def test_a_target_that_is_not_there_is_made_and_goes_again_after_an_exception(tmp_path: Path) -> None:
    into = tmp_path / "x" / "y" / "z"
    with pytest.raises(RuntimeError), StagingDirectory(into) as staging:
        write(staging.path, {"a": "1"})
        raise RuntimeError
    assert os.listdir(tmp_path) == []
    put(into, {"a": "1"})
    assert contents(into) == {"a": "1"}


def test_a_target_that_was_there_stays_after_an_exception(into: Path) -> None:
    with pytest.raises(RuntimeError), StagingDirectory(into):
        raise RuntimeError
    assert into.is_dir()


def test_a_relative_target_is_found(into: Path) -> None:
    before = Path.cwd()
    os.chdir(into)
    try:
        put(Path(), {"a": "1"})
        put(Path("b/c"), {"d": "2"})
    finally:
        os.chdir(before)
    assert contents(into) == {"a": "1", "b/c/d": "2"}


def test_a_target_may_be_reached_through_a_symbolic_link(tmp_path: Path, into: Path) -> None:
    (tmp_path / "link").symlink_to("into")
    put(tmp_path / "link", {"a": "1"})
    assert contents(into) == {"a": "1"}


def test_the_default_mode_is_that_of_the_umask(into: Path) -> None:
    for umask in (0o022, 0o077, 0o002, 0o777):
        before = os.umask(umask)
        try:
            with StagingDirectory(into) as staging:
                assert staging.default_mode == 0o777 & ~umask | 0o700
                write(staging.path, {})
        finally:
            os.umask(before)


def test_names_that_are_not_utf8_are_restored(into: Path) -> None:
    name = b"caf\xe9\n"
    with StagingDirectory(into) as staging:
        os.mkdir(name, dir_fd=staging.fd)
        staging.commit([name])
    assert os.listdir(os.fsencode(into)) == [name]


# What is there already


def test_what_is_there_is_not_replaced(into: Path, rename: Rename) -> None:
    write(into, {"a/old": "0"})
    with pytest.raises(TargetExists, match="into/a already exists; `overwrite=True`"):
        put(into, {"b": "1", "a/new": "2"}, rename=rename)
    assert contents(into) == {"a/old": "0"}
    assert os.listdir(into) == ["a"]


@pytest.mark.parametrize("there", ["file", "directory", "symlink", "dangling symlink"])
def test_whatever_is_there_is_seen_early(into: Path, there: str) -> None:
    if there == "file":
        (into / "a").touch()
    elif there == "directory":
        (into / "a").mkdir()
    else:
        (into / "a").symlink_to("nowhere" if "dangling" in there else "/")
    with StagingDirectory(into) as staging, pytest.raises(TargetExists):
        staging.check("a")
    with StagingDirectory(into) as staging:
        staging.check("b")
    with StagingDirectory(into, overwrite=True) as staging:
        staging.check("a")


def test_what_appears_meanwhile_is_not_replaced(into: Path, rename: Rename) -> None:
    with pytest.raises(TargetExists), StagingDirectory(into, rename=rename) as staging:
        staging.check("a")
        write(staging.path, {"a/new": "1", "b": "2"})
        write(into, {"a/theirs": "0"})
        staging.commit(["b", "a"])
    assert contents(into) == {"a/theirs": "0"}


@pytest.mark.parametrize("old", ["file", "directory", "empty directory", "symlink"])
@pytest.mark.parametrize("new", ["a", "a/new"])
def test_overwriting_replaces_the_whole(into: Path, rename: Rename, old: str, new: str) -> None:
    (into / "elsewhere").mkdir()
    if old == "file":
        (into / "a").write_text("old")
    elif old == "directory":
        write(into, {"a/old": "old", "a/sub/old": "old"})
    elif old == "empty directory":
        (into / "a").mkdir()
    else:
        (into / "a").symlink_to("elsewhere")
    put(into, {new: "new"}, overwrite=True, rename=rename)
    assert contents(into) == {new: "new"}
    assert sorted(os.listdir(into)) == ["a", "elsewhere"]


def test_overwriting_what_is_not_there_needs_no_exchange(into: Path, rename: Rename) -> None:
    put(into, {"a/b": "1"}, overwrite=True, rename=rename)
    assert contents(into) == {"a/b": "1"}


def test_times_and_modes_come_along(into: Path, rename: Rename) -> None:
    write(into, {"a/old": "old"})
    with StagingDirectory(into, overwrite=True, rename=rename) as staging:
        write(staging.path, {"a/new": "new"})
        os.chmod(staging.path / "a", 0o751)
        os.utime(staging.path / "a", ns=(1, 1_600_000_000_123_456_789))
        staging.commit(["a"])
    status = (into / "a").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o751, 1_600_000_000_123_456_789)


# Into directories that are there


def test_a_path_goes_into_the_directory_that_is_there(into: Path, rename: Rename) -> None:
    write(into, {"a/b/kept": "0", "a/b/c": "old"})
    with StagingDirectory(into, overwrite=True, rename=rename) as staging:
        write(staging.path, {"a/b/c": "new", "a/b/left-behind": "1", "a/x/y/z": "2"})
        staging.commit(["a/b/c", "a/x/y/z"])
    assert contents(into) == {"a/b/kept": "0", "a/b/c": "new", "a/x/y/z": "2"}


def test_a_path_does_not_replace_without_leave(into: Path, rename: Rename) -> None:
    write(into, {"a/b/kept": "0", "a/b/c": "old"})
    with pytest.raises(TargetExists, match="a/b/c"), StagingDirectory(into, rename=rename) as staging:
        write(staging.path, {"a/b/c": "new", "a/b/d": "1"})
        staging.commit(["a/b/d", "a/b/c"])
    assert contents(into) == {"a/b/kept": "0", "a/b/c": "old"}


def test_a_path_never_goes_through_a_symbolic_link(tmp_path: Path, into: Path, rename: Rename) -> None:
    write(tmp_path, {"outside/c": "0"})
    (into / "a").symlink_to("../outside")
    with pytest.raises(TargetExists), StagingDirectory(into, rename=rename) as staging:
        write(staging.path, {"a/c": "new"})
        staging.commit(["a/c"])
    with StagingDirectory(into, overwrite=True, rename=rename) as staging:
        write(staging.path, {"a/c": "new"})
        staging.commit(["a/c"])
    assert contents(tmp_path) == {"outside/c": "0", "into/a/c": "new"}


def test_a_directory_brings_what_is_in_it_once(into: Path) -> None:
    with StagingDirectory(into) as staging:
        write(staging.path, {"a/b/c": "1", "a/b/d": "2"})
        staging.commit(["a/b/c", "a/b", "a/b/d", "a"])
    assert contents(into) == {"a/b/c": "1", "a/b/d": "2"}


# Faults


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 8))
@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=["error", "ctrl-c"]
)
def test_a_commit_that_fails_anywhere_is_undone(into: Path, call: int, afterwards: bool, error: BaseException) -> None:
    write(into, {"a/old": "0", "b": "0", "d/e/old": "0"})
    before = snapshot(into)
    rename = FailsAt(call, error, afterwards=afterwards)
    with (
        pytest.raises((TargetError, KeyboardInterrupt)),
        StagingDirectory(into, overwrite=True, rename=rename) as staging,
    ):
        write(staging.path, {"a/new": "1", "b": "1", "c/new": "1", "d/e/old": "1"})
        staging.commit(["a", "c", "b", "d/e"])
    assert snapshot(into).keys() == before.keys()
    assert contents(into) == {"a/old": "0", "b": "0", "d/e/old": "0"}


@pytest.mark.parametrize("call", range(1, 4))
def test_a_commit_in_two_steps_that_fails_is_undone(into: Path, call: int) -> None:
    write(into, {"a/old": "0", "b": "0"})
    rename = FailsAt(call, KeyboardInterrupt(), afterwards=False, real=no_such_call)
    with pytest.raises(KeyboardInterrupt), StagingDirectory(into, overwrite=True, rename=rename) as staging:
        write(staging.path, {"a/new": "1", "b": "1"})
        staging.commit(["a", "b"])
    assert contents(into) == {"a/old": "0", "b": "0"}
    assert sorted(os.listdir(into)) == ["a", "b"]


_INTERRUPTED_AT_EACH_LINE = """
import errno, os, sys
from pathlib import Path
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.filesystem.linux import rename_with_flags

def no_such_call(*_):
    raise OSError(errno.EINVAL, "Invalid argument")

rename = no_such_call if sys.argv[2] == "without" else rename_with_flags
OLD = {"a/old": "0", "d/e": "0"}
NEW = {"a/new": "1", "b": "1", "d/e": "1"}

def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

TRACED = ("staging.py", "moves.py", "private_dir.py", "target_dir.py", "dir_fd.py")

def restore(into, nth):
    left = nth
    def trace(frame, event, _):
        nonlocal left
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace
    sys.settrace(trace)
    try:
        with StagingDirectory(into, overwrite=True, rename=rename) as staging:
            write(staging.path, NEW)
            staging.commit(["a", "b", "d/e"])
    except KeyboardInterrupt:
        pass
    return left > 0

nth, finished = -6, False
while not finished:
    nth += 7  # each takes a syncfs, which takes a while on a busy disk
    into = Path(sys.argv[1]) / str(nth)
    write(into, OLD)
    child = os.fork()
    if child == 0:
        os._exit(restore(into, nth))
    finished = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with StagingDirectory(into):
        pass
    found = {str(path.relative_to(into)): path.read_text() for path in into.rglob("*") if path.is_file()}
    assert found in (OLD, NEW), (nth, found)
    assert not list(into.glob(".*")), nth
print(nth)
"""


@pytest.mark.parametrize("how", ["renameat2", "without"])
def test_ctrl_c_at_any_line_leaves_the_old_or_the_new(tmp_path: Path, how: str) -> None:
    done = run_python(_INTERRUPTED_AT_EACH_LINE, tmp_path, how)
    assert done.stderr == ""
    assert int(done.stdout) > 300


def test_old_files_that_cannot_be_put_back_are_kept_and_named(into: Path) -> None:
    write(into, {"a/old": "precious"})
    exchanges = 0

    def rename(source: int, name: bytes, target: int, new_name: bytes, flag: int) -> None:
        nonlocal exchanges
        exchanges += flag == EXCHANGE
        if flag == EXCHANGE and exchanges > 1:
            raise OSError(errno.EIO, "Input/output error")
        rename_with_flags(source, name, target, new_name, flag)
        if flag == EXCHANGE:
            raise OSError(errno.EIO, "Input/output error")

    with (
        pytest.raises(TargetError, match="bakthat-rescued-"),
        StagingDirectory(into, overwrite=True, rename=rename) as staging,
    ):
        write(staging.path, {"a/new": "1"})
        staging.commit(["a"])
    put(into, {"other": "2"})  # which sweeps
    assert "precious" in contents(into).values()


def test_a_disk_that_refuses_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetError, match=r"file: Not a directory; nothing was restored: name a directory"):
        put(tmp_path / "file", {"a": "1"})
    with pytest.raises(TargetError, match=r"file/sub: Not a directory"):
        put(tmp_path / "file" / "sub", {"a": "1"})
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(TargetError, match="loop"):
        put(tmp_path / "loop", {"a": "1"})
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


def test_what_is_mounted_below_a_path_is_known(tmp_path: Path) -> None:
    assert "/proc" in mounts_below("/")
    assert mounts_below("/proc")[0] == "/proc"
    assert "/proc" not in mounts_below("/pro")
    assert mounts_below(str(tmp_path)) == []


def test_a_name_of_our_own_temporary_directories_is_refused(into: Path) -> None:
    with pytest.raises(TargetError, match="reserved for bakthat"):
        put(into, {".bakthat-restore-0123456789abcdef/a": "1"})
    assert os.listdir(into) == []


def test_a_thing_to_commit_that_is_not_there_is_an_error(into: Path, rename: Rename) -> None:
    write(into, {"a": "old"})
    with pytest.raises(TargetError), StagingDirectory(into, overwrite=True, rename=rename) as staging:
        staging.commit(["a"])
    assert contents(into) == {"a": "old"}


# Depth, modes, and not being root


def test_what_is_deeper_than_any_path_is_removed(into: Path) -> None:
    with pytest.raises(RuntimeError), StagingDirectory(into) as staging:
        directory = os.dup(staging.fd)
        for _ in range(1500):
            os.mkdir("d" * 50, dir_fd=directory)
            inner = os.open("d" * 50, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = inner
        os.close(directory)
        raise RuntimeError
    assert os.listdir(into) == []


_IMPORTS = """
import os, sys
from pathlib import Path
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.errors import TargetError
into = Path(sys.argv[1])
"""


def test_modes_that_lock_out_their_owner_are_restored() -> None:
    with open_directory() as into:
        done = run_python(
            """
            def fill(root, name):
                os.makedirs(root / name / "sub" / "deep")
                (root / name / "sub" / "file").write_text(str(root))
                for path, mode in (("sub/deep", 0), ("sub", 0o500), (".", 0o555)):
                    os.chmod(root / name / path, mode)

            with StagingDirectory(into) as staging:        # lands
                fill(staging.path, "a")
                staging.commit(["a"])
            first = os.stat(into / "a").st_ino
            with StagingDirectory(into, overwrite=True) as staging:        # replaces, and removes the old one
                fill(staging.path, "a")
                staging.commit(["a"])
            assert os.stat(into / "a").st_ino != first
            assert os.stat(into / "a").st_mode & 0o777 == 0o555
            assert os.stat(into / "a/sub").st_mode & 0o777 == 0o500
            assert os.stat(into / "a/sub/deep").st_mode & 0o777 == 0
            try:
                with StagingDirectory(into) as staging:    # is given up
                    fill(staging.path, "b")
                    os.chmod(staging.path, 0)
                    raise RuntimeError
            except RuntimeError:
                pass
            assert staging.notices == []
            print(os.listdir(into))
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert (done.stdout, done.stderr) == ("['a']\n", "")


def test_a_commit_that_fails_gives_directories_their_modes_back() -> None:
    with open_directory() as into:
        done = run_python(
            """
            import errno
            def rename(source, name, target, new_name, flag):
                raise OSError(errno.EIO, "Input/output error")
            os.mkdir(into / "a")
            os.chmod(into / "a", 0o555)
            try:
                with StagingDirectory(into, overwrite=True, rename=rename) as staging:
                    os.mkdir(staging.path / "a")
                    staging.commit(["a"])
            except TargetError as error:
                print(error)
            print(oct(os.stat(into / "a").st_mode & 0o777), os.listdir(into))
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert "Input/output error; nothing was restored" in done.stdout
    assert done.stdout.endswith("0o555 ['a']\n")


def test_a_target_that_may_not_be_written_is_an_error() -> None:
    with open_directory() as into:
        into.chmod(0o555)
        done = run_python(
            """
            for path in (into, into / "sub"):
                try:
                    with StagingDirectory(path):
                        pass
                except TargetError as error:
                    print(error)
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert done.stdout.count("Permission denied; nothing was restored: restore elsewhere with `target=`") == 2


def test_a_target_that_may_not_be_listed_is_written_nevertheless() -> None:
    with open_directory() as into:
        into.chmod(0o333)
        done = run_python(
            """
            with StagingDirectory(into) as staging:
                (staging.path / "a").write_text("1")
                staging.commit(["a"])
            print((into / "a").read_text())
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_what_was_replaced_and_cannot_be_removed_is_a_notice() -> None:
    with open_directory() as into:
        (into / "a" / "theirs").mkdir(parents=True)
        (into / "a" / "theirs" / "file").touch()
        (into / "a").chmod(0o777)
        done = run_python(
            """
            if os.stat(into).st_uid == os.geteuid():
                # The same user made it, who may remove it, too
                print("1 .bakthat-restore- could not be removed completely")
            else:
                with StagingDirectory(into, overwrite=True) as staging:
                    (staging.path / "a").write_text("1")
                    staging.commit(["a"])
                print((into / "a").read_text(), *[f"{n.path} {n.reason}" for n in staging.notices])
            """,
            into,
            unprivileged_after=_IMPORTS,
        )
    assert done.stdout.startswith("1 "), done.stderr
    assert ".bakthat-restore-" in done.stdout
    assert "could not be removed completely" in done.stdout


# Being killed


@pytest.fixture
def killed(into: Path) -> Callable[[int, bool, bool], None]:
    """Overwrites two directories, and dies at the nth rename."""

    def run(call: int, afterwards: bool, native: bool) -> None:
        done = run_python(
            """
            import errno, os, signal, sys
            from pathlib import Path
            from bakthat.adapters.filesystem import staging as module
            from bakthat.adapters.filesystem.linux import rename_with_flags
            call, afterwards, native = (int(text) for text in sys.argv[2:])

            def rename(source, name, target, new_name, flag):
                global call
                call -= 1
                if call == 0 and not afterwards:
                    os.kill(os.getpid(), signal.SIGKILL)
                if not native:
                    raise OSError(errno.EINVAL, "Invalid argument")
                rename_with_flags(source, name, target, new_name, flag)
                if call == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            with module.StagingDirectory(Path(sys.argv[1]), overwrite=True, rename=rename) as staging:
                (staging.path / "a").mkdir()
                (staging.path / "a" / "new").write_text("1")
                if call == 9:
                    os.kill(os.getpid(), signal.SIGKILL)
                staging.commit(["a"])
                os.kill(os.getpid(), signal.SIGKILL)
            """,
            into,
            call,
            int(afterwards),
            int(native),
        )
        assert done.returncode == -signal.SIGKILL, done.stderr

    return run


@pytest.mark.parametrize(
    ("call", "afterwards", "native"),
    [
        (9, False, True),
        (1, False, True),
        (1, True, True),
        (2, False, True),
        (2, True, True),
        (2, False, False),
        (5, False, False),
    ],
)
def test_after_kill_9_the_target_holds_the_old_or_the_new(
    into: Path, killed: Callable[[int, bool, bool], None], call: int, afterwards: bool, native: bool
) -> None:
    write(into, {"a/old": "0"})
    killed(call, afterwards, native)
    visible = {path: text for path, text in contents(into).items() if not path.startswith(".")}
    assert visible in ({"a/old": "0"}, {"a/new": "1"})
    put(into, {"b": "2"})
    assert contents(into) == {**visible, "b": "2"}
    assert sorted(os.listdir(into)) == ["a", "b"]


def test_the_old_one_that_a_killed_restore_had_taken_away_is_put_back_by_the_next(into: Path) -> None:
    # Where names cannot be exchanged: killed after the first of two steps, so that nothing has the name
    private = into / ".bakthat-restore-0123456789abcdef"
    write(private, {"new/a/new": "1", "old/0/old": "0", "old/1": "0"})
    private.chmod(0o700)
    (private / "old" / "0.path").symlink_to("a")
    (private / "old" / "1.path").symlink_to("x/y")
    (into / "x").mkdir()
    put(into, {"b": "2"})
    assert contents(into) == {"a/old": "0", "x/y": "0", "b": "2"}
    assert sorted(os.listdir(into)) == ["a", "b", "x"]


def test_what_cannot_be_put_back_is_not_removed(into: Path) -> None:
    private = into / ".bakthat-restore-0123456789abcdef"
    write(private, {"old/0": "precious"})
    private.chmod(0o700)
    (private / "old" / "0.path").symlink_to("gone/y")
    put(into, {"b": "2"})
    assert (private / "old" / "0").read_text() == "precious"


def test_remains_of_a_killed_restore_are_removed_and_those_in_use_are_not(into: Path) -> None:
    for name in ("0123456789abcdef", "fedcba9876543210"):
        write(into, {f".bakthat-restore-{name}/new/a": "1"})
        (into / f".bakthat-restore-{name}").chmod(0o700)
    in_use = os.open(into / ".bakthat-restore-fedcba9876543210", os.O_RDONLY)
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX)
        put(into, {"b": "2"})
        assert sorted(os.listdir(into)) == [".bakthat-restore-fedcba9876543210", "b"]
    finally:
        os.close(in_use)


def test_two_at_once_do_not_disturb_each_other(into: Path) -> None:
    with StagingDirectory(into) as first:
        write(first.path, {"a": "1"})
        with StagingDirectory(into) as second:
            write(second.path, {"b": "2"})
            second.commit(["b"])
        first.commit(["a"])
    assert contents(into) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "name", [".bakthat-restore-", ".bakthat-restore-0123456789abcdeX", ".bakthat-restore-0123456789abcdef.txt"]
)
def test_names_that_only_look_alike_are_left_alone(into: Path, name: str) -> None:
    write(into, {f"{name}/a": "1"})
    (into / name).chmod(0o700)
    put(into, {"b": "2"})
    assert contents(into) == {f"{name}/a": "1", "b": "2"}


def test_what_others_may_enter_was_not_made_by_us_and_is_left_alone(into: Path) -> None:
    write(into, {".bakthat-restore-0123456789abcdef/a": "1"})
    (into / ".bakthat-restore-0123456789abcdef").chmod(0o755)
    (into / ".bakthat-restore-1123456789abcdef").symlink_to(".")
    put(into, {"b": "2"})
    assert "1" in contents(into).values()
    assert (into / ".bakthat-restore-1123456789abcdef").is_symlink()


# Other users who may write into the target


class Intruder:
    """Another user, who may write into a directory, and is faster than the one who has just made one there."""

    def __init__(self, made: str, put: Callable[[Path], object]) -> None:
        self._made = made
        self._put = put

    def __call__(self, name: bytes, mode: int, directory: int) -> None:
        os.mkdir(name, mode, dir_fd=directory)
        if os.fsdecode(name).startswith(self._made):
            here = Path(os.readlink(f"/proc/self/fd/{directory}"))
            (here / os.fsdecode(name)).rename(here / "taken away")
            self._put(here / os.fsdecode(name))


def open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


@pytest.mark.parametrize("made", [".bakthat-restore-", "new target"])
def test_a_symbolic_link_put_in_the_place_of_our_directory_is_not_gone_through(tmp_path: Path, made: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    intruder = Intruder(made, lambda path: path.symlink_to(outside))
    with pytest.raises(TargetError), StagingDirectory(tmp_path / "new target", mkdir=intruder):
        raise AssertionError("it has been opened")
    assert os.listdir(outside) == []


def test_a_directory_that_others_may_write_is_not_taken_for_ours(into: Path) -> None:
    intruder = Intruder(".bakthat-restore-", open_to_all)
    with pytest.raises(TargetError, match="another user has replaced bakthat"), StagingDirectory(into, mkdir=intruder):
        raise AssertionError("it has been opened")


def test_another_directory_of_ours_is_not_taken_for_the_new_one_and_keeps_what_it_holds(into: Path) -> None:
    keys = into / ".ssh"
    keys.mkdir(0o700)
    (keys / "id").write_text("secret")
    intruder = Intruder(".bakthat-restore-", keys.rename)
    with pytest.raises(TargetError, match="another user has replaced bakthat"), StagingDirectory(into, mkdir=intruder):
        raise AssertionError("it has been opened")
    assert [path.read_text() for path in into.glob("*/id")] == ["secret"]


def test_a_directory_of_ours_that_was_given_the_name_of_a_remainder_is_not_removed(into: Path) -> None:
    keys = into / ".bakthat-restore-0123456789abcdef"
    keys.mkdir(0o700)
    (keys / "id").write_text("secret")
    put(into, {"a": "1"})
    assert (keys / "id").read_text() == "secret"


# What may be replaced


def test_with_a_root_nothing_else_is_replaced(into: Path) -> None:
    write(into, {"photos/f": "old", ".bashrc": "mine"})
    with (
        pytest.raises(TargetExists, match="bashrc already exists, and this backup may replace only photos"),
        StagingDirectory(into, overwrite=True, root="photos") as staging,
    ):
        staging.check("photos")
        write(staging.path, {"photos/f": "new", ".bashrc": "evil"})
        staging.commit(["photos", ".bashrc"])
    assert contents(into) == {"photos/f": "old", ".bashrc": "mine"}


def test_what_is_not_the_root_is_refused_before_anything_is_written(into: Path) -> None:
    write(into, {".bashrc": "mine"})
    with StagingDirectory(into, overwrite=True, root="photos") as staging, pytest.raises(TargetExists):
        staging.check(".bashrc")


def test_a_root_that_is_not_utf8_is_known_by_its_escapes(into: Path) -> None:
    (into / "caf\udce9").write_text("old")
    with StagingDirectory(into, overwrite=True, root="caf\\xe9") as staging:
        write(staging.path, {"caf\udce9": "new"})
        staging.commit([b"caf\xe9"])
    assert (into / "caf\udce9").read_text() == "new"


@pytest.mark.parametrize("note", ["as a file", "as 1.0 did, as a link"])
def test_what_a_killed_restore_took_away_goes_back_to_where_its_note_says(into: Path, note: str) -> None:
    private = into / ".bakthat-restore-0123456789abcdef"
    write(into, {"d/other": "2"})
    write(private, {"old/7": "0"})
    if note == "as a file":
        (private / "old" / "7.path").write_text("d/e")
    else:
        (private / "old" / "7.path").symlink_to("d/e")
    private.chmod(0o700)
    put(into, {"new": "1"})
    assert contents(into) == {"d/e": "0", "d/other": "2", "new": "1"}


@pytest.mark.parametrize("note", [None, "", "x" * 70_000])
def test_what_has_no_note_to_go_by_is_left_where_it_is(into: Path, note: str | None) -> None:
    private = into / ".bakthat-restore-0123456789abcdef"
    write(private, {"old/7": "0"} if note is None else {"old/7": "0", "old/7.path": note})
    private.chmod(0o700)
    put(into, {"new": "1"})
    assert (private / "old" / "7").read_text() == "0"


def test_the_note_says_where_a_thing_was_taken_from(into: Path) -> None:
    write(into, {"d/e": "0"})
    seen: list[str] = []

    def rename(*arguments: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with StagingDirectory(into, overwrite=True, rename=rename) as staging:
        write(staging.path, {"d/e": "1"})
        staging.commit(["d/e"])
        seen = [path.read_text() for path in into.glob(".bakthat-restore-*/old/*.path")]
    assert seen == ["d/e"]
    assert contents(into) == {"d/e": "1"}


def test_a_disk_that_fails_after_replacing_leaves_what_was_replaced_and_says_so(into: Path) -> None:
    write(into, {"a/old": "1"})
    with StagingDirectory(into, overwrite=True, rename=no_such_call) as staging:
        write(staging.path, {"a/new": "2"})
        staging.commit(["a"])
        write(staging.path.parent, {"replaced/in the way": ""})
    assert contents(into)["a/new"] == "2"
    assert "could not be removed completely" in staging.notices[0].reason
