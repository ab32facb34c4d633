"""The catalog entry: a small JSON next to each archive, so that a store describes itself.

Version 1 is an object with `bakthat_catalog: 1`, the ten fields of the record under their names, and beside them
`sha256`, `host`, `source`, `tool`, `counts`, taken out of the metadata so that a person finds them at once. Fields that
this version does not know survive in `extra`. A newer version is read as far as it is understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from bakthat.domain.backup import Backup, from_epoch, split_tags
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.errors import PayloadDamaged

VERSION = 1
PREFIX = "bakthat_catalog/"

MOST_BYTES = 256 * 1024
"""Bytes of an entry. A record takes 1 to 2 KiB, one with many long paths of unreadable files some 100 KiB. Several
entries are read at once, and permission to write to the store is permission to write entries."""

_MOST_VALUES = 10_000
"""Values in an entry. As Python's, each takes about 100 bytes, however short its text; a record has about 40."""

_RECORD_BYTES = 32 * 1024
"""Bytes of JSON that the metadata of one record may take in a database, which `show` reads whole."""

_TAG_CHARACTERS = 8 * 1024

_DEPTH = 50
"""Levels of lists and objects in an entry; a record has four."""

_RECORD_FIELDS = (
    "backend", "backend_hash", "backup_date", "filename", "is_deleted", "last_updated", "metadata", "size",
    "stored_filename", "tags",
)  # fmt: skip
_LIFTED = {"sha256": "sha256", "host": "client", "source": "source", "tool": "tool", "counts": "counts"}
"""The entry's field, and the key of the metadata that it is taken from."""

ONLY_IN_A_DATABASE = frozenset({"entry_seen", "from_listing", "stored_at", "verified"})
"""Keys of the metadata that one database notes for itself. An entry has none of them: a forged entry must not say how
its archive was found, nor that it was verified."""

_BY_IMPORTANCE = (
    "is_enc", "encryption", "incremental", "KeyValue", "is_gzipped", "packed_by_source", "container", "compression",
    "sha256", "incomplete", "archive_id", "location", "locked_until", "root", "client", "source", "tool", "counts",
)  # fmt: skip
_ORDER = {key: number for number, key in enumerate(_BY_IMPORTANCE)}


def key_of(stored_filename: str) -> str:
    """The key of a backup's entry, in the same store."""
    return f"{PREFIX}{stored_filename}.json"


def index_key_of(stored_filename: str) -> str:
    """The key of the copy of a backup's index, in the same store, which `stored_filename_of` does not know."""
    return f"{PREFIX}{stored_filename}.index"


def stored_filename_of(key: str) -> str | None:
    """The stored filename whose entry lies under this key; None if it is not the key of an entry."""
    if key.startswith(PREFIX) and key.endswith(".json"):
        return key.removeprefix(PREFIX).removesuffix(".json") or None
    return None


@frozen(kw_only=True)
class CatalogEntry:
    """A backup's record as the store keeps it. `version`: of the writer. `extra`: what this version does not know."""

    backup: Backup
    version: int = VERSION
    extra: Mapping[str, Any] = field(factory=dict)

    def dumps(self) -> bytes:
        """The entry as ASCII JSON, its keys in a fixed order. The version stays that of the writer. What would be too
        long to be read again is cut, the least important facts first."""
        data = self._dumped(self.backup)
        return data if len(data) <= MOST_BYTES else self._dumped(_bounded(self.backup))

    def _dumped(self, backup: Backup) -> bytes:
        record = backup.as_record()
        metadata = {key: value for key, value in record.pop("metadata").items() if key not in ONLY_IN_A_DATABASE}
        entry: dict[str, Any] = {"bakthat_catalog": self.version, **record}
        for name, source in _LIFTED.items():
            if source in metadata:
                entry[name] = metadata.pop(source)
        entry["metadata"] = metadata
        known = set(entry)
        entry.update({name: value for name, value in self.extra.items() if name not in known})
        text = json.dumps(entry, ensure_ascii=True, indent=1, sort_keys=True)
        return text.encode() + b"\n"


