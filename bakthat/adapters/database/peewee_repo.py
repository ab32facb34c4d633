"""`PeeweeRepo`: the database of backups, in 2013's tables; a SQLite file, or PostgreSQL for several machines."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bakthat.adapters.database.sqlite import CLAIMS, RETRIEVALS, Database, Engine, SqliteFile
from bakthat.domain import stored_name
from bakthat.domain.backup import Backup, from_epoch
from bakthat.domain.name_claim import KEPT, NameClaim
from bakthat.domain.objects import ArchiveId, JobId, RetrievalJob, Tier
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, ConfigInvalid, DuplicateBackup, InvalidName
from bakthat.ports.metadata_repo import MetadataRepo

_COLUMNS = (
    "backend", "backend_hash", "backup_date", "filename", "is_deleted", "last_updated", "metadata", "size",
    "stored_filename", "tags",
)  # fmt: skip

# Plain SQL, not peewee's query builder: that takes ten times as long for each statement as SQLite to run it.
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM backups"  # noqa: S608 - constants
_NAMESAKES = f"SELECT id, {', '.join(_COLUMNS)} FROM backups WHERE stored_filename = ? ORDER BY id"  # noqa: S608
_INSERT = f"INSERT INTO backups ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"  # noqa: S608
_UPDATE = f"UPDATE backups SET {', '.join(f'{column} = ?' for column in _COLUMNS)} WHERE id = ?"  # noqa: S608


def open_repo(database: str) -> PeeweeRepo:
    """The repository at a path (`~` is expanded), a `sqlite:` URL or a `postgresql:` URL. Nothing is opened or created
    until it is used. Raises `ConfigInvalid` for any other URL, and for PostgreSQL without its driver."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", database)
    if scheme is None:
        return PeeweeRepo(SqliteFile(database))
    if scheme[1] == "sqlite":
        # As in other tools, the path follows three slashes: sqlite:///relative, sqlite:////absolute.
        return PeeweeRepo(SqliteFile(database.removeprefix("sqlite://").removeprefix("/")))
    if scheme[1] in {"postgres", "postgresql"}:
        from bakthat.adapters.database.postgresql import PostgresqlServer

        return PeeweeRepo(PostgresqlServer(database))
    raise ConfigInvalid(f"database: no driver for {scheme[1]}:// URLs; give the path of a file, or postgresql://…")


