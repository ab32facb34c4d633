"""A second process that makes small files: the same tree comes out, whatever becomes of it."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.packing.file_process import KEEP, MAKE, OWNER, SET_ID, Again, Attributes, Failed, FileMaker
from bakthat.adapters.packing.tar_extractor import StartMaker, extract_tar
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.errors import BakthatError, TargetError
from tests.fixtures.children import run_python
from tests.fixtures.open_directory import open_directory
from tests.fixtures.tar_members import END, member, pax
from tests.fixtures.tree_snapshot import Entry, snapshot

PLAIN: Attributes = (0o640, KEEP, KEEP, 1_700_000_000_123_456_789)


class Counting(FileMaker):
    """Is ready at once, and counts what it takes. `kill_at`: it is killed before it takes the file so numbered."""

    def __init__(self, failed: Failed, again: Again, *, kill_at: int = -1) -> None:
        super().__init__(failed, again)
        self.wait_until_ready()
        self.taken = 0
        self._kill_at = kill_at

    def take(self, where: bytes, directory: int, name: bytes, content: memoryview, attributes: Attributes) -> bool:
        if self.taken == self._kill_at:
            os.kill(self.pid, signal.SIGKILL)
            self._kill_at = -1
        taken = super().take(where, directory, name, content, attributes)
        self.taken += taken
        return taken


class Started:
    """Starts makers, and keeps them. `kill_at`: as of `Counting`."""

    def __init__(self, *, kill_at: int = -1) -> None:
        self.makers: list[Counting] = []
        self._kill_at = kill_at

    def __call__(self, failed: Failed, again: Again) -> Counting:
        self.makers.append(Counting(failed, again, kill_at=self._kill_at))
        return self.makers[-1]

    @property
    def taken(self) -> int:
        return sum(maker.taken for maker in self.makers)


def small_files(count: int) -> bytes:
    """In directories of seven, of all sizes that are handed over."""
    return b"".join(
        member(b"tree/%d/file %d" % (number // 7, number), os.urandom(number * 31 % 65_536), mode=0o600 + number % 8)
        for number in range(count)
    )


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    with descriptor(tmp_path) as fd:
        yield fd


@contextmanager
def descriptor(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def refuse(*arguments: object) -> None:
    raise AssertionError(arguments)


# What comes out is the same


def outcome(archive: bytes, start_maker: StartMaker | None) -> tuple[str, dict[str, Entry], object]:
    """The error, what was restored, and what was reported."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        try:
            report = extract_tar(io.BytesIO(archive), into, start_maker=start_maker, few=0)
        except BakthatError as error:
            return f"{type(error).__name__}: {str(error).replace(folder, '')}", snapshot(into, times=False), None
        told = (report.files, report.directories, report.others, report.size, sorted(map(str, report.notices)))
        return "", tree_of(into), told


def tree_of(root: Path) -> dict[str, Entry]:
    """Without the times of directories, which the archives here do not always say."""
    found = snapshot(root)
    return {path: entry._replace(mtime_ns=0) if entry.kind == "d" else entry for path, entry in found.items()}


NAMES = st.sampled_from([b"a", b"b", b"a/x", b"a/y", b"b/x", b"a/x/z", b"a//y", b"./b/x", b"a/x/z/deep"])
MODES = [0o644, 0o400, 0o755]
FILES = st.builds(
    lambda name, content, mode: member(name, content, mode=mode),
    NAMES,
    st.sampled_from([b"", b"1", b"22", b"3" * 5000, b"4" * 70_000]),
    st.sampled_from(MODES),
)
OTHERS = st.one_of(
    st.builds(lambda name: member(name + b"/", kind=b"5", mode=0o750), NAMES),
    st.builds(lambda name: member(name, kind=b"2", link=b"somewhere", mode=0o777), NAMES),
    st.builds(lambda name: member(name, kind=b"6"), NAMES),
    st.builds(lambda name, target: member(name, kind=b"1", link=target), NAMES, NAMES),
    st.just(b"\1" * 512),
)


FIRST = b"".join(member(b"first/%d" % number, b"1", mode=MODES[number % 3]) for number in range(9))
"""What the reader has seen the like of is at hand as a whole, and can be handed over."""


@settings(max_examples=150, deadline=None)
@given(members=st.lists(st.one_of(FILES, FILES, OTHERS), min_size=2, max_size=14))
def test_members_that_replace_each_other_come_out_as_without_it(members: list[bytes]) -> None:
    archive = FIRST + b"".join(members) + END
    started = Started()
    assert outcome(archive, started) == outcome(archive, None)
    assert started.taken


