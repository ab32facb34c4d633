"""Locks of jobs: the promises of the port, and what a file adds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bakthat.adapters.locks.lock_files import LockFiles
from bakthat.adapters.memory.job_locks import MemoryJobLocks
from bakthat.errors import ConfigError
from bakthat.ports.job_locks import JobLocks


@pytest.fixture(params=["files", "memory"])
def locks(request, tmp_path: Path) -> JobLocks:
    return LockFiles(tmp_path / "state" / "locks") if request.param == "files" else MemoryJobLocks()


def test_a_second_one_does_not_get_a_lock_that_is_held(locks: JobLocks) -> None:
    with locks.hold("default.etc") as first, locks.hold("default.etc") as second:
        assert (first, second) == (True, False)


def test_a_lock_ends_with_its_context(locks: JobLocks) -> None:
    for _ in range(2):
        with locks.hold("default.etc") as is_ours:
            assert is_ours


def test_one_that_did_not_get_the_lock_takes_it_from_nobody(locks: JobLocks) -> None:
    with locks.hold("etc"):
        with locks.hold("etc"):
            pass
        with locks.hold("etc") as third:
            assert not third


@pytest.mark.parametrize("other", [("shop", "x"), ("etc", "y"), ("e", "tcx")], ids=["name", "scope", "joined"])
def test_locks_of_another_name_or_scope_are_others(locks: JobLocks, other: tuple[str, str]) -> None:
    with locks.hold("etc", "x"), locks.hold(*other) as is_ours:
        assert is_ours


def test_a_name_of_any_text_and_a_secret_scope_make_a_harmless_file(tmp_path: Path) -> None:
    with LockFiles(tmp_path / "locks").hold("../ü/" + "x" * 999, "postgresql://me:secret@db/x"):
        (name,) = os.listdir(tmp_path / "locks")
    assert name.startswith("..-")
    assert len(name) < 100
    assert "secret" not in name
    assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700


def test_a_lock_falls_with_its_process_also_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "from bakthat.adapters.locks.lock_files import LockFiles\n"
        "with LockFiles(sys.argv[1]).hold('etc') as held:\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    print(held, child.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    held, child = holder.stdout.readline().split()
    with LockFiles(tmp_path).hold("etc") as while_it_runs:
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with LockFiles(tmp_path).hold("etc") as afterwards:
        pass
    os.kill(int(child), signal.SIGKILL)  # it still ran, and did not hold the lock
    assert (held, while_it_runs, afterwards) == ("True", False, True)


def test_a_folder_that_cannot_be_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="set XDG_STATE_HOME"), LockFiles(tmp_path / "file" / "locks").hold("etc"):
        pass
