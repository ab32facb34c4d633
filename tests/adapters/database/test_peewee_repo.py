"""`PeeweeRepo` keeps the contract on SQLite and on PostgreSQL, opens 2013's file as it is, and loses nothing."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import peewee
import psycopg
import pytest

from bakthat.adapters.database.peewee_repo import PeeweeRepo, open_repo
from bakthat.adapters.database.postgresql import PostgresqlServer
from bakthat.adapters.database.sqlite import SqliteFile
from bakthat.domain.backup import Backup
from bakthat.domain.objects import ArchiveId, JobId, RetrievalJob, Tier
from bakthat.domain.query import Query
from bakthat.errors import ConfigInvalid, DatabaseError, InvalidName
from bakthat.testing.examples import WHEN, a_backup
from bakthat.testing.metadata_repo_contract import EVERYTHING, MetadataRepoContract
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.glacier_inventory import restore_inventory
from tests.fixtures.held_secrets import held_by
from tests.fixtures.postgresql import PostgresqlForTests

ROOT = Path(__file__).parents[3]
SQL_OF_2013 = (ROOT / "tests/data/bakthat-2013.sql").read_text()


class TestPeeweeRepoOnSqlite(MetadataRepoContract):
    @pytest.fixture
    def repo(self, tmp_path: Path) -> PeeweeRepo:
        return open_repo(str(tmp_path / "bakthat.sqlite"))


class TestPeeweeRepoOnAFileOf2013(MetadataRepoContract):
    @pytest.fixture
    def repo(self, tmp_path: Path) -> PeeweeRepo:
        path = tmp_path / "bakthat.sqlite"
        script(path, SQL_OF_2013, "DELETE FROM backups; DELETE FROM inventory; DELETE FROM jobs;")
        return open_repo(str(path))


class TestPeeweeRepoOnPostgresql(MetadataRepoContract):
    @pytest.fixture
    def repo(self, postgresql_url: str) -> PeeweeRepo:
        return open_repo(postgresql_url)


def script(path: Path, *scripts: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for each in scripts:
            connection.executescript(each)


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def quick(path: Path) -> PeeweeRepo:
    """A repository that does not wait for locks."""
    return PeeweeRepo(SqliteFile(str(path), busy_timeout=0.05))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bakthat.sqlite"


@pytest.fixture
def of_2013(path: Path) -> Path:
    script(path, SQL_OF_2013)
    return path


# what is on disk


def test_reading_an_absent_file_creates_nothing(tmp_path: Path) -> None:
    repo = open_repo(str(tmp_path / "folder" / "bakthat.sqlite"))
    assert list(repo.find(EVERYTHING)) == []
    assert repo.archive_ids() == {}
    assert repo.job("x") is None
    repo.forget_job("x")
    repo.forget_archive("x")
    repo.put_all([])
    assert list(tmp_path.iterdir()) == []


def test_the_first_write_creates_file_and_folder_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "bakthat.sqlite"
    open_repo(str(path)).add(a_backup())
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_new_file_has_2013s_tables_and_no_other(path: Path, tmp_path: Path) -> None:
    open_repo(str(path)).add(a_backup())
    script(tmp_path / "2013", SQL_OF_2013)
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    assert rows(path, query) == rows(tmp_path / "2013", query)


def test_an_empty_file_is_an_empty_database(path: Path) -> None:
    path.touch()
    repo = open_repo(str(path))
    assert list(repo.find(EVERYTHING)) == []
    repo.add(a_backup())
    assert list(repo.find(EVERYTHING)) == [a_backup()]


def test_the_file_is_in_wal_mode_and_leaves_no_other_file_behind(path: Path) -> None:
    repo = open_repo(str(path))
    repo.add(a_backup())
    list(repo.find(EVERYTHING))
    assert list(path.parent.iterdir()) == [path]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_tilde_is_the_home_directory(tmp_path: Path) -> None:
    code = (
        "from bakthat.adapters.database.peewee_repo import open_repo; from bakthat.testing.examples import a_backup\n"
    )
    code += "open_repo('~/x.sqlite').add(a_backup())"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "HOME": str(tmp_path)}, cwd=ROOT)
    assert (tmp_path / "x.sqlite").exists()


def test_a_relative_path_stays_where_it_was_when_the_working_directory_changes(
    tmp_path: Path, working_directory: Callable[[Path], None]
) -> None:
    working_directory(tmp_path)
    repo = open_repo("x.sqlite")
    working_directory(Path("/"))
    repo.add(a_backup())
    assert (tmp_path / "x.sqlite").exists()


@pytest.fixture
def working_directory() -> Iterator[Callable[[Path], None]]:
    before = Path.cwd()
    yield os.chdir
    os.chdir(before)


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    for name in ("with space", "100%41", "what?mode=ro", "a#b", "ü"):
        open_repo(str(tmp_path / name)).add(a_backup())
        assert (tmp_path / name).exists()
        assert len(list(open_repo(f"sqlite:///{tmp_path / name}").find(Query()))) == 1


def test_a_file_behind_a_symbolic_link_is_created_where_the_link_points(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    open_repo(str(tmp_path / "link")).add(a_backup())
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "link").is_symlink()


def test_a_name_that_no_database_holds_is_refused(path: Path) -> None:
    with pytest.raises(InvalidName, match=r"udcff"):
        open_repo(str(path)).add(a_backup(filename="\udcff", stored_filename="\udcff"))


def test_one_series_is_found_by_its_index(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    repo = open_repo(str(path))
    repo.add(a_backup())
    for query, index in (
        (Query(filename="mydir"), "backups_filename"),
        (Query(stored_filename="mydir.20260102030405.tgz"), "backups_stored_filename"),
    ):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "peewee"):
            list(repo.find(query))
        statement, values = next(r.msg for r in caplog.records if 'FROM "backups"' in r.msg[0])
        with closing(sqlite3.connect(path)) as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        assert [index in step[3] for step in plan] == [True]


# 2013's file


def found(path: Path) -> dict[str, Backup]:
    return {backup.stored_filename: backup for backup in open_repo(str(path)).find(EVERYTHING)}


def test_the_guides_example_is_read_and_its_date_is_that_of_the_name(of_2013: Path) -> None:
    backup = found(of_2013)["mydir.20130305193615.tgz.enc"]
    assert (backup.filename, backup.backend, backup.size, backup.tags) == ("mydir", "s3", 3120, ())
    assert backup.backup_date == datetime(2013, 3, 5, 18, 36, 15, tzinfo=UTC)
    assert backup.when == datetime(2013, 3, 5, 19, 36, 15, tzinfo=UTC)
    assert backup.last_updated == datetime.fromtimestamp(1362508727, UTC)
    assert backup.is_encrypted
    assert not backup.is_deleted
    assert backup.backend_hash.startswith("9813aa99062d7a22")
    assert backup.location is None


def test_every_row_of_2013_is_read(of_2013: Path) -> None:
    backups = found(of_2013)
    assert len(backups) == 9
    assert backups["db.20130604195055.tgz"].tags == ("daily", "db")
    assert backups["bak20120927110000.tgz"].when == datetime(2012, 9, 27, 11, tzinfo=UTC)
    assert backups["mykey"].metadata["KeyValue"] is True
    assert backups["mykey"].when == datetime.fromtimestamp(1363800000, UTC)
    assert backups["photos.20130227212000.tgz.enc"].tags == ("a", "b")
    assert backups["photos.20130227212000.tgz.enc"].is_deleted


@pytest.mark.parametrize("name", ["bak20120927110000.tgz", "odd.20130305193615.tgz", "odd-7", "odd.20130305193616.tgz"])
def test_metadata_that_is_absent_or_not_json_is_empty(of_2013: Path, name: str) -> None:
    assert dict(found(of_2013)[name].metadata) == {}


def test_odd_values_of_a_row_are_read_as_far_as_they_make_sense(of_2013: Path) -> None:
    backups = found(of_2013)
    odd = backups["odd.20130305193615.tgz"]
    assert (odd.backend_hash, odd.size, odd.tags) == ("", 0, ("x", "y z"))
    assert odd.backup_date == datetime.fromtimestamp(1362508575, UTC)
    assert odd.last_updated == datetime(2013, 3, 5, 19, 36, 15, tzinfo=UTC)
    assert backups["odd-7"].backup_date == datetime(2013, 3, 5, 19, 36, 15, tzinfo=UTC)
    assert backups["odd-7"].tags == ("x",)
    never = backups["odd.20130305193616.tgz"]
    assert never.backup_date == never.last_updated == datetime(2013, 3, 5, 19, 36, 16, tzinfo=UTC)
    assert never.tags == ("[broken",)
    assert backups["odd.20130305193617.tgz"].last_updated == datetime.fromtimestamp(1362508575, UTC)
    assert backups["odd.20130305193617.tgz"].is_encrypted


def test_a_table_without_constraints_may_hold_nulls(path: Path) -> None:
    columns = "id, backend, backend_hash, backup_date, filename, is_deleted, last_updated, metadata, size,"
    script(path, f"CREATE TABLE backups ({columns} stored_filename, tags)")
    script(path, "INSERT INTO backups VALUES (1,'s3',NULL,NULL,'x',NULL,NULL,NULL,NULL,'x.20130305193615.tgz',NULL)")
    (backup,) = open_repo(str(path)).find(Query())
    assert backup.backup_date == backup.last_updated == datetime(2013, 3, 5, 19, 36, 15, tzinfo=UTC)
    assert (backup.size, backup.tags, dict(backup.metadata), backup.is_deleted) == (0, (), {}, False)


def test_inventory_and_jobs_of_2013_are_read(of_2013: Path) -> None:
    repo = open_repo(str(of_2013))
    name = "photos.20130227212000.tgz.enc"
    assert dict(repo.archive_ids()) == {name: "archive-of-photos", "db.20130604195055.tgz": "archive-of-db"}
    assert repo.archive_id(name) == "archive-of-photos"
    assert repo.job(name) == RetrievalJob(filename=name, job_id=JobId("job-of-2013"))


def test_reading_changes_no_byte_of_2013s_file(of_2013: Path) -> None:
    before, modified = of_2013.read_bytes(), of_2013.stat().st_mtime_ns
    repo = open_repo(str(of_2013))
    list(repo.find(EVERYTHING))
    repo.archive_ids()
    repo.job("photos.20130227212000.tgz.enc")
    repo.forget_job("never asked for")
    repo.forget_archive("never stored")
    assert (of_2013.read_bytes(), of_2013.stat().st_mtime_ns) == (before, modified)
    assert list(of_2013.parent.iterdir()) == [of_2013]


def test_a_connection_to_read_cannot_write(of_2013: Path) -> None:
    with pytest.raises(DatabaseError, match="read-only"), SqliteFile(str(of_2013)).reading("backups") as database:
        assert database is not None
        database.execute_sql("DELETE FROM backups")
    assert len(found(of_2013)) == 9


def test_deleting_a_backup_changes_its_row_alone(of_2013: Path) -> None:
    before = rows(of_2013, "SELECT * FROM backups WHERE id != 1")
    tables = rows(of_2013, "SELECT name, sql FROM sqlite_master")
    repo = open_repo(str(of_2013))
    (backup,) = repo.find(Query(filename="mydir"))
    repo.replace(backup.deleted(WHEN))
    assert rows(of_2013, "SELECT * FROM backups WHERE id != 1") == before
    assert rows(of_2013, "SELECT name, sql FROM sqlite_master") == tables
    assert rows(of_2013, "SELECT is_deleted, last_updated, metadata, backup_date FROM backups WHERE id = 1") == [
        (1, int(WHEN.timestamp()), '{"is_enc": true}', 1362508575)
    ]


def test_2013_finds_what_1_0_wrote_into_its_file(of_2013: Path) -> None:
    repo = open_repo(str(of_2013))
    repo.add(a_backup(backend_hash="aa", tags=("one", "two")))
    repo.remember_archive("new.tgz", ArchiveId("id"))
    repo.remember_job(RetrievalJob(filename="new.tgz", job_id=JobId("job"), requested=WHEN, tier=Tier.BULK))
    # Its own queries, word for word.
    query = """SELECT backup_date, size, tags FROM "backups" AS t1 WHERE (t1."filename" GLOB '*mydir*')
        AND (t1."backend" IN ('s3', 'glacier')) AND (t1."is_deleted" = 0) AND t1."tags" GLOB '*two*'"""
    assert rows(of_2013, query) == [(int(WHEN.timestamp()), 3120, "one two")]
    assert rows(of_2013, """SELECT archive_id FROM "inventory" WHERE filename = 'new.tgz'""") == [("id",)]
    assert rows(of_2013, """SELECT job_id FROM "jobs" WHERE filename = 'new.tgz'""") == [("job",)]


def test_the_unique_index_of_2013_stays_until_two_backups_of_one_name_meet(of_2013: Path) -> None:
    repo = open_repo(str(of_2013))
    index = "SELECT sql FROM sqlite_master WHERE name = 'backups_stored_filename'"
    repo.add(a_backup())
    assert "UNIQUE" in rows(of_2013, index)[0][0]
    repo.add(a_backup(backend="local"))
    assert rows(of_2013, index) == [('CREATE INDEX "backups_stored_filename" ON "backups" ("stored_filename")',)]


def test_a_job_that_2013_replaced_has_no_date(of_2013: Path) -> None:
    repo = open_repo(str(of_2013))
    repo.remember_job(RetrievalJob(filename="x", job_id=JobId("1"), requested=WHEN))
    script(of_2013, "UPDATE jobs SET job_id = '2' WHERE filename = 'x'")
    assert repo.job("x") == RetrievalJob(filename="x", job_id=JobId("2"))


def test_metadata_of_a_later_version_survives_a_replacement(of_2013: Path) -> None:
    script(of_2013, """UPDATE backups SET metadata = '{"future": [1, {"a": null}]}' WHERE id = 2""")
    repo = open_repo(str(of_2013))
    (backup,) = repo.find(Query(filename="db"))
    repo.replace(backup.deleted(WHEN))
    assert found(of_2013)["db.20130604195055.tgz"].metadata["future"] == [1, {"a": None}]


# many at once


@pytest.mark.parametrize("kind", ["sqlite", "sqlite of 2013", "postgresql"])
def test_eight_processes_that_write_at_once_lose_nothing(kind: str, path: Path, request: pytest.FixtureRequest) -> None:
    if kind == "sqlite of 2013":
        script(path, SQL_OF_2013, "DELETE FROM backups; DELETE FROM inventory;")
    database = request.getfixturevalue("postgresql_url") if kind == "postgresql" else str(path)
    processes, rounds = range(8), range(6)
    counts = [str(len(processes)), str(len(rounds))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.database.writing_processes", database, *counts],
        stdout=subprocess.PIPE, cwd=ROOT, timeout=300, check=True,
    )  # fmt: skip
    won = json.loads(done.stdout)
    repo = open_repo(database)
    backups = {(backup.filename, backup.backend): backup for backup in repo.find(EVERYTHING)}
    each = [f"{number}-{i}" for number in processes for i in rounds]
    shared = [f"shared-{i}" for i in rounds]
    names = {(f"{kind}-{one}", "s3") for kind in ("own", "put") for one in each}
    assert set(backups) == names | {(name, backend) for name in shared for backend in ("s3", "local")}
    assert sorted(name for names in won for name in names) == shared
    assert all(name in won[backups[name, "s3"].size] for name in shared)
    for number in processes:
        for i in rounds:
            own = backups[f"own-{number}-{i}", "s3"]
            assert own.is_deleted == (i % 3 == 0)
            assert own.is_deleted or own.metadata["verified"] == f"{number}-{i}"
    assert dict(repo.archive_ids()) == {f"own-{one}": f"id-{one}" for one in each}
    job = repo.job("shared")
    assert job is not None
    assert int(job.job_id) in processes
    assert job.requested == WHEN


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    repo = quick(path)
    repo.add(a_backup())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert list(repo.find(Query())) == [a_backup()]


def test_a_writer_does_not_wait_for_a_reader(path: Path) -> None:
    repo = quick(path)
    repo.add(a_backup())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM backups").fetchall()
        repo.replace(a_backup(size=1))
        assert [backup.size for backup in repo.find(Query())] == [1]


@pytest.fixture
def eager_collector() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(40, 2, 2)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("eager_collector")
def test_threads_that_create_a_file_at_once_do_not_block_each_other(tmp_path: Path) -> None:
    # A collector that finalized a statement of another thread's connection would wait for that thread's lock.
    for attempt in range(30):
        repo = PeeweeRepo(SqliteFile(str(tmp_path / str(attempt)), busy_timeout=30))
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(repo.add, [a_backup(filename=f"n{i}") for i in range(6)]))
        assert len(list(repo.find(Query()))) == 6


def test_a_repository_made_before_a_fork_serves_both_processes(path: Path) -> None:
    code = f"""
