"""Key/value store: JSON values in an object store, as small backups that `show` lists and `restore` restores."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import Any, BinaryIO, cast

from attrs import frozen

from bakthat.domain import glacier_inventory, stored_name
from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.catalog import PREFIX, CatalogEntry
from bakthat.domain.object_key import check_key
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import (
    BackupNotFound,
    InvalidName,
    ObjectNotFound,
    PasswordNeeded,
    PayloadDamaged,
    UsageError,
    WrongPassword,
)
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.tools import Tools

MOST_BYTES = 16 * 1024 * 1024
"""The maximum size of a value's JSON text in bytes. It is held in memory, as Python objects in up to 24 times its size;
and data stored by somebody else may inflate to a thousand times its size."""

_OVERHEAD = 1024 * 1024
"""The maximum number of bytes added by encryption and compression: a header with hundreds of recipients, 16 bytes per
64 KiB."""


@frozen(kw_only=True)
class StoredValue:
    """A value that was found. `backup`: its record."""

    value: Any
    backup: Backup


def set_value(
    key: str, value: Any, destination_name: str, tools: Tools, *, keys: Keys, compress: bool = True
) -> Backup:
    """Store a JSON value under the key, replacing an earlier one. Raises `UsageError` for a value that JSON cannot
    represent or larger than `MOST_BYTES`, `InvalidName`, `StoreError`, `DatabaseError`."""
    destination = _destination(destination_name, tools)
    _check_free(key, destination, tools)
    try:
        content = json.dumps(value).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key}: the value cannot be written as JSON: {error}") from error
    if len(content) > MOST_BYTES:
        raise UsageError(
            f"{key}: the value has {len(content)} bytes as JSON, more than {MOST_BYTES}; back it up as a file"
        )
    if compress:
        content = gzip.compress(content, mtime=0)
    stored = _encrypted(content, keys, tools) if keys else content
    destination.values.put(key, io.BytesIO(stored), replace=True)
    now = whole_seconds(tools.clock())
    metadata = BackupMetadata.of(
        KeyValue=True,
        is_enc=bool(keys),
        is_gzipped=compress,
        client=tools.host(),
        location=destination.owner.location,
        tool=tools.tool,
        encryption=keys.as_metadata() if keys else None,
    )
    backup = Backup(
        backend=destination.name,
        backend_hash=destination.owner.backend_hash,
        backup_date=now,
        filename=key,
        stored_filename=key,
        size=len(stored),
        last_updated=now,
        metadata=metadata,
    )
    # As for a backup, the entry first and the row last, so that `sync` finds the value on a new machine.
    destination.write_entry(CatalogEntry(backup=backup))
    if _rows(key, destination, tools, deleted=True):
        tools.repo.replace(backup)
    else:
        tools.repo.add(backup)
    return backup


def get_value(key: str, destination_name: str, tools: Tools, *, keys: Keys) -> StoredValue:
    """The value under a key. Raises `BackupNotFound` if there is none, `PasswordNeeded`, `WrongPassword`,
    `PayloadDamaged`."""
    destination = _destination(destination_name, tools)
    backup = find_value(key, destination_name, tools)
    try:
        with destination.values.open(key) as reader:
            content = reader.read(MOST_BYTES + _OVERHEAD + 1)
    except ObjectNotFound:
        raise BackupNotFound(f"{key}: no such key in {destination.owner.location}") from None
    _check_length(key, len(content) - _OVERHEAD)
    if backup.is_encrypted:
        if not keys:
            raise PasswordNeeded(f"{key} is encrypted; give its password")
        content = _decrypted(content, keys, tools)
    try:
        if backup.format.compression is Compression.GZIP:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as inflating:
                content = inflating.read(MOST_BYTES + 1)
        _check_length(key, len(content))
        return StoredValue(value=json.loads(content), backup=backup)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        damage = str(error) or type(error).__name__
    # Not raised while that error is handled: the JSON decoder's error contains the value, which may be a secret.
    if backup.is_encrypted:
        # 2013's encryption has no checksum: a wrong password yields garbage.
        raise WrongPassword(f"{key}: the password does not decrypt it, or it is damaged")
    raise PayloadDamaged(f"{key}: the stored object is not a value: {damage}")


def _check_length(key: str, length: int) -> None:
    if length > MOST_BYTES:
        raise PayloadDamaged(f"{key}: the stored object is larger than a value can be ({MOST_BYTES} bytes)")


def find_value(key: str, destination_name: str, tools: Tools) -> Backup:
    """The record of a value. Raises `BackupNotFound`."""
    rows = _rows(key, _destination(destination_name, tools), tools)
    if not rows:
        raise BackupNotFound(f"{key}: no such key; `bakthat show` lists all keys")
    return rows[0]


def delete_value(key: str, destination_name: str, tools: Tools) -> bool:
    """Delete a value, from the store first; False if there is none. Raises `InvalidName` for the name of a backup."""
    destination = _destination(destination_name, tools)
    _check_free(key, destination, tools)
    rows = _rows(key, destination, tools)
    destination.values.delete(key)
    destination.remove_entry(key)
    for row in rows:
        tools.repo.replace(row.deleted(tools.clock()))
    return bool(rows)


def value_store(destination_name: str, tools: Tools) -> ObjectStore:
    """The store for values of this destination."""
    return _destination(destination_name, tools).values


def _destination(name: str, tools: Tools) -> ObjectDestination:
    destination = tools.destination(name)
    if not isinstance(destination, ObjectDestination):
        raise UsageError(f"{name} keeps archives that must be retrieved; values need an object store such as s3")
    return destination


def _check_free(key: str, destination: ObjectDestination, tools: Tools) -> None:
    """Raises `InvalidName` for an invalid key, and for a name that a value must neither replace nor delete: a backup, a
    catalog entry, the copy of the inventory."""
    check_key(key)
    if key.startswith(PREFIX) or key == glacier_inventory.KEY:
        raise InvalidName(f"{key!r} is a reserved name; choose another key")
    query = Query(stored_filename=key, backend=destination.name, owners=(destination.owner,))
    backups = [row for row in tools.repo.find(query) if not row.is_value]
    if backups or _is_archive(key):
        raise InvalidName(f"{key!r} is the name of a backup, not of a value; choose another key")


def _is_archive(key: str) -> bool:
    """Whether a backup unknown to this database may have this name."""
    try:
        return stored_name.parse(key).suffix != ""
    except InvalidName:
        return False


def _rows(key: str, destination: ObjectDestination, tools: Tools, *, deleted: bool = False) -> list[Backup]:
    query = Query(stored_filename=key, backend=destination.name, owners=(destination.owner,), deleted=deleted)
    return [row for row in tools.repo.find(query) if row.is_value]


def _encrypted(content: bytes, keys: Keys, tools: Tools) -> bytes:
    into = io.BytesIO()
    with tools.cipher.sealing(cast(BinaryIO, into), keys) as writer:
        writer.write(content)
    return into.getvalue()


def _decrypted(content: bytes, keys: Keys, tools: Tools) -> bytes:
    with tools.cipher.unsealing(io.BytesIO(content), keys) as reader:
        return reader.read()
