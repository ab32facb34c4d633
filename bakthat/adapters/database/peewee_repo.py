"""`PeeweeRepo`: the database of backups, in 2013's tables; a SQLite file, or PostgreSQL for several machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from peewee import Expression, fn

from bakthat.adapters.database.engine import BUSY_TIMEOUT, Database, Engine
from bakthat.adapters.database.rows import COLUMNS, backup_of, check_storable, is_storable, row_of
from bakthat.adapters.database.sqlite import SqliteFile
from bakthat.adapters.database.tables import (
    BACKUPS,
    CLAIMS,
    CREATE_CLAIMS,
    CREATE_RETRIEVALS,
    INVENTORY,
    JOBS,
    RETRIEVALS,
)
from bakthat.domain.backup import Backup, from_epoch
from bakthat.domain.name_claim import KEPT, NameClaim
from bakthat.domain.objects import ArchiveId, JobId, RetrievalJob, Tier
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, ConfigInvalid, DuplicateBackup
from bakthat.ports.metadata_repo import MetadataRepo

_NAMESAKES = f"SELECT id, {', '.join(COLUMNS)} FROM backups WHERE stored_filename = ? ORDER BY id"  # noqa: S608 - constants
_INSERT = f"INSERT INTO backups ({', '.join(COLUMNS)}) VALUES ({', '.join('?' for _ in COLUMNS)})"  # noqa: S608
_UPDATE = f"UPDATE backups SET {', '.join(f'{column} = ?' for column in COLUMNS)} WHERE id = ?"  # noqa: S608
"""Plain SQL for the statements that run once per backup of a sync: 20,000 backups take 0.4 CPU s to add and 0.6 to
update; with the query builder 4.2 and 5.1, because building a statement takes ten times as long as running it."""

_Known = tuple[int, Backup]
"""A row's id, and its backup."""


def open_repo(database: str) -> PeeweeRepo:
    """Return the repository at a path (`~` is expanded), a `sqlite:` URL or a `postgresql:` URL. Nothing is opened or
    created until it is used.

    Raises:
        ConfigInvalid: It is another URL, or PostgreSQL without its driver.
    """
    return PeeweeRepo(open_engine(database))


