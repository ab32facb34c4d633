"""`verify`: checks that a backup is unchanged, level by level, without writing a file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from bakthat.domain.backup import Backup, said_of, whole_seconds
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.domain.verification import Level
from bakthat.errors import (
    BackupNotFound,
    BakthatError,
    ChainBroken,
    DatabaseError,
    ObjectNotFound,
    PasswordNeeded,
    PayloadDamaged,
    PayloadError,
    WrongPassword,
)
from bakthat.usecases.chain import ChainFinder
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.select_backup import choose
from bakthat.usecases.streams.archive_stream import open_archive, packer_of, read_through
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class Verified:
    """The result of verifying. `error`: why it is bad (`is_bad`), or could not be checked further; None if it is good
    up to `level`. `note`: why it was not checked further, if that is not an error ("no key")."""

    backup: Backup
    level: Level
    error: BakthatError | None = None
    note: str = ""

    @property
    def is_incomplete(self) -> bool:
        """Whether the backup is known to be incomplete, which is not damage: see `Backup.problems`."""
        return self.backup.is_incomplete

    @property
    def problems(self) -> tuple[str, ...]:
        """The known problems: see `Backup.problems`."""
        return self.backup.problems

    @property
    def is_bad(self) -> bool:
        """Whether the backup itself, or one that it needs, is missing or damaged; any other error says only that it
        could not be checked."""
        return isinstance(self.error, PayloadDamaged | ObjectNotFound | ChainBroken)


def verify(
    name: str | Backup | None,
    destination_name: str,
    tools: Tools,
    *,
    host: str | None = None,
    quick: bool = False,
    allow_plain: bool = False,
    keys: Callable[[Backup], Keys] = lambda _: Keys(),
    on_verified: Callable[[Verified], None] = lambda _: None,
) -> list[Verified]:
    """Verify the backup that NAME means, or with None every backup of the destination, newest first. Each record gets
    the result and its date. An incremental backup is as good as its whole chain; each archive is read once.

    host: only backups of this host.
    quick: check only existence and size.
    allow_plain: accept a plain backup of an encrypted series.
    on_verified: called with each result.

    One bad backup does not stop the rest, and neither does a database that cannot be written: a notice says that the
    results are not recorded. Raises `BackupNotFound`, `AmbiguousName`, `DatabaseError` if it cannot be read.
    """
    destination = tools.destination(destination_name)
    if name is not None:
        chosen = [choose(name, destination, tools, host=host)]
    else:
        chosen = list(tools.repo.find(Query(backend=destination.name, owners=(destination.owner,))))
        chosen = [backup for backup in chosen if host in (None, backup.host)]
        if not chosen:
            of_host = "" if host is None else f" of host {host}"
            raise BackupNotFound(f"no backups{of_host} in {destination.name} ({destination.owner.location})")
    plain_guard = None if allow_plain else PlainGuard(destination, tools)
    archives = _Archives(lambda backup: _verify_one(backup, destination, tools, quick, plain_guard, keys))
    finder = ChainFinder(destination, tools, keys, retrieve=not quick)
    results: list[Verified] = []
    is_recording = True
    for backup in chosen:
        result = _with_chain(archives(backup), archives, finder)
        if is_recording and _says_something_new(result, quick):
            recorded: dict[str, Any] = {"at": int(whole_seconds(tools.clock()).timestamp()), "level": str(result.level)}
            if result.is_bad:
                recorded["error"] = str(result.error)
            try:
                _record(backup, recorded, destination, tools)
            except DatabaseError as error:
                tools.notice(f"{error}; the results of verifying are not recorded")
                is_recording = False
        on_verified(result)
        results.append(result)
    return results


class _Archives:
    """The results of single archives, each verified once: many chains begin with the same one."""

    def __init__(self, verify_one: Callable[[Backup], Verified]) -> None:
        self._verify_one = verify_one
        self._known: dict[tuple[str, str | None], Verified] = {}

    def __call__(self, backup: Backup) -> Verified:
        key = (backup.stored_filename, backup.sha256)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._verify_one(backup)
        return known


def _with_chain(result: Verified, archives: _Archives, finder: ChainFinder) -> Verified:
    """The result for a backup and everything that a restore of it needs."""
    backup = result.backup
    if not backup.is_incremental or result.error is not None:
        return result
    try:
        chain = finder.chain(backup, _keys_for(backup, finder.ask_keys)[0])
    except BakthatError as error:
        return evolve(result, error=error)
    for base in chain[:-1]:
        of_base = archives(base)
        level = min(result.level, of_base.level, key=list(Level).index)
        result = evolve(result, level=level, note=result.note or of_base.note)
        if of_base.is_bad:
            broken = ChainBroken(
                f"{backup.stored_filename} needs {base.stored_filename}, which is bad: {of_base.error}"
            )
            return evolve(result, error=broken)
        if of_base.error is not None:
            return evolve(result, error=of_base.error)
    return result


def _says_something_new(result: Verified, quick: bool) -> bool:
    """Whether to record this result: not if the backup could not be seen (no permission, no network), and not a good
    quick check after a good complete one."""
    if result.error is not None and not result.is_bad:
        return result.level not in (Level.NONE, Level.PRESENT)
    earlier = result.backup.metadata.verified
    looked_closer = earlier is not None and "error" not in earlier
    return result.is_bad or not (quick and looked_closer)


def _record(backup: Backup, verified: dict[str, Any], destination: Destination, tools: Tools) -> None:
    """Put the result into the current row: verifying may take hours, in which the backup may be deleted."""
    query = Query(stored_filename=backup.stored_filename, backend=destination.name, owners=(destination.owner,))
    for row in tools.repo.find(query):
        if row.same_backup_as(backup):
            with contextlib.suppress(BackupNotFound):
                tools.repo.replace(row.with_metadata(row.last_updated, verified=verified))


def _verify_one(
    backup: Backup,
    destination: Destination,
    tools: Tools,
    quick: bool,
    plain_guard: PlainGuard | None,
    keys: Callable[[Backup], Keys],
) -> Verified:
    level = Level.NONE
    stage = f"verifying {backup.stored_filename}"
    try:
        if plain_guard is not None:
            plain_guard.check(backup)
        size = destination.size_of(backup)
        if size is not None and backup.known_size not in (None, size):
            raise PayloadDamaged(f"{backup.stored_filename}: the store has {size} bytes, the record says {backup.size}")
        level = Level.PRESENT
        if quick:
            return Verified(backup=backup, level=level)
        given, note = _keys_for(backup, keys)
        if note:
            read_through(destination.open(backup), backup, tools, stage=stage)
        else:
            try:
                with open_archive(destination.open(backup), backup, given, tools, stage=stage) as plain:
                    packer_of(backup.format, tools).check(plain)
            except PasswordNeeded as error:
                note = f"not opened: {said_of(backup, error)}"
                read_through(destination.open(backup), backup, tools, stage=stage)
            except WrongPassword:
                # A wrong key is a separate error; the stored bytes are checked anyway.
                read_through(destination.open(backup), backup, tools, stage=stage)
                level = Level.STORED if backup.sha256 else Level.PRESENT
                raise
            else:
                return Verified(backup=backup, level=Level.OPENS)
        return Verified(backup=backup, level=Level.STORED if backup.sha256 else Level.PRESENT, note=note)
    except PayloadError as error:
        text = str(error)
        named = error if backup.stored_filename in text else type(error)(f"{backup.stored_filename}: {text}")
        return Verified(backup=backup, level=level, error=named)
    except BakthatError as error:
        return Verified(backup=backup, level=level, error=error)


def _keys_for(backup: Backup, keys: Callable[[Backup], Keys]) -> tuple[Keys, str]:
    """The keys for a backup, and why it cannot be opened, if it cannot: its stored bytes are checked all the same."""
    if not backup.is_encrypted:
        return Keys(), ""
    try:
        given = keys(backup)
    except PasswordNeeded as error:
        return Keys(), f"not opened: {said_of(backup, error)}"
    return given, "" if given else "no password or key file: not opened"
