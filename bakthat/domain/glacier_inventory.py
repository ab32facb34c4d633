"""The saved copy of the Glacier inventory: which stored filename is which archive.

The copy is one JSON object, stored filename to archive id, under `KEY`. 2013's form, a list of objects with `filename`
and `archive_id`, is also read. Any other value is kept, because a later version may have stored it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from bakthat.domain.objects import ArchiveId
from bakthat.errors import PayloadDamaged

KEY = "bakthat_glacier_inventory"
"""The key of the copy in the profile's bucket."""

MOST_BYTES = 32 * 1024 * 1024
"""The maximum size of a copy in bytes: about 80,000 archives of a vault, whose ids have 138 characters. There is a
limit because anyone who may write to the bucket may write a copy, and it is read into memory."""

_MAX_VALUES = 500_000
"""The maximum number of values in a copy. In Python each takes about 100 bytes, however short its text."""


def _frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class GlacierInventory:
    """`archives`: stored filename to archive id. `extra`: unknown values, kept unchanged. `left_out`: how many elements
    of 2013's list name no archive."""

    archives: Mapping[str, ArchiveId] = field(factory=dict, converter=_frozen_mapping, hash=False)
    extra: Mapping[str, Any] = field(factory=dict, converter=_frozen_mapping, hash=False)
    left_out: int = field(default=0, eq=False)

    def dumps(self) -> bytes:
        """The copy as ASCII JSON, one archive per line, sorted by name."""
        return json.dumps({**self.extra, **self.archives}, ensure_ascii=True, indent=1, sort_keys=True).encode() + b"\n"

    def merged(self, later: GlacierInventory) -> GlacierInventory:
        """The union of both; if both have a name, the value of `later`."""
        names = {*self.extra, *self.archives, *later.extra, *later.archives}
        archives = {**self.archives, **later.archives}
        extra = {**self.extra, **later.extra}
        return GlacierInventory(
            archives={name: archives[name] for name in names if name in archives and name not in later.extra},
            extra={name: extra[name] for name in names if name in extra and name not in later.archives},
        )

    def without(self, stored_filenames: Iterable[str]) -> GlacierInventory:
        """The inventory without the archives of these names."""
        gone = set(stored_filenames)
        return GlacierInventory(
            archives={name: value for name, value in self.archives.items() if name not in gone}, extra=self.extra
        )


def loads(data: bytes) -> GlacierInventory:
    """The inventory in these bytes, of today's form or of 2013's. Raises `PayloadDamaged` for anything else, or longer
    than any is. Of 2013's list, an element that names no archive is left out."""
    if len(data) > MOST_BYTES:
        raise PayloadDamaged(
            f"{KEY} is longer than {MOST_BYTES} bytes; rewrite it with `bakthat glacier-inventory save`"
        )
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_VALUES:
        raise PayloadDamaged(
            f"{KEY} contains more than {_MAX_VALUES} values; rewrite it with `bakthat glacier-inventory save`"
        )
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PayloadDamaged(f"{KEY} is not JSON ({error}); rewrite it with `bakthat glacier-inventory save`") from None
    if isinstance(raw, dict):
        return GlacierInventory(
            archives={name: ArchiveId(value) for name, value in raw.items() if _is_id(value)},
            extra={name: value for name, value in raw.items() if not _is_id(value)},
        )
    if isinstance(raw, list):
        archives = dict(filter(None, map(_listed, raw)))
        if archives or not raw:
            return GlacierInventory(archives=archives, left_out=sum(_listed(element) is None for element in raw))
    raise PayloadDamaged(f"{KEY} is not an inventory; rewrite it with `bakthat glacier-inventory save`")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _listed(element: object) -> tuple[str, ArchiveId] | None:
    if isinstance(element, dict):
        name, archive_id = element.get("filename"), element.get("archive_id")
        if isinstance(name, str) and isinstance(archive_id, str) and archive_id:
            return name, ArchiveId(archive_id)
    return None
