"""The description that a vault stores with an archive. A record can be rebuilt from it without a bucket.

At most 1,024 printable ASCII characters: the stored filename, a space, and the facts of the record as compact JSON,
`mydir.20260102000000.tgz {"bakthat":1,"tags":["db"],"metadata":{"client":"host"}}`. A name that is not plain ASCII is
written as a JSON string. A fact that does not fit is omitted as a whole, and `"cut":true` records this. 2013 wrote only
the stored filename.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup, Owner, split_tags, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.catalog import ONLY_IN_A_DATABASE
from bakthat.domain.objects import ArchiveInfo
from bakthat.errors import InvalidName

LIMIT = 1024
"""Characters from 0x20 to 0x7E (Glacier API, Upload Archive)."""

VERSION = 1

_MARK = ' {"bakthat":'

_NEEDED = ("is_enc", "packed_by_source", "container", "encryption", "compression", "root", "sha256")
_TELLING = ("client", "source", "tool", "counts")
_ELSEWHERE = ONLY_IN_A_DATABASE | {"location"}
"""Facts that the store itself gives, or that one database notes for itself."""


def describe(backup: Backup) -> str:
    """The description of this backup's archive. Raises `InvalidName` if the stored filename does not fit."""
    name = _written(backup.stored_filename)
    if len(name) > LIMIT:
        raise InvalidName(f"{backup.stored_filename!r} is too long for the description of an archive")
    facts: dict[str, Any] = {"bakthat": VERSION}
    left_out = False
    for fact in _by_need(backup):
        grown = _with(facts, fact)
        if len(_joined(name, {**grown, "cut": True})) <= LIMIT:
            facts = grown
        else:
            left_out = True
    if left_out:
        facts["cut"] = True
    text = _joined(name, facts)
    return text if len(text) <= LIMIT else name


def read_description(text: str) -> tuple[str | None, dict[str, Any]]:
    """The stored filename, or None if the text contains none; and the facts that exist of `tags` (a list of strings)
    and `metadata` (an object)."""
    for name, facts in _readings(text):
        if _is_stored_filename(name):
            return name, facts
    return None, {}


def rebuilt(info: ArchiveInfo, owner: Owner) -> Backup | None:
    """The record of an archive in the vault's inventory; None if its description contains no stored filename."""
    stored_filename, facts = read_description(info.description)
    if stored_filename is None:
        return None
    name = stored_name.parse(stored_filename)
    given = {key: value for key, value in facts.get("metadata", {}).items() if key not in ONLY_IN_A_DATABASE}
    # The name decides: anyone may have written the description.
    metadata = {**given, "is_enc": name.encrypted, "location": owner.location}
    return Backup(
        backend=owner.backend,
        backend_hash=owner.backend_hash,
        backup_date=name.when,
        filename=name.series,
        stored_filename=stored_filename,
        size=info.size,
        tags=split_tags(facts.get("tags")),
        last_updated=whole_seconds(info.created),
        metadata=BackupMetadata.from_dict(metadata),
    )


def _by_need(backup: Backup) -> Iterator[Mapping[str, Any]]:
    """The facts one by one, those that a restore needs first."""
    known = {name: value for name, value in backup.metadata.items() if name not in _ELSEWHERE}
    rest = sorted(name for name in known if name not in _NEEDED and name not in _TELLING)
    yield from ({"metadata": {name: known[name]}} for name in _NEEDED if name in known)
    if backup.tags:
        yield {"tags": list(backup.tags)}
    yield from ({"metadata": {name: known[name]}} for name in (*_TELLING, *rest) if name in known)


def _with(facts: Mapping[str, Any], fact: Mapping[str, Any]) -> dict[str, Any]:
    if "metadata" in fact:
        return {**facts, "metadata": {**facts.get("metadata", {}), **fact["metadata"]}}
    return {**facts, **fact}


def _joined(name: str, facts: Mapping[str, Any]) -> str:
    return f"{name} {json.dumps(facts, ensure_ascii=True, separators=(',', ':'))}"


def _written(name: str) -> str:
    """The name itself if it is plain, else a JSON string; a header loses leading white space."""
    plain = name.isascii() and name.isprintable() and not name.startswith(('"', " "))
    return name if plain else json.dumps(name, ensure_ascii=True)


def _readings(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way to read the text as a name and facts, the most likely first."""
    if text.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            pass
        else:
            facts = _facts(text[end + 1 :]) if text[end:].startswith(_MARK) else None
            if facts is not None:
                yield name, facts
            elif end == len(text):
                yield name, {}
    at = text.find(_MARK)
    while at >= 0:
        facts = _facts(text[at + 1 :])
        if facts is not None:
            yield text[:at], facts
        at = text.find(_MARK, at + 1)
    yield text, {}


def _facts(text: str) -> dict[str, Any] | None:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    facts: dict[str, Any] = {}
    tags, metadata = raw.get("tags"), raw.get("metadata")
    if isinstance(tags, list):
        facts["tags"] = [tag for tag in tags if isinstance(tag, str)]
    if isinstance(metadata, dict):
        facts["metadata"] = metadata
    return facts


def _is_stored_filename(name: str) -> bool:
    try:
        stored_name.check_series(stored_name.parse(name).series)
    except InvalidName:
        return False
    return True
