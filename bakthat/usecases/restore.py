"""`restore`: one backup becomes files again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from attrs import field, frozen

from bakthat.domain import retrieval
from bakthat.domain.archive_format import Container, suffix_of_changed_name
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys, UnpackReport
from bakthat.domain.stored_name import parse
from bakthat.errors import (
    BackupNotFound,
    InvalidName,
    ObjectNotFound,
    PasswordNeeded,
    RetrievalPending,
)
from bakthat.ports.object_store import ObjectStore
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.select_backup import choose
from bakthat.usecases.streams.archive_stream import open_archive, packer_of
from bakthat.usecases.tools import Tools

_MOST_PROBLEMS = 20
"""Lines. As many as a backup records."""

_LINE = 400
"""Characters of a problem's line."""


@frozen(kw_only=True)
class RestoreRequest:
    """What to restore, and where to. `host`: only a backup of this host is meant. `keys`: asked once, before any
    download, and only for an encrypted backup. `only`: gitignore patterns, relative to the backup's root; none means
    everything. `allow_plain`: also a plain backup of a series that is encrypted. `tier`: how fast, where the backup
    must be retrieved first; `wait`: until it is."""

    name: str
    destination: str
    target: Path
    host: str | None = None
    overwrite: bool = False
    allow_plain: bool = False
    only: tuple[str, ...] = ()
    tier: Tier | None = None
    wait: bool = False
    keys: Callable[[Backup], Keys] = field(default=lambda _: Keys(), repr=False)


@frozen(kw_only=True)
class Restored:
    """A backup that was restored, and what now stands in the target directory."""

    backup: Backup
    report: UnpackReport

    @property
    def is_incomplete(self) -> bool:
        """Whether the backup is known to lack something of its source: see `Backup.problems`."""
        return self.backup.is_incomplete

    @property
    def problems(self) -> tuple[str, ...]:
        """What it is known to lack: see `Backup.problems`."""
        return self.backup.problems


def restore(request: RestoreRequest, tools: Tools) -> Restored:
    """Restore a backup into the target directory, all or nothing. If the backup is incomplete, everything that it
    holds is restored, and `tools.notice` is called with what it lacks.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `TargetExists`, `PasswordNeeded`, `WrongPassword`,
    `StoreError`, `RetrievalPending`; nothing has changed on disk then.
    """
    destination = tools.destination(request.destination)
    backup = choose(request.name, destination, tools, host=request.host)
    if not request.allow_plain:
        PlainGuard(destination, tools).check(backup)
    keys = keys_of(backup, request.keys)
    return _unpack(_opened(backup, destination, request, tools), backup, keys, request, tools)


def restore_stored(objects: ObjectStore, key: str, request: RestoreRequest, tools: Tools) -> Restored:
    """Restore an object by its key alone: no database, no catalog; its name says what it is. `request.name` and
    `request.destination` do not matter. Raises `BackupNotFound` if there is no such object, else as `restore` does."""
    try:
        info = objects.stat(key)
    except ObjectNotFound as error:
        raise BackupNotFound(str(error)) from error
    name = key.rsplit("/", 1)[-1]
    backup = Backup(
        backend="",
        backup_date=whole_seconds(info.modified),
        filename=_series_of(name),
        stored_filename=name,
        size=info.size,
        last_updated=whole_seconds(info.modified),
        metadata=BackupMetadata.of(location=objects.location),
    )
    keys = keys_of(backup, request.keys)
    return _unpack(objects.open(key), backup, keys, request, tools)


def _series_of(name: str) -> str:
    """The series of an object that nothing but its name is known of. A file that is stored as it is keeps its date."""
    try:
        parsed = parse(name)
    except InvalidName:
        return name.removesuffix(".enc").removesuffix(suffix_of_changed_name(name))
    return parsed.series if parsed.suffix else name.removesuffix(".enc")


def _restored(backup: Backup, report: UnpackReport, tools: Tools) -> Restored:
    for notice in report.notices:
        tools.notice(f"{notice.path}: {notice.reason}")
    if backup.is_incomplete:
        tools.notice(f"{backup.stored_filename} is {backup.completeness}: not backed up as it was:")
        for line in problem_lines(backup):
            tools.notice(line)
    return Restored(backup=backup, report=report)


def problem_lines(backup: Backup) -> list[str]:
    """The recorded problems, one line each, for a person: not more and not longer than can be read. An entry in a
    bucket may hold more."""
    lines = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in backup.problems[:_MOST_PROBLEMS]]
    count = max(backup.problem_count or 0, len(backup.problems))
    if not lines:
        return ["the record does not say which files"]
    return [*lines, f"and {count - len(lines)} more"] if count > len(lines) else lines


@contextmanager
def _opened(backup: Backup, destination: Destination, request: RestoreRequest, tools: Tools) -> Iterator[BinaryIO]:
    """The stored bytes; with `wait`, once their retrieval is ready."""
    pauses: Iterator[timedelta] | None = None
    with ExitStack() as stack:
        while True:
            try:
                stored = stack.enter_context(destination.open(backup, tier=request.tier))
            except ObjectNotFound as gone:
                raise ObjectNotFound(f"{gone}; `bakthat sync` makes the database agree with the store") from gone
            except RetrievalPending as pending:
                if not request.wait:
                    raise
                pauses = pauses or retrieval.pauses(destination.usual_wait(request.tier))
                _wait(pending, next(pauses).total_seconds(), tools)
            else:
                break
        yield stored


def _wait(pending: RetrievalPending, seconds: float, tools: Tools) -> None:
    line = str(pending).replace("run restore again", f"looking again in {seconds:.0f} s")
    tools.notice(line)
    try:
        tools.sleep(seconds)
    except KeyboardInterrupt:
        tools.notice("the retrieval goes on without you; run restore again later")
        raise


def keys_of(backup: Backup, ask: Callable[[Backup], Keys]) -> Keys:
    """The keys for a backup: none for a plain one, else what `ask` gives. Raises `PasswordNeeded`."""
    if not backup.is_encrypted:
        return Keys()
    keys = ask(backup)
    if not keys:
        raise PasswordNeeded(f"{backup.stored_filename} is encrypted; give its password, or its key file with -i")
    return keys


def _unpack(
    stored: AbstractContextManager[BinaryIO], backup: Backup, keys: Keys, request: RestoreRequest, tools: Tools
) -> Restored:
    """Unpack the stored bytes into the target directory."""
    is_value = backup.is_value
    root = None if is_value else backup.root
    name = backup.filename.rsplit("/", 1)[-1] if is_value else backup.filename
    with open_archive(stored, backup, keys, tools, stage="restoring") as plain:
        report = packer_of(backup.format, tools).unpack(
            plain,
            request.target,
            name=root or name,
            name_is_guess=root is None and backup.format.container is Container.TAR,
            overwrite=request.overwrite,
            only=request.only,
        )
    return _restored(backup, report, tools)
