"""`ls`: what a backup contains, without restoring it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from bakthat.domain.archive_format import Container
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.usecases.inside.index_copy import read_index_copy
from bakthat.usecases.inside.members import below_root, is_selected, plain_path, rules_of
from bakthat.usecases.inside.only_file import only_entry
from bakthat.usecases.inside.ranged_archive import naming, open_by_ranges
from bakthat.usecases.opening import Chosen, choose_to_open, opened_when_ready
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.tools import Tools

if TYPE_CHECKING:
    from bakthat.domain.ignore_patterns import IgnoreRules


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
    root. Reading on may raise `PayloadDamaged`, `StoreError`. is_indexed: they come from the archive's index, which
    nobody has compared with the archive."""

    backup: Backup
    entries: Iterator[IndexEntry]
    is_indexed: bool


@contextmanager
def list_archive(request: ListRequest, tools: Tools) -> Iterator[Listing]:
    """List a backup; the entries are read while the context is open.

    With an index only that is read. Else the archive is read whole, and `tools.notice` is called.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`,
    `RetrievalPending`, `StoreError`, `UsageError`.
    """
    backup, keys = choose_to_open(request, tools)
    rules = rules_of(request.patterns, "PATH")
    if backup.format.container is not Container.TAR:
        chosen = [entry for entry in [only_entry(backup)] if is_selected(entry, rules)]
        yield Listing(backup=backup, entries=iter(chosen), is_indexed=False)
        return
    indexed = _indexed(backup, keys, request, tools)
    if indexed is not None:
        with naming(backup):
            yield Listing(backup=backup, entries=_relative(indexed, rules), is_indexed=True)
        return
    destination = tools.destination(request.destination)
    stored = opened_when_ready(backup, destination, tools, tier=request.tier, wait=request.wait)
    with open_archive(stored, backup, keys, tools, stage=f"listing {backup.stored_filename}") as plain:
        tools.notice(f"{backup.stored_filename} has no index: it is read from beginning to end, which takes longer")
        contents = tools.tar.contents(plain)
        yield Listing(backup=backup, entries=_relative((entry for entry, _ in contents), rules), is_indexed=False)


def _indexed(backup: Backup, keys: Keys, request: ListRequest, tools: Tools) -> Iterator[IndexEntry] | None:
    destination = tools.destination(request.destination)
    archive = open_by_ranges(backup, keys, destination, tools)
    index = archive.index if archive is not None else read_index_copy(backup, keys, destination, tools)
    return None if index is None else index.entries()


def _relative(entries: Iterator[IndexEntry], rules: IgnoreRules | None) -> Iterator[IndexEntry]:
    for entry in entries:
        if is_selected(entry, rules):
            path = plain_path(entry.path)
            below = below_root(path)
            if below:
                yield entry._replace(path=below)
            elif entry.kind != "directory":
                yield entry._replace(path=path)  # a root that is a file
