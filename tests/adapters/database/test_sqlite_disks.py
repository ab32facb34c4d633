"""A database on file systems that lack what SQLite wants: memory that processes share, and locks.

`strace` answers the system calls of a child for such a file system (`-P`: for these files only).
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.domain.query import Query
from bakthat.testing.examples import a_backup

SCRIPT = """
import sys
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.domain.query import Query
from bakthat.errors import DatabaseError
from bakthat.testing.examples import a_backup

repo = open_repo(sys.argv[1])
try:
    for name in sys.argv[2:]:
        repo.add(a_backup(stored_filename=name))
    print(*sorted(row.stored_filename for row in repo.find(Query())))
except DatabaseError as error:
    print(error)
"""

FIRST, SECOND, THIRD = (f"a.2026010{day}000000.tgz" for day in (1, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bakthat.sqlite"


def where(call: str, error: str, path: Path, *names: str) -> str:
    """What comes of adding backups of these names and listing all, where this system call gives this error."""
    files = [f"{path}{suffix}" for suffix in ("", "-shm", "-wal", "-probe")]
    strace = ["strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:error={error}"]
    strace += [word for file in files for word in ("-P", file)]
    done = subprocess.run(
        [*strace, sys.executable, "-c", textwrap.dedent(SCRIPT), path, *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def without_shared_memory(path: Path, *names: str) -> str:
    return where("mmap", "ENODEV", path, *names)


def journal_mode(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA journal_mode").fetchone()[0]
    finally:
        connection.close()


def test_without_shared_memory_the_file_has_a_rollback_journal(path: Path) -> None:
    assert without_shared_memory(path, FIRST) == FIRST
    assert without_shared_memory(path, SECOND) == f"{FIRST} {SECOND}"
    assert journal_mode(path) == "delete"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_with_a_log_that_comes_to_such_a_disk_is_read_and_written(path: Path) -> None:
    open_repo(str(path)).add(a_backup(stored_filename=FIRST))
    assert journal_mode(path) == "wal"
    assert without_shared_memory(path) == FIRST
    assert without_shared_memory(path, SECOND) == f"{FIRST} {SECOND}"


def test_what_a_killed_process_left_in_the_log_is_read_there_too(path: Path) -> None:
    killed = """
    import os, sqlite3, sys
    from bakthat.adapters.database.peewee_repo import open_repo
    from bakthat.testing.examples import a_backup
    holding = sqlite3.connect(sys.argv[1])
    open_repo(sys.argv[1]).add(a_backup(stored_filename=sys.argv[2]))
    holding.execute("SELECT * FROM backups").fetchall()  # so that the log is not emptied when the other one closes
    open_repo(sys.argv[1]).add(a_backup(stored_filename=sys.argv[3]))
    os._exit(9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(killed), path, FIRST, SECOND], check=False)
    assert Path(f"{path}-wal").stat().st_size > 0
    assert without_shared_memory(path, THIRD) == f"{FIRST} {SECOND} {THIRD}"


def test_a_file_that_comes_back_from_such_a_disk_has_a_log_again(path: Path) -> None:
    without_shared_memory(path, FIRST)
    repo = open_repo(str(path))
    repo.add(a_backup(stored_filename=SECOND))
    assert sorted(row.stored_filename for row in repo.find(Query())) == [FIRST, SECOND]
    assert journal_mode(path) == "wal"


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
@pytest.mark.parametrize("names", [(), (SECOND,)])
def test_a_disk_without_locks_is_not_called_locked(path: Path, error: str, names: tuple[str, ...]) -> None:
    open_repo(str(path)).add(a_backup(stored_filename=FIRST))
    said = where("fcntl", error, path, *names)
    assert said == (
        f"{path} is on a file system without locks, which SQLite needs; set `database` to a file on another disk; "
        "`bakthat sync` can rebuild it from the store"
    )
