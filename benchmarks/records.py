"""Homes with many backups in their database, and stores with as many archives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.domain.backup import Backup, backend_hash
from bakthat.domain.catalog import CatalogEntry, key_of
from bakthat.domain.stored_name import StoredName
from benchmarks.servers import SeaweedFS

START = datetime(2015, 1, 1, tzinfo=UTC)
SERIES = ("site", "db", "mail", "home", "etc")
ARCHIVE = b"an archive"


def backups(count: int, *, backend: str = "local", location: str = "file:///nowhere") -> Iterator[Backup]:
    """Records of five series, each hourly, with all fields of a current backup. They were updated just now, as their
    catalog entries will be: a sync reads an entry again if it is newer than its row."""
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(count):
        series = SERIES[number % len(SERIES)]
        when = START + timedelta(hours=number // len(SERIES))
        yield Backup(
            backend=backend,
            backend_hash=backend_hash(None, location),
            backup_date=when,
            last_updated=now,
            filename=series,
            stored_filename=str(StoredName(series=series, when=when, suffix=".tgz")),
            size=len(ARCHIVE),
            tags=("hourly", series),
            metadata={
                "is_enc": False,
                "client": "web1",
                "location": location,
                "source": f"/srv/{series}",
                "root": series,
                "tool": "bakthat 1.0.0",
                "compression": "gzip",
                "sha256": f"{number:064x}",
                "counts": {"files": 1, "directories": 0, "others": 0, "bytes": 100},
            },
        )


def write_config(home: Path, **settings: Any) -> None:
    """A configuration in this home, `bakthat.yml`, for a database beside it."""
    profile = {"default_destination": "local", "local_path": str(home / "store")}
    profile |= {"database": str(home / "bakthat.sqlite"), **settings}
    config = home / "bakthat.yml"
    config.touch(mode=0o600)
    config.write_text(json.dumps({"default": profile}))  # JSON is YAML


def fill_database(home: Path, count: int) -> None:
    """The home's database with records of backups in its local store, which need not exist."""
    from bakthat.adapters.local_folder import LocalObjectStore

    location = LocalObjectStore(home / "store").location
    open_repo(str(home / "bakthat.sqlite")).put_all(backups(count, location=location))


def fill_folder(home: Path, count: int) -> None:
    """The home's local store with small archives and their catalog entries. Written without the store's durability,
    which would take ten minutes."""
    from bakthat.adapters.local_folder import LocalObjectStore

    store = home / "store"
    location = LocalObjectStore(store).location
    (store / key_of("x")).parent.mkdir(parents=True)
    for backup in backups(count, location=location):
        (store / backup.stored_filename).write_bytes(ARCHIVE)
        (store / key_of(backup.stored_filename)).write_bytes(CatalogEntry(backup=backup).dumps())


def fill_bucket(server: SeaweedFS, bucket: str, count: int) -> None:
    """A bucket with small archives and their catalog entries."""
    from bakthat.adapters.aws.s3 import S3ObjectStore, s3_client
    from bakthat.domain.profile import Profile

    profile = Profile(**server.settings(bucket))
    client = s3_client(profile, max_pool_connections=16)
    location = S3ObjectStore.from_profile(profile).location

    def put(backup: Backup) -> None:
        client.put_object(Bucket=bucket, Key=backup.stored_filename, Body=ARCHIVE)
        entry = CatalogEntry(backup=backup).dumps()
        client.put_object(Bucket=bucket, Key=key_of(backup.stored_filename), Body=entry)

    waiting = backups(count, backend="s3", location=location)
    with ThreadPoolExecutor(16) as pool:
        while batch := list(islice(waiting, 1000)):
            list(pool.map(put, batch))