@settings(max_examples=40, deadline=None)
@given(members=st.lists(st.one_of(FILES, FILES, OTHERS), min_size=2, max_size=14), kill_at=st.integers(0, 8))
def test_members_come_out_as_without_it_also_if_it_is_killed(members: list[bytes], kill_at: int) -> None:
    archive = FIRST + b"".join(members) + END
    assert outcome(archive, Started(kill_at=kill_at)) == outcome(archive, None)


def test_a_large_file_replaces_a_small_one_that_was_handed_over(into: Path) -> None:
    small = b"".join(member(b"d/%d" % number, b"1") for number in range(5))
    started = Started()
    extract_tar(io.BytesIO(small + member(b"d/4", b"2" * 70_000) + END), into, start_maker=started, few=0)
    assert (into / "d" / "4").stat().st_size == 70_000
    assert started.taken


def test_thousands_of_files_come_out_as_without_it() -> None:
    archive = small_files(2500) + END
    started = Started()
    assert outcome(archive, started) == outcome(archive, None)
    assert started.taken > 200


@pytest.mark.parametrize("kill_at", [0, 1, 199, 200, 201, 700])
def test_if_it_is_killed_its_files_are_made_all_the_same(into: Path, tmp_path: Path, kill_at: int) -> None:
    archive = small_files(1500)
    started = Started(kill_at=kill_at)
    extract_tar(io.BytesIO(archive + END), into, start_maker=started, few=0)
    assert started.taken >= kill_at
    other = tmp_path / "other"
    extract_tar(io.BytesIO(archive + END), other)
    assert tree_of(into) == tree_of(other)


def test_few_files_start_no_process(into: Path) -> None:
    started = Started()
    extract_tar(io.BytesIO(small_files(100) + END), into, start_maker=started)
    assert not started.makers


def test_where_no_process_can_be_started_the_files_are_made_without(into: Path) -> None:
    def fail(failed: Failed, again: Again) -> FileMaker:
        raise OSError("no more processes")

    assert extract_tar(io.BytesIO(small_files(30) + END), into, start_maker=fail, few=0).files == 30


def test_an_interpreter_that_does_not_run_it_is_done_without(into: Path) -> None:
    def start(failed: Failed, again: Again) -> FileMaker:
        maker = FileMaker(failed, again, python="/bin/false")
        maker.wait_until_ready()
        return maker

    assert extract_tar(io.BytesIO(small_files(30) + END), into, start_maker=start, few=0).files == 30


@pytest.mark.parametrize("name", [b".BAKTHAT-CASE", b"e\xcc\x81"])
def test_names_that_might_be_one_are_made_in_order_by_one_process(into: Path, name: bytes) -> None:
    """The archive's own name stands in for a file system that takes the two for one."""
    started = Started()
    archive = member(b"d/" + name, b"1") + member(b"d/f", b"2") + END
    extract_tar(io.BytesIO(archive), into, start_maker=started, few=1)
    assert not started.makers
    assert sorted(os.listdir(os.fsencode(into / "d"))) == sorted([name, b"f"])


def test_with_only_it_makes_what_is_asked_for_and_nothing_else(into: Path) -> None:
    archive = b"".join(member(b"root/%s/%d" % (name, number), b"x") for number in range(300) for name in (b"a", b"b"))
    started = Started()
    extract_tar(io.BytesIO(archive + END), into, only=["a"], start_maker=started, few=0)
    assert sorted(os.listdir(into / "root")) == ["a"]
    assert len(os.listdir(into / "root" / "a")) == 300
    assert started.taken


# What it cannot do


def full_disk(failed: Failed, again: Again) -> FileMaker:
    """For the second process, as near as a test can get: it can write no more than 1,000 bytes to a file."""
    maker = Counting(failed, again)
    resource.prlimit(maker.pid, resource.RLIMIT_FSIZE, (1000, 1000))
    return maker


def test_a_full_disk_names_the_file_and_leaves_nothing(into: Path) -> None:
    archive = b"".join(member(b"d/%d" % number, b"x" * (5000 if number == 77 else 100)) for number in range(1000))
    with pytest.raises(TargetError, match=r"d/77: File too large; nothing was restored"):
        extract_tar(io.BytesIO(archive + END), into, start_maker=full_disk, few=0)
    assert not os.listdir(into)


def test_a_file_that_cannot_be_made_is_told_before_damage_that_follows_it(into: Path) -> None:
    small = b"".join(member(b"d/%d" % number, b"1") for number in range(5))
    archive = small + member(b"d/large", b"2" * 5000) + member(b"d/z", b"3") + b"\1" * 512
    with pytest.raises(TargetError, match="d/large: File too large"):
        extract_tar(io.BytesIO(archive), into, start_maker=full_disk, few=0)


