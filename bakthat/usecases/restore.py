"""`restore`: restores one backup to files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from bakthat.domain.archive_format import Container
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys, UnpackReport
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import ChainedArchive
from bakthat.usecases.chain import ChainFinder, keys_for
from bakthat.usecases.choose_to_open import Chosen, backup_of_object, choose_to_open, keys_of
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.members import rules_of, spans_of_selected
from bakthat.usecases.inside.only_file import name_of_file
from bakthat.usecases.inside.ranged_archive import joined, naming, open_by_ranges, parts_with_progress
from bakthat.usecases.opened_chain import recorded_chain, stored_chain, thinned_chain
from bakthat.usecases.streams.archive_stream import open_archive, packer_of
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools

_MOST_PROBLEMS = 20
"""The maximum number of lines; as many as a backup records."""

_LINE = 400
"""The maximum length of a problem's line in characters."""


@frozen(kw_only=True)
class RestoreRequest(Chosen):
    """What to restore, and where to.

    overwrite: replace what is there. only: gitignore patterns, relative to the backup's root; none means everything.
    tier: how fast, where the backup must be retrieved first; wait: until it is. full_check: read the archive whole
    even where a part of it would do, so that its SHA-256 is checked. xattrs: restore extended attributes, too.
    """

    target: Path
    overwrite: bool = False
    only: tuple[str, ...] = ()
    tier: Tier | None = None
    wait: bool = False
    full_check: bool = False
    xattrs: bool = True


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
    backup, keys = choose_to_open(request, tools)
    destination = tools.destination(request.destination)
    if backup.is_incremental:
        finder = ChainFinder(destination, tools, request.keys, tier=request.tier, wait=request.wait)
        needed = finder.chain(backup, keys)
        chain = list(zip(needed, keys_for(needed, keys, request.keys), strict=True))
        archives = None if request.full_check else thinned_chain(chain, destination, tools, only=request.only)
        if archives is None:
            archives = recorded_chain(chain, destination, tools, tier=request.tier, wait=request.wait)
        return _unpack_chain(archives, backup, request, tools)
    if request.only and not request.full_check:
        plain = _parts_of(backup, keys, destination, request, tools)
        if plain is not None:
            return _unpack(plain, backup, request, tools)
    stored = opened_when_ready(backup, destination, tools, tier=request.tier, wait=request.wait)
    return _unpack(open_archive(stored, backup, keys, tools, stage="restoring"), backup, request, tools)


def restore_stored(objects: ObjectStore, key: str, request: RestoreRequest, tools: Tools) -> Restored:
    """Restore an object by its key alone, without database and catalog; its name defines its format, and an incremental
    archive says which one it continues. `request.name` and `request.destination` are ignored.

    Raises `BackupNotFound` if there is no such object, else as `restore` does.
    """
    backup = backup_of_object(objects, key)
    keys = keys_of(backup, request.keys)
    if backup.is_incremental:
        return _unpack_chain(stored_chain(objects, key, keys, tools), backup, request, tools)
    plain = open_archive(objects.open(key), backup, keys, tools, stage="restoring")
    return _unpack(plain, backup, request, tools)


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


def _parts_of(
    backup: Backup, keys: Keys, destination: Destination, request: RestoreRequest, tools: Tools
) -> AbstractContextManager[BinaryIO] | None:
    """The members that the patterns ask for, as a tar stream; None if they cannot be read without the others, or are
    most of the archive."""
    archive = open_by_ranges(backup, keys, destination, tools)
    if archive is None or not archive.is_readable:
        return None
    with naming(backup):
        selected = spans_of_selected(archive.index, rules_of(request.only, "`only=`"))
    spans = list(joined(selected, tools.worth_a_request))
    if archive.packed_bytes(spans) > archive.index.header.packed_size * tools.worth_parts:
        return None
    return parts_with_progress(archive, spans, backup, tools)


def _unpack(
    opened: AbstractContextManager[BinaryIO], backup: Backup, request: RestoreRequest, tools: Tools
) -> Restored:
    """Unpack what the packer wrote into the target directory."""
    with opened as plain:
        report = packer_of(backup.format, tools).unpack(
            plain,
            request.target,
            name=name_of_file(backup),
            name_is_guess=backup.root is None and backup.format.container is Container.TAR,
            overwrite=request.overwrite,
            only=request.only,
            xattrs=request.xattrs,
        )
    return _restored(backup, report, tools)


def _unpack_chain(
    archives: Sequence[ChainedArchive], backup: Backup, request: RestoreRequest, tools: Tools
) -> Restored:
    """Unpack the archives of a chain, the last of which is that of the backup."""
    report = tools.tar.unpack_chain(
        archives,
        request.target,
        name=name_of_file(backup),
        name_is_guess=backup.root is None,
        overwrite=request.overwrite,
        only=request.only,
        xattrs=request.xattrs,
    )
    return _restored(backup, report, tools)