def open_engine(database: str, *, busy_timeout: float = BUSY_TIMEOUT) -> Engine:
    """Return the engine of a database, as `open_repo`. `busy_timeout`: seconds to wait for another writer."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", database)
    if scheme is None:
        return SqliteFile(database, busy_timeout=busy_timeout)
    if scheme[1] == "sqlite":
        # As in other tools, the path follows three slashes: sqlite:///relative, sqlite:////absolute.
        return SqliteFile(database.removeprefix("sqlite://").removeprefix("/"), busy_timeout=busy_timeout)
    if scheme[1] in {"postgres", "postgresql"}:
        from bakthat.adapters.database.postgresql import PostgresqlServer

        return PostgresqlServer(database, busy_timeout=busy_timeout)
    raise ConfigInvalid(f"database: no driver for {scheme[1]}:// URLs; give the path of a file, or postgresql://…")


class PeeweeRepo(MetadataRepo):
    """All forms of columns from 2013 and before can be read; they are rewritten only when their backup is replaced.

    2013 had one row per stored filename; here there is one per backup (`Backup.same_backup_as`). So a plain index
    replaces the unique one of a 2013 file when two backups have the same name for the first time, and not before.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"PeeweeRepo({self._engine!r})"

    def add(self, backup: Backup) -> None:
        row = row_of(backup)
        with self._engine.writing() as database:
            namesakes = _namesakes(database, backup)
            if _same(backup, namesakes) is not None:
                place = backup.location or backup.backend
                raise DuplicateBackup(f"{backup.stored_filename} of {place} is already in the database")
            self._insert(database, row, namesakes)

    def replace(self, backup: Backup) -> None:
        row = row_of(backup)
        with self._engine.writing() as database:
            same = _same(backup, _namesakes(database, backup))
            if same is None:
                place = backup.location or backup.backend
                raise BackupNotFound(f"{backup.stored_filename} of {place} is not in the database")
            _execute(database, _UPDATE, *row, same[0])

    def put_all(self, backups: Iterable[Backup]) -> None:
        rows = [(backup, row_of(backup)) for backup in backups]
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
        conditions = self._conditions(query)
        if conditions is None:
            return iter(())
        columns = [getattr(BACKUPS, column) for column in COLUMNS]
        # Sorting keeps the order of what it finds equal.
        statement = BACKUPS.select(*columns).order_by(BACKUPS.id)
        if conditions:
            statement = statement.where(*conditions)
        with self._engine.reading("backups") as database:
            rows = [] if database is None else database.execute(statement).fetchall()
        found = [backup for backup in map(backup_of, rows) if query.matches(backup)]
        found.sort(key=newest_first, reverse=True)
        return iter(found)

    def _insert(self, database: Database, row: tuple[object, ...], namesakes: list[_Known]) -> None:
        if namesakes:
            self._allow_doubles(database, "backups", "stored_filename")
        _execute(database, _INSERT, *row)

    def _allow_doubles(self, database: Database, table: str, column: str) -> None:
        """Replace 2013's unique index on this column by a plain one; its peewee called both TABLE_COLUMN."""
        index = f"{table}_{column}"
        if self._engine.is_unique(database, index):
            database.execute_sql(f'DROP INDEX "{index}"')
            database.execute_sql(f'CREATE INDEX "{index}" ON "{table}" ("{column}")')

    def _conditions(self, query: Query) -> list[Expression] | None:
        """Return conditions that every row of a matching backup meets; `Query.matches` checks the rest. None if no row
        of a database can match."""
        texts = [query.filename, query.stored_filename, query.backend, query.text]
        if not all(text is None or is_storable(text) for text in texts):
            return None
        conditions: list[Expression] = []
        for column, text in (
            (BACKUPS.filename, query.filename),
            (BACKUPS.stored_filename, query.stored_filename),
            (BACKUPS.backend, query.backend),
        ):
            if text is not None:
                conditions.append(column == text)
        position = getattr(fn, self._engine.position)
        if query.text:
            in_series = position(BACKUPS.filename, query.text) > 0
            conditions.append(in_series | (position(BACKUPS.stored_filename, query.text) > 0))
        for tag in filter(is_storable, query.tags):
            # A list may contain the tag in an escaped form.
            conditions.append((position(BACKUPS.tags, tag) > 0) | (position(BACKUPS.tags, "[") == 1))
        if query.owners is not None:
            backends = sorted({owner.backend for owner in query.owners if is_storable(owner.backend)})
            if not backends:
                return None
            conditions.append(BACKUPS.backend.in_(backends))
        if not query.deleted:
            conditions.append(fn.COALESCE(BACKUPS.is_deleted, 0) == 0)
        return conditions

    def claim_name(self, claim: NameClaim) -> bool:
        name, now = claim.stored_filename, int(claim.claimed_at.timestamp())
        check_storable(name)
        with self._engine.writing() as database:
            if not self._engine.has_table(database, "claims"):
                self._engine.create(database, CREATE_CLAIMS)
            database.execute(CLAIMS.delete().where(CLAIMS.claimed < now - int(KEPT.total_seconds())))
            for table in (CLAIMS, BACKUPS):
                taken = table.select(table.id).where(table.stored_filename == name).limit(1)
                if database.execute(taken).fetchone() is not None:
                    return False
            row = {"stored_filename": name, "host": claim.host, "pid": claim.pid, "claimed": now}
            database.execute(CLAIMS.insert(row))
            return True

    def archive_ids(self) -> Mapping[str, ArchiveId]:
        with self._engine.reading("inventory") as database:
            if database is None:
                return {}
            statement = INVENTORY.select(INVENTORY.filename, INVENTORY.archive_id).order_by(INVENTORY.id)
            rows = database.execute(statement).fetchall()
        return {filename: ArchiveId(archive_id) for filename, archive_id in rows}

    def archive_id(self, stored_filename: str) -> ArchiveId | None:
        with self._engine.reading("inventory") as database:
            if database is None or not is_storable(stored_filename):
                return None
            of_archive = INVENTORY.select(INVENTORY.archive_id).where(INVENTORY.filename == stored_filename)
            row = database.execute(of_archive.order_by(INVENTORY.id.desc()).limit(1)).fetchone()
        return None if row is None else ArchiveId(row[0])

    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        check_storable(stored_filename)
        with self._engine.writing() as database:
            database.execute(INVENTORY.delete().where(INVENTORY.filename == stored_filename))
            of_id = INVENTORY.select(INVENTORY.id).where(INVENTORY.archive_id == archive_id)
            if database.execute(of_id).fetchall():
                self._allow_doubles(database, "inventory", "archive_id")
            database.execute(INVENTORY.insert({"filename": stored_filename, "archive_id": archive_id}))

    def forget_archive(self, stored_filename: str) -> None:
        if self.archive_id(stored_filename) is None:
            return
        with self._engine.writing() as database:
            database.execute(INVENTORY.delete().where(INVENTORY.filename == stored_filename))

    def job(self, filename: str) -> RetrievalJob | None:
        with self._engine.reading("jobs") as database:
            if database is None or not is_storable(filename):
                return None
            of_file = JOBS.select(JOBS.job_id).where(JOBS.filename == filename)
            row = database.execute(of_file.order_by(JOBS.id.desc()).limit(1)).fetchone()
            if row is None:
                return None
            job_id = row[0]
            request = None
            if self._engine.has_table(database, "retrievals"):
                # Of exactly this job: 2013 may have replaced it by another one.
                of_job = (RETRIEVALS.filename == filename) & (RETRIEVALS.job_id == job_id)
                statement = RETRIEVALS.select(RETRIEVALS.requested, RETRIEVALS.tier).where(of_job).limit(1)
                request = database.execute(statement).fetchone()
        requested, tier = request or (None, None)
        return RetrievalJob(
            filename=filename,
            job_id=JobId(job_id),
            requested=None if requested is None else from_epoch(requested),
            tier=Tier(tier) if tier in set(Tier) else None,
        )

    def remember_job(self, job: RetrievalJob) -> None:
        check_storable(job.filename)
        row: dict[str, object] = {"filename": job.filename, "job_id": job.job_id}
        with self._engine.writing() as database:
            self._forget_job(database, job.filename)
            database.execute(JOBS.insert(row))
            if job.requested is None and job.tier is None:
                return
            if not self._engine.has_table(database, "retrievals"):
                self._engine.create(database, CREATE_RETRIEVALS)
            row["requested"] = None if job.requested is None else int(job.requested.timestamp())
            row["tier"] = None if job.tier is None else job.tier.value
            database.execute(RETRIEVALS.insert(row))

    def forget_job(self, filename: str) -> None:
        if self.job(filename) is None:
            return
        with self._engine.writing() as database:
            self._forget_job(database, filename)

    def _forget_job(self, database: Database, filename: str) -> None:
        database.execute(JOBS.delete().where(JOBS.filename == filename))
        if self._engine.has_table(database, "retrievals"):
            database.execute(RETRIEVALS.delete().where(RETRIEVALS.filename == filename))


def _execute(database: Database, statement: str, *values: object) -> Any:
    """Return a cursor. The statement's only question marks are places for values."""
    return database.execute_sql(statement.replace("?", database.param), values)


def _namesakes(database: Database, backup: Backup) -> list[_Known]:
    """Return the rows of the same stored filename, of any store, the oldest first."""
    rows = _execute(database, _NAMESAKES, backup.stored_filename).fetchall()
    return [(row[0], backup_of(row[1:])) for row in rows]


def _same(backup: Backup, known: list[_Known]) -> _Known | None:
    """Return the row of the same backup. If a row of 2013, which has no location, matches several backups, the row with
    the same location comes first."""
    same = [row for row in known if row[1].same_backup_as(backup)]
    return min(same, key=lambda row: row[1].location != backup.location, default=None)
