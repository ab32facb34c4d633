"""The tables of the database: 2013's, created by the exact SQL of peewee 2, so that either tool opens the other's file;
and two of ours."""

from __future__ import annotations

from typing import Any

from peewee import Table

BACKUPS: Any = Table(
    "backups",
    (
        "id",
        "backend",
        "backend_hash",
        "backup_date",
        "filename",
        "is_deleted",
        "last_updated",
        "metadata",
        "size",
        "stored_filename",
        "tags",
    ),
)
JOBS: Any = Table("jobs", ("id", "filename", "job_id"))
INVENTORY: Any = Table("inventory", ("id", "archive_id", "filename"))
RETRIEVALS: Any = Table("retrievals", ("id", "filename", "job_id", "requested", "tier"))
CLAIMS: Any = Table("claims", ("id", "stored_filename", "host", "pid", "claimed"))

SCHEMA: dict[str, tuple[str, ...]] = {
    "backups": (
        'CREATE TABLE "backups" ("id" INTEGER NOT NULL PRIMARY KEY, "backend" VARCHAR(255) NOT NULL,'
        ' "backend_hash" VARCHAR(255), "backup_date" INTEGER NOT NULL, "filename" TEXT NOT NULL,'
        ' "is_deleted" SMALLINT NOT NULL, "last_updated" INTEGER NOT NULL, "metadata" VARCHAR(255) NOT NULL,'
        ' "size" INTEGER NOT NULL, "stored_filename" TEXT NOT NULL, "tags" VARCHAR(255) NOT NULL)',
        'CREATE INDEX "backups_backend" ON "backups" ("backend")',
        'CREATE INDEX "backups_backend_hash" ON "backups" ("backend_hash")',
        'CREATE INDEX "backups_backup_date" ON "backups" ("backup_date")',
        'CREATE INDEX "backups_filename" ON "backups" ("filename")',
        'CREATE UNIQUE INDEX "backups_stored_filename" ON "backups" ("stored_filename")',
    ),
    "jobs": (
        'CREATE TABLE "jobs" ("id" INTEGER NOT NULL PRIMARY KEY, "filename" VARCHAR(255) NOT NULL,'
        ' "job_id" VARCHAR(255) NOT NULL)',
        'CREATE INDEX "jobs_filename" ON "jobs" ("filename")',
    ),
    "inventory": (
        'CREATE TABLE "inventory" ("id" INTEGER NOT NULL PRIMARY KEY, "archive_id" VARCHAR(255) NOT NULL,'
        ' "filename" VARCHAR(255) NOT NULL)',
        'CREATE UNIQUE INDEX "inventory_archive_id" ON "inventory" ("archive_id")',
        'CREATE INDEX "inventory_filename" ON "inventory" ("filename")',
    ),
    "config": (
        'CREATE TABLE "config" ("id" INTEGER NOT NULL PRIMARY KEY, "key" VARCHAR(255) NOT NULL,'
        ' "value" VARCHAR(255) NOT NULL)',
        'CREATE UNIQUE INDEX "config_key" ON "config" ("key")',
    ),
    "history": (
        'CREATE TABLE "history" ("id" INTEGER NOT NULL PRIMARY KEY, "data" VARCHAR(255) NOT NULL,'
        ' "ts" INTEGER NOT NULL, "action" VARCHAR(255) NOT NULL, "model" VARCHAR(255) NOT NULL,'
        ' "pk" VARCHAR(255) NOT NULL)',
        'CREATE INDEX "history_ts" ON "history" ("ts")',
        'CREATE INDEX "history_action" ON "history" ("action")',
        'CREATE INDEX "history_model" ON "history" ("model")',
        'CREATE INDEX "history_pk" ON "history" ("pk")',
    ),
}
"""2013's five tables, as its peewee created them (its SQLite ignores the lengths)."""

CREATE_RETRIEVALS = (
    'CREATE TABLE "retrievals" ("id" INTEGER NOT NULL PRIMARY KEY, "filename" TEXT NOT NULL, "job_id" TEXT NOT NULL,'
    ' "requested" INTEGER, "tier" TEXT)',
    'CREATE INDEX "retrievals_filename" ON "retrievals" ("filename")',
)
"""Facts about a row of `jobs` for which 2013 has no columns; created with the first such job."""

CREATE_CLAIMS = (
    'CREATE TABLE "claims" ("id" INTEGER NOT NULL PRIMARY KEY, "stored_filename" TEXT NOT NULL, "host" TEXT NOT NULL,'
    ' "pid" INTEGER NOT NULL, "claimed" INTEGER NOT NULL)',
    'CREATE UNIQUE INDEX "claims_stored_filename" ON "claims" ("stored_filename")',
)
"""The names that backups have reserved (`NameClaim`). Created with the first claim: 2013 had no such table."""
