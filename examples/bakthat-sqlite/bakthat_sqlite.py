"""Backups in one SQLite file: `bakthat backup -d sqlite`."""

import sqlite3
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from bakthat import Profile
from bakthat.adapters.streams import reader_of
from bakthat.domain.object_key import check_key
from bakthat.domain.objects import ObjectInfo
from bakthat.errors import ConfigInvalid, ObjectExists, ObjectNotFound, StoreError, StoreUnavailable, UsageError
from bakthat.ports.byte_ranges import check_range, check_version
from bakthat.ports.object_store import ObjectStore

Row = tuple[Any, ...]
PIECE = 1024 * 1024  # bytes; one value of SQLite ends at 1 GB
TABLES = """
    CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, size INTEGER, modified REAL, content TEXT);
    CREATE TABLE IF NOT EXISTS pieces (content TEXT, start INTEGER, bytes BLOB, PRIMARY KEY (content, start));
    CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON objects
        BEGIN DELETE FROM pieces WHERE content = old.content; END;
"""
PIECE_AT = "SELECT start, bytes FROM pieces WHERE content = ? AND start <= ? ORDER BY start DESC LIMIT 1"
ABANDON = "DELETE FROM pieces WHERE content = ? AND content NOT IN (SELECT content FROM objects)"


class SqliteStore(ObjectStore):
    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.location = f"sqlite://{self._path}"

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        check_key(key)
        content, size = uuid.uuid4().hex, 0
        try:
            while piece := body.read(PIECE):
                self._run(key, ("INSERT INTO pieces VALUES (?, ?, ?)", content, size, piece))
                size += len(piece)
            row = (key, size, datetime.now(UTC).timestamp(), content)
            make_room = [("DELETE FROM objects WHERE key = ?", key)] if replace else []
            self._run(key, *make_room, ("INSERT INTO objects VALUES (?, ?, ?, ?)", *row))
        except BaseException:
            with suppress(StoreError):
                self._run(key, (ABANDON, content))
            raise
        return _info(row)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        row = self._find(key)
        return reader_of(self._pieces(row, 0, row[1]))

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        check_range(start, stop)
        row = self._find(key)
        check_version(_info(row), expected, f"{self.location}: {key}")
        return reader_of(self._pieces(row, start, min(stop, row[1])))

    def stat(self, key: str) -> ObjectInfo:
        return _info(self._find(key))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        query = "SELECT * FROM objects WHERE substr(key, 1, ?) = ? ORDER BY key"
        return map(_info, self._run(prefix, (query, len(prefix), prefix)))

    def delete(self, key: str) -> None:
        self._run(check_key(key), ("DELETE FROM objects WHERE key = ?", key))

    def _find(self, key: str) -> Row:
        for row in self._run(key, ("SELECT * FROM objects WHERE key = ?", check_key(key))):
            return row
        raise ObjectNotFound(f"{self.location}: no object {key}")

    def _pieces(self, row: Row, at: int, stop: int) -> Generator[bytes, None, None]:
        key, _, _, content = row
        while at < stop:
            rows = self._run(key, (PIECE_AT, content, at))
            if not rows:
                raise StoreError(f"{self.location}: {key} was replaced or deleted while it was read")
            start, piece = rows[0]
            yield piece[at - start : stop - start]
            at = start + len(piece)

    def _run(self, key: str, *statements: tuple[Any, ...]) -> Sequence[Row]:
        """All of it in one transaction; gives the rows of the last statement."""
        try:
            with closing(sqlite3.connect(self._path, timeout=60, isolation_level="IMMEDIATE")) as database, database:
                database.executescript(TABLES)
                return [database.execute(statement, values).fetchall() for statement, *values in statements][-1]
        except sqlite3.IntegrityError:
            raise ObjectExists(f"{self.location}: {key} already exists") from None
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.location}: {key}: {error}") from error


def _info(row: Row) -> ObjectInfo:
    key, size, modified, content = row
    return ObjectInfo(key=key, size=size, modified=datetime.fromtimestamp(modified, UTC), etag=content)


def from_profile(profile: Profile) -> SqliteStore:
    settings = profile.stores.get("sqlite") or {}
    if "path" not in settings:
        raise ConfigInvalid(f"profile {profile.name!r}: stores: sqlite: path is missing; name the file to use")
    return SqliteStore(Path(settings["path"]))


def from_url(url: str, _: Profile) -> tuple[SqliteStore, str]:
    """`sqlite:///home/me/backups.sqlite/photos.20260102030405.tgz`"""
    path, _slash, key = url.removeprefix("sqlite://").rpartition("/")
    if not Path(path).is_file():
        raise UsageError(f"there is no file {path}; write sqlite:// and its whole path, then / and a stored filename")
    return SqliteStore(Path(path)), key
