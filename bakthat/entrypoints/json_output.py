"""What `--json` prints: one object with `"version": 1`, and an error as an object on stderr. See docs/json.md.

The version changes when a field goes, or means something else. New fields may come at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bakthat.domain.backup import Backup, from_epoch
from bakthat.entrypoints import terminal
from bakthat.entrypoints.command_line_words import in_command_line_words

VERSION = 1
"""Of the output of every command."""

_EPOCHS = ("stored_at", "entry_seen", "locked_until")
"""The dates in a record's metadata. `verified` has one more, `at`."""


def print_document(fields: Mapping[str, Any]) -> None:
    """Write the object to stdout, with the version. Raises `terminal.OutputLost`."""
    terminal.result_json({"version": VERSION, **fields})


def print_backups(backups: Iterable[Backup]) -> None:
    """Write `{"version": 1, "backups": […]}` to stdout. Raises `terminal.OutputLost`."""
    print_document({"backups": [record_json(backup) for backup in backups]})


def print_items(about: Mapping[str, Any], name: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Write the object with a list `name` of many items, one in a line, each written when it is there. Raises
    `terminal.OutputLost`."""
    terminal.result_document({"version": VERSION, **about}, name, items)


def record_json(backup: Backup) -> dict[str, Any]:
    """Return the record, with an ISO date beside each epoch: `backup_date` and `backup_date_iso`."""
    record = backup.as_record()
    metadata = dict(record["metadata"])
    for key in _EPOCHS:
        metadata.update(_iso_beside(key, metadata.get(key)))
    verified = metadata.get("verified")
    if isinstance(verified, Mapping):
        metadata["verified"] = {**verified, **_iso_beside("at", verified.get("at"))}
    return {
        **record,
        "backup_date_iso": iso(backup.when),
        "last_updated_iso": iso(backup.last_updated),
        "metadata": metadata,
    }


def errors_json(errors: Mapping[str, BaseException]) -> dict[str, str]:
    """Return the messages of errors, by what they are about, in the words of the command line."""
    return {name: in_command_line_words(str(error)) for name, error in errors.items()}


def iso(moment: datetime | None) -> str | None:
    """Return the moment as ISO 8601 in UTC, `2026-01-02T03:04:05Z`; None for None."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def tell_error(error: BaseException, message: str, exit_code: int, *, as_json: bool) -> None:
    """Write the error that ends the command to stderr: `bakthat: MESSAGE`, or as JSON, in one line:
    `{"version": 1, "error": {"type": …, "message": …, "exit_code": …}}`."""
    if not as_json:
        terminal.tell(f"bakthat: {message}")
        return
    facts = {"type": type(error).__name__, "message": in_command_line_words(message), "exit_code": exit_code}
    terminal.tell_data(json.dumps({"version": VERSION, "error": facts}))


def is_wanted(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON, also where something else about them is wrong."""
    return "--json" in _before_the_command_of_a_stream(arguments)


def _before_the_command_of_a_stream(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "--":
            return
        yield argument


def _iso_beside(key: str, epoch: Any) -> dict[str, str | None]:
    if isinstance(epoch, bool) or not isinstance(epoch, int):
        return {}
    try:
        return {f"{key}_iso": iso(from_epoch(epoch))}
    except (ValueError, OverflowError, OSError):  # not a date, which an entry may contain
        return {}
