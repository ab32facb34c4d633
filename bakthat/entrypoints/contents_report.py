"""How the contents of archives are shown: lines for a person, and JSON."""

from __future__ import annotations

import base64
import functools
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bakthat.domain.archive_index import EntryKind, IndexEntry
from bakthat.domain.content_diff import Difference, Facts
from bakthat.entrypoints import json_output
from bakthat.usecases.find import FoundFile

_TYPES: Mapping[str, int] = {
    "file": stat.S_IFREG,
    "hardlink": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}


def shown_path(path: str) -> str:
    """Return a path in one line that any terminal takes: control characters and bytes that are not UTF-8 are escaped
    (`\\n`, `\\x1b`, `\\xff`)."""
    if path.isprintable():
        return path
    return "".join(char if char.isprintable() else _escaped(char) for char in path)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how Python writes a byte that is not UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def name_line(entry: IndexEntry) -> str:
    """Return the entry's path; a directory's with a slash at its end."""
    return shown_path(entry.path) + ("/" if entry.kind == "directory" else "")


def long_line(entry: IndexEntry) -> str:
    """Return mode, owner, size, time (UTC) and path, as `tar -tv` and `ls -l` have them."""
    owner = f"{entry.uid}/{entry.gid}"
    line = f"{_mode(entry.kind, entry.mode)} {owner:<11} {entry.size:>11} {_minute(entry.mtime_ns)} {name_line(entry)}"
    if entry.kind == "symlink":
        return f"{line} -> {shown_path(entry.link)}"
    return f"{line} link to {shown_path(entry.link)}" if entry.kind == "hardlink" else line


def entry_json(entry: IndexEntry) -> dict[str, Any]:
    """Return the entry for JSON. A path that is not UTF-8 has its bytes as `\\xff`, and also as `path_base64`."""
    facts: dict[str, Any] = {
        **path_json(entry.path),
        "type": entry.kind,
        "size": entry.size,
        "mtime": _iso(entry.mtime_ns),
        "mtime_ns": entry.mtime_ns,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
    }
    if entry.link:
        facts.update(path_json(entry.link, "link"))
    return facts


def path_json(path: str, name: str = "path") -> dict[str, str]:
    """Return the path under `name`, and if it is not UTF-8, its bytes under `name_base64`."""
    try:
        path.encode()
    except UnicodeEncodeError:
        text = "".join(_escaped(char) if "\udc80" <= char <= "\udcff" else char for char in path)
        return {name: text, f"{name}_base64": base64.b64encode(os.fsencode(path)).decode()}
    return {name: path}


def found_line(found: FoundFile) -> str:
    """Return the stored filename, size, time (UTC) and path, separated by tabs."""
    entry = found.entry
    return f"{found.backup.stored_filename}\t{entry.size}\t{_minute(entry.mtime_ns)}\t{name_line(entry)}"


def difference_line(difference: Difference) -> str:
    """Return what became of the path, the path, and what changed, separated by tabs."""
    either = difference.after or difference.before
    slash = "/" if either is not None and either.kind == "directory" else ""
    words = [str(difference.change), shown_path(difference.path) + slash]
    return "\t".join([*words, ", ".join(difference.fields)] if difference.fields else words)


def difference_json(difference: Difference) -> dict[str, Any]:
    """Return the difference for JSON."""
    return {
        **path_json(difference.path),
        "change": str(difference.change),
        "fields": list(difference.fields),
        "before": _facts_json(difference.before),
        "after": _facts_json(difference.after),
    }


def _facts_json(facts: Facts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {
        "type": facts.kind,
        "size": facts.size,
        "mtime": None if facts.kind == "directory" else _iso(facts.mtime_ns),
        "mode": f"{facts.mode:04o}",
        **(path_json(facts.link, "link") if facts.link else {}),
    }


def _moment(nanoseconds: int) -> datetime | None:
    """Return the time, which an archive may have from any year; None outside of those that a date can have."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


@functools.lru_cache(maxsize=1024)
def _mode(kind: EntryKind, mode: int) -> str:
    return stat.filemode(_TYPES[kind] | mode)


def _minute(nanoseconds: int) -> str:
    return _minute_of(nanoseconds // 60_000_000_000)


@functools.lru_cache(maxsize=1024)
def _minute_of(minutes: int) -> str:
    moment = _moment(minutes * 60_000_000_000)
    return f"{moment:%Y-%m-%d %H:%M}" if moment is not None else f"{minutes * 60:>16}"


def _iso(nanoseconds: int) -> str | None:
    moment = _moment(nanoseconds)
    return json_output.iso(moment)