def test_a_name_that_is_too_long_is_told(into: Path) -> None:
    name = b"d/" + b"n" * 256
    long_name = member(b"././@LongLink", name + b"\0", kind=b"L") + member(name[:100], b"1")
    with pytest.raises(TargetError, match="name too long"):
        extract_tar(io.BytesIO(small_files(10) + long_name + END), into, start_maker=Started(), few=0)


def test_what_the_system_refuses_comes_as_a_notice() -> None:
    with open_directory() as into:
        done = run_python(
            """
        import io, os, sys
        from pathlib import Path
        archive = b"".join(member(b"d/%d" % number, b"x", owner=12345, mode=0o4755) for number in range(50)) + END
        for start_maker in (Started(), None):
            report = extract_tar(io.BytesIO(archive), Path(sys.argv[1]), start_maker=start_maker, few=1, overwrite=True)
            print(*report.notices, oct(os.stat(sys.argv[1] + "/d/49").st_mode))
        """,
            into,
            unprivileged_after="""
        from bakthat.adapters.packing.tar_extractor import extract_tar
        from tests.adapters.packing.test_file_process import Started
        from tests.fixtures.tar_members import END, member
        """,
        )
    with_it, without = done.stdout.splitlines()
    assert with_it == without, done.stderr
    assert "it belonged to another user" in without
    assert without.endswith("0o100755")


def test_an_owner_who_cannot_be_set_is_told(here: int) -> None:
    told: list[tuple[bytes, int, int]] = []
    with closing(Counting(lambda *what: told.append(what), refuse)) as maker:
        maker.take(b"", here, b"f", memoryview(b"1"), (0o644, 2**40, 0, 0))
        maker.finish()
    assert told == [(b"f", OWNER, errno.EOVERFLOW)]


def test_without_the_right_owner_there_are_no_set_id_bits() -> None:
    with open_directory() as into:
        done = run_python(
            """
            told = []
            with open(sys.argv[1] + "/f", "w") as file:
                set_attributes(file.fileno(), (0o4755, 0, 0, 0), lambda *what: told.append(what), b"f")
            print(told, oct(os.stat(sys.argv[1] + "/f").st_mode))
            """,
            into,
            unprivileged_after="""
            import os, sys
            from bakthat.adapters.packing.file_process import set_attributes
            """,
        )
    # EINVAL: in a user namespace that does not know root
    told = [[(b"f", OWNER, number), (b"f", SET_ID, 0)] for number in (errno.EPERM, errno.EINVAL)]
    assert done.stdout in [f"{each} 0o100755\n" for each in told], done.stderr


def test_an_owner_that_no_system_has_comes_as_a_notice_and_costs_the_set_id_bits(into: Path) -> None:
    archive = pax((b"uid", b"%d" % 2**40)) + member(b"d/f", b"1", mode=0o4755)
    report = extract_tar(io.BytesIO(archive + END), into)
    told = [notice.reason for notice in report.notices]
    assert told[0].startswith(("the owner cannot be restored here: the number is too large", "it belonged to another"))
    assert told[1:] == ["its set-user-ID and set-group-ID bits were not restored; only root can do that"]
    assert (into / "d" / "f").stat().st_mode & 0o7777 == 0o755


def test_where_descriptors_are_few_the_files_are_made_without(into: Path) -> None:
    done = run_python(
        """
        import io, resource, sys
        from pathlib import Path
        from bakthat.adapters.packing.tar_extractor import extract_tar
        from tests.adapters.packing.test_file_process import Started
        from tests.fixtures.tar_members import END, member
        archive = b"".join(member(b"wide/%d/f" % (number % 150), b"x%d" % number) for number in range(3000))
        started = Started()
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        print(extract_tar(io.BytesIO(archive + END), Path(sys.argv[1]), start_maker=started, few=0).files)
        print(started.makers)
        """,
        into,
    )
    assert (done.stdout, done.stderr) == ("3000\n[]\n", "")
    assert sorted(int((into / "wide" / str(number) / "f").read_text()[1:]) for number in range(150)) == [
        *range(2850, 3000)
    ]


# The process


def test_pending_is_what_may_not_be_there_yet(here: int, tmp_path: Path) -> None:
    with closing(Counting(refuse, refuse)) as maker:
        maker.take(b"", here, b"f", memoryview(b"content"), PLAIN)
        assert maker.pending == {b"f"}
        maker.finish()
        assert maker.pending == set()
    status = (tmp_path / "f").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o640, 1_700_000_000_123_456_789)
    assert (tmp_path / "f").read_bytes() == b"content"


