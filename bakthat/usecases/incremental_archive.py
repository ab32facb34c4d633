"""From a directory to an archive of what changed in it, or to a full one that begins a chain.

choose the base             the newest backup of the origin, if it can be continued
store the archive           entry and row included; the packer notes in a draft what there is
keep the draft              as the state of the origin: never before the archive and its record are safe
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Protocol

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.chain import next_increment
from bakthat.domain.increment_policy import IncrementPolicy
from bakthat.domain.origin import shown
from bakthat.domain.payload import NamedBase, PackReport
from bakthat.errors import ObjectNotFound, StoreError
from bakthat.ports.file_states import Changes, StateDraft, TooManyNames
from bakthat.ports.payload import IndexedWriter
from bakthat.usecases.base_choice import Base, NextBackup, choose_base
from bakthat.usecases.chain import extend_locks
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.storing.new_archive import NewArchive, store_new
from bakthat.usecases.tools import Tools

_CLOCKS = timedelta(minutes=5)
"""By how much a lock may differ because it counts from the start of the upload, by the clock of the service."""


class PackChanges(Protocol):
    """Writes the content: `Packer.pack_changes`, with the source and the options of the backup."""

    def __call__(self, into: IndexedWriter, on_bytes: Callable[[int], None], changes: Changes) -> PackReport: ...


def store_incremental(
    archive: NewArchive, pack: PackChanges, tools: Tools, *, policy: IncrementPolicy, full: bool, xattrs: bool
) -> Backup:
    """Store the archive, which has no content yet, as `store_new` does.

    policy: when a full one is made. full: make one anyway. xattrs: whether the archive keeps extended attributes. A
    notice says why a full one is made that was not asked for, and if the next one will have to be one.
    """
    next_backup = NextBackup(series=archive.series, facts=archive.facts, keys=archive.keys, xattrs=xattrs)
    base = Base() if full else choose_base(next_backup, policy, archive.destination, tools)
    if base.backup is not None:
        try:
            made = _store(archive, pack, base, next_backup, tools)
            if not _is_gone(base.backup, archive.destination):
                return made
            base = Base(why=f"{base.backup.stored_filename} was deleted while {made.stored_filename} was made")
        except TooManyNames as error:
            base = Base(why=str(error))
    if base.why:
        tools.notice(f"{shown(archive.series)}: a full backup is made: {base.why}")
    return _store(archive, pack, base, next_backup, tools)


def _store(archive: NewArchive, pack: PackChanges, base: Base, next_backup: NextBackup, tools: Tools) -> Backup:
    key = next_backup.key(archive.destination)
    draft: StateDraft | None = None
    with ExitStack() as drafts:

        def produce(into: IndexedWriter, on_bytes: Callable[[int], None]) -> PackReport:
            nonlocal draft
            drafts.close()  # that of an attempt under another name
            draft = drafts.enter_context(tools.states.draft(key))
            named = NamedBase(base.backup.stored_filename, base.backup.sha256) if base.backup is not None else None
            return pack(into, on_bytes, Changes(draft=draft, base=named, known=base.known))

        made = store_new(_continuing(archive, base, produce), tools)
        _lock_as_long(made, base, archive.destination, tools)
        if draft is not None:
            try:
                draft.keep(next_backup.version(made))
            except OSError as error:
                tools.notice(
                    f"{made.stored_filename} is stored, but what it contains cannot be noted on this machine, so that "
                    f"the next backup will be a full one: {error.strerror or error}"
                )
        return made


def _is_gone(base: Backup, destination: Destination) -> bool:
    """Whether the store says that the base is no longer there."""
    try:
        destination.size_of(base)
    except ObjectNotFound:
        return True
    except StoreError:
        return False
    return False


def _lock_as_long(made: Backup, base: Base, destination: Destination, tools: Tools) -> None:
    """What was made may be locked for longer than what it continues: the setting may be a new one."""
    until = made.metadata.locked_until
    if until is None or not base.chain:
        return
    longest = base.chain[-1].metadata.locked_until
    period = longest - base.chain[-1].when if longest is not None else timedelta()
    if until - made.when <= period + _CLOCKS:
        return
    try:
        why = extend_locks(base.chain, until, destination)
    except StoreError as error:
        why = str(error)
    if why:
        tools.notice(f"{made.stored_filename} is locked for longer than what it continues: {why}")


def _continuing(
    archive: NewArchive, base: Base, produce: Callable[[IndexedWriter, Callable[[int], None]], PackReport]
) -> NewArchive:
    if base.backup is None:
        return evolve(archive, produce=produce)
    return evolve(
        archive,
        produce=produce,
        later_than=base.backup.when,
        form=evolve(archive.form, incremental=True),
        facts={**archive.facts, "incremental": next_increment(base.backup).as_metadata()},
    )
