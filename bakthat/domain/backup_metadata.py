"""`BackupMetadata`: the facts of a record that have no column in 2013's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, KeysView, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeGuard, Unpack

from attrs import field, frozen

_MOST_EPOCH = 2**63 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEEPEST = 1_000_000
"""Of a chain. Only a damaged or forged record says more."""


@frozen(kw_only=True)
class Increment:
    """What an incremental backup needs. `base`: the stored filename of the backup that it is the difference to. `full`:
    that of the full backup which its chain begins with. `depth`: how many incremental backups the chain has up to this
    one, which counts; at least 1. `base_sha256`: hex, of the stored bytes of the base; None if it is not recorded."""

    base: str
    full: str
    depth: int
    base_sha256: str | None = None

    def as_metadata(self) -> dict[str, Any]:
        """For the record."""
        facts = {"base": self.base, "full": self.full, "depth": self.depth, "base_sha256": self.base_sha256}
        return {key: value for key, value in facts.items() if value is not None}


class Facts(TypedDict, total=False):
    """The keys that bakthat writes, with their types. None removes a key. Never a secret.

    2013's: `is_enc`; `client`, the host; of a value, `KeyValue` and `is_gzipped`. `location`: of the store. `sha256`:
    hex, of the stored bytes. `source`: the path, `-` for a stream. `command`: the base name of the program that wrote
    the stream. `root`: the base name that the members are under. `container`, `compression`: see `ArchiveFormat`;
    `packed_by_source`: see `StorageForm`. `encryption`: `scheme` and `recipients`. `counts`: `files`, `directories`,
    `others` and `bytes`. `excluded`: see `Excluded`. `problems`: the first of them, a line each; `problem_count`: all.
    `incremental`: see `Increment`. `archive_id`: in an archive store. `locked_until`: when Object Lock ends, in UTC
    epoch seconds. `cut`: facts that had no room are left out. `dry_run`: no backup was made.

    Only in a database, never in a catalog entry: `stored_at`, the store's own date of the archive; `entry_seen`, when
    the catalog entry was written that was read last; both in UTC epoch seconds. `from_listing`: all that is known is
    name, size and date. `verified`: `at`, `level`, and `error` if there is one.
    """

    is_enc: bool | None
    client: str | None
    KeyValue: bool | None
    is_gzipped: bool | None
    location: str | None
    sha256: str | None
    source: str | None
    command: str | None
    root: str | None
    tool: str | None
    container: str | None
    compression: str | None
    packed_by_source: bool | None
    encryption: Mapping[str, Any] | None
    counts: Mapping[str, int] | None
    excluded: Mapping[str, Any] | None
    incremental: Mapping[str, Any] | None
    incomplete: bool | None
    problems: list[str] | None
    problem_count: int | None
    archive_id: str | None
    locked_until: int | None
    cut: bool | None
    dry_run: bool | None
    stored_at: int | None
    entry_seen: int | None
    from_listing: bool | None
    verified: Mapping[str, Any] | None


KNOWN = frozenset(Facts.__annotations__)


@frozen(eq=False, repr=False)
class BackupMetadata(Mapping[str, Any]):
    """The metadata of one record. As a mapping, whatever was recorded, as it was recorded. Its properties give the
    known facts with their types: one of another type, which a store or a database may hold, counts as unknown.
    """

    _facts: Mapping[str, Any] = field(factory=dict)

    @classmethod
    def of(cls, **facts: Unpack[Facts]) -> BackupMetadata:
        """Metadata of these facts."""
        return cls().changed(**facts)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> BackupMetadata:
        """The metadata that JSON or another record held."""
        return facts if isinstance(facts, BackupMetadata) else cls(dict(facts))

    def to_dict(self) -> dict[str, Any]:
        """The facts for JSON, in the order in which they were recorded."""
        return dict(self._facts)

    def changed(self, **changes: Unpack[Facts]) -> BackupMetadata:
        """These metadata with other facts; None removes one."""
        return BackupMetadata({key: value for key, value in {**self._facts, **changes}.items() if value is not None})

    def without(self, *keys: str) -> BackupMetadata:
        """These metadata without some keys."""
        return BackupMetadata({key: value for key, value in self._facts.items() if key not in keys})

    @property
    def extra(self) -> dict[str, Any]:
        """What this version does not know."""
        return {key: value for key, value in self._facts.items() if key not in KNOWN}

    # The mapping. Most are those of `Mapping`, without its detour: a listing reads these of every row.

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, key: object) -> bool:
        return key in self._facts

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BackupMetadata):
            return self._facts == other._facts
        return self._facts == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"BackupMetadata({self._facts!r})"

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._facts, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self._facts}

    def copy(self) -> dict[str, Any]:
        """The facts as a dict of its own."""
        return dict(self._facts)

    def keys(self) -> KeysView[str]:
        """The recorded keys."""
        return self._facts.keys()

    def get(self, key: str, default: Any = None) -> Any:
        """The fact as it was recorded."""
        return self._facts.get(key, default)

    # The typed facts.

    def _text(self, key: str) -> str | None:
        value = self._facts.get(key)
        return value if isinstance(value, str) else None

    def _mapping(self, key: str) -> Mapping[str, Any] | None:
        value = self._facts.get(key)
        return value if isinstance(value, Mapping) else None

    def _moment(self, key: str) -> datetime | None:
        value = self._facts.get(key)
        if type(value) is not int:
            return None
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def is_encrypted(self) -> bool:
        return bool(self._facts.get("is_enc"))

    @property
    def is_value(self) -> bool:
        """Whether it is a value of the key/value store."""
        return bool(self._facts.get("KeyValue"))

    @property
    def is_gzipped(self) -> bool:
        """Of a value: whether it is gzipped. The format of a backup says so of all others."""
        return bool(self._facts.get("is_gzipped"))

    @property
    def is_packed_by_source(self) -> bool:
        return bool(self._facts.get("packed_by_source"))

    @property
    def is_incomplete(self) -> bool:
        return bool(self._facts.get("incomplete"))

    @property
    def is_from_listing(self) -> bool:
        return bool(self._facts.get("from_listing"))

    @property
    def location(self) -> str | None:
        return self._text("location")

    @property
    def sha256(self) -> str | None:
        return self._text("sha256")

    @property
    def host(self) -> str | None:
        return self._text("client") or None

    @property
    def source(self) -> str | None:
        return self._text("source") or None

    @property
    def command(self) -> str | None:
        return self._text("command") or None

    @property
    def container(self) -> str | None:
        return self._text("container")

    @property
    def root(self) -> str | None:
        """None also for what no file can be called: JSON can spell lone surrogates."""
        root = self._text("root")
        try:
            return root if root and root.encode() else None
        except UnicodeEncodeError:
            return None

    @property
    def problems(self) -> tuple[str, ...]:
        value = self._facts.get("problems")
        return tuple(line for line in value if isinstance(line, str)) if isinstance(value, list | tuple) else ()

    @property
    def problem_count(self) -> int | None:
        value = self._facts.get("problem_count")
        return value if type(value) is int and value > 0 else None

    @property
    def incremental(self) -> Increment | None:
        """None for a full backup."""
        value = self._mapping("incremental") or {}
        base, full, depth = value.get("base"), value.get("full"), value.get("depth")
        if not (_is_name(base) and _is_name(full) and type(depth) is int and 0 < depth <= _DEEPEST):
            return None
        sha256 = value.get("base_sha256")
        return Increment(base=base, full=full, depth=depth, base_sha256=sha256 if is_sha256(sha256) else None)

    @property
    def archive_id(self) -> str | None:
        return self._text("archive_id") or None

    @property
    def claims_archive(self) -> bool:
        """Whether an archive id was recorded at all, usable or not: only archive stores have them."""
        return self._facts.get("archive_id") is not None

    @property
    def stored_at(self) -> datetime | None:
        return self._moment("stored_at")

    @property
    def locked_until(self) -> datetime | None:
        return self._moment("locked_until")

    @property
    def entry_seen(self) -> int | None:
        value = self._facts.get("entry_seen")
        return value if isinstance(value, int) and 0 <= value <= _MOST_EPOCH else None

    @property
    def tool(self) -> str | None:
        """Name and version of what wrote the record; 2013 recorded none."""
        return self._text("tool")

    @property
    def encryption_scheme(self) -> str | None:
        """`age-scrypt`, or `age-` and the kind of the recipients (`age-x25519`); None for 2013's encryption, a plain
        backup, and where nobody knows."""
        scheme = (self._mapping("encryption") or {}).get("scheme")
        return scheme if isinstance(scheme, str) else None

    @property
    def is_encrypted_to_recipients(self) -> bool:
        """Whether it is recorded that public keys encrypt the backup, and no password."""
        return (self.encryption_scheme or "").startswith("age-") and self.encryption_scheme != "age-scrypt"

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recorded labels of the public keys that the backup is encrypted to: see `domain.recipients.label`."""
        value = (self._mapping("encryption") or {}).get("recipients")
        return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list | tuple) else ()

    @property
    def counts(self) -> Mapping[str, Any] | None:
        return self._mapping("counts")

    @property
    def excluded(self) -> Mapping[str, Any] | None:
        return self._mapping("excluded")

    @property
    def verified(self) -> Mapping[str, Any] | None:
        return self._mapping("verified")


def is_sha256(value: Any) -> TypeGuard[str]:
    """Whether it is a SHA-256 as records have it, in hex."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_name(value: Any) -> TypeGuard[str]:
    """Whether it may be a stored filename: JSON can spell lone surrogates, which are in no name."""
    try:
        return isinstance(value, str) and bool(value.encode())
    except UnicodeEncodeError:
        return False
