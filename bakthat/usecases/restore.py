"""`restore`: restores one backup to files."""

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
"""The maximum number of lines; as many as a backup records."""

_LINE = 400
"""The maximum length of a problem's line in characters."""


@frozen(kw_only=True)
class RestoreRequest:
    """What to restore, and where. `host`: select only backups of this host. `keys`: called once, before any download,
    and only for an encrypted backup. `only`: gitignore patterns, relative to the backup's root; none means everything.
    `allow_plain`: also restore a plain backup of an encrypted series. `tier`: speed of the retrieval, if the backup
    needs one; `wait`: wait for it."""

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
    """A restored backup, and the roots that are now in the target directory."""

    backup: Backup
    report: UnpackReport

    @property
    def is_incomplete(self) -> bool:
        """Whether the backup is known to be incomplete: see `Backup.problems`."""
        return self.backup.is_incomplete

    @property
    def problems(self) -> tuple[str, ...]:
        """The known problems: see `Backup.problems`."""
        return self.backup.problems


def restore(request: RestoreRequest, tools: Tools) -> Restored:
    """Restore a backup into the target directory, all or nothing. If the backup is incomplete, everything that it
    contains is restored, and `tools.notice` lists what is missing.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `TargetExists`, `PasswordNeeded`, `WrongPassword`,
    `StoreError`, `RetrievalPending`; the disk is then unchanged.
    """
    destination = tools.destination(request.destination)
    backup = choose(request.name, destination, tools, host=request.host)
    if not request.allow_plain:
        PlainGuard(destination, tools).check(backup)
    keys = keys_of(backup, request.keys)
    return _unpack(_opened(backup, destination, request, tools), backup, keys, request, tools)


def restore_stored(objects: ObjectStore, key: str, request: RestoreRequest, tools: Tools) -> Restored:
    """Restore an object by its key alone, without database and catalog; its name defines its format. `request.name` and
    `request.destination` are ignored. Raises `BackupNotFound` if there is no such object, else as `restore` does."""
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
    """The series of an object of which only the name is known. A file that is stored as it is keeps its date."""
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
    """The recorded problems, one line each, limited in number and length. An entry in a bucket may contain more."""
    lines = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in backup.problems[:_MOST_PROBLEMS]]
    count = max(backup.problem_count or 0, len(backup.problems))
    if not lines:
        return ["the record does not say which files"]
    return [*lines, f"and {count - len(lines)} more"] if count > len(lines) else lines


@contextmanager
def _opened(backup: Backup, destination: Destination, request: RestoreRequest, tools: Tools) -> Iterator[BinaryIO]:
    """The stored bytes; with `wait`, when their retrieval is ready."""
    pauses: Iterator[timedelta] | None = None
    with ExitStack() as stack:
        while True:
            try:
                stored = stack.enter_context(destination.open(backup, tier=request.tier))
            except ObjectNotFound as gone:
                raise ObjectNotFound(f"{gone}; `bakthat sync` updates the database from the store") from gone
            except RetrievalPending as pending:
                if not request.wait:
                    raise
                pauses = pauses or retrieval.pauses(destination.usual_wait(request.tier))
                _wait(pending, next(pauses).total_seconds(), tools)
            else:
                break
        yield stored


def _wait(pending: RetrievalPending, seconds: float, tools: Tools) -> None:
    line = str(pending).replace("run restore again", f"checking again in {seconds:.0f} s")
    tools.notice(line)
    try:
        tools.sleep(seconds)
    except KeyboardInterrupt:
        tools.notice("the retrieval continues; run restore again later")
        raise


def keys_of(backup: Backup, ask: Callable[[Backup], Keys]) -> Keys:
    """The keys for a backup: none for a plain one, else the result of `ask`. Raises `PasswordNeeded`."""
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