class PeeweeRepo(MetadataRepo):
    """Rows are 2013's: metadata as JSON text, tags as words, dates as UTC epoch seconds. Whatever 2013 and its
    predecessors left in a column is read; it is written anew only when its backup is replaced.

    2013 had one row per stored filename; here it is one per backup (`Backup.same_backup_as`), so the unique index of
    a 2013 file gives way to a plain one when the first two backups of one name meet, and not before.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"PeeweeRepo({self._engine!r})"

    # backups

    def add(self, backup: Backup) -> None:
        row = _row(backup)
        with self._engine.writing() as database:
            namesakes = _namesakes(database, backup)
            if _same(backup, namesakes) is not None:
                place = backup.location or backup.backend
                raise DuplicateBackup(f"{backup.stored_filename} of {place} is in the database already")
            self._insert(database, row, namesakes)

    def replace(self, backup: Backup) -> None:
        row = _row(backup)
        with self._engine.writing() as database:
            same = _same(backup, _namesakes(database, backup))
            if same is None:
                place = backup.location or backup.backend
                raise BackupNotFound(f"{backup.stored_filename} of {place} is not in the database")
            _execute(database, _UPDATE, *row, same[0])

    def put_all(self, backups: Iterable[Backup]) -> None:
        rows = [(backup, _row(backup)) for backup in backups]
        if not rows:
            return
        with self._engine.writing() as database:
            for backup, row in rows:
                namesakes = _namesakes(database, backup)
                same = _same(backup, namesakes)
                if same is None:
                    self._insert(database, row, namesakes)
                elif same[1].last_updated <= backup.last_updated:
                    _execute(database, _UPDATE, *row, same[0])

    def find(self, query: Query) -> Iterator[Backup]:
        narrowed = self._narrowed(query)
        if narrowed is None:
            return iter(())
        conditions, values = narrowed
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # Sorting keeps the order of what it finds equal.
        statement = f"{_SELECT} {where} ORDER BY id"
        with self._engine.reading("backups") as database:
            rows = [] if database is None else _execute(database, statement, *values).fetchall()
        found = [backup for backup in map(_backup, rows) if query.matches(backup)]
        found.sort(key=newest_first, reverse=True)
        return iter(found)

    def _insert(self, database: Database, row: tuple[object, ...], namesakes: list[_Known]) -> None:
        if namesakes:
            self._allow_doubles(database, "backups", "stored_filename")
        _execute(database, _INSERT, *row)

    def _allow_doubles(self, database: Database, table: str, column: str) -> None:
        """Put a plain index in the place of 2013's unique one on this column; its peewee called both TABLE_COLUMN."""
        index = f"{table}_{column}"
        if self._engine.is_unique(database, index):
            database.execute_sql(f'DROP INDEX "{index}"')
            database.execute_sql(f'CREATE INDEX "{index}" ON "{table}" ("{column}")')

    def _narrowed(self, query: Query) -> tuple[list[str], list[str]] | None:
        """Conditions, and their values, that every backup which the query matches fulfils; `Query.matches` decides
        about the rest. None if no row of a database can match."""
        texts = [query.filename, query.stored_filename, query.backend, query.text]
        if not all(text is None or _storable(text) for text in texts):
            return None
        conditions: list[str] = []
        values: list[str] = []
        for column, text in (
            ("filename", query.filename),
            ("stored_filename", query.stored_filename),
            ("backend", query.backend),
        ):
            if text is not None:
                conditions.append(f"{column} = ?")
                values.append(text)
        position = self._engine.position
        if query.text:
            conditions.append(f"({position}(filename, ?) > 0 OR {position}(stored_filename, ?) > 0)")
            values += [query.text, query.text]
        for tag in filter(_storable, query.tags):
            # A list may hold the tag in an escaped form.
            conditions.append(f"({position}(tags, ?) > 0 OR {position}(tags, '[') = 1)")
            values.append(tag)
        if query.owners is not None:
            backends = sorted({owner.backend for owner in query.owners if _storable(owner.backend)})
            if not backends:
                return None
            conditions.append(f"backend IN ({', '.join('?' for _ in backends)})")
            values += backends
        if not query.deleted:
            conditions.append("COALESCE(is_deleted, 0) = 0")
        return conditions, values

    # claims of names

    def claim_name(self, claim: NameClaim) -> bool:
        name, now = claim.stored_filename, int(claim.claimed_at.timestamp())
        _check_storable(name)
        with self._engine.writing() as database:
            if not self._engine.has_table(database, "claims"):
                self._engine.create(database, CLAIMS)
            _execute(database, "DELETE FROM claims WHERE claimed < ?", now - int(KEPT.total_seconds()))
            for table in ("claims", "backups"):
                statement = f"SELECT id FROM {table} WHERE stored_filename = ? LIMIT 1"  # noqa: S608 - constants
                if _execute(database, statement, name).fetchone() is not None:
                    return False
            statement = "INSERT INTO claims (stored_filename, host, pid, claimed) VALUES (?, ?, ?, ?)"
            _execute(database, statement, name, claim.host, claim.pid, now)
            return True

    # the archive inventory

    def archive_ids(self) -> Mapping[str, ArchiveId]:
        with self._engine.reading("inventory") as database:
            if database is None:
                return {}
            rows = _execute(database, "SELECT filename, archive_id FROM inventory ORDER BY id").fetchall()
        return {filename: ArchiveId(archive_id) for filename, archive_id in rows}

    def archive_id(self, stored_filename: str) -> ArchiveId | None:
        with self._engine.reading("inventory") as database:
            if database is None or not _storable(stored_filename):
                return None
            statement = "SELECT archive_id FROM inventory WHERE filename = ? ORDER BY id DESC LIMIT 1"
            row = _execute(database, statement, stored_filename).fetchone()
        return None if row is None else ArchiveId(row[0])

    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        _check_storable(stored_filename)
        with self._engine.writing() as database:
            _execute(database, "DELETE FROM inventory WHERE filename = ?", stored_filename)
            if _execute(database, "SELECT id FROM inventory WHERE archive_id = ?", archive_id).fetchall():
                self._allow_doubles(database, "inventory", "archive_id")
            statement = "INSERT INTO inventory (filename, archive_id) VALUES (?, ?)"
            _execute(database, statement, stored_filename, archive_id)

    def forget_archive(self, stored_filename: str) -> None:
        if self.archive_id(stored_filename) is None:
            return
        with self._engine.writing() as database:
            _execute(database, "DELETE FROM inventory WHERE filename = ?", stored_filename)

    # retrieval jobs

    def job(self, filename: str) -> RetrievalJob | None:
        with self._engine.reading("jobs") as database:
            if database is None or not _storable(filename):
                return None
            statement = "SELECT job_id FROM jobs WHERE filename = ? ORDER BY id DESC LIMIT 1"
            row = _execute(database, statement, filename).fetchone()
            if row is None:
                return None
            job_id = row[0]
            request = None
            if self._engine.has_table(database, "retrievals"):
                # Of this very job: 2013 may have put another one in its place.
                statement = "SELECT requested, tier FROM retrievals WHERE filename = ? AND job_id = ? LIMIT 1"
                request = _execute(database, statement, filename, job_id).fetchone()
        requested, tier = request or (None, None)
        return RetrievalJob(
            filename=filename,
            job_id=JobId(job_id),
            requested=None if requested is None else from_epoch(requested),
            tier=Tier(tier) if tier in set(Tier) else None,
        )

    def remember_job(self, job: RetrievalJob) -> None:
        _check_storable(job.filename)
        requested = None if job.requested is None else int(job.requested.timestamp())
        tier = None if job.tier is None else job.tier.value
        with self._engine.writing() as database:
            self._forget_job(database, job.filename)
            _execute(database, "INSERT INTO jobs (filename, job_id) VALUES (?, ?)", job.filename, job.job_id)
            if requested is None and tier is None:
                return
            if not self._engine.has_table(database, "retrievals"):
                self._engine.create(database, RETRIEVALS)
            statement = "INSERT INTO retrievals (filename, job_id, requested, tier) VALUES (?, ?, ?, ?)"
            _execute(database, statement, job.filename, job.job_id, requested, tier)

    def forget_job(self, filename: str) -> None:
        if self.job(filename) is None:
            return
        with self._engine.writing() as database:
            self._forget_job(database, filename)

    def _forget_job(self, database: Database, filename: str) -> None:
        _execute(database, "DELETE FROM jobs WHERE filename = ?", filename)
        if self._engine.has_table(database, "retrievals"):
            _execute(database, "DELETE FROM retrievals WHERE filename = ?", filename)


