"""What every verb does that reads an archive: choose the backup, and get its keys."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from bakthat.domain.archive_format import suffix_of_changed_name
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.payload import Keys
from bakthat.domain.stored_name import parse
from bakthat.errors import BackupNotFound, InvalidName, ObjectNotFound
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.missing_key import key_needed
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.select_backup import choose
from bakthat.usecases.tools import Tools


def no_keys(_: Backup) -> Keys:
    """The keys of a caller that has none."""
    return Keys()


@frozen(kw_only=True)
class Chosen:
    """Which backup a verb reads. name: its name, or its record. host: only a backup of this host is meant. allow_plain:
    also a plain backup of a series that is encrypted. keys: called once, before any download, and only for an encrypted
    backup."""

    name: str | Backup
    destination: str
    host: str | None = None
    allow_plain: bool = False
    keys: Callable[[Backup], Keys] = field(default=no_keys, repr=False)


def choose_to_open(chosen: Chosen, tools: Tools) -> tuple[Backup, Keys]:
    """Return the backup that is meant, and its keys; none for a plain one.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `PasswordNeeded`.
    """
    destination = tools.destination(chosen.destination)
    backup = choose(chosen.name, destination, tools, host=chosen.host)
    if not chosen.allow_plain:
        PlainGuard(destination, tools).check(backup)
    return backup, keys_of(backup, chosen.keys)


def keys_of(backup: Backup, ask: Callable[[Backup], Keys]) -> Keys:
    """The keys for a backup: none for a plain one, else what `ask` gives. Raises `PasswordNeeded`."""
    if not backup.is_encrypted:
        return Keys()
    keys = ask(backup)
    if not keys:
        raise key_needed(backup)
    return keys


def backup_of_object(objects: ObjectStore, key: str) -> Backup:
    """Return a record for an object of which nothing but its key is known; its name defines its format. Raises
    `BackupNotFound`."""
    try:
        info = objects.stat(key)
    except ObjectNotFound as error:
        raise BackupNotFound(str(error)) from error
    name = key.rsplit("/", 1)[-1]
    return Backup(
        backend="",
        backup_date=whole_seconds(info.modified),
        filename=_series_of(name),
        stored_filename=name,
        size=info.size,
        last_updated=whole_seconds(info.modified),
        metadata=BackupMetadata.of(location=objects.location),
    )


def _series_of(name: str) -> str:
    """The series of an object of which only the name is known. A file that is stored as it is keeps its date."""
    try:
        parsed = parse(name)
    except InvalidName:
        return name.removesuffix(".enc").removesuffix(suffix_of_changed_name(name))
    return parsed.series if parsed.suffix else name.removesuffix(".enc")
