"""`Engine`: opens the database that contains the tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from bakthat.adapters.database.tables import SCHEMA

Database: TypeAlias = Any
"""A `peewee.Database`, whose methods are untyped."""

BUSY_TIMEOUT = 30.0
"""Seconds that a call waits for another writer before it gives up. A write takes milliseconds."""

REBUILD = "`bakthat sync` can rebuild it from the store"


class Engine(ABC):
    """Opens the database for one call, and translates its errors.

    Every call has its own connection. A permanent one would be carried over a `fork`, which neither SQLite nor libpq
    supports, and somebody would have to close it.
    """

    position: str
    """The name of the SQL function that returns the position of a text in another, from 1; 0 if it does not occur."""

    @abstractmethod
    def reading(self, table: str) -> AbstractContextManager[Database | None]:
        """Open a connection for reading; None if the table does not exist yet. Raises `DatabaseError`, also for errors
        of the body."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Database]:
        """Begin the only write transaction, with all of 2013's tables created. An exception in the body rolls it back.
        Raises `DatabaseError`, also for errors of the body."""

    @abstractmethod
    def has_table(self, database: Database, table: str) -> bool:
        """Whether the open database has this table."""

    @abstractmethod
    def is_unique(self, database: Database, index: str) -> bool:
        """Whether there is a unique index of this name."""

    def create(self, database: Database, statements: tuple[str, ...]) -> None:
        """Create a table and its indices."""
        for statement in statements:
            database.execute_sql(statement)

    def create_missing(self, database: Database) -> None:
        """Create those of 2013's tables that do not exist."""
        for table, statements in SCHEMA.items():
            if not self.has_table(database, table):
                self.create(database, statements)