def _execute(database: Database, statement: str, *values: object) -> Any:
    """A cursor. The statement's only question marks are places for values."""
    return database.execute_sql(statement.replace("?", database.param), values)


# Rows that may be the same backup


_Known = tuple[int, Backup]
"""A row's id, and what it says."""


def _namesakes(database: Database, backup: Backup) -> list[_Known]:
    """The rows of the same stored filename, of whatever store, the oldest first."""
    rows = _execute(database, _NAMESAKES, backup.stored_filename).fetchall()
    return [(row[0], _backup(row[1:])) for row in rows]


def _same(backup: Backup, known: list[_Known]) -> _Known | None:
    """The row of the same backup. Where a row of 2013, which has no location, could be several backups, the row of the
    very same location comes first."""
    same = [row for row in known if row[1].same_backup_as(backup)]
    return min(same, key=lambda row: row[1].location != backup.location, default=None)


# A row and its backup


def _row(backup: Backup) -> tuple[object, ...]:
    """The values of `_COLUMNS`."""
    for name in (backup.stored_filename, backup.filename, backup.backend):
        _check_storable(name)
    return (
        backup.backend,
        backup.backend_hash,
        int(backup.backup_date.timestamp()),
        backup.filename,
        int(backup.is_deleted),
        int(backup.last_updated.timestamp()),
        json.dumps(backup.metadata.to_dict()),
        backup.size,
        backup.stored_filename,
        _tags_text(backup.tags),
    )


def _backup(row: tuple[Any, ...]) -> Backup:
    backend, owner, date, filename, is_deleted, updated, metadata, size, stored_filename, tags = row
    when = _moment(date)
    if when is None:
        when = _date_of(stored_filename)
    last_updated = _moment(updated)
    return Backup(
        backend=backend,
        backend_hash=owner or "",
        backup_date=when,
        filename=filename,
        stored_filename=stored_filename,
        size=_whole(size),
        tags=_tags(tags),
        is_deleted=is_deleted not in (0, None),
        last_updated=when if last_updated is None else last_updated,
        metadata=_metadata(metadata),
    )


def _metadata(text: object) -> dict[str, Any]:
    """The metadata in a column: nothing where there is none (NULL, empty, `null`), or what is there is not JSON."""
    if not isinstance(text, str) or not text:
        return {}
    try:
        value = json.loads(text)
        if isinstance(value, str):  # JSON text of JSON text
            value = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _tags(text: object) -> tuple[str, ...]:
    """The tags in a column: words, or a list as JSON or as Python 2 wrote it (`[u'x']`, which 2013's sync left)."""
    if not isinstance(text, str) or not text:
        return ()
    if text[0] == "[":
        for read in (json.loads, ast.literal_eval):
            try:
                value = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, list):
                return tuple(str(tag) for tag in value)
    return tuple(dict.fromkeys(text.split()))


def _tags_text(tags: tuple[str, ...]) -> str:
    """Tags as 2013 wrote them; as a JSON list where words would not give back the very same tags."""
    words = " ".join(tags)
    return words if _storable(words) and _tags(words) == tags else json.dumps(tags)


def _moment(value: object) -> datetime | None:
    """The date in a column: epoch seconds, or a text of them, or an ISO date (UTC unless it says otherwise)."""
    if type(value) is int:
        return _from_epoch(value)
    if isinstance(value, str):
        text = value
        try:
            value = float(text)
        except ValueError:
            return _iso_date(text)
    return _from_epoch(value) if isinstance(value, float) else None


def _from_epoch(value: float) -> datetime | None:
    try:
        return from_epoch(value)
    except (ValueError, OverflowError, OSError):
        return None


def _iso_date(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _date_of(stored_filename: str) -> datetime:
    try:
        return stored_name.parse(stored_filename).when
    except InvalidName:
        return from_epoch(0)


def _whole(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError):
        return 0


def _storable(text: str) -> bool:
    """Whether a database can hold the text: no lone surrogates (bytes of the command line that are not UTF-8), and no
    NUL, which PostgreSQL does not take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _check_storable(name: str) -> None:
    if not _storable(name):
        raise InvalidName(f"{name!a} is not text that a database can hold (UTF-8 without NUL)")
