"""`ls`: what a backup contains, without restoring it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from attrs import frozen

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.usecases.choose_to_open import Chosen, choose_to_open
from bakthat.usecases.inside.listing import members_in
from bakthat.usecases.inside.members import plain_path, relative, rules_of
from bakthat.usecases.storing.facts import printable
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class ListRequest(Chosen):
    """What to list. patterns: as of `restore --only`; none means everything. tier, wait: where an archive without an
    index must be retrieved first."""

    patterns: tuple[str, ...] = ()
    tier: Tier | None = None
    wait: bool = False


@frozen(kw_only=True)
class Listing:
    """What a backup contains. entries: in the order of the archive, each once; their paths are relative to the backup's
    root. Going on may raise `PayloadDamaged`, `StoreError`. is_indexed: they come from the archive's index, which was
    not compared with the archive."""

    backup: Backup
    entries: Iterator[IndexEntry]
    is_indexed: bool


@contextmanager
def list_archive(request: ListRequest, tools: Tools) -> Iterator[Listing]:
    """List a backup; the entries are read while the context is open.

    With an index only that is read. Else the archive is read whole, and `tools.notice` is called. An archive of another
    program may have several roots; a notice says so, since their names are not part of the paths.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`,
    `RetrievalPending`, `StoreError`, `UsageError`.
    """
    rules = rules_of(request.patterns, "PATH")
    backup, keys = choose_to_open(request, tools)
    destination = tools.destination(request.destination)
    with members_in(destination, tools, ask=request.keys, tier=request.tier, wait=request.wait)(
        backup, keys
    ) as members:
        every = members if members.is_indexed else _watched(members, backup, tools)
        yield Listing(backup=backup, entries=relative(every, rules), is_indexed=members.is_indexed)


def _watched(members: Iterable[IndexEntry], backup: Backup, tools: Tools) -> Iterator[IndexEntry]:
    """Yield all members; call `tools.notice` when there is a second root."""
    roots: set[str] = set()
    for entry in members:
        if len(roots) < 2:
            roots.update({plain_path(entry.path).partition("/")[0]} - {"."})
            if len(roots) == 2:
                these = " and ".join(map(printable, sorted(roots)))
                tools.notice(f"{backup.stored_filename} has several roots, as {these}: each path is below its own")
        yield entry