def loads(data: bytes) -> CatalogEntry:
    """The entry in these bytes. Raises `PayloadDamaged` if they are not one: not JSON, without the fields that make a
    record, or longer than any entry is. Metadata that a database should not keep are left out, and `cut` says so."""
    if len(data) > MOST_BYTES:
        raise PayloadDamaged(f"the catalog entry is longer than {MOST_BYTES} bytes")
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise PayloadDamaged(f"the catalog entry contains more than {_MOST_VALUES} values")
    try:
        raw = json.loads(data, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise PayloadDamaged(f"the catalog entry is not JSON: {error}") from None
    if not isinstance(raw, dict) or type(raw.get("bakthat_catalog")) is not int:
        raise PayloadDamaged("not a catalog entry (no field `bakthat_catalog`)")
    try:
        _check_depth(raw)
        metadata = dict(_maybe(raw, "metadata", dict, {}))
        for name, target in _LIFTED.items():
            if name in raw:
                metadata[target] = raw[name]
        for key in ONLY_IN_A_DATABASE:
            metadata.pop(key, None)
        tags = _maybe(raw, "tags", (str, list), [])
        backup = Backup(
            backend=_text(raw, "backend"),
            backend_hash=_utf8("backend_hash", _maybe(raw, "backend_hash", str, "")),
            backup_date=from_epoch(_number(raw, "backup_date")),
            filename=_text(raw, "filename"),
            stored_filename=_text(raw, "stored_filename"),
            size=_size(raw),
            tags=split_tags(_utf8("tags", tags if isinstance(tags, str) else " ".join(map(str, tags)))),
            is_deleted=bool(_maybe(raw, "is_deleted", (bool, int), False)),
            last_updated=from_epoch(_number(raw, "last_updated")),
            metadata=BackupMetadata.from_dict(metadata),
        )
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise PayloadDamaged(f"the catalog entry is damaged: {error}") from None
    known = {"bakthat_catalog", *_RECORD_FIELDS, *_LIFTED}
    extra = {name: value for name, value in raw.items() if name not in known}
    if len(data) > _RECORD_BYTES:
        backup = _bounded(backup)
    return CatalogEntry(backup=backup, version=raw["bakthat_catalog"], extra=extra)


def _bounded(backup: Backup) -> Backup:
    """The record with no more tags and metadata than a database should keep, the most important first."""
    tags: list[str] = []
    room = _TAG_CHARACTERS
    for tag in backup.tags:
        room -= len(tag) + 1
        if room >= 0:
            tags.append(tag)
    metadata: dict[str, Any] = {}
    room = _RECORD_BYTES
    for key in sorted(backup.metadata, key=lambda key: (_ORDER.get(key, len(_ORDER)), key)):
        size = len(json.dumps({key: backup.metadata[key]}))
        if size <= room:
            metadata[key] = backup.metadata[key]
            room -= size
    if len(metadata) < len(backup.metadata) or len(tags) < len(backup.tags):
        metadata["cut"] = True
    return evolve(backup, tags=tags, metadata=BackupMetadata.from_dict(metadata))


def _no_json(constant: str) -> None:
    """Python's reader takes `NaN` and `Infinity`, which JSON has not."""
    raise ValueError(constant)


def _check_depth(value: Any) -> None:
    """What is read here is written again, to databases and to stdout, by code that goes into each level."""
    level = [value]
    for _ in range(_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError(f"more than {_DEPTH} levels deep")


def _maybe(raw: Mapping[str, Any], name: str, kind: type | tuple[type, ...], default: Any) -> Any:
    """The field's value; the default where it is absent or null."""
    value = raw.get(name)
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} has a wrong type")
    return default if value is None else value


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not text")
    return _utf8(name, value)


def _utf8(name: str, value: str) -> str:
    """The text itself. Lone surrogates, which JSON can spell, are in no name and no database takes them."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} is not UTF-8") from None
    return value


def _number(raw: Mapping[str, Any], name: str) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004 - the caller turns it into one error
    return value


def _size(raw: Mapping[str, Any]) -> int:
    size = int(_number(raw, "size"))
    if not 0 <= size < 2**63:
        raise ValueError("size is not a number of bytes")
    return size