import os
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.testing.examples import a_backup
repo = open_repo({str(path)!r})
repo.add(a_backup(filename="before"))
child = os.fork()
for i in range(5):
    repo.add(a_backup(filename=f"{{'child' if child == 0 else 'parent'}}-{{i}}"))
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert len(found(path)) == 11


# what can go wrong


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


def test_a_locked_file_is_a_database_error_that_names_it(path: Path) -> None:
    repo = quick(path)
    repo.add(a_backup())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError) as failed:
            repo.add(a_backup(filename="other"))
    assert one_line(failed.value) == (
        f"{path} has been locked by another program for more than 0.05 s; try again when that has finished; "
        "`bakthat sync` can rebuild it from the store"
    )
    assert list(repo.find(EVERYTHING)) == [a_backup()]


def test_a_file_of_2013_that_is_locked_is_a_database_error_for_readers_too(of_2013: Path) -> None:
    with closing(sqlite3.connect(of_2013, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match="locked by another program"):
            list(quick(of_2013).find(Query()))
        with pytest.raises(DatabaseError, match="locked by another program"):
            quick(of_2013).add(a_backup())


@pytest.mark.parametrize(
    "content", [b"not a database, but rather a text of some length" * 100, b"SQLite format 3\0junk"]
)
def test_a_file_that_is_not_a_database_is_a_database_error_and_stays_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for use in (lambda: list(quick(path).find(Query())), lambda: quick(path).add(a_backup())):
        with pytest.raises(DatabaseError, match=r"damaged, or not a SQLite database.*bakthat sync") as failed:
            use()
        assert str(path) in one_line(failed.value)
    assert path.read_bytes() == content


def test_a_file_damaged_within_is_a_database_error(path: Path) -> None:
    repo = quick(path)
    repo.put_all(a_backup(filename=f"name-{i}") for i in range(500))
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xaa" * (len(content) - 8192))
    with pytest.raises(DatabaseError, match=r"damaged.*bakthat sync"):
        list(repo.find(Query()))
    with pytest.raises(DatabaseError, match=r"damaged.*bakthat sync"):
        repo.put_all(a_backup(filename=f"more-{i}") for i in range(500))


def test_a_truncated_file_is_a_database_error(path: Path) -> None:
    repo = quick(path)
    repo.put_all(a_backup(filename=f"name-{i}") for i in range(500))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(DatabaseError, match=r"damaged.*bakthat sync"):
        list(repo.find(Query()))


def test_a_database_of_another_program_is_a_database_error(path: Path) -> None:
    script(path, "CREATE TABLE backups (something_else TEXT)")
    with pytest.raises(DatabaseError, match=r"cannot be used as bakthat's database \(no such column"):
        list(quick(path).find(Query()))


def test_a_directory_in_its_place_is_a_database_error(path: Path) -> None:
    path.mkdir()
    for use in (lambda: list(quick(path).find(Query())), lambda: quick(path).add(a_backup())):
        with pytest.raises(DatabaseError, match=r"is a directory.*set `database`"):
            use()


def test_a_file_in_the_place_of_its_folder_is_a_database_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    repo = quick(tmp_path / "file" / "bakthat.sqlite")
    for use in (lambda: list(repo.find(Query())), lambda: repo.add(a_backup())):
        with pytest.raises(DatabaseError, match=r"Not a directory|File exists"):
            use()


ASK = """
import sys
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.domain.query import Query
from bakthat.errors import DatabaseError
from bakthat.testing.examples import a_backup
repo = open_repo(sys.argv[1])
for use in (lambda: print(len(list(repo.find(Query())))), lambda: repo.add(a_backup(filename="more"))):
    try:
        use()
    except DatabaseError as error:
        print(error)
"""


def test_a_file_that_may_only_be_read_is_read(path: Path, unprivileged: Callable[..., Any]) -> None:
    open_repo(str(path)).add(a_backup())
    path.chmod(0o400)
    path.parent.chmod(0o500)
    read, write = unprivileged("-c", ASK, str(path)).stdout.splitlines()
    path.parent.chmod(0o700)
    assert read == "1"
    assert write == (
        f"{path} cannot be written: the file or its folder is read-only for this user; "
        "`bakthat sync` can rebuild it from the store"
    )


def test_a_file_of_2013_that_may_only_be_read_is_read(of_2013: Path, unprivileged: Callable[..., Any]) -> None:
    of_2013.chmod(0o400)
    read, write = unprivileged("-c", ASK, str(of_2013)).stdout.splitlines()
    assert read == "8"
    assert "read-only for this user" in write


def test_a_folder_that_may_not_be_written_to_is_a_database_error(
    tmp_path: Path, unprivileged: Callable[..., Any]
) -> None:
    tmp_path.chmod(0o500)
    read, write = unprivileged("-c", ASK, str(tmp_path / "x.sqlite")).stdout.splitlines()
    tmp_path.chmod(0o700)
    assert read == "0"
    assert write.startswith(f"{tmp_path}/x.sqlite cannot be opened: Permission denied; check who owns it")


def test_a_file_that_may_not_be_read_is_a_database_error(path: Path, unprivileged: Callable[..., Any]) -> None:
    open_repo(str(path)).add(a_backup())
    path.chmod(0)
    for line in unprivileged("-c", ASK, str(path)).stdout.splitlines():
        assert line.startswith(f"{path} cannot be opened; check who owns it")


def test_a_full_disk_is_a_database_error_and_loses_nothing(small_disk: Path) -> None:
    repo = quick(small_disk / "x.sqlite")
    repo.add(a_backup())
    with pytest.raises(DatabaseError, match=r"its disk is full; make room; `bakthat sync`"):
        repo.put_all(a_backup(filename=f"name-{i}", tags=("x" * 1000,)) for i in range(5000))
    assert list(repo.find(EVERYTHING)) == [a_backup()]


def test_a_writer_that_was_killed_leaves_a_database_that_works(path: Path) -> None:
    code = f"""
import os
from bakthat.adapters.database.sqlite import SqliteFile
from bakthat.adapters.database.peewee_repo import PeeweeRepo
from bakthat.testing.examples import a_backup
repo = PeeweeRepo(SqliteFile({str(path)!r}))
repo.add(a_backup(filename="whole"))
with repo._engine.writing() as database:
    database.execute_sql("DELETE FROM backups")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == -9
    assert list(found(path)) == ["whole.20260102030405.tgz"]
    open_repo(str(path)).add(a_backup())
    assert len(found(path)) == 2


# PostgreSQL


def test_a_url_of_no_known_database_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match=r"mysql://.*postgresql://") as failed:
        open_repo("mysql://me:secret@host/db")
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3cret@host:port/db", "postgresql://u:s3cret@[host/db", "postgresql://me:s3cret/db"]
)
def test_a_malformed_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="malformed") as failed:
        open_repo(url)
    assert "s3cret" not in held_by(failed.value)


def test_a_url_without_a_database_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="/NAME"):
        open_repo("postgresql://me@host")


def test_a_repository_shows_no_password() -> None:
    repo = open_repo("postgresql://me:s3cret@host:5433/db?password=s3cret&sslmode=require")
    assert repr(repo) == "PeeweeRepo(PostgresqlServer('postgresql://me@host:5433/db'))"


def test_without_the_driver_the_message_says_what_to_install() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.errors import ConfigInvalid
try:
    open_repo("postgresql://u:s3cret@h/db")
except ConfigInvalid as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout == (
        "database: a postgresql:// URL needs PostgreSQL's driver; run: pip install 'bakthat[postgres]'\n"
    )


def test_a_sqlite_file_needs_nothing_of_postgresql(path: Path) -> None:
    code = f"""
import sys
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.domain.query import Query
list(open_repo({str(path)!r}).find(Query()))
print([name for name in sys.modules if name.startswith("playhouse")])
"""
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout == "[]\n"


def test_reading_from_an_empty_server_creates_nothing(postgresql: PostgresqlForTests, postgresql_url: str) -> None:
    repo = open_repo(postgresql_url)
    assert list(repo.find(EVERYTHING)) == []
    repo.forget_job("x")
    repo.forget_archive("x")
    with postgresql.connection() as connection:
        tables = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname LIKE 'test_%'").fetchall()
    assert tables == []


def test_a_wrong_password_is_a_database_error_without_it(postgresql: PostgresqlForTests) -> None:
    repo = open_repo(postgresql.url(password="wr@ng secret"))
    with pytest.raises(DatabaseError, match=r"postgresql://bakthat@/postgres cannot be reached: .*authentication") as e:
        list(repo.find(Query()))
    assert "secret" not in one_line(e.value) + held_by(e.value)


def test_a_server_that_is_not_there_is_a_database_error() -> None:
    repo = open_repo("postgresql://me:s3cret@127.0.0.1:1/db")
    with pytest.raises(DatabaseError, match=r"postgresql://me@127.0.0.1:1/db cannot be reached.*check `database`") as e:
        repo.add(a_backup())
    assert "s3cret" not in one_line(e.value) + held_by(e.value)


def test_no_error_of_the_driver_keeps_the_password() -> None:
    engine = PostgresqlServer("postgresql://me:s3cret@127.0.0.1:1/db")
    with pytest.raises(DatabaseError) as e, engine._translated():
        try:
            raise psycopg.OperationalError('invalid value "s3cret" for an option')
        except psycopg.OperationalError as error:
            raise peewee.OperationalError(*error.args) from error
    assert "s3cret" not in held_by(e.value)
    assert "invalid value" in held_by(e.value)


def test_a_user_without_rights_is_a_database_error(postgresql: PostgresqlForTests, postgresql_url: str) -> None:
    open_repo(postgresql_url).add(a_backup())
    schema = postgresql_url.rpartition("%3D")[2]
    postgresql.execute(
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN PASSWORD 'reads'",
        f"GRANT USAGE ON SCHEMA {schema} TO reader",
    )
    try:
        repo = open_repo(postgresql.url(schema=schema, user="reader", password="reads"))
        for use in (lambda: list(repo.find(Query())), lambda: repo.add(a_backup(filename="other"))):
            with pytest.raises(DatabaseError, match=r"refused: permission denied.*grant this user") as failed:
                use()
            one_line(failed.value)
    finally:
        postgresql.execute(f"REVOKE ALL ON SCHEMA {schema} FROM reader", "DROP ROLE reader")


def test_a_writer_that_never_ends_is_a_database_error(postgresql_url: str) -> None:
    from bakthat.adapters.database.postgresql import PostgresqlServer

    engine = PostgresqlServer(postgresql_url, busy_timeout=0.05)
    repo = PeeweeRepo(engine)
    repo.add(a_backup())
    with engine.writing():
        with pytest.raises(DatabaseError, match=r"locked by another writer for more than 0.05 s"):
            repo.add(a_backup(filename="other"))
        assert list(repo.find(Query())) == [a_backup()]


def test_many_backups_go_in_with_one_transaction(postgresql_url: str) -> None:
    repo = open_repo(postgresql_url)
    repo.put_all(a_backup(filename=f"n{i}", backup_date=WHEN + timedelta(i)) for i in range(300))
    assert [backup.filename for backup in repo.find(Query())] == [f"n{i}" for i in reversed(range(300))]


@pytest.mark.parametrize("name", ["a\0b.20260101000000.tgz", "x" * 12_000])
def test_a_name_that_it_refuses_does_not_stop_the_loading_of_an_inventory(tmp_path: Path, name: str) -> None:
    box = Toolbox(repo=open_repo(str(tmp_path / "new.sqlite")))
    names = {name: "y", "z.20260101000000.tgz": "z"}
    box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(json.dumps(names).encode()))
    assert restore_inventory("glacier", box.tools) == {"z.20260101000000.tgz": "z"}
    assert [line.startswith("left out of the inventory") for line in box.notices] == [True]