def test_a_name_that_is_taken_is_left_to_whoever_asked(here: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    asked: list[tuple[bytes, bytes, Attributes]] = []
    with closing(Counting(refuse, lambda path, content, what: asked.append((path, bytes(content), what)))) as maker:
        maker.take(b"", here, b"f", memoryview(b"new"), PLAIN)
        maker.finish()
    assert asked == [(b"f", b"new", PLAIN)]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_a_directory_that_is_gone_is_a_failure(here: int, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    failures: list[tuple[bytes, int]] = []
    with (
        closing(Counting(lambda path, what, _: failures.append((path, what)), refuse)) as maker,
        descriptor(folder) as fd,
    ):
        folder.rmdir()
        maker.take(b"folder", fd, b"f", memoryview(b"1"), PLAIN)
        maker.finish()
    assert failures == [(b"folder/f", MAKE)]


def test_more_directories_than_one_message_holds(tmp_path: Path) -> None:
    with closing(Counting(refuse, refuse)) as maker:
        for number in range(300):
            folder = tmp_path / str(number)
            folder.mkdir()
            with descriptor(folder) as fd:
                while not maker.take(b"%d" % number, fd, b"f", memoryview(b"%d" % number), PLAIN):
                    time.sleep(0.001)
        maker.finish()
    assert [(tmp_path / str(number) / "f").read_text() for number in range(300)] == [
        str(number) for number in range(300)
    ]


def test_a_directory_of_which_there_can_be_no_descriptor_is_left_to_whoever_asked() -> None:
    done = run_python(
        """
        import os, resource
        from tests.adapters.packing.test_file_process import PLAIN, Counting, refuse
        here = os.open("/", os.O_RDONLY)
        maker = Counting(refuse, refuse)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        print(maker.take(b"", here, b"f", memoryview(b"1"), PLAIN), maker.pending)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        maker.finish()
        maker.close()
        """
    )
    assert (done.stdout, done.stderr) == ("False set()\n", "")


def test_closing_ends_the_process_and_closes_every_descriptor(here: int) -> None:
    before = os.listdir("/proc/self/fd")
    maker = Counting(refuse, refuse)
    maker.take(b"", here, b"f", memoryview(b"1"), PLAIN)
    maker.close()
    assert not os.path.exists(f"/proc/{maker.pid}")
    assert os.listdir("/proc/self/fd") == before


def test_it_knows_no_secret_of_whoever_started_it() -> None:
    done = run_python(
        """
        import os
        from bakthat.adapters.packing.file_process import FileMaker
        os.environ["BAKTHAT_PASSWORD"] = "open sesame"
        maker = FileMaker(print, print)
        maker.wait_until_ready()
        print("sesame" in open(f"/proc/{maker.pid}/environ").read() + open(f"/proc/{maker.pid}/cmdline").read())
        maker.close()
        """
    )
    assert done.stdout == "False\n", done.stderr


def test_it_ends_with_whoever_started_it() -> None:
    done = run_python(
        """
        import os, signal
        from bakthat.adapters.packing.file_process import FileMaker
        maker = FileMaker(print, print)
        maker.wait_until_ready()
        print(maker.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    _gone(int(done.stdout))


def _gone(pid: int) -> None:
    until = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.01)


def test_after_a_restore_the_process_is_gone(into: Path) -> None:
    started = Started()
    extract_tar(io.BytesIO(small_files(50) + END), into, start_maker=started, few=0)
    assert not os.path.exists(f"/proc/{started.makers[0].pid}")


def test_after_a_restore_that_failed_the_process_is_gone(into: Path) -> None:
    started = Started()
    with pytest.raises(BakthatError):
        extract_tar(io.BytesIO(small_files(50)), into, start_maker=started, few=0)
    assert not os.path.exists(f"/proc/{started.makers[0].pid}")
    assert not os.listdir(into)


@pytest.mark.parametrize("second_process", [False, True])
def test_the_packer_restores_what_it_has_packed_with_and_without(tmp_path: Path, second_process: bool) -> None:
    source = tmp_path / "source"
    for number in range(1000):
        (source / str(number // 100)).mkdir(parents=True, exist_ok=True)
        (source / str(number // 100) / f"{number}").write_bytes(b"%d" % number * 100)
    packed = io.BytesIO()
    packer = TarPacker(second_process=second_process)
    packer.pack(source, packed)
    packed.seek(0)
    packer.unpack(packed, tmp_path / "target", name="source")
    assert snapshot(tmp_path / "target" / "source") == snapshot(source)
