"""Copies one backup: its stored bytes as they are, then the copy of its index, its catalog entry and its row."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from attrs import evolve, frozen

from bakthat.domain.archive_index import PACKED_LIMIT
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import CatalogEntry
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.domain.progress import Progress
from bakthat.errors import (
    BakthatError,
    InvalidName,
    ObjectArchived,
    ObjectExists,
    ObjectNotFound,
    PayloadDamaged,
    RetrievalPending,
    StoreError,
    StoreUnavailable,
)
from bakthat.usecases.copying.target import Presence, Target
from bakthat.usecases.destinations.base import Destination, Stored
from bakthat.usecases.inside.ranged_archive import naming, open_by_ranges
from bakthat.usecases.streams.hashing import CheckedReader
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools

_INDEX_LIMIT = PACKED_LIMIT + 1024 * 1024
"""Bytes of a copy of an index, with what encryption adds at most."""


@frozen(kw_only=True)
class Copied:
    """A backup that is at the target.

    `backup`: its record there. `is_new`: this call stored it. `by_service`: no byte passed this machine.
    """

    backup: Backup
    is_new: bool
    by_service: bool = False


@frozen(kw_only=True)
class Copier:
    """Copies backups from a source to the target. tier, wait: of a retrieval that the source may need."""

    source: Destination
    target: Target
    tools: Tools
    tier: Tier | None = None
    wait: bool = False

    def copy(self, backup: Backup) -> Copied:
        """Copy the backup, or complete what an earlier copy left undone.

        Raises `ObjectExists` if another object has its name at the target, `PayloadDamaged` if its bytes are not those
        of the record; nothing is at the target then. Also `ObjectNotFound`, `RetrievalPending`, `StoreError`.
        """
        name = backup.stored_filename
        there = self.target.presence_of(backup, may_read=True)
        if there is Presence.ALL:
            return Copied(backup=self.target.row(backup) or self.target.draft(backup), is_new=False)
        by_service = False
        if there is not Presence.NOTHING:
            stored = self.target.stored_already(backup)
        else:
            with naming(backup):
                within = self._within_service(backup)
                by_service = within is not None
                stored = within if within is not None else self._streamed(backup)
        draft = self.target.draft(backup)
        copy = evolve(draft, metadata=draft.metadata.changed(**stored.as_facts()))
        if there is Presence.DESCRIBED:
            # Only an entry says what it is: it is as trusted as `sync` would take it.
            seen = copy.metadata.changed(stored_at=self.target.stored_at(backup))
            return Copied(backup=self.target.add(evolve(copy, metadata=seen)), is_new=False)
        if self.target.destination.keeps_index_copies:
            self._copy_index(backup)
        copy = self.target.record(copy, backup, self._entry(name))
        return Copied(backup=copy, is_new=there is Presence.NOTHING, by_service=by_service)

    def _within_service(self, backup: Backup) -> Stored | None:
        try:
            return self.target.destination.copy_from(backup, self.source)
        except ObjectArchived:
            return None  # it may have been retrieved: the stream finds out
        except ObjectNotFound as gone:
            raise ObjectNotFound(f"{gone}; `bakthat sync` updates the database from the store") from gone

    def _streamed(self, backup: Backup) -> Stored:
        draft = self.target.draft(backup)
        try:
            with opened_when_ready(backup, self.source, self.tools, tier=self.tier, wait=self.wait) as stored:
                body = _Body(stored, backup, self.tools)
                made = self.target.destination.store(draft, cast(BinaryIO, body), size_hint=backup.known_size)
        except RetrievalPending as pending:
            raise RetrievalPending(str(pending).replace("run restore again", "run copy again")) from pending
        except ObjectExists as taken:
            raise ObjectExists(f"{taken}; it is another object, and was not replaced") from taken
        if not body.ended:
            self._discard(evolve(draft, metadata=draft.metadata.changed(**made.as_facts())))
            raise StoreError(
                f"{backup.stored_filename}: the store {self.target.destination.owner.location} stopped reading after "
                f"{body.size} bytes, so there is no copy; this is a bug of the store"
            )
        return made

    def _discard(self, half: Backup) -> None:
        try:
            self.target.destination.remove(half)
        except BakthatError as error:
            where = self.target.destination.owner.location
            self.tools.notice(f"a partial copy may be left in {where}, {half.stored_filename}: {error}")

    def _entry(self, name: str) -> CatalogEntry | None:
        """The entry at the source, for what this version does not know. The record is that of the database."""
        try:
            return self.source.read_entry(name)
        except StoreUnavailable:
            raise
        except (StoreError, PayloadDamaged, InvalidName):
            return None

    def _copy_index(self, backup: Backup) -> None:
        """Put a copy of the index beside an archive that must be retrieved before it can be read.

        That of the source, else the index in an archive that is not encrypted. A failure is a notice, as in a backup.
        """
        name = backup.stored_filename
        try:
            content = self.source.read_index_copy(name, limit=_INDEX_LIMIT)
            if content is None and not self.source.keeps_index_copies and not backup.is_encrypted:
                archive = open_by_ranges(backup, Keys(), self.source, self.tools)
                content = archive.index.packed if archive is not None else None
            if content is not None:
                self.target.destination.write_index_copy(name, content)
            elif backup.is_encrypted and not self.source.keeps_index_copies:
                self.tools.notice(
                    f"{name}: its index is encrypted inside the archive and was not copied beside it: `bakthat ls` has "
                    "to retrieve the archive"
                )
        except BakthatError as error:
            self.tools.notice(f"{name} is copied, but the copy of its index is not: {error}")


class _Body(io.RawIOBase):
    """The stored bytes on their way: checked against the record, whose size and SHA-256 are compared at the end."""

    def __init__(self, stored: BinaryIO, backup: Backup, tools: Tools) -> None:
        self.ended = False
        self.size = 0
        self._backup = backup
        self._tools = tools
        self._checked = CheckedReader(stored, size=backup.known_size, sha256=backup.sha256)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            wanted = len(view)
            count = self._checked.readinto(view)
        self.size += count
        self.ended = self.ended or count < wanted
        total, name = self._backup.known_size, self._backup.stored_filename
        self._tools.progress(Progress(stage=f"copying {name}", done=self.size, total=total))
        return count
