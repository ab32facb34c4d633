"""`SqliteFile`: the database in a SQLite file."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sqlite3
import threading
import urllib.parse
from collections.abc import Iterator

import peewee

from bakthat.adapters.database.engine import BUSY_TIMEOUT, REBUILD, Database, Engine
from bakthat.adapters.database.sqlite_disk import can_share_memory, has_locks
from bakthat.adapters.filesystem.folders import make_folders
from bakthat.adapters.filesystem.home import expand_home
from bakthat.errors import DatabaseError

_CREATING = threading.Lock()
"""Closing any descriptor of a file drops all locks that the process holds on it (fcntl's rule), SQLite's included. So
no other thread may open a database between its creation and the closing of that descriptor."""

_DURABLE = "PRAGMA synchronous = EXTRA"
"""Removing the rollback journal commits. By default (FULL) SQLite does not sync the folder after that, and a power cut
may bring back the journal, and with it the previous rows. With a write-ahead log both settings are equivalent."""


def _make_durable(database: Database) -> None:
    connection: sqlite3.Connection = database.connection()
    connection.execute(_DURABLE).close()


class SqliteFile(Engine):
    """A SQLite file in WAL mode: readers and one writer do not wait for each other. On a file system that cannot share
    memory, which WAL needs, the file has a rollback journal.

    Created by the first write, with its folders, readable by its owner only. A file that exists keeps its mode and,
    until the first write, its exact content.
    """

    position = "instr"

    def __init__(self, path: str, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        """Name the file; nothing is opened yet.

        Args:
            path: `~` is expanded at the first use, which raises `ConfigInvalid` without a home directory.
            busy_timeout: Seconds to wait for another writer.
        """
        # A relative path refers to the current directory of now, not of the first use.
        self._given = path if path.startswith("~") else os.path.abspath(path)
        self._busy_timeout = busy_timeout

    def __repr__(self) -> str:
        return f"SqliteFile({self._given!r})"

    @functools.cached_property
    def _path(self) -> str:
        # Only at the first use: a restore of a single object needs no database, and there may be no home directory.
        return os.path.abspath(expand_home(self._given, "database", instead="set `database` to an absolute path"))

    @contextlib.contextmanager
    def reading(self, table: str) -> Iterator[Database | None]:
        with self._translated():
            if not self._exists():
                yield None
                return
            with self._open_to_read() as database:
                yield database if self.has_table(database, table) else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Database]:
        with self._translated():
            self._create_file()
            with self._open_to_write() as database:
                # IMMEDIATE takes the writer's lock before anything is read, so the data of a decision cannot change.
                database.begin("IMMEDIATE")
                try:
                    self.create_missing(database)
                    yield database
                    database.commit()
                except BaseException:
                    # After some errors, such as a full disk, SQLite has already rolled back and reports that. This must
                    # not hide the error, as it would in peewee's `atomic`.
                    with contextlib.suppress(peewee.OperationalError):
                        database.rollback()
                    raise

    def has_table(self, database: Database, table: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return database.execute_sql(query, (table,)).fetchone() is not None

    def is_unique(self, database: Database, index: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ? AND sql LIKE 'CREATE UNIQUE %'"
        return database.execute_sql(query, (index,)).fetchone() is not None

    def _database(self, options: str, *pragmas: tuple[str, int]) -> peewee.SqliteDatabase:
        return peewee.SqliteDatabase(self._uri(options), uri=True, timeout=self._busy_timeout, pragmas=pragmas)

    def _uri(self, options: str) -> str:
        # mode=rw: SQLite must not create the file, because it would be readable for everybody.
        return f"file:{urllib.parse.quote(self._path)}?{options}"

    @contextlib.contextmanager
    def _open_to_write(self) -> Iterator[peewee.SqliteDatabase]:
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(_connected(self._database("mode=rw")))
            try:
                self._switch_to_wal(database)
            except sqlite3.OperationalError as error:
                if not _lacks_shared_memory(error):
                    raise
                stack.close()
                self._leave_wal()
                database = stack.enter_context(_connected(self._database("mode=rw")))
            # Only now: the setting makes SQLite open the log, which fails if memory cannot be shared.
            _make_durable(database)
            yield database

    @contextlib.contextmanager
    def _open_to_read(self) -> Iterator[peewee.SqliteDatabase]:
        """A connection that cannot change a row. Not mode=ro: the last such connection to a WAL file leaves `-wal` and
        `-shm` behind, while a writable one removes them."""
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(_connected(self._database("mode=rw", ("query_only", 1))))
            try:
                with self._not_waiting(database) as connection:
                    connection.execute("SELECT 1 FROM sqlite_master").close()
                self.has_table(database, "backups")
            except (peewee.OperationalError, sqlite3.OperationalError) as error:
                stack.close()
                if _lacks_shared_memory(error):
                    self._leave_wal()
                    database = stack.enter_context(_connected(self._database("mode=rw", ("query_only", 1))))
                elif _code(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY} and not self._has_log():
                    # A WAL file where nothing can be created, such as on a read-only mount: nobody writes to it.
                    database = stack.enter_context(_connected(self._database("mode=ro&immutable=1")))
                else:
                    raise
            yield database

    def _has_log(self) -> bool:
        try:
            return os.stat(f"{self._path}-wal").st_size > 0
        except OSError:
            return False

    def _switch_to_wal(self, database: Database) -> None:
        """Switch to WAL, which is permanent in the file. If that is impossible now (another program has the file open)
        or always (a file system that cannot share memory, where a switched file could not even be read), the rollback
        journal works as well, with more waiting."""
        with self._not_waiting(database) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal" and can_share_memory(self._path):
                connection.execute("PRAGMA journal_mode = wal").close()

    @contextlib.contextmanager
    def _not_waiting(self, database: Database) -> Iterator[sqlite3.Connection]:
        """The connection, which does not wait for locks within this block. A lock of another program ends the block and
        is not an error. A file system without locks is an error, which waiting could not distinguish from a lock."""
        # Not through peewee: its errors are reference cycles that hold a statement of this connection, and a collector
        # that finalizes it in another thread would wait there for as long as this connection waits for a lock.
        connection: sqlite3.Connection = database.connection()
        connection.execute("PRAGMA busy_timeout = 0").close()
        try:
            yield connection
        except sqlite3.OperationalError as error:
            if _code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or not has_locks(self._path):
                raise
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout * 1000)}").close()

    def _leave_wal(self) -> None:
        """Convert a file that was moved here in WAL mode to a rollback journal, with everything in its log. A
        connection with an exclusive lock keeps the log's index in its own memory."""
        connection = sqlite3.connect(self._uri("mode=rw"), uri=True, timeout=self._busy_timeout, isolation_level=None)
        try:
            connection.execute("PRAGMA locking_mode = exclusive").close()
            connection.execute("PRAGMA journal_mode = delete").close()
        finally:
            connection.close()

    def _exists(self) -> bool:
        with _CREATING:
            try:
                os.stat(self._path)
            except FileNotFoundError:
                return False
        return True

    def _create_file(self) -> None:
        """The file's own name is synced when SQLite has created its journal, because it then syncs their folder."""
        path = os.path.realpath(self._path)
        with _CREATING:
            if os.path.exists(path):
                return
            make_folders(os.path.dirname(path))
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (peewee.PeeweeException, sqlite3.Error) as error:
            raise DatabaseError(f"{self._path} {self._reason(error)}; {REBUILD}") from error
        except OSError as error:
            reason = f"cannot be opened: {os.strerror(error.errno) if error.errno else error}"
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                reason += "; check who owns it, or set `database` to another file"
            raise DatabaseError(f"{self._path} {reason}; {REBUILD}") from error

    def _reason(self, error: Exception) -> str:
        match _code(error):
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_IOERR if not has_locks(self._path):
                # The system may report "locked" if it has no locks at all (ENOLCK)
                return "is on a file system without locks, which SQLite needs; set `database` to a file on another disk"
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return (
                    f"has been locked by another program for more than {self._busy_timeout:g} s; "
                    "try again when that has finished"
                )
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return f"is damaged, or not a SQLite database ({error}); move it away"
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return "cannot be written: the file or its folder is read-only for this user"
            case sqlite3.SQLITE_FULL:
                return "cannot be written: its disk is full; make room"
            case sqlite3.SQLITE_CANTOPEN if os.path.isdir(self._path):
                return "is a directory, not a database; set `database` to a file"
            case sqlite3.SQLITE_CANTOPEN:
                return "cannot be opened; check who owns it and its folder"
            case sqlite3.SQLITE_IOERR:
                return f"cannot be read or written ({error}); check its disk"
            case _:
                return f"cannot be used as bakthat's database ({error})"


@contextlib.contextmanager
def _connected(database: peewee.SqliteDatabase) -> Iterator[peewee.SqliteDatabase]:
    with database.connection_context():
        yield database


def _lacks_shared_memory(error: Exception) -> bool:
    return _extended_code(error) in {
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMLOCK,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }


def _code(error: Exception) -> int | None:
    """SQLite's primary result code: the lowest byte of the extended one."""
    code = _extended_code(error)
    return None if code is None else code & 0xFF


def _extended_code(error: Exception) -> int | None:
    for cause in (error, *error.args, error.__cause__, error.__context__):
        if isinstance(cause, sqlite3.Error) and hasattr(cause, "sqlite_errorcode"):
            return cause.sqlite_errorcode
    return None
