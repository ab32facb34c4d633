"""`PostgresqlServer`: the tables of `PeeweeRepo` in a PostgreSQL database, for several machines at once.

Importing this module needs nothing beyond peewee; building a `PostgresqlServer` needs psycopg 3 (`bakthat[postgres]`).
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator

import peewee
from playhouse import db_url

from bakthat.adapters.database.engine import BUSY_TIMEOUT, REBUILD, Database, Engine
from bakthat.errors import ConfigInvalid, DatabaseError

_CONNECT_TIMEOUT = 10
"""Connect timeout in seconds, unless the URL sets one (libpq waits forever)."""

_LOCK = 0x62616B74686174
"""`bakthat` in ASCII: the advisory lock that is PostgreSQL's BEGIN IMMEDIATE. It also covers the creation of tables,
which `IF NOT EXISTS` does not make safe against another session's."""


class PostgresqlServer(Engine):
    """A database on a PostgreSQL server. The tables are in the first schema of the search path. They are 2013's except
    for their types: PostgreSQL's VARCHAR(255) and INTEGER would cut metadata and refuse 3 GB."""

    position = "strpos"

    def __init__(self, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        """`url`: postgresql://user:password@host:port/database?option=value, with libpq's options. `busy_timeout`:
        seconds to wait for another writer. Raises `ConfigInvalid`; connects to nothing."""
        try:
            import psycopg
        except ImportError:  # also raised by psycopg if it finds no libpq
            raise ConfigInvalid(
                "database: a postgresql:// URL needs PostgreSQL's driver; run: pip install 'bakthat[postgres]'"
            ) from None
        self._driver_error = psycopg.Error
        self._busy_timeout = busy_timeout
        parts = _parts(url)
        if parts is None:
            raise ConfigInvalid("database: the postgresql:// URL is malformed; mind that a password's @ / : # are"
                                " written %40 %2F %3A %23")  # fmt: skip
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        if not parts.path.strip("/"):
            raise ConfigInvalid("database: the postgresql:// URL names no database; end it with /NAME")
        self._url = urllib.parse.urlunsplit(("postgresql", *parts[1:]))
        self._options = dict(urllib.parse.parse_qsl(parts.query))
        user = f"{urllib.parse.unquote(parts.username)}@" if parts.username else ""
        self._place = f"postgresql://{user}{host}{port}{parts.path}"
        passwords = (urllib.parse.unquote(parts.password or ""), parts.password, self._options.get("password"))
        self._secrets = [password for password in passwords if password]

    def __repr__(self) -> str:
        return f"PostgresqlServer({self._place!r})"

    @contextlib.contextmanager
    def reading(self, table: str) -> Iterator[Database | None]:
        with self._translated(), self._connected() as database:
            yield database if self.has_table(database, table) else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Database]:
        with self._translated(), self._connected() as database, database.atomic():
            database.execute_sql(f"SET LOCAL lock_timeout = {int(self._busy_timeout * 1000)}")
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            self.create_missing(database)
            yield database

    def has_table(self, database: Database, table: str) -> bool:
        row = database.execute_sql("SELECT to_regclass(%s) IS NOT NULL", (f'"{table}"',)).fetchone()
        return bool(row[0])

    def is_unique(self, database: Database, index: str) -> bool:
        query = "SELECT indisunique FROM pg_index WHERE indexrelid = to_regclass(%s)"
        row = database.execute_sql(query, (f'"{index}"',)).fetchone()
        return row is not None and bool(row[0])

    def create(self, database: Database, statements: tuple[str, ...]) -> None:
        def translated(statement: str) -> str:
            statement = statement.replace("INTEGER NOT NULL PRIMARY KEY", "BIGSERIAL PRIMARY KEY")
            return statement.replace("VARCHAR(255)", "TEXT").replace(" INTEGER", " BIGINT")

        super().create(database, tuple(translated(statement) for statement in statements))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Database]:
        extra = {} if "connect_timeout" in self._options else {"connect_timeout": _CONNECT_TIMEOUT}
        database = db_url.connect(self._url, unquote_user=True, unquote_password=True, prefer_psycopg3=True, **extra)
        with database.connection_context():
            yield database

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        failures = (peewee.PeeweeException, self._driver_error)
        try:
            with self._as_ours(failures):
                yield
        except DatabaseError as error:
            # The driver's error has the connection as an attribute, which contains the password.
            if isinstance(error.__context__, failures):
                error.__context__ = None
            raise

    @contextlib.contextmanager
    def _as_ours(self, failures: tuple[type[Exception], ...]) -> Iterator[None]:
        try:
            yield
        except failures as error:
            cause = type(error)(self._without_secrets(str(error)))
            raise DatabaseError(f"{self._place} {self._reason(error)}") from cause

    def _reason(self, error: Exception) -> str:
        match _sqlstate(error):
            case "55P03":  # lock_not_available
                return f"has been locked by another writer for more than {self._busy_timeout:g} s; try again later"
            case "42501":  # insufficient_privilege
                return f"refused: {self._line(error)}; grant this user CREATE and USAGE on its schema"
            case "25006":  # read_only_sql_transaction
                return "is read-only (a standby?); name the primary server in `database`"
            case "53100":  # disk_full
                return "cannot be written: its disk is full"
            case "XX001" | "XX002":  # data_corrupted, index_corrupted
                return f"is damaged ({self._line(error)}); {REBUILD}"
            case None:
                return f"cannot be reached: {self._line(error)}; check `database` and that the server runs"
            case _:
                return f"cannot be used as bakthat's database: {self._line(error)}"

    def _line(self, error: Exception) -> str:
        return self._without_secrets(" ".join(str(error).split()))

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text


def _parts(url: str) -> urllib.parse.SplitResult | None:
    """None if it cannot be parsed. Python's error contains a part of it, perhaps of the password, and must not become
    the context of ours."""
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return None
    return parts


def _sqlstate(error: Exception) -> str | None:
    for cause in (error, *error.args, error.__cause__, error.__context__):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None
